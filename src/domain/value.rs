//! Values as both sides mean them. Money and numbers are exact decimals, never binary floats.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::region;

/// An amount with its currency (ISO 4217). In JSON the amount is a string: `{"amount":"12.50","currency":"USD"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// The amount in major units, e.g. dollars.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = DecimalText, example = "12.50"))]
    pub amount: Decimal,
    /// ISO 4217 alphabetic code.
    pub currency: String,
}

/// An exact decimal, as JSON carries it: a text, so that no reader makes a binary float of it.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[schema(pattern = r"^-?[0-9]{1,18}(\.[0-9]{1,10})?$", example = "12.50")]
pub struct DecimalText(#[allow(dead_code, reason = "it is a description, and no value is made")] String);

impl Money {
    /// An amount in a currency.
    pub fn new(amount: Decimal, currency: impl Into<String>) -> Self {
        Money {
            amount,
            currency: currency.into(),
        }
    }

    /// Nothing, in a currency.
    pub fn zero(currency: &str) -> Self {
        Money::new(Decimal::ZERO, currency)
    }

    /// The amount rounded to the currency's minor unit, half away from zero as merchants round.
    #[must_use]
    pub fn to_minor_unit(&self) -> Self {
        Money::new(
            round(self.amount, minor_unit(&self.currency)),
            self.currency.clone(),
        )
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At least the minor unit's digits, and no zeros behind them: 46250.00 USD, 0.125 USD, 100 JPY.
        let amount = self.amount.normalize();
        let digits = (minor_unit(&self.currency) as usize).max(amount.scale() as usize);
        write!(f, "{amount:.digits$} {}", self.currency)
    }
}

/// Digits after the point of a currency (ISO 4217 list one). Currencies not named here have two.
pub fn minor_unit(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// Rounds half away from zero, the commercial convention.
pub fn round(amount: Decimal, digits: u32) -> Decimal {
    amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
}

/// A value of a field. `Null` is "has no value"; a field that is absent from a map was not read or is not meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FieldValue))]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// An exact number: quantity, percent in points (12.5 means 12.5 %), or count.
    #[cfg_attr(feature = "openapi", schema(value_type = DecimalText))]
    Number(#[serde(with = "rust_decimal::serde::str")] Decimal),
    /// An amount with its currency.
    Money(Money),
    /// A calendar date without a zone.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    Date(Date),
    /// A moment.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    Instant(Timestamp),
    /// One entry of a list, by the value that the owning system stores, never by its label.
    Choice(String),
    /// Several entries of a list; their order means nothing.
    Choices(BTreeSet<String>),
}

impl Value {
    /// Text, or `Null` when it is empty: no CRM keeps the two apart.
    pub fn text(text: impl Into<String>) -> Value {
        let text: String = text.into();
        if text.is_empty() {
            Value::Null
        } else {
            Value::Text(text)
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text of a text or choice.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Choice(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a number or amount.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Money(money) => Some(money.amount),
            _ => None,
        }
    }

    /// The form in which two values are compared: what a side stores of `self` under `shape`.
    ///
    /// Rounds to the scale, cuts nothing: a text that is too long stays different, so that it is refused with a
    /// message instead of being lost. Line ends become `\n`, outer white space goes, empty text is `Null`.
    /// Beyond that the shape's form decides: a phone is its digits, a country its code, a moment its second.
    #[must_use]
    pub fn canonical(&self, shape: Shape) -> Value {
        match (self, shape.scale) {
            (Value::Text(text), _) if shape.form != Form::Plain => Value::text(shape.form.of(text.trim())),
            (Value::Instant(instant), _) if shape.form == Form::Seconds => {
                Value::Instant(whole_second(*instant))
            }
            (Value::Text(text), _) => Value::text(text.replace("\r\n", "\n").replace('\r', "\n").trim()),
            (Value::Choice(text), _) if text.is_empty() => Value::Null,
            (Value::Choices(set), _) if set.is_empty() => Value::Null,
            (Value::Number(number), Some(scale)) => Value::Number(round(*number, scale).normalize()),
            (Value::Number(number), None) => Value::Number(number.normalize()),
            (Value::Money(money), scale) => {
                let digits = scale.unwrap_or_else(|| minor_unit(&money.currency));
                Value::Money(Money::new(
                    round(money.amount, digits).normalize(),
                    money.currency.clone(),
                ))
            }
            (other, _) => other.clone(),
        }
    }

    /// Whether both mean the same under `shape`.
    pub fn same(&self, other: &Value, shape: Shape) -> bool {
        self == other || self.canonical(shape) == other.canonical(shape)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("–"),
            Value::Text(text) | Value::Choice(text) => f.write_str(text),
            Value::Bool(yes) => write!(f, "{yes}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Money(money) => write!(f, "{money}"),
            Value::Date(date) => write!(f, "{date}"),
            Value::Instant(instant) => write!(f, "{instant}"),
            Value::Choices(set) => {
                f.write_str(&set.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// What is known of a field's precision; the coarser of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Digits after the point that survive a round trip. Unknown: the currency's minor unit, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// Spellings that mean the same.
    #[serde(default, skip_serializing_if = "Form::is_plain")]
    pub form: Form,
}

impl Shape {
    /// Of a number with so many digits after the point.
    pub fn scaled(scale: u32) -> Shape {
        Shape {
            scale: Some(scale),
            form: Form::Plain,
        }
    }
}

/// Which spellings of a value mean the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Only the value itself.
    #[default]
    Plain,
    /// A phone number by its digits, a leading `+` and its extension.
    Phone,
    /// A country by its ISO 3166-1 alpha-2 code.
    Country,
    /// A state by its ISO 3166-2 code.
    State,
    /// A moment by its second: Salesforce keeps no finer (Object Reference, "dateTime").
    Seconds,
}

impl Form {
    fn is_plain(&self) -> bool {
        *self == Form::Plain
    }

    fn of(self, text: &str) -> String {
        match self {
            Form::Plain | Form::Seconds => text.to_owned(),
            Form::Phone => phone(text),
            Form::Country => region::country(text).map_or_else(|| text.to_owned(), str::to_owned),
            Form::State => region::state(None, text).map_or_else(|| text.to_owned(), str::to_owned),
        }
    }
}

/// The digits of a phone number with a leading `+`, and an extension behind an `x`. The `(0)` that is only dialled
/// within a country goes. A text without digits, or with other letters in it, is left as it is.
fn phone(text: &str) -> String {
    let lower = text.to_lowercase();
    let (number, extension) = match lower.find(['x', 'e', '#']) {
        Some(at) => (
            &lower[..at],
            lower[at..].trim_start_matches(['e', 'x', 't', 'n', 's', 'i', 'o', '.', '#', ':', ' ']),
        ),
        None => (lower.as_str(), ""),
    };
    let letters = |text: &str| text.chars().any(char::is_alphabetic);
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let abroad = number.trim_start().starts_with(['+', '＋']) || number.trim_start().starts_with("(+");
    let number = if abroad {
        number.replace("(0)", "")
    } else {
        number.to_owned()
    };
    if letters(&number) || letters(extension) || digits(&number).is_empty() {
        return text.to_owned();
    }
    let plus = if abroad { "+" } else { "" };
    let extension = digits(extension);
    let behind = if extension.is_empty() { "" } else { "x" };
    format!("{plus}{}{behind}{extension}", digits(&number))
}

fn whole_second(instant: Timestamp) -> Timestamp {
    let below = instant.as_millisecond().div_euclid(1_000);
    Timestamp::from_second(below).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Value {
        Value::Number(text.parse().expect("a number"))
    }

    #[test]
    fn rounding_and_trailing_zeros_are_no_difference() {
        let cents = Shape::scaled(2);
        assert!(number("12.50").same(&number("12.5"), cents));
        assert!(number("12.504").same(&number("12.5"), cents));
        assert!(!number("12.51").same(&number("12.5"), cents));
    }

    #[test]
    fn money_in_two_currencies_is_never_the_same() {
        let one = |currency| Value::Money(Money::new(Decimal::ONE, currency));
        assert!(!one("USD").same(&one("EUR"), Shape::default()));
        assert!(
            Value::Money(Money::new("1.004".parse().expect("a number"), "JPY"))
                .same(&one("JPY"), Shape::default())
        );
    }

    #[test]
    fn empty_text_is_null_and_line_ends_do_not_matter() {
        assert!(Value::Text("  ".into()).same(&Value::Null, Shape::default()));
        assert!(Value::Text("a\r\nb ".into()).same(&Value::Text("a\nb".into()), Shape::default()));
    }

    #[test]
    fn how_a_phone_or_country_is_written_is_no_difference() {
        let same = |form, a: &str, b: &str| {
            Value::text(a).same(
                &Value::text(b),
                Shape {
                    form,
                    ..Shape::default()
                },
            )
        };
        assert!(same(Form::Phone, "+49 (351) 555-0142", "+493515550142"));
        assert!(same(Form::Phone, "+44 (0)20 7946 0000", "+442079460000"));
        assert!(same(Form::Phone, "(414) 555-0110 ext. 7", "414.555.0110 x7"));
        assert!(!same(Form::Phone, "+1 414 555 0110", "414 555 0110"));
        assert!(!same(Form::Phone, "1-800-FLOWERS", "1-800"));
        assert!(!same(Form::Phone, "ask Jo", "ask Di"));
        assert!(same(Form::Country, "USA", "United States"));
        assert!(!same(Form::Country, "Narnia", "Mordor"));
        assert!(same(Form::State, "us-or", "US-OR"));
        assert!(!same(Form::Plain, "USA", "United States"));
    }

    #[test]
    fn parts_of_a_second_are_no_difference_where_the_crm_keeps_none() {
        let at = |text: &str| Value::Instant(text.parse().expect("a moment"));
        let seconds = Shape {
            form: Form::Seconds,
            ..Shape::default()
        };
        assert!(at("2026-03-17T16:21:26.999Z").same(&at("2026-03-17T16:21:26Z"), seconds));
        assert!(!at("2026-03-17T16:21:27Z").same(&at("2026-03-17T16:21:26Z"), seconds));
        assert!(at("1969-12-31T23:59:59.5Z").same(&at("1969-12-31T23:59:59Z"), seconds));
    }
}
