//! One value, from Salesforce's JSON and back.
//!
//! Source: REST API Developer Guide, "Valid Date and DateTime Formats"; Object Reference, "Field Types". Percents are
//! in points on both sides, and numbers go through as text, never as a binary float.

use cpq_domain::value::{Money, Value};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::fields::Kind;
use crate::json::Node;

/// Our value of what the CRM holds.
///
/// # Errors
/// What the CRM holds instead, when it is not of the kind.
pub(crate) fn from_crm(kind: Kind, node: &Node, currency: &str) -> Result<Value, String> {
    let wrong = || format!("holds {}, which is not a {kind:?}", shown(node));
    Ok(match (kind, node) {
        (_, Node::Null) => Value::Null,
        (kind, Node::Text(text)) if kind.is_text() => Value::text(text),
        (Kind::Text, Node::Number(number)) => Value::Text(number.normalize().to_string()),
        (Kind::Text, Node::Bool(yes)) => Value::Text(yes.to_string()),
        (Kind::Choice, Node::Text(text)) if text.is_empty() => Value::Null,
        (Kind::Choice, Node::Text(text)) => Value::Choice(text.clone()),
        (Kind::Choices, Node::Text(text)) if text.is_empty() => Value::Null,
        (Kind::Choices, Node::Text(text)) => Value::Choices(text.split(';').map(str::to_owned).collect()),
        (Kind::Flag, Node::Bool(yes)) => Value::Bool(*yes),
        (Kind::Number, Node::Number(number)) => Value::Number(number.normalize()),
        (Kind::Money, Node::Number(number)) => Value::Money(Money::new(*number, currency)),
        (Kind::Date, Node::Text(text)) => Value::Date(text.parse().map_err(|_| wrong())?),
        (Kind::Instant, Node::Text(text)) => Value::Instant(instant(text).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    })
}

/// A moment as Salesforce writes it: `2026-03-17T16:21:26.000+0000`.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The CRM's JSON of our value.
///
/// # Errors
/// What the value is instead, when it is not of the kind.
pub(crate) fn to_crm(kind: Kind, value: &Value) -> Result<Box<RawValue>, String> {
    match (kind, value) {
        (_, Value::Null) => Ok(RawValue::NULL.to_owned()),
        (Kind::Text, Value::Choice(text)) => Ok(quoted(text)),
        (kind, Value::Text(text)) if kind.is_text() => Ok(quoted(text)),
        (Kind::Choice, Value::Choice(text) | Value::Text(text)) => Ok(quoted(text)),
        (Kind::Choices, Value::Choices(set)) => Ok(quoted(
            &set.iter().map(String::as_str).collect::<Vec<_>>().join(";"),
        )),
        (Kind::Flag, Value::Bool(yes)) => Ok(bare(yes.to_string())),
        (Kind::Number, Value::Number(number)) => Ok(bare(number.to_string())),
        (Kind::Money, Value::Money(money)) => Ok(bare(money.amount.to_string())),
        (Kind::Date, Value::Date(date)) => Ok(quoted(&date.to_string())),
        (Kind::Instant, Value::Instant(instant)) => Ok(quoted(&format!("{instant:.3}"))),
        _ => Err(format!("the value {value} is not a {kind:?}")),
    }
}

fn quoted(text: &str) -> Box<RawValue> {
    bare(serde_json::Value::from(text).to_string())
}

fn bare(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("numbers, booleans and quoted text are JSON")
}

fn shown(node: &Node) -> String {
    match node {
        Node::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Node::Number(number) => number.to_string(),
        Node::Bool(yes) => yes.to_string(),
        _ => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn back(kind: Kind, value: &Value) -> Value {
        let json = to_crm(kind, value).expect("it is of the kind");
        let node = Node::parse(json.get().as_bytes()).expect("it is JSON");
        from_crm(kind, &node, "EUR").expect("it is of the kind")
    }

    proptest! {
        #[test]
        fn money_and_numbers_come_back_to_the_last_digit(units: i64, scale in 0_u32..9) {
            let number = Decimal::new(units, scale);
            let money = Value::Money(Money::new(number, "EUR"));
            prop_assert_eq!(back(Kind::Money, &money), money);
            prop_assert_eq!(back(Kind::Number, &Value::Number(number)), Value::Number(number.normalize()));
        }

        #[test]
        fn text_comes_back(text in any::<String>()) {
            prop_assert_eq!(back(Kind::Text, &Value::text(text.clone())), Value::text(text));
        }

        #[test]
        fn moments_come_back_to_the_millisecond(millis in 0_i64..4_000_000_000_000) {
            let value = Value::Instant(Timestamp::from_millisecond(millis).expect("in range"));
            prop_assert_eq!(back(Kind::Instant, &value), value);
        }
    }

    #[test]
    fn the_forms_of_the_vendor_are_read() {
        let read = |kind, json: &str| from_crm(kind, &Node::parse(json.as_bytes()).expect("JSON"), "USD");
        let number = |text: &str| Value::Number(text.parse().expect("a number"));
        assert_eq!(read(Kind::Number, "1.39E8"), Ok(number("139000000")));
        assert_eq!(read(Kind::Number, "75.0"), Ok(number("75")));
        assert_eq!(
            read(Kind::Instant, "\"2022-03-17T16:21:26.000+0000\""),
            Ok(Value::Instant("2022-03-17T16:21:26Z".parse().expect("a moment")))
        );
        assert_eq!(
            read(Kind::Choices, "\"b;a\""),
            Ok(Value::Choices(["a".to_owned(), "b".to_owned()].into()))
        );
        assert_eq!(read(Kind::Choice, "null"), Ok(Value::Null));
        assert!(read(Kind::Date, "\"soon\"").is_err());
        assert!(read(Kind::Money, "\"1.00\"").is_err());
    }
}
