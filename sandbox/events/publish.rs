//! Publishing an event that a client has written itself, as the Pub/Sub API does.

use super::{Events, Published, ReplayId, Topic};
use crate::org::{Org, Value};
use crate::schema::{Field, Kind, Object};
use apache_avro::types::Value as Avro;
use axum::body::Bytes;
use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use std::fmt;
use std::sync::Arc;

/// Largest event (Platform Events Developer Guide, Platform Event Allocations).
pub const LARGEST: usize = 1024 * 1024;

/// Why an event was not published; none of them leaves a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Events of this topic come from the org itself.
    NotPublishable(Arc<str>),
    /// Nothing was ever written in this schema, or in another topic's.
    Schema(String),
    /// It has so many bytes.
    TooLarge(usize),
    /// The bytes are no datum of the schema.
    Unreadable,
    /// A field that must have a value has none.
    Missing(String),
    /// The events of this hour are used up.
    Limit,
}

impl Refused {
    /// The code that stands in front of the message where there is one (Platform Events Developer Guide, Error
    /// Status Codes for Platform Events).
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Limit => "LIMIT_EXCEEDED",
            Refused::Missing(_) => "REQUIRED_FIELD_MISSING",
            _ => "PUBLISH",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotPublishable(topic) => write!(f, "The topic {topic} can't be published on."),
            Refused::Schema(id) => write!(f, "The schema ID {id} isn't one of the event's schemas."),
            Refused::TooLarge(bytes) => {
                write!(
                    f,
                    "The event has {bytes} bytes, but at most {LARGEST} are allowed."
                )
            }
            Refused::Unreadable => f.write_str("The payload can't be read with the given schema."),
            Refused::Missing(field) => write!(f, "Required fields are missing: [{field}]"),
            Refused::Limit => f.write_str("The hourly limit of published platform events is exceeded."),
        }
    }
}

impl Events {
    /// Publishes one event on a topic. `id` is the event's id; without one it gets a new one. The fields `CreatedDate`
    /// and `CreatedById` are the publisher's own words, as on the real bus.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn publish(
        &self,
        org: &Org,
        topic: &Topic,
        schema_id: &str,
        payload: &[u8],
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<ReplayId, Refused> {
        if !topic.can_publish {
            return Err(Refused::NotPublishable(topic.name.clone()));
        }
        let schema = org.schema();
        let known = self
            .registry
            .get(schema_id)
            .filter(|known| topic.carries(&known.kind))
            .ok_or_else(|| Refused::Schema(schema_id.to_owned()))?;
        let object = schema
            .object(&known.kind)
            .ok_or_else(|| Refused::Schema(schema_id.to_owned()))?;
        if payload.len() > LARGEST {
            return Err(Refused::TooLarge(payload.len()));
        }
        let Some(Avro::Record(fields)) = known.decode(payload) else {
            return Err(Refused::Unreadable);
        };
        let values = values(object, &fields);
        check(object, &values)?;
        if !self.quota.publish(now) {
            return Err(Refused::Limit);
        }
        let event = Published {
            object,
            values: &values,
            id: id
                .filter(|id| !id.is_empty())
                .map_or_else(super::new_uuid, Arc::from),
            schema_id: known.id.clone(),
            payload: Bytes::copy_from_slice(payload),
        };
        Ok(self.send(org, &event, now))
    }
}

/// Looks for what must be there.
fn check(object: &Object, values: &[Value]) -> Result<(), Refused> {
    let needed = |field: &Field| field.name == "CreatedById" || field.custom && field.required();
    let empty = object
        .fields
        .iter()
        .zip(values)
        .find(|(field, value)| needed(field) && value.is_null());
    match empty {
        Some((field, _)) => Err(Refused::Missing(field.name.clone())),
        None => Ok(()),
    }
}

/// The event's fields in the places that the object has for them. A field that it no longer has is passed over.
fn values(object: &Object, fields: &[(String, Avro)]) -> Vec<Value> {
    let mut values = vec![Value::Null; object.fields.len()];
    for (name, value) in fields {
        if let Some(at) = object.position(name) {
            values[at] = plain(value, object.fields[at].kind);
        }
    }
    values
}

fn plain(value: &Avro, kind: Kind) -> Value {
    match value {
        Avro::Union(_, inner) => plain(inner, kind),
        Avro::String(text) => Value::text(text),
        Avro::Boolean(flag) => Value::Bool(*flag),
        Avro::Double(number) => Decimal::from_f64(*number).map_or(Value::Null, Value::Number),
        Avro::Long(millis) => instant(*millis, kind),
        _ => Value::Null,
    }
}

fn instant(millis: i64, kind: Kind) -> Value {
    let at = Timestamp::from_millisecond(millis).ok();
    at.map_or(Value::Null, |at| match kind {
        Kind::Date => Value::Date(at.to_zoned(jiff::tz::TimeZone::UTC).date()),
        _ => Value::instant(at),
    })
}
