//! The header of a change event (Change Data Capture Developer Guide, ChangeEventHeader Fields).

use super::avro;
use crate::org::{ChangeKind, Value};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

/// What a change event tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeType {
    /// With the change itself.
    Whole(ChangeKind),
    /// Only that there was one.
    Gap(ChangeKind),
    /// That there were too many in one transaction.
    Overflow,
}

/// Names of the schema's enum, in its order. Nothing ever has the last one.
pub const SYMBOLS: [&str; 10] = [
    "CREATE",
    "UPDATE",
    "DELETE",
    "UNDELETE",
    "GAP_CREATE",
    "GAP_UPDATE",
    "GAP_DELETE",
    "GAP_UNDELETE",
    "GAP_OVERFLOW",
    "SNAPSHOT",
];

impl ChangeType {
    /// The type with this name, `GAP_` included.
    pub fn parse(name: &str) -> Option<ChangeType> {
        let kinds = [
            ChangeKind::Create,
            ChangeKind::Update,
            ChangeKind::Delete,
            ChangeKind::Undelete,
        ];
        match SYMBOLS.iter().position(|symbol| *symbol == name)? {
            at @ 0..4 => Some(ChangeType::Whole(kinds[at])),
            at @ 4..8 => Some(ChangeType::Gap(kinds[at - 4])),
            8 => Some(ChangeType::Overflow),
            _ => None,
        }
    }

    /// Position in the schema's enum.
    pub fn position(self) -> usize {
        let of = |kind| match kind {
            ChangeKind::Create => 0,
            ChangeKind::Update => 1,
            ChangeKind::Delete => 2,
            ChangeKind::Undelete => 3,
        };
        match self {
            ChangeType::Whole(kind) => of(kind),
            ChangeType::Gap(kind) => 4 + of(kind),
            ChangeType::Overflow => 8,
        }
    }

    /// Name in the schema's enum.
    pub fn name(self) -> &'static str {
        SYMBOLS[self.position()]
    }
}

/// What all events of a transaction have alike.
#[derive(Debug)]
pub struct Transaction {
    /// One for each transaction, like a UUID.
    pub key: String,
    /// When it was committed, in milliseconds of a whole second.
    pub millis: i64,
    /// Grows from transaction to transaction.
    pub number: i64,
    /// Who.
    pub user: String,
    /// Through which API and client; empty when through none.
    pub origin: String,
}

/// A header without the lists of fields, which the body knows.
#[derive(Debug)]
pub struct Header<'a> {
    /// Object.
    pub entity: &'a str,
    /// What happened.
    pub change: ChangeType,
    /// In which transaction.
    pub transaction: &'a Transaction,
    /// Place in it, from 1.
    pub sequence: i32,
}

/// The lists of fields, already encoded as bitmaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lists {
    /// Fields that became null.
    pub nulled: Vec<String>,
    /// Fields whose value is a difference.
    pub diffs: Vec<String>,
    /// All fields that changed.
    pub changed: Vec<String>,
}

impl Header<'_> {
    /// Writes it with these record ids and lists.
    pub fn encode(&self, out: &mut Vec<u8>, ids: &[String], lists: &Lists) {
        let transaction = self.transaction;
        avro::text(out, self.entity);
        avro::texts(out, ids);
        avro::long(out, self.change.position() as i64);
        avro::text(out, &transaction.origin);
        avro::text(out, &transaction.key);
        avro::long(out, self.sequence.into());
        avro::long(out, transaction.millis);
        avro::long(out, transaction.number);
        avro::text(out, &transaction.user);
        avro::texts(out, &lists.nulled);
        avro::texts(out, &lists.diffs);
        avro::texts(out, &lists.changed);
    }

    /// A field of it, for filter expressions; null for one that does not exist.
    pub fn value(&self, name: &str) -> Value {
        match name {
            "entityName" => Value::text(self.entity),
            "changeType" => Value::text(self.change.name()),
            "changeOrigin" => Value::text(&self.transaction.origin),
            "transactionKey" => Value::text(&self.transaction.key),
            "sequenceNumber" => Value::Number(Decimal::from(self.sequence)),
            "commitTimestamp" => Value::Number(Decimal::from(self.transaction.millis)),
            "commitNumber" => Value::Number(Decimal::from(self.transaction.number)),
            "commitUser" => Value::text(&self.transaction.user),
            _ => Value::Null,
        }
    }
}

/// The header's column in a schema.
pub fn column() -> Json {
    let texts = json!({"type": "array", "items": "string"});
    json!({
        "name": "ChangeEventHeader", "doc": "Data:ComplexValueType",
        "type": {"type": "record", "name": "ChangeEventHeader", "fields": [
            {"name": "entityName", "type": "string"},
            {"name": "recordIds", "type": texts},
            {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": SYMBOLS}},
            {"name": "changeOrigin", "type": "string"},
            {"name": "transactionKey", "type": "string"},
            {"name": "sequenceNumber", "type": "int"},
            {"name": "commitTimestamp", "type": "long"},
            {"name": "commitNumber", "type": "long"},
            {"name": "commitUser", "type": "string"},
            {"name": "nulledFields", "type": texts},
            {"name": "diffFields", "type": texts},
            {"name": "changedFields", "type": texts},
        ]},
    })
}
