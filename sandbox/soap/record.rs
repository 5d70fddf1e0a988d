//! Records as calls bring them: `sObject` with a `type`, or an element whose `xsi:type` is the object.

use super::envelope::{boolean, children, elements, is_nil, text, type_of};
use super::fault::Fault;
use super::operation::Desk;
use crate::org::value::parse_instant;
use crate::schema::{Field, Kind, Object};
use roxmltree::Node;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};

/// Most records of a call.
const LIMIT: usize = 200;

/// A record that a call brings.
pub struct Given {
    /// Position of its object.
    pub at: usize,
    /// Its fields, as the data API takes them; `attributes` says the type.
    pub body: Map<String, Json>,
}

/// The records of a call.
///
/// # Errors
/// What is wrong with the call as a whole: too many records, types and columns that do not exist, values that are
/// none of their type.
pub fn all(desk: &Desk<'_, '_>, name: &'static str) -> Result<Vec<Given>, Fault> {
    let nodes: Vec<Node<'_, '_>> = children(desk.call.node, name).collect();
    if nodes.len() > LIMIT {
        let text = format!("record limit reached. cannot submit more than {LIMIT} records into this call");
        return Err(Fault::api("EXCEEDED_ID_LIMIT", text));
    }
    nodes.into_iter().map(|node| one(desk, node)).collect()
}

/// One record.
///
/// # Errors
/// As [`all`].
pub fn one(desk: &Desk<'_, '_>, node: Node<'_, '_>) -> Result<Given, Fault> {
    let at = desk.object(&named(node)?)?;
    let schema = desk.door.schema();
    let object = schema.at(at);
    let mut body = Map::new();
    body.insert("attributes".into(), json!({"type": object.name}));
    for child in elements(node) {
        let name = child.tag_name().name();
        // Only the exact word is the type; objects have fields called `Type`.
        if name == "type" {
            continue;
        }
        if name == "fieldsToNull" {
            let field = text(child);
            let known = object
                .field(field.trim())
                .ok_or_else(|| no_column(object, field.trim()))?;
            body.insert(known.name.clone(), Json::Null);
            continue;
        }
        let value = match (object.field(name), elements(child).next()) {
            (_, Some(_)) => Some(parent(child)),
            (Some(field), None) => given(field, child, desk.call.headers.truncate)?,
            (None, None) => return Err(no_column(object, name)),
        };
        if let Some(value) = value {
            let name = object.field(name).map_or(name, |field| field.name.as_str());
            body.insert(name.to_owned(), value);
        }
    }
    Ok(Given { at, body })
}

/// The object that the record says it is.
fn named(node: Node<'_, '_>) -> Result<String, Fault> {
    let by_element = children(node, "type").next().map(text);
    let by_attribute = type_of(node).filter(|name| !name.eq_ignore_ascii_case("sObject"));
    let name = by_element.or_else(|| by_attribute.map(str::to_owned));
    let name = name
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    name.ok_or_else(|| Fault::api("INVALID_TYPE", "Must send a concrete entity type."))
}

/// A parent by external id.
fn parent(node: Node<'_, '_>) -> Json {
    let mut body = Map::new();
    if let Ok(name) = named(node) {
        body.insert("attributes".into(), json!({"type": name}));
    }
    for child in elements(node) {
        let name = child.tag_name().name();
        if name != "type" && !is_nil(child) {
            body.insert(name.to_owned(), text(child).into());
        }
    }
    Json::Object(body)
}

/// What a field is given; nothing when the element is nil or empty, because only `fieldsToNull` clears.
fn given(field: &Field, node: Node<'_, '_>, truncate: bool) -> Result<Option<Json>, Fault> {
    let raw = text(node);
    if is_nil(node) || raw.is_empty() {
        return Ok(None);
    }
    let trimmed = raw.trim();
    let wrong = || {
        Fault::Client(format!(
            "'{trimmed}' is not a valid value for the type {}",
            field.kind.soap()
        ))
    };
    let value = match field.kind {
        kind if kind.is_number() => {
            let number = trimmed
                .parse::<Decimal>()
                .ok()
                .or_else(|| Decimal::from_scientific(trimmed).ok());
            number.map(|_| trimmed.to_owned()).ok_or_else(wrong)?.into()
        }
        Kind::Boolean if matches!(trimmed, "true" | "false" | "1" | "0") => boolean(trimmed).into(),
        Kind::Boolean => return Err(wrong()),
        Kind::Date => date(trimmed).ok_or_else(wrong)?.into(),
        Kind::DateTime => date_time(trimmed).ok_or_else(wrong)?.into(),
        kind if truncate && kind.is_text() => {
            raw.chars().take(field.length as usize).collect::<String>().into()
        }
        _ => raw.into(),
    };
    Ok(Some(value))
}

/// `xsd:date`, whose time zone means nothing here.
fn date(text: &str) -> Option<String> {
    let (day, zone) = text.split_at_checked(10)?;
    let plain = zone.is_empty() || zone == "Z" || (zone.len() == 6 && zone.starts_with(['+', '-']));
    let real = day.parse::<jiff::civil::Date>().is_ok();
    (plain && real).then(|| day.to_owned())
}

/// `xsd:dateTime`. One without a time zone, as Python's clients write it, is in GMT.
pub fn date_time(text: &str) -> Option<String> {
    let zoned = [text.to_owned(), format!("{text}Z")];
    zoned.into_iter().find(|text| parse_instant(text).is_some())
}

/// The fault for a column that does not exist.
pub fn no_column(object: &Object, name: &str) -> Fault {
    Fault::api(
        "INVALID_FIELD",
        format!(
            "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append \
             the '__c' after the custom field name. Please reference your WSDL or the describe call for the \
             appropriate names.",
            object.name
        ),
    )
}
