//! Reading the values of a patch: each function takes what a field may hold and says why not.
//!
//! A refusal is only the second half of a sentence; the caller knows the field and the line.

use cpq_domain::quote::Discount;
use cpq_domain::value::Value;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Why a value is refused: completes "quote.name …".
pub(super) type Why = String;

/// Text of at most `max` characters; `None` for no value. Line ends and outer white space as all fields store them.
pub(super) fn text(value: &Value, max: usize) -> Result<Option<String>, Why> {
    match value.canonical(Default::default()) {
        Value::Null => Ok(None),
        Value::Text(text) | Value::Choice(text) => {
            let length = text.chars().count();
            if length > max {
                return Err(format!("has {length} characters; at most {max} fit"));
            }
            Ok(Some(text))
        }
        other => Err(wrong(&other, "text")),
    }
}

/// Text that must be there.
pub(super) fn required_text(value: &Value, max: usize) -> Result<String, Why> {
    text(value, max)?.ok_or_else(|| "is empty; it must have a value".into())
}

/// A number; an amount counts as one only in `currency`.
pub(super) fn number(value: &Value, currency: &str) -> Result<Decimal, Why> {
    match value {
        Value::Number(number) => Ok(number.normalize()),
        Value::Money(money) if money.currency == currency => Ok(money.amount.normalize()),
        Value::Money(money) => Err(format!(
            "is in {}; every amount of this quote is in {currency}",
            money.currency
        )),
        Value::Null => Err("is empty; it must have a value".into()),
        other => Err(wrong(other, "a number")),
    }
}

/// A whole number that fits an `i32`.
pub(super) fn whole(value: &Value) -> Result<i32, Why> {
    match value {
        Value::Number(number) if number.fract().is_zero() => {
            i32::try_from(*number).map_err(|_| format!("is {number}; it is too large"))
        }
        other => Err(wrong(other, "a whole number")),
    }
}

/// A calendar date or nothing.
pub(super) fn date(value: &Value) -> Result<Option<Date>, Why> {
    match value {
        Value::Null => Ok(None),
        Value::Date(date) => Ok(Some(*date)),
        other => Err(wrong(other, "a date")),
    }
}

/// Yes or no.
pub(super) fn flag(value: &Value) -> Result<bool, Why> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        other => Err(wrong(other, "true or false")),
    }
}

/// The discount after its percentage was set.
///
/// A discount by amount reads as "no percentage", so saying that again must not take it away.
pub(super) fn percent(old: Option<&Discount>, value: &Value) -> Result<Option<Discount>, Why> {
    match value {
        Value::Null => Ok(old.filter(|old| matches!(old, Discount::Amount(_))).cloned()),
        Value::Number(points) if points.is_zero() => percent(old, &Value::Null),
        Value::Number(points) => Ok(Some(Discount::Percent(points.normalize()))),
        other => Err(wrong(other, "a percentage in points")),
    }
}

/// The discount after its amount was set; the mirror of [`percent`].
pub(super) fn off(old: Option<&Discount>, value: &Value, currency: &str) -> Result<Option<Discount>, Why> {
    if !value.is_null() {
        let amount = number(value, currency)?;
        if !amount.is_zero() {
            return Ok(Some(Discount::Amount(amount)));
        }
    }
    Ok(old.filter(|old| matches!(old, Discount::Percent(_))).cloned())
}

fn wrong(value: &Value, wanted: &str) -> Why {
    let shown: String = value.to_string().chars().take(40).collect();
    format!("is {shown:?}; it must be {wanted}")
}
