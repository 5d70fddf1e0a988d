//! Definitions: objects, fields, record types and rules that come to an org, at its start or while it runs.

use super::input::{self, Purpose};
use super::{Hand, Id, Org, Value};
use crate::schema::Customization;
use crate::schema::custom::RecordTypeSpec;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

impl Org {
    /// Adds what a definition brings. Answers the ids of its record types in their order.
    ///
    /// # Errors
    /// Says what does not fit; then nothing is added.
    pub fn define(&mut self, more: &Customization, now: Timestamp) -> Result<Vec<Id>, String> {
        self.customize(more, now)?;
        let hand = Hand {
            user: self.first_user,
            now,
        };
        let ids: Result<Vec<Id>, String> = more
            .record_types
            .iter()
            .map(|kind| self.record_type_row(&hand, kind))
            .collect();
        self.commit_silently();
        ids
    }

    /// Whether a definition fits, without adding it.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn check_definition(&self, more: &Customization) -> Result<(), String> {
        let mut custom = self.custom.clone();
        custom.extend(more)?;
        crate::schema::Schema::build(&custom).map(|_| ())
    }

    /// Makes the row of a record type, or brings it up to date.
    fn record_type_row(&mut self, hand: &Hand, kind: &RecordTypeSpec) -> Result<Id, String> {
        let schema = self.schema();
        let at = schema.position("RecordType").ok_or("there are no record types")?;
        let of = schema
            .object(&kind.object)
            .map_or(kind.object.as_str(), |o| o.name.as_str());
        let values: Map<String, Json> = [
            ("Name", json!(kind.label.as_ref().unwrap_or(&kind.name))),
            ("DeveloperName", json!(kind.name)),
            ("Description", json!(kind.description)),
            ("SobjectType", json!(of)),
            ("IsActive", json!(kind.active)),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect();
        let given = input::read(self, schema.at(at), &values, Purpose::Seed, &[]);
        let given = given.map_err(|e| e.message)?;
        let known = self.record_type(of, &kind.name);
        let written = match known {
            Some(id) => self.update(hand, at, id, given).map(|()| id),
            None => self.insert(hand, at, given),
        };
        written.map_err(|e| format!("record type {}: {}", kind.name, e.message))
    }

    /// The record type of an object with this API name.
    pub fn record_type(&self, object: &str, name: &str) -> Option<Id> {
        let at = self.schema.position("RecordType")?;
        let is = |id: Id, field: &str, wanted: &str| {
            let value = self.peek(at, id, field);
            value.as_text().is_some_and(|v| v.eq_ignore_ascii_case(wanted))
        };
        let mut ids = self.tables[at].rows().map(|(id, _)| id);
        ids.find(|id| is(*id, "SobjectType", object) && is(*id, "DeveloperName", name))
    }

    /// The record type of records of an object that name none.
    pub(super) fn default_record_type(&self, object: &crate::schema::Object) -> Value {
        let default = object
            .record_types
            .iter()
            .find(|kind| kind.default && kind.active);
        default
            .and_then(|kind| self.record_type(&object.name, &kind.name))
            .map_or(Value::Null, Value::Id)
    }
}
