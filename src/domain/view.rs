//! What one side holds of an opportunity and its quote, in canonical field names.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::LineKey;
use crate::value::Value;
#[cfg(feature = "openapi")]
use crate::value::Value as FieldValue;

/// A canonical field name: `<object>.<field>`, e.g. `account.name`, `quote.status`, `line.quantity`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, example = "quote.status"))]
#[serde(transparent)]
pub struct FieldName(pub std::sync::Arc<str>);

impl FieldName {
    /// The name. Names come from the ownership matrix and the mapping, where they are checked.
    pub fn new(name: &str) -> Self {
        FieldName(name.into())
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The object before the dot.
    pub fn object(&self) -> &str {
        self.0.split_once('.').map_or("", |(object, _)| object)
    }

    /// Whether the field belongs to a quote line.
    pub fn is_line(&self) -> bool {
        self.object() == "line"
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for FieldName {
    fn from(name: &str) -> Self {
        FieldName::new(name)
    }
}

impl std::borrow::Borrow<str> for FieldName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Values by field. A missing entry means "not known on this side", `Null` means "known to be empty".
pub type Fields = BTreeMap<FieldName, Value>;

/// What one side holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Header fields of all objects.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Fields,
    /// Lines by their stable key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<LineKey, Fields>,
}

impl View {
    /// The value of a header field; `None` when this side does not know it.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// The text of a header field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_text)
    }
}

/// What to change on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Header fields with their new values; `Null` clears.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Fields,
    /// Lines to add or change, each with only the fields that differ, and lines to take away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<LineKey, LineChange>,
}

/// What to do with one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LineChange {
    /// Add the line, or change the named fields of it.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, FieldValue>))]
    Put(Fields),
    /// Take the line away.
    Remove,
}

impl Patch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.lines.is_empty()
    }

    /// Number of field values it sets, for plans and logs.
    pub fn len(&self) -> usize {
        let of_line = |change: &LineChange| match change {
            LineChange::Put(fields) => fields.len(),
            LineChange::Remove => 1,
        };
        self.fields.len() + self.lines.values().map(of_line).sum::<usize>()
    }
}
