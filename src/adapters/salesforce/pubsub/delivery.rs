//! One answer turned into hints: which records each event names, and whose opportunities these are.

use std::sync::Arc;

use cpq_domain::change::{Change, ChangeKind, Hint};
use cpq_domain::error::Result;
use cpq_domain::id::RecordId;
use cpq_domain::view::FieldName;
use cpq_meter::catalogue::crm::EVENTS;
use jiff::Timestamp;

use super::super::layout::Layout;
use super::super::record_id;
use super::event::{self, ChangeType, Header, Record};
use super::limits::EVENT_BYTES;
use super::lookup::{By, Found, Wanted};
use super::place;
use super::schema::{EventSchema, Missing, Schemas};
use super::settings::Topic;
use super::wire::{ConsumerEvent, ProducerEvent};
use super::{Link, canonical};

/// What is known while an answer is worked through.
pub(super) struct Delivery<'a> {
    pub(super) link: &'a Link,
    pub(super) schemas: &'a Schemas,
    pub(super) layout: &'a Layout,
    pub(super) topic: &'a Topic,
    /// Name of our client, as the origin of a change carries it.
    pub(super) client: &'a str,
    /// Everything before this moment was seen before the answer came.
    pub(super) seen: Timestamp,
    pub(super) wanted: Wanted,
    pub(super) sweep: Option<Timestamp>,
    /// When the newest change of the answer was committed.
    pub(super) newest: Option<Timestamp>,
    entries: Vec<(Target, Hint)>,
}

/// What a hint is about.
enum Target {
    Opportunity(RecordId),
    /// The opportunities of another record.
    Of(By, String),
}

