//! How the wire shows a record.

use super::{Id, Org, Row, Value};
use crate::schema::address::ADDRESS_KEYS;
use crate::schema::{Kind, Object};
use serde_json::{Map, Value as Json, json};

/// The `attributes` of a record: its type and where it lives.
pub fn attributes(object: &Object, version: &str, id: Id) -> Json {
    json!({"type": object.name, "url": format!("/services/data/{version}/sobjects/{}/{id}", object.name)})
}

/// One field of a row, compound addresses included.
pub fn field(object: &Object, row: &Row, at: usize) -> Json {
    match object.fields[at].kind {
        Kind::Address => address(object, row, &object.fields[at].name),
        kind => row.values[at].to_json(kind),
    }
}

/// All eight parts, or null when none has a value.
fn address(object: &Object, row: &Row, name: &str) -> Json {
    let stem = name.strip_suffix("Address").unwrap_or(name);
    let mut parts = Map::new();
    for (key, suffix) in ADDRESS_KEYS {
        let at = object.position(&format!("{stem}{suffix}"));
        let value = at.map_or(Json::Null, |at| row.values[at].to_json(object.fields[at].kind));
        parts.insert(key.to_owned(), value);
    }
    if parts.values().all(Json::is_null) {
        Json::Null
    } else {
        Json::Object(parts)
    }
}

impl Org {
    /// A whole record: `attributes`, then the fields at these positions in their order.
    pub fn record(&self, object: usize, id: Id, fields: &[usize], version: &str) -> Option<Json> {
        let schema = self.schema();
        let (object, row) = (schema.at(object), self.table(object).live(id)?);
        let mut out = Map::with_capacity(fields.len() + 1);
        out.insert("attributes".to_owned(), attributes(object, version, id));
        for at in fields {
            out.insert(object.fields[*at].name.clone(), field(object, row, *at));
        }
        Some(Json::Object(out))
    }

    /// When the record was last modified.
    pub fn last_modified(&self, object: usize, id: Id) -> Option<jiff::Timestamp> {
        let at = self.schema().at(object).system.modified;
        self.table(object)
            .live(id)
            .and_then(|row: &Row| row.values[at].as_instant())
    }

    /// Who deleted records may still be seen by `queryAll`; contact roles leave no trace.
    pub fn leaves_trace(object: &Object) -> bool {
        object.name != "OpportunityContactRole"
    }

    /// The name of a record, for polymorphic parents.
    pub fn name_of(&self, object: usize, id: Id) -> Value {
        let name = self.schema().at(object).name_field;
        let row = self.table(object).live(id);
        name.and_then(|at| row.map(|r| r.values[at].clone()))
            .unwrap_or(Value::Null)
    }
}
