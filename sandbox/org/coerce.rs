//! From a request's JSON to a stored value, with every check that needs only the field.

use super::error::ApiError;
use super::id::Id;
use super::value::{Value, parse_instant, rounded};
use crate::schema::{Field, Kind};
use rust_decimal::Decimal;
use serde_json::Value as Json;

/// Longest value repeated in an error text; a real org cuts there as well.
const QUOTED: usize = 255;

/// What stands for the place of a value in a text that is no longer there.
pub const UNKNOWN_PLACE: &str = "[line:1, column:2]";

/// The value of `field` that this JSON means.
///
/// # Errors
/// JSON_PARSER_ERROR, STRING_TOO_LONG, NUMBER_OUTSIDE_VALID_RANGE, MALFORMED_ID,
/// INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST, INVALID_EMAIL_ADDRESS.
pub fn coerce(field: &Field, json: &Json) -> Result<Value, ApiError> {
    if json.is_null() || matches!(json, Json::String(s) if s.is_empty()) {
        return match field.kind {
            Kind::Boolean => Err(not_boolean(field, json)),
            _ => Ok(Value::Null),
        };
    }
    match field.kind {
        Kind::Boolean => boolean(field, json),
        kind if kind.is_number() => number(field, json),
        Kind::Date => date(field, json),
        Kind::DateTime => datetime(field, json),
        Kind::Time => time(field, json),
        Kind::Id | Kind::Reference => reference(field, json),
        _ => text(field, json),
    }
}

fn boolean(field: &Field, json: &Json) -> Result<Value, ApiError> {
    match json {
        Json::Bool(flag) => Ok(Value::Bool(*flag)),
        Json::String(s) if s.eq_ignore_ascii_case("true") || s == "1" => Ok(Value::Bool(true)),
        Json::String(s) if s.eq_ignore_ascii_case("false") || s == "0" => Ok(Value::Bool(false)),
        _ => Err(not_boolean(field, json)),
    }
}

fn not_boolean(field: &Field, json: &Json) -> ApiError {
    let message = format!("{}: value not of required type: {}", field.label, plain(json));
    ApiError::data("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &[&field.name])
}

fn number(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let text = match json {
        Json::Number(n) => n.to_string(),
        Json::String(s) => s.trim().to_owned(),
        _ => return Err(undeserializable(field, json)),
    };
    let parsed = text
        .parse::<Decimal>()
        .or_else(|_| Decimal::from_scientific(&text));
    let Ok(number) = parsed else {
        let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
        return Err(if is_number {
            out_of_range(field, &text)
        } else {
            undeserializable(field, json)
        });
    };
    let number = rounded(number, field);
    let whole_digits = u32::from(field.precision.saturating_sub(field.scale));
    let limit = match field.kind {
        Kind::Int => Decimal::from(1u64 << 31),
        _ => power_of_ten(whole_digits),
    };
    if number.abs() >= limit {
        return Err(out_of_range(field, &text));
    }
    Ok(Value::Number(number))
}

fn power_of_ten(exponent: u32) -> Decimal {
    (0..exponent)
        .try_fold(Decimal::ONE, |power, _| power.checked_mul(Decimal::TEN))
        .unwrap_or(Decimal::MAX)
}

fn out_of_range(field: &Field, text: &str) -> ApiError {
    let message = format!(
        "{}: value outside of valid range on numeric field: {text}",
        field.label
    );
    ApiError::data("NUMBER_OUTSIDE_VALID_RANGE", message, &[&field.name])
}

fn date(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let text = json.as_str().unwrap_or_default();
    // A full instant is accepted for a date; its time is dropped.
    let day = text.split_once('T').map_or(text, |(day, _)| day);
    let shaped = day.len() == 10 && day.as_bytes()[4] == b'-';
    match day.parse() {
        Ok(date) if shaped => Ok(Value::Date(date)),
        _ => Err(undeserializable(field, json)),
    }
}

fn datetime(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let text = json.as_str().unwrap_or_default();
    let midnight = || text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    let parsed =
        parse_instant(text).or_else(|| midnight().then(|| parse_instant(&format!("{text}T00:00:00Z")))?);
    parsed
        .map(Value::instant)
        .ok_or_else(|| undeserializable(field, json))
}

/// `HH:mm:ss.SSSZ` and what is shorter; kept in the long form.
fn time(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let text = json.as_str().unwrap_or_default().trim();
    let bare = text.strip_suffix('Z').unwrap_or(text);
    let parsed: Result<jiff::civil::Time, _> = bare.parse();
    let shaped = bare.as_bytes().get(2) == Some(&b':');
    match parsed {
        Ok(time) if shaped => Ok(Value::text(&format!(
            "{:02}:{:02}:{:02}.{:03}Z",
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        ))),
        _ => Err(undeserializable(field, json)),
    }
}

/// Values joined by semicolons; in a restricted picklist each has to be listed.
fn several(field: &Field, text: &str) -> Result<Value, ApiError> {
    let mut all: Vec<String> = Vec::new();
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let part = match field.restricted {
            true => restricted(field, part)?.as_text().unwrap_or_default().to_owned(),
            false => part.to_owned(),
        };
        if !all.contains(&part) {
            all.push(part);
        }
    }
    Ok(Value::text(&all.join(";")))
}

