//! Values of fields: what is stored, how it is compared, and how the wire writes it.

use super::id::Id;
use crate::schema::{Field, Kind};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::sync::Arc;

/// A stored value. Text is shared, so that old rows cost little in the undo log.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Checkbox.
    Bool(bool),
    /// Any text, never empty.
    Text(Arc<str>),
    /// Any number, already at its field's scale.
    Number(Decimal),
    /// Calendar date.
    Date(Date),
    /// Instant at whole seconds.
    DateTime(Timestamp),
    /// Record id.
    Id(Id),
}

impl Value {
    /// Text, or null when empty (the wire stores "" as null).
    pub fn text(text: &str) -> Value {
        if text.is_empty() {
            Value::Null
        } else {
            Value::Text(text.into())
        }
    }

    /// Instant cut to whole seconds, as the wire shows it.
    pub fn instant(at: Timestamp) -> Value {
        Value::DateTime(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }

    /// Whether nothing is stored.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The id, if it is one.
    pub fn as_id(&self) -> Option<Id> {
        if let Value::Id(id) = self { Some(*id) } else { None }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<Decimal> {
        if let Value::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// The instant, if it is one.
    pub fn as_instant(&self) -> Option<Timestamp> {
        if let Value::DateTime(at) = self {
            Some(*at)
        } else {
            None
        }
    }

    /// True only for a ticked checkbox.
    pub fn is_true(&self) -> bool {
        matches!(self, Value::Bool(true))
    }

    /// Order used by ORDER BY and comparisons: nulls first, text without case.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => order_text(a, b),
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
            (Value::Id(a), Value::Id(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Number(_) => 2,
            Value::Date(_) => 3,
            Value::DateTime(_) => 4,
            Value::Text(_) => 5,
            Value::Id(_) => 6,
        }
    }

    /// How the wire writes this value of a field.
    pub fn to_json(&self, kind: Kind) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Text(text) => Json::String(text.as_ref().to_owned()),
            Value::Number(number) => number_json(*number, kind),
            Value::Date(date) => Json::String(date.to_string()),
            Value::DateTime(at) => Json::String(wire_instant(*at)),
            Value::Id(id) => Json::String(id.to_string()),
        }
    }
}

/// Text without case, by the capital letters, as for a user with an English locale (SOQL and SOSL Reference, ORDER BY);
/// other locales would sort letters beyond ASCII elsewhere.
fn order_text(a: &str, b: &str) -> Ordering {
    let capital = |c: u8| c.to_ascii_uppercase();
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(capital).cmp(b.bytes().map(capital));
    }
    // Lower case first, so that the order agrees with equality in an index.
    let folded = |s: &'_ str| -> Vec<char> {
        s.chars()
            .flat_map(char::to_lowercase)
            .map(|c| c.to_ascii_uppercase())
            .collect()
    };
    folded(a).cmp(&folded(b))
}

/// Ints are whole, every other number carries a fraction (300.0). The wire itself has doubles, so nothing is lost
/// here that a real org would keep.
fn number_json(number: Decimal, kind: Kind) -> Json {
    if kind == Kind::Int {
        return number.to_i64().map_or(Json::Null, Json::from);
    }
    // The shortest text that reads back as the same double is what the decimal said.
    number
        .normalize()
        .to_string()
        .parse::<f64>()
        .map_or(Json::Null, Json::from)
}

/// `2026-11-22T10:00:00.000+0000`: always UTC, no colon in the offset.
pub fn wire_instant(at: Timestamp) -> String {
    let t = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000+0000",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// Reads an instant as requests write it: `Z`, `+01:00` or `+0100`, with or without milliseconds.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    // The form without colon, which the wire itself uses.
    let (head, tail) = text.split_at_checked(text.len().checked_sub(4)?)?;
    let signed = head.ends_with(['+', '-']) && tail.bytes().all(|b| b.is_ascii_digit());
    signed.then(|| format!("{head}{}:{}", &tail[..2], &tail[2..]).parse().ok())?
}

/// Numbers are rounded to the field's scale, halves away from zero.
pub fn rounded(number: Decimal, field: &Field) -> Decimal {
    let scale = if field.kind == Kind::Int {
        0
    } else {
        u32::from(field.scale)
    };
    number.round_dp_with_strategy(scale, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
}
