//! Publishing: a create of a platform event stores nothing and goes out on the event bus instead.

use super::draft::{Draft, Given};
use super::transaction::{Commit, Origin, Undo};
use super::{ApiError, Hand, Id, Org, Value};
use crate::schema::PublishBehavior;
use jiff::Timestamp;
use std::sync::Arc;

/// Published events whose UUID can still be asked for.
const REMEMBERED: usize = 1_000;

/// A platform event on its way to the bus.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Position of the event in the schema.
    pub object: usize,
    /// One value per field.
    pub values: Vec<Value>,
    /// The event's own id, which a publisher is told.
    pub uuid: Arc<str>,
    /// When it was published.
    pub at: Timestamp,
}

impl Org {
    /// Publishes an event: with the transaction, or at once and for good when its definition says so. The id that this
    /// answers means nothing (Platform Events Developer Guide, Publish Event Messages with Salesforce APIs).
    ///
    /// # Errors
    /// REQUIRED_FIELD_MISSING, and LIMIT_EXCEEDED when the events of this hour are used up.
    pub(super) fn publish(&mut self, hand: &Hand, at: usize, given: Given) -> Result<Id, ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        let id = self.next_id(at, object);
        let mut draft = Draft::new((at, object), id, hand, None, given);
        self.fill_defaults(&mut draft);
        super::write::check_required(&draft)?;
        if !self.quota.publish(hand.now) {
            let message = "The hourly limit of published platform events is exceeded.";
            return Err(ApiError::data("LIMIT_EXCEEDED", message, &[]));
        }
        draft.set("CreatedDate", Value::instant(hand.now));
        draft.set("CreatedById", Value::Id(hand.user));
        let uuid = crate::events::new_uuid();
        self.remember(id, uuid.clone());
        let publication = Publication {
            object: at,
            values: draft.row.values,
            uuid,
            at: hand.now,
        };
        match object.event {
            Some(PublishBehavior::Immediately) => self.send_now(hand, publication),
            _ => {
                self.outbox.push(publication);
                self.undo.push(Undo::Publication);
            }
        }
        Ok(id)
    }

    /// The UUID of an event that was published just now, by the id that the publisher was given.
    pub fn enqueued(&self, id: Id) -> Option<Arc<str>> {
        let newest_first = self.enqueued.iter().rev();
        newest_first
            .clone()
            .find(|(known, _)| *known == id)
            .map(|(_, uuid)| uuid.clone())
    }

    fn remember(&mut self, id: Id, uuid: Arc<str>) {
        self.enqueued.push_back((id, uuid));
        if self.enqueued.len() > REMEMBERED {
            self.enqueued.pop_front();
        }
    }

    fn send_now(&mut self, hand: &Hand, publication: Publication) {
        self.log.push(Commit {
            number: 0,
            at: hand.now,
            user: hand.user,
            origin: Origin::default(),
            changes: Vec::new(),
            published: vec![publication],
        });
    }
}
