//! Which changes become events, and which channels carry them (Change Data Capture Developer Guide, Select Objects
//! for Change Notifications; Tooling API, PlatformEventChannel and PlatformEventChannelMember).

use super::filter::Filter;
use crate::schema::{Object, Schema};
use serde::{Deserialize, Serialize};

/// The channel that carries every captured object.
pub const STANDARD: &str = "ChangeEvents";
/// Custom channels of an org (Platform Events Developer Guide, Platform Event Allocations).
const CHANNELS: usize = 100;
/// Fields that a member may add to its events (Change Data Capture Developer Guide, Enrichment considerations).
const ENRICHED: usize = 10;

/// Standard objects with change events (Object Reference, StandardObjectNameChangeEvent), as far as an org here can
/// have them. Line items came with version 60.0, price book entries with 57.0.
const SUPPORTED: [&str; 26] = [
    "Account",
    "Asset",
    "Campaign",
    "CampaignMember",
    "Case",
    "Contact",
    "Contract",
    "Event",
    "Individual",
    "Lead",
    "Location",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "OpportunitySplit",
    "Order",
    "OrderItem",
    "Pricebook2",
    "PricebookEntry",
    "Product2",
    "Quote",
    "QuoteLineItem",
    "ServiceContract",
    "Task",
    "User",
    "WorkOrder",
];

/// What an org captures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Capture {
    /// Objects on the standard channel; all that can be captured, when absent. An object that is named is captured
    /// even if a real org would not offer it.
    pub entities: Option<Vec<String>>,
    /// Most objects that may be selected over all channels; a real org without the add-on has five.
    pub entity_limit: Option<usize>,
    /// Custom channels, and what is special about the standard one.
    pub channels: Vec<Channel>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Channel {
    /// `Sales__chn`, or `ChangeEvents` for the standard one.
    pub name: String,
    /// Label.
    #[serde(default)]
    pub label: Option<String>,
    /// What it carries.
    #[serde(default)]
    pub channel_type: ChannelType,
    /// Whose events it carries, and how.
    #[serde(default)]
    pub members: Vec<Member>,
}

/// What a channel carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChannelType {
    /// Change events.
    #[default]
    Data,
    /// Platform events.
    Event,
}

/// One kind of event on a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Object (`Opportunity`) or event (`OpportunityChangeEvent`, `Order_Shipped__e`).
    pub selected_entity: String,
    /// Fields whose values come with updates and deletes although they did not change.
    #[serde(default)]
    pub enriched_fields: Vec<String>,
    /// Only events for which this holds, in the words of a SOQL condition.
    #[serde(default)]
    pub filter_expression: Option<String>,
}

impl Capture {
    /// Takes in more: channels replace those of the same name, a selection replaces the one before.
    pub fn add(&mut self, more: &Capture) {
        if more.entities.is_some() {
            self.entities.clone_from(&more.entities);
        }
        if more.entity_limit.is_some() {
            self.entity_limit = more.entity_limit;
        }
        for channel in &more.channels {
            self.channels.retain(|known| known.name != channel.name);
            self.channels.push(channel.clone());
        }
    }

    /// Whether all this exists and fits.
    ///
    /// # Errors
    /// Names what does not.
    pub fn check(&self, schema: &Schema) -> Result<(), String> {
        for entity in self.entities.iter().flatten() {
            captured(schema, entity).ok_or_else(|| format!("capture: {entity} is no object with records"))?;
        }
        if self.channels.len() > CHANNELS {
            return Err(format!("channels: at most {CHANNELS} are allowed"));
        }
        for channel in &self.channels {
            channel.check(schema)?;
        }
        let selected = schema
            .objects()
            .iter()
            .filter(|object| self.selects(object))
            .count();
        match self.entity_limit {
            Some(limit) if selected > limit => Err(format!(
                "capture: {selected} objects are selected over all channels, but at most {limit} are allowed"
            )),
            _ => Ok(()),
        }
    }

