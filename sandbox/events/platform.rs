//! Platform events: their schemas and how they are written (Platform Events Developer Guide).

use super::avro::{self, Primitive};
use super::capture::{Capture, ChannelType};
use super::cast::kind_on;
use super::digest;
use super::filter::Filter;
use super::registry::Known;
use crate::org::Value;
use crate::schema::{Field, Kind, Object};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The schema of a platform event: the two system fields, which are never null, then the custom ones.
pub fn schema(object: &Object) -> Known {
    let mut fields = vec![
        json!({"name": "CreatedDate", "type": "long", "doc": "CreatedDate:DateTime"}),
        json!({"name": "CreatedById", "type": "string", "doc": "CreatedBy:EntityId"}),
    ];
    fields.extend(custom(object).map(|field| column(object, field)));
    Known::new(&object.name, fields)
}

/// One event of the object as an Avro datum. `values` has one value per field of the object.
pub fn encode(object: &Object, values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let of = |name: &str| object.position(name).map_or(&Value::Null, |at| &values[at]);
    avro::plain(&mut out, Kind::DateTime, of("CreatedDate"));
    avro::plain(&mut out, Kind::Reference, of("CreatedById"));
    for (field, value) in object.fields.iter().zip(values).filter(|(field, _)| field.custom) {
        avro::nullable(&mut out, field.kind, value);
    }
    out
}

/// Names under which an event is stored: its own, and one for each channel that filters and lets it pass.
pub fn kinds(capture: &Capture, object: &Object, values: &[Value]) -> Vec<Arc<str>> {
    let mut kinds = vec![Arc::from(object.name.as_str())];
    for channel in capture
        .channels
        .iter()
        .filter(|c| c.channel_type == ChannelType::Event)
    {
        // The expression was looked at when the channel was declared.
        let filter = channel
            .member(object)
            .and_then(|member| member.filter_expression.as_ref())
            .and_then(|text| Filter::parse(text, object).ok());
        if filter.is_some_and(|filter| filter.holds(&|at| &values[at], None)) {
            kinds.push(kind_on(&object.name, Some(&channel.name)).into());
        }
    }
    kinds
}

fn custom(object: &Object) -> impl Iterator<Item = &Field> {
    object.fields.iter().filter(|field| field.custom)
}

fn column(object: &Object, field: &Field) -> Json {
    let id = digest::field_id(&object.name, &field.name);
    json!({
        "name": field.name, "type": ["null", Primitive::of(field.kind).name()],
        "doc": format!("Data:{}:{id}", super::doc::kind(field)), "default": null,
    })
}