impl<'a> Delivery<'a> {
    pub(super) fn new(
        (link, schemas, layout): (&'a Link, &'a Schemas, &'a Layout),
        (topic, client): (&'a Topic, &'a str),
        seen: Timestamp,
    ) -> Self {
        Delivery {
            link,
            schemas,
            layout,
            topic,
            client,
            seen,
            wanted: Wanted::default(),
            sweep: None,
            newest: None,
            entries: Vec::new(),
        }
    }

    /// Takes in one event. One that cannot be read becomes a sweep, and the feed goes on.
    ///
    /// # Errors
    /// When its schema cannot be had just now.
    pub(super) async fn take(&mut self, event: &ConsumerEvent) -> Result<()> {
        let nothing = ProducerEvent::default();
        let told = event.event.as_ref().unwrap_or(&nothing);
        let read = match self.read(told).await {
            Ok(read) => read,
            Err(Missing::Failed(error)) => return Err(error),
            Err(Missing::Unusable(why)) => {
                self.lost(event, self.seen, &why);
                return Ok(());
            }
        };
        let (schema, record) = read;
        let taken = match &self.topic.field {
            None => record
                .header()
                .map(|header| self.change(event, &told.id, &schema, &record, header)),
            Some(field) => self.platform(&told.id, field, &record),
        };
        if let Err(why) = taken {
            self.lost(event, self.seen, &why);
        }
        Ok(())
    }

    async fn read(&self, told: &ProducerEvent) -> Result<(Arc<EventSchema>, Record), Missing> {
        let unusable = |why: String| Err(Missing::Unusable(why));
        if told.payload.len() > EVENT_BYTES {
            return unusable(format!(
                "its {} bytes are more than {EVENT_BYTES}",
                told.payload.len()
            ));
        }
        if told.schema_id.is_empty() {
            return unusable("it names no schema".to_owned());
        }
        let fetch = || self.link.schema(&told.schema_id);
        let schema = self.schemas.get(&told.schema_id, fetch).await?;
        match Record::read(&schema, &told.payload) {
            Ok(record) => Ok((schema, record)),
            Err(why) => unusable(why),
        }
    }

    fn change(
        &mut self,
        event: &ConsumerEvent,
        id: &str,
        schema: &EventSchema,
        record: &Record,
        header: Header,
    ) {
        self.newest = self.newest.max(Some(header.at));
        let from = place::before(header.at);
        let Some(rows) = self.rows(&header.entity) else {
            return self.count("ignored", 1);
        };
        if header.change == ChangeType::GapOverflow {
            let why = format!(
                "more {} records changed in one transaction than Salesforce tells",
                header.entity
            );
            return self.lost(event, from, &why);
        }
        let fields = self.fields(event, rows, schema, &header);
        let hint = Hint {
            source: format!("pubsub {} {}", self.topic.name, header.entity),
            event: Some(id.to_owned()).filter(|id| !id.is_empty()),
            kind: kind(rows, header.change),
            at: Some(header.at),
            by: Some(header.by).filter(|by| !by.is_empty()),
            ours: event::client(&header.origin) == Some(self.client),
            fields,
        };
        for named in &header.ids {
            match (record_id::long_form(named), rows) {
                (None, _) => self.lost(
                    event,
                    from,
                    &format!("it names {named:.40?}, which is no one record"),
                ),
                (Some(id), None) => self.opportunity(id, hint.clone()),
                (Some(id), Some(by)) => self.related(by, &id, record, hint.clone()),
            }
        }
    }

    /// By which way an object's records lead to opportunities; an inner `None` is the opportunity itself, an outer one
    /// an object that does not concern us.
    fn rows(&self, entity: &str) -> Option<Option<By>> {
        let quotes = self.layout.quotes.as_deref();
        match entity {
            "Opportunity" => Some(None),
            "Account" => Some(Some(By::Account)),
            "Contact" => Some(Some(By::Contact)),
            "OpportunityContactRole" => Some(Some(By::Role)),
            "OpportunityLineItem" => Some(Some(By::Line)),
            entity => {
                let is_quote =
                    quotes.is_some_and(|quotes| quotes.object.as_str().eq_ignore_ascii_case(entity));
                is_quote.then_some(Some(By::Quote))
            }
        }
    }

    /// The canonical fields that changed. A record that came or went changes all that is read from it.
    fn fields(
        &self,
        event: &ConsumerEvent,
        rows: Option<By>,
        schema: &EventSchema,
        header: &Header,
    ) -> Vec<FieldName> {
        match (header.change, rows) {
            (ChangeType::Update, _) => match event::changed_names(header, schema) {
                Ok(names) => canonical::touched(self.layout, &header.entity, &names),
                Err(why) => {
                    self.warn(event, &format!("which fields changed is not known: {why}"));
                    Vec::new()
                }
            },
            (ChangeType::Create | ChangeType::Delete | ChangeType::Undelete, Some(_)) => {
                canonical::all(self.layout, &header.entity)
            }
            _ => Vec::new(),
        }
    }

    fn opportunity(&mut self, id: String, hint: Hint) {
        // An id in its long form is a record id.
        if let Ok(id) = RecordId::new(id) {
            self.entries.push((Target::Opportunity(id), hint));
        }
    }

    /// A record of another object: its opportunity is in the event if it was set there, else it is looked up.
    fn related(&mut self, by: By, id: &str, record: &Record, hint: Hint) {
        let parent = match by {
            By::Quote => self.layout.quotes.as_deref().map(|quotes| quotes.parent.as_str()),
            By::Line | By::Role => Some("OpportunityId"),
            By::Account | By::Contact | By::Number => None,
        };
        let parent = parent.and_then(|parent| record.text(parent));
        match parent.and_then(record_id::opportunity) {
            Some(opportunity) => self.opportunity(opportunity, hint),
            None => {
                self.wanted.add(by, id);
                self.entries.push((Target::Of(by, id.to_owned()), hint));
            }
        }
    }

    /// A platform event, which names the opportunity by id or number.
    fn platform(&mut self, id: &str, field: &str, record: &Record) -> Result<(), String> {
        let at = record.moment("CreatedDate");
        self.newest = self.newest.max(at);
        let key = record.text(field).map(str::trim).filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| format!("its field {field} names no opportunity"))?;
        let hint = Hint {
            source: format!("pubsub {}", self.topic.name),
            event: Some(id.to_owned()).filter(|id| !id.is_empty()),
            kind: ChangeKind::Unknown,
            at,
            by: record.text("CreatedById").map(str::to_owned),
            ours: false,
            fields: Vec::new(),
        };
        match record_id::opportunity(key) {
            Some(id) => self.opportunity(id, hint),
            None => {
                self.wanted.add(By::Number, key);
                self.entries.push((Target::Of(By::Number, key.to_owned()), hint));
            }
        }
        Ok(())
    }

