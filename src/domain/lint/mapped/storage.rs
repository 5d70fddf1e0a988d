//! What a CRM field keeps of a value, by its description.
//!
//! Sources: Object Reference, "Field Types"; SOAP API Developer Guide, "Core Data Types Used in API Calls".

use serde_json::Value as Json;

use super::target::is_text;
use crate::schema::FieldSchema;
use crate::value::round;

/// The JSON that is read back after this JSON was sent. Of a field that was not described everything is kept.
///
/// # Errors
/// Why the CRM refuses it.
pub fn store(field: &FieldSchema, json: &str) -> Result<String, String> {
    let sent: Json = serde_json::from_str(json).map_err(|_| format!("{json} is not JSON"))?;
    match (field.kind.as_str(), &sent) {
        ("", _) => Ok(json.to_owned()),
        (_, Json::Null) if field.nillable || field.defaulted => Ok("null".to_owned()),
        (_, Json::Null) => Err("refused: the field may not be empty".to_owned()),
        ("boolean", Json::Bool(_)) => Ok(json.to_owned()),
        ("int" | "long", Json::Number(_)) => whole(field, json),
        ("double" | "currency" | "percent", Json::Number(_)) => number(field, json),
        ("date", Json::String(text)) => match text.parse::<jiff::civil::Date>() {
            Ok(_) if text.len() == 10 => Ok(json.to_owned()),
            _ => Err("refused: not a date".to_owned()),
        },
        ("datetime", Json::String(text)) => moment(text),
        ("time", Json::String(_)) => Ok(json.to_owned()),
        (kind, Json::String(sent)) if is_text(kind) => text(field, sent),
        (kind, _) => Err(format!("refused: {json} is not of type {kind}")),
    }
}

fn whole(field: &FieldSchema, json: &str) -> Result<String, String> {
    let sent: rust_decimal::Decimal = json
        .parse()
        .map_err(|_| format!("refused: {json} is no number"))?;
    match sent.fract().is_zero() {
        true => number(field, json),
        false => Err("refused: whole numbers only".to_owned()),
    }
}

fn number(field: &FieldSchema, json: &str) -> Result<String, String> {
    let sent: rust_decimal::Decimal = json
        .parse()
        .map_err(|_| format!("refused: {json} is no number"))?;
    let kept = round(sent, field.scale);
    let digits = field.precision.saturating_sub(field.scale);
    let whole = kept.trunc().abs().to_string();
    if field.precision > 0 && !kept.trunc().is_zero() && whole.len() as u32 > digits {
        return Err(format!("refused: more than {digits} digits before the point"));
    }
    Ok(kept.normalize().to_string())
}

/// Moments are kept to the second.
fn moment(text: &str) -> Result<String, String> {
    let sent: jiff::Timestamp = text.parse().map_err(|_| "refused: not a moment".to_owned())?;
    let second = sent.as_millisecond().div_euclid(1_000);
    let kept = jiff::Timestamp::from_second(second).map_err(|_| "refused: not a moment".to_owned())?;
    Ok(Json::from(format!("{kept:.3}")).to_string())
}

fn text(field: &FieldSchema, sent: &str) -> Result<String, String> {
    let kept = sent.trim_end();
    if kept.is_empty() {
        return store(field, "null");
    }
    let most = field.length as usize;
    if most > 0 && kept.chars().count() > most {
        return Err(format!("refused: longer than {most} characters"));
    }
    let entries = || kept.split(';');
    let missing = match field.kind.as_str() {
        _ if field.choices.is_empty() => None,
        "multipicklist" => entries().find(|entry| !field.choices.iter().any(|choice| choice == entry)),
        _ => Some(kept).filter(|kept| !field.choices.iter().any(|choice| choice == kept)),
    };
    match missing {
        Some(value) => Err(format!("refused: the restricted picklist has no {value:?}")),
        None => Ok(Json::from(kept).to_string()),
    }
}