fn reference(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let text = plain(json);
    Id::parse(text.trim()).map(Value::Id).ok_or_else(|| {
        let message = format!("{}: id value of incorrect type: {}", field.label, cut(&text));
        ApiError::data("MALFORMED_ID", message, &[&field.name])
    })
}

fn text(field: &Field, json: &Json) -> Result<Value, ApiError> {
    let Json::String(raw) = json else {
        return Err(undeserializable(field, json));
    };
    let text = raw.trim();
    let length = text.chars().count();
    if length > field.length as usize {
        let message = format!(
            "{}: data value too large: {} (max length={})",
            field.label,
            cut(text),
            field.length
        );
        return Err(ApiError::data("STRING_TOO_LONG", message, &[&field.name]));
    }
    match field.kind {
        Kind::Picklist if field.restricted => return restricted(field, text),
        Kind::MultiPicklist => return several(field, text),
        _ => {}
    }
    if field.kind == Kind::Email && !text.is_empty() && !is_email(text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(ApiError::data("INVALID_EMAIL_ADDRESS", message, &[&field.name]));
    }
    Ok(Value::text(text))
}

fn restricted(field: &Field, text: &str) -> Result<Value, ApiError> {
    let listed = field
        .values
        .iter()
        .find(|v| v.active && v.value.eq_ignore_ascii_case(text));
    listed.map(|v| Value::text(&v.value)).ok_or_else(|| {
        let message = format!(
            "{}: bad value for restricted picklist field: {}",
            field.label,
            cut(text)
        );
        ApiError::data("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, &[&field.name])
    })
}

fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else {
        return false;
    };
    let dotted = host.split('.').count() > 1 && host.split('.').all(|part| !part.is_empty());
    !user.is_empty()
        && dotted
        && !text.contains(|c: char| c.is_whitespace() || c == ',')
        && !host.contains('@')
}

fn undeserializable(field: &Field, json: &Json) -> ApiError {
    let token = match json {
        Json::String(_) => "VALUE_STRING",
        Json::Number(n) if n.is_f64() => "VALUE_NUMBER_FLOAT",
        Json::Number(_) => "VALUE_NUMBER_INT",
        Json::Bool(true) => "VALUE_TRUE",
        Json::Bool(false) => "VALUE_FALSE",
        Json::Array(_) => "START_ARRAY",
        Json::Object(_) => "START_OBJECT",
        Json::Null => "VALUE_NULL",
    };
    let start = format!(
        "Cannot deserialize instance of {} from {token} value",
        field.kind.name()
    );
    // What only begins with the token has no text to repeat.
    let message = match json {
        Json::Array(_) | Json::Object(_) => format!("{start} {UNKNOWN_PLACE}"),
        _ => format!(
            "{start} {} or request may be missing a required field at {UNKNOWN_PLACE}",
            cut(&plain(json))
        ),
    };
    ApiError::bad("JSON_PARSER_ERROR", message)
}

fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn cut(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