    /// Whether the standard channel carries the object's changes.
    pub fn on_standard_channel(&self, object: &Object) -> bool {
        match &self.entities {
            Some(names) => names.iter().any(|name| name.eq_ignore_ascii_case(&object.name)),
            None => supported(object),
        }
    }

    /// Whether any channel carries the object's changes.
    fn selects(&self, object: &Object) -> bool {
        let member = |channel: &Channel| channel.member(object).is_some();
        self.on_standard_channel(object)
            || self
                .channels
                .iter()
                .any(|c| c.channel_type == ChannelType::Data && member(c))
    }
}

impl Channel {
    fn check(&self, schema: &Schema) -> Result<(), String> {
        let standard = self.name == STANDARD && self.channel_type == ChannelType::Data;
        if !standard && !self.name.ends_with("__chn") {
            return Err(format!("channel {} must end in __chn", self.name));
        }
        for member in &self.members {
            let wrong = |why: String| format!("channel {}, {}: {why}", self.name, member.selected_entity);
            let object = match self.channel_type {
                ChannelType::Data => captured(schema, &member.selected_entity),
                ChannelType::Event => schema
                    .object(&member.selected_entity)
                    .filter(|object| object.event.is_some()),
            };
            let object = object.ok_or_else(|| wrong("there is no such event".into()))?;
            member.check(object).map_err(wrong)?;
        }
        Ok(())
    }

    /// How the channel carries events of the object, if it does.
    pub fn member(&self, object: &Object) -> Option<&Member> {
        let event = event_name(object);
        let named = |member: &&Member| {
            let name = &member.selected_entity;
            name.eq_ignore_ascii_case(&object.name) || name.eq_ignore_ascii_case(&event)
        };
        self.members.iter().find(named)
    }
}

impl Member {
    fn check(&self, object: &Object) -> Result<(), String> {
        if self.enriched_fields.len() > ENRICHED {
            return Err(format!("at most {ENRICHED} fields can be added"));
        }
        let unknown = |name: &&String| object.position(name).is_none();
        if let Some(name) = self.enriched_fields.iter().find(unknown) {
            return Err(format!("there is no field {name}"));
        }
        match &self.filter_expression {
            Some(text) => Filter::parse(text, object).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Whether events pass it as they are.
    pub fn is_plain(&self) -> bool {
        self.enriched_fields.is_empty() && self.filter_expression.is_none()
    }
}

/// Name of the change event of an object: `OpportunityChangeEvent`, `Invoice__ChangeEvent`.
pub fn event_name(object: &Object) -> String {
    if object.event.is_some() {
        return object.name.clone();
    }
    match object.name.strip_suffix("__c") {
        Some(base) => format!("{base}__ChangeEvent"),
        None => format!("{}ChangeEvent", object.name),
    }
}

/// The record id of an overflow event, which no record has.
pub fn no_record(prefix: &str) -> String {
    crate::org::Id::parse(&format!("{prefix}000000000000"))
        .map_or_else(|| prefix.to_owned(), |id| id.to_string())
}

/// The object whose changes an event of this name tells, if there can be such events.
pub fn object_of<'a>(schema: &'a Schema, event: &str, capture: &Capture) -> Option<&'a Object> {
    let base = event.strip_suffix("ChangeEvent")?;
    let name = base
        .strip_suffix("__")
        .map_or_else(|| base.to_owned(), |base| format!("{base}__c"));
    let object = schema.object(&name).filter(|object| object.event.is_none())?;
    (supported(object) || capture.selects(object)).then_some(object)
}

/// Whether an org offers the object for selection.
fn supported(object: &Object) -> bool {
    object.event.is_none() && (object.custom || SUPPORTED.contains(&object.name.as_str()))
}

fn captured<'a>(schema: &'a Schema, name: &str) -> Option<&'a Object> {
    let by_event = || {
        let base = name.strip_suffix("ChangeEvent")?;
        let name = base
            .strip_suffix("__")
            .map_or_else(|| base.to_owned(), |base| format!("{base}__c"));
        schema.object(&name)
    };
    schema
        .object(name)
        .or_else(by_event)
        .filter(|object| object.event.is_none())
}
