//! Which changes send something: a small closed list, after the entry conditions of record-triggered flows.

use super::moment::Moment;
use crate::org::coerce::coerce;
use crate::org::{ChangeKind, Value};
use crate::schema::Field;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::cmp::Ordering;

/// Which changes. All given parts must hold; an empty one is every create and update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Condition {
    /// Kinds of change.
    pub on: Vec<On>,
    /// At least one of these fields differs from before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// All of these hold once the transaction is done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<Criterion>,
    /// An update counts only if the criteria did not all hold before it ("only when a record is updated to meet the
    /// condition requirements").
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub newly_met: bool,
    /// Login names of users whose changes do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_by: Vec<String>,
}

/// Kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The record was made.
    Create,
    /// Fields changed.
    Update,
    /// The record went to the recycle bin; callouts only.
    Delete,
    /// The record came back; callouts only.
    Undelete,
}

/// A field compared with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Criterion {
    /// Field of the object.
    pub field: String,
    /// How.
    #[serde(default)]
    pub operation: Operation,
    /// With what; null is "no value".
    #[serde(default)]
    pub value: Json,
}

/// Comparisons, named as `FilterOperation` of the Metadata API. Text is compared without case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// The same.
    #[default]
    Equals,
    /// Not the same.
    NotEqual,
    /// Less; never true of an empty field.
    LessThan,
    /// Greater; never true of an empty field.
    GreaterThan,
    /// The text holds this text.
    Contains,
    /// The text begins with this text.
    StartsWith,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            on: vec![On::Create, On::Update],
            changed: Vec::new(),
            criteria: Vec::new(),
            newly_met: false,
            except_by: Vec::new(),
        }
    }
}

impl Condition {
    /// Whether this change sends something.
    pub fn holds(&self, moment: &Moment) -> bool {
        self.on.iter().any(|on| on.is(moment.kind()))
            && !self.except_by.iter().any(|name| moment.is_by(name))
            && (self.changed.is_empty() || self.changed.iter().any(|name| moment.changed(name)))
            && self.met(|name| moment.after(name))
            && !(self.newly_met
                && moment.kind() == ChangeKind::Update
                && self.met(|name| moment.before(name)))
    }

    fn met<'a>(&self, value: impl Fn(&str) -> Option<(&'a Field, &'a Value)>) -> bool {
        let holds = |one: &Criterion| value(&one.field).is_some_and(|(field, value)| one.holds(field, value));
        self.criteria.iter().all(holds)
    }
}

impl On {
    fn is(self, kind: ChangeKind) -> bool {
        let own = match self {
            Self::Create => ChangeKind::Create,
            Self::Update => ChangeKind::Update,
            Self::Delete => ChangeKind::Delete,
            Self::Undelete => ChangeKind::Undelete,
        };
        own == kind
    }
}

impl Criterion {
    /// Why it does not fit the field, if it does not.
    pub fn complaint(&self, field: &Field) -> Option<String> {
        let textual = matches!(self.operation, Operation::Contains | Operation::StartsWith);
        if textual && !field.kind.is_text() {
            return Some(format!("{} holds no text", field.name));
        }
        if self.value.is_null() {
            let equality = matches!(self.operation, Operation::Equals | Operation::NotEqual);
            return (!equality).then(|| format!("{} is compared with nothing", field.name));
        }
        match textual {
            true => self
                .value
                .as_str()
                .is_none()
                .then(|| format!("{} wants a text", field.name)),
            false => coerce(field, &self.value).err().map(|error| error.message),
        }
    }

    fn holds(&self, field: &Field, value: &Value) -> bool {
        match self.operation {
            Operation::Equals => self.order(field, value) == Some(Ordering::Equal),
            Operation::NotEqual => self.order(field, value) != Some(Ordering::Equal),
            Operation::LessThan => !value.is_null() && self.order(field, value) == Some(Ordering::Less),
            Operation::GreaterThan => self.order(field, value) == Some(Ordering::Greater),
            Operation::Contains => self.in_text(value, |text, part| text.contains(part)),
            Operation::StartsWith => self.in_text(value, |text, part| text.starts_with(part)),
        }
    }

    fn order(&self, field: &Field, value: &Value) -> Option<Ordering> {
        let wanted = match &self.value {
            Json::Null => Value::Null,
            given => coerce(field, given).ok()?,
        };
        Some(value.order(&wanted))
    }

    fn in_text(&self, value: &Value, found: impl Fn(&str, &str) -> bool) -> bool {
        match (value.as_text(), self.value.as_str()) {
            (Some(text), Some(part)) => found(&text.to_lowercase(), &part.to_lowercase()),
            _ => false,
        }
    }
}
