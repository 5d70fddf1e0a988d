//! Topics: what can be subscribed to and published on.

use super::Events;
use super::capture::{self, ChannelType, STANDARD};
use crate::org::Org;
use std::sync::Arc;

/// A topic that the org has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Name such as `/data/OpportunityChangeEvent`, `/event/Order_Shipped__e`, `/data/ChangeEvents`.
    pub name: Arc<str>,
    /// Names of the events it carries (`OpportunityChangeEvent`, `Order_Shipped__e`); none means every change event.
    /// Events that a channel filters or adds fields to have its name behind an `@`.
    pub carries: Option<Vec<Arc<str>>>,
    /// Id of the schema of new events; empty for a channel of several kinds.
    pub schema_id: Arc<str>,
    /// Platform events can be published; change events only come from the org itself.
    pub can_publish: bool,
}

/// Why there is no such topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTopic {
    /// The name is blank.
    Blank,
    /// Nothing has this name.
    Unknown,
}

/// The topic with this name: one event, the standard channel, or a custom channel (Pub/Sub API, Event Bus Topics).
pub(super) fn named(events: &Events, org: &Org, name: &str) -> Result<Topic, NoTopic> {
    if name.trim().is_empty() {
        return Err(NoTopic::Blank);
    }
    let (kind, event) = match (name.strip_prefix("/data/"), name.strip_prefix("/event/")) {
        (Some(event), _) => (ChannelType::Data, event),
        (_, Some(event)) => (ChannelType::Event, event),
        _ => return Err(NoTopic::Unknown),
    };
    let found = match kind {
        _ if event.ends_with("__chn") => channel(events, org, kind, event),
        ChannelType::Data if event == STANDARD => Some(every_change()),
        ChannelType::Data => changes(events, org, event),
        ChannelType::Event => published(events, org, event),
    };
    found.ok_or(NoTopic::Unknown)
}

fn every_change() -> Topic {
    Topic {
        name: format!("/data/{STANDARD}").into(),
        carries: None,
        schema_id: "".into(),
        can_publish: false,
    }
}

/// Changes of one object, whether or not they are captured.
fn changes(events: &Events, org: &Org, event: &str) -> Option<Topic> {
    let schema = org.schema();
    let object = capture::object_of(&schema, event, org.capture())?;
    let known = events.known_of(org, &capture::event_name(object))?;
    let on_standard = super::cast::kind_on(&known.kind, Some(STANDARD));
    Some(Topic {
        name: format!("/data/{}", known.kind).into(),
        carries: Some(vec![known.kind.clone(), on_standard.into()]),
        schema_id: known.id.clone(),
        can_publish: false,
    })
}

fn published(events: &Events, org: &Org, event: &str) -> Option<Topic> {
    let schema = org.schema();
    let object = schema.object(event).filter(|object| object.event.is_some())?;
    let known = events.known_of(org, &object.name)?;
    Some(Topic {
        name: format!("/event/{}", object.name).into(),
        carries: Some(vec![known.kind.clone()]),
        schema_id: known.id.clone(),
        can_publish: true,
    })
}

fn channel(events: &Events, org: &Org, kind: ChannelType, name: &str) -> Option<Topic> {
    let channels = &org.capture().channels;
    let channel = channels
        .iter()
        .find(|one| one.channel_type == kind && one.name == name)?;
    let family = match kind {
        ChannelType::Data => "data",
        ChannelType::Event => "event",
    };
    Some(Topic {
        name: format!("/{family}/{name}").into(),
        carries: Some(events.cast(org).kinds(channel)),
        schema_id: "".into(),
        can_publish: false,
    })
}
