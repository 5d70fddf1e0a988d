//! Avro's binary form (Apache Avro Specification, Binary Encoding) of the few types that events are made of.
//!
//! Written by hand because it is half a page and an event costs a microsecond this way; the tests read it back with
//! the library.

use crate::org::Value;
use crate::schema::Kind;
use rust_decimal::prelude::ToPrimitive;

/// Seconds to the milliseconds that events carry.
const MILLIS: i64 = 1_000;

/// An Avro type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    /// Text, ids, picklists.
    String,
    /// Numbers with a fraction.
    Double,
    /// Whole numbers.
    Int,
    /// Checkboxes.
    Boolean,
    /// Milliseconds: instants and dates since 1970, times of day since midnight.
    Long,
}

impl Primitive {
    /// The type of a field of this kind.
    pub fn of(kind: Kind) -> Primitive {
        match kind {
            Kind::Double | Kind::Currency | Kind::Percent => Primitive::Double,
            Kind::Int => Primitive::Int,
            Kind::Boolean => Primitive::Boolean,
            Kind::Date | Kind::DateTime | Kind::Time => Primitive::Long,
            Kind::Id
            | Kind::String
            | Kind::Textarea
            | Kind::Reference
            | Kind::Picklist
            | Kind::MultiPicklist
            | Kind::Email
            | Kind::Phone
            | Kind::Url
            | Kind::Address => Primitive::String,
        }
    }

    /// Name in a schema.
    pub fn name(self) -> &'static str {
        match self {
            Primitive::String => "string",
            Primitive::Double => "double",
            Primitive::Int => "int",
            Primitive::Boolean => "boolean",
            Primitive::Long => "long",
        }
    }
}

/// A long or an int: zigzag, seven bits a byte, the lowest first.
pub fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest as u8 & 0x7F) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A string.
pub fn text(out: &mut Vec<u8>, text: &str) {
    long(out, text.len() as i64);
    out.extend_from_slice(text.as_bytes());
}

/// An array of strings: one block, then the empty one that ends it.
pub fn texts<S: AsRef<str>>(out: &mut Vec<u8>, texts: &[S]) {
    if !texts.is_empty() {
        long(out, texts.len() as i64);
        for one in texts {
            text(out, one.as_ref());
        }
    }
    out.push(0);
}

/// The null of a union whose first branch is null.
pub fn null(out: &mut Vec<u8>) {
    out.push(0);
}

/// A nullable value: null, or the union's second branch with the value in it.
pub fn nullable(out: &mut Vec<u8>, kind: Kind, value: &Value) {
    if value.is_null() {
        return null(out);
    }
    out.push(2);
    plain(out, kind, value);
}

/// A value without a union around it. What does not fit its kind cannot be stored, so the fallbacks never show.
pub fn plain(out: &mut Vec<u8>, kind: Kind, value: &Value) {
    match (Primitive::of(kind), value) {
        (Primitive::Double, _) => {
            let number = value.as_number().and_then(double).unwrap_or_default();
            out.extend_from_slice(&number.to_le_bytes());
        }
        (Primitive::Int, _) => {
            long(
                out,
                value
                    .as_number()
                    .and_then(|n| n.to_i32())
                    .unwrap_or_default()
                    .into(),
            );
        }
        (Primitive::Boolean, _) => out.push(u8::from(value.is_true())),
        (Primitive::Long, _) => long(out, millis(value)),
        (Primitive::String, Value::Text(string)) => text(out, string),
        (Primitive::String, Value::Id(id)) => text(out, &id.to_string()),
        (Primitive::String, _) => text(out, ""),
    }
}

/// The double that the shortest text of the decimal reads as, which is what the REST API shows too.
fn double(number: rust_decimal::Decimal) -> Option<f64> {
    if let (Some(whole), true) = (number.to_i64(), number.is_integer()) {
        return Some(whole as f64);
    }
    number.normalize().to_string().parse().ok()
}

/// Instants since 1970; dates at midnight UTC; times of day, kept as text, since midnight.
fn millis(value: &Value) -> i64 {
    match value {
        Value::DateTime(at) => at.as_second() * MILLIS,
        Value::Date(date) => date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_or(0, |midnight| midnight.timestamp().as_millisecond()),
        Value::Text(time) => time_of_day(time).unwrap_or_default(),
        _ => 0,
    }
}

/// `10:15:00.000Z` in milliseconds since midnight.
fn time_of_day(text: &str) -> Option<i64> {
    let time: jiff::civil::Time = text.trim_end_matches('Z').parse().ok()?;
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    Some(seconds * MILLIS + i64::from(time.millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers_are_zigzag_as_in_the_specification() {
        for (number, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
        ] {
            assert_eq!(written(|out| long(out, number)), bytes, "{number}");
        }
        assert_eq!(written(|out| long(out, i64::MIN)).len(), 10);
    }

    #[test]
    fn dates_are_midnights_and_times_count_from_midnight() {
        let date = Value::Date("2024-05-06".parse().unwrap());
        assert_eq!(millis(&date), 1_714_953_600_000);
        assert_eq!(millis(&Value::text("10:15:30.250Z")), 36_930_250);
    }
}
