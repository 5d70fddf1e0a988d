//! A value that a person typed, read as the kind of value that is in conflict.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::error::{Code, Error, Result};
use crate::limits::DESCRIPTION_CHARS;
use crate::value::{Money, Value};

/// Reads `text` as a value of the kind of the first of `held` that is not empty; empty text is no value.
///
/// An amount may leave its currency out if all of `held` have the same one, and may name no other. Entries of a list
/// are separated by commas.
///
/// [`Code::RequestInvalid`] when the text is not of that kind.
pub fn parse_like(text: &str, held: &[&Value]) -> Result<Value> {
    let text = text.trim();
    if text.chars().count() > DESCRIPTION_CHARS {
        return Err(wrong(text, &format!("at most {DESCRIPTION_CHARS} characters")));
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let Some(like) = held.iter().find(|value| !value.is_null()) else {
        return Ok(Value::text(text));
    };
    match like {
        Value::Null | Value::Text(_) => Ok(Value::text(text)),
        Value::Choice(_) => Ok(Value::Choice(text.to_owned())),
        Value::Choices(_) => Ok(Value::Choices(entries(text))),
        Value::Bool(_) => text
            .parse()
            .map(Value::Bool)
            .map_err(|_| wrong(text, "true or false")),
        Value::Number(_) => decimal(text, "a number such as 12.5").map(Value::Number),
        Value::Money(_) => money(text, held).map(Value::Money),
        Value::Date(_) => text
            .parse()
            .map(Value::Date)
            .map_err(|_| wrong(text, "a date such as 2026-12-31")),
        Value::Instant(_) => {
            let expected = "a moment such as 2026-12-31T09:00:00Z";
            text.parse()
                .map(Value::Instant)
                .map_err(|_| wrong(text, expected))
        }
    }
}

fn money(text: &str, held: &[&Value]) -> Result<Money> {
    let known: BTreeSet<&str> = held.iter().filter_map(|value| currency(value)).collect();
    let all = known.iter().copied().collect::<Vec<_>>().join(" or ");
    let (amount, named) = match text.split_once(' ') {
        Some((amount, named)) => (amount, Some(named.trim())),
        None => (text, None),
    };
    let amount = decimal(amount, &format!("an amount such as 12.50 {all}"))?;
    match (named, known.iter().next()) {
        (Some(named), _) if known.contains(named) => Ok(Money::new(amount, named)),
        (None, Some(only)) if known.len() == 1 => Ok(Money::new(amount, *only)),
        _ => Err(wrong(text, &format!("an amount in {all}"))),
    }
}

fn currency(value: &Value) -> Option<&str> {
    match value {
        Value::Money(money) => Some(&money.currency),
        _ => None,
    }
}

/// Plain decimal digits only: a decimal comma or a sign for thousands would be a guess.
fn decimal(text: &str, expected: &str) -> Result<Decimal> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    let number = if plain {
        Decimal::from_str_exact(text).ok()
    } else {
        None
    };
    number.ok_or_else(|| wrong(text, expected))
}

fn entries(text: &str) -> BTreeSet<String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(str::to_owned).collect()
}

fn wrong(text: &str, expected: &str) -> Error {
    let shown: String = text.chars().take(40).collect();
    Error::new(
        Code::RequestInvalid,
        format!("{shown:?} does not fit: expected {expected}"),
    )
    .next("give a value of the kind that both sides hold; nothing was decided")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(amount: &str) -> Value {
        Value::Money(Money::new(amount.parse().expect("a number"), "USD"))
    }

    #[test]
    fn a_value_is_read_as_the_kind_that_is_in_conflict() {
        let number = Value::Number(1.into());
        let date = Value::Date("2026-01-01".parse().expect("a date"));
        let moment = Value::Instant("2026-01-01T00:00:00Z".parse().expect("a moment"));
        let several = Value::Choices(entries("a"));
        let cases = [
            (
                " 12.50 ",
                number.clone(),
                Value::Number("12.50".parse().expect("a number")),
            ),
            ("12.5", dollars("1"), dollars("12.5")),
            ("-3 USD", dollars("1"), dollars("-3")),
            (
                "2026-12-31",
                date.clone(),
                Value::Date("2026-12-31".parse().expect("a date")),
            ),
            (
                "2026-12-31T09:00:00Z",
                moment,
                Value::Instant("2026-12-31T09:00:00Z".parse().expect("a moment")),
            ),
            ("true", Value::Bool(false), Value::Bool(true)),
            ("Won", Value::Choice("Lost".into()), Value::Choice("Won".into())),
            ("b, a,", several, Value::Choices(entries("a,b"))),
            ("NET 30", Value::text("x"), Value::text("NET 30")),
            ("", dollars("1"), Value::Null),
        ];
        for (text, held, expected) in cases {
            assert_eq!(
                parse_like(text, &[&Value::Null, &held]).expect(text),
                expected,
                "{text}"
            );
        }
        for (text, held) in [
            ("12,5", &number),
            ("1e9", &number),
            ("", &Value::Null),
            ("31.12.2026", &date),
            ("yes", &Value::Bool(true)),
            ("12 EUR", &dollars("1")),
            ("twelve USD", &dollars("1")),
        ] {
            let read = parse_like(text, &[held]);
            assert_eq!(read.is_ok(), text.is_empty(), "{text}: {read:?}");
        }
        let euros = Value::Money(Money::new(Decimal::ONE, "EUR"));
        let error = parse_like("5", &[&dollars("1"), &euros]).expect_err("which currency?");
        assert!(error.to_string().contains("EUR or USD"), "{error}");
    }
}