    /// The hints, in the order of the events.
    pub(super) fn changes(&mut self, found: &Found) -> Vec<Change> {
        self.short(found);
        let mut changes = Vec::new();
        for (target, hint) in std::mem::take(&mut self.entries) {
            match target {
                Target::Opportunity(opportunity) => changes.push(Change { opportunity, hint }),
                Target::Of(by, key) => {
                    let hint = |opportunity: &RecordId| Change {
                        opportunity: opportunity.clone(),
                        hint: hint.clone(),
                    };
                    changes.extend(found.of(by, &key).iter().map(hint));
                    self.unfound(by, &key, found);
                }
            }
        }
        self.count("hint", changes.len());
        changes
    }

    /// Has a sweep find the opportunities that could not be looked up.
    fn short(&mut self, found: &Found) {
        let mut why = found.short.clone();
        for (target, _) in &self.entries {
            match target {
                Target::Of(by @ (By::Quote | By::Line | By::Role), key) if !found.knows(*by, key) => {
                    why.push(format!(
                        "record {key} is gone, and nothing says to what it belonged"
                    ));
                }
                _ => {}
            }
        }
        for why in why {
            let from = place::before(self.oldest());
            self.sweep = Some(self.sweep.map_or(from, |sweep| sweep.min(from)));
            tracing::warn!(
                connection = self.link.connection(),
                topic = self.topic.name,
                "some opportunities of changed records are left to a sweep: {why}"
            );
        }
    }

    /// A number that nobody has was a mistake of whoever published it. Other records often belong to no opportunity.
    fn unfound(&self, by: By, key: &str, found: &Found) {
        if by == By::Number && !found.knows(by, key) && found.short.is_empty() {
            tracing::warn!(
                connection = self.link.connection(),
                topic = self.topic.name,
                "an event names the opportunity {key:.80?}, which is not in Salesforce or hidden from our user"
            );
        }
    }

    /// When the first of the changes was committed.
    fn oldest(&self) -> Timestamp {
        let moments = self.entries.iter().filter_map(|(_, hint)| hint.at);
        moments.min().unwrap_or(self.seen)
    }

    /// Something happened that this event does not tell: a sweep has to find it.
    fn lost(&mut self, event: &ConsumerEvent, from: Timestamp, why: &str) {
        self.sweep = Some(self.sweep.map_or(from, |sweep| sweep.min(from)));
        self.count("unreadable", 1);
        self.warn(
            event,
            &format!("what changed since {from} has to be looked at, because {why}"),
        );
    }

    fn warn(&self, event: &ConsumerEvent, what: &str) {
        let replay: String = event.replay_id.iter().map(|byte| format!("{byte:02x}")).collect();
        tracing::warn!(
            connection = self.link.connection(),
            topic = self.topic.name,
            replay,
            "an event tells less than it should: {what}"
        );
    }

    fn count(&self, outcome: &'static str, events: usize) {
        EVENTS.add([self.link.connection(), outcome], events as u64);
    }
}

/// What happened, seen from the opportunity: a quote that was deleted is a change of its opportunity.
fn kind(rows: Option<By>, change: ChangeType) -> ChangeKind {
    use ChangeType::*;
    match (rows, change) {
        (None, Create | GapCreate) => ChangeKind::Created,
        (None, Delete | GapDelete) => ChangeKind::Deleted,
        (None, Undelete | GapUndelete) => ChangeKind::Restored,
        (None, Update) | (Some(_), Create | Update | Delete | Undelete) => ChangeKind::Changed,
        (_, GapUpdate | GapOverflow | Other) => ChangeKind::Unknown,
        (Some(_), GapCreate | GapDelete | GapUndelete) => ChangeKind::Unknown,
    }
}
