//! From a request's body to fields and values: which columns exist, which may be written, parents by external id.

use super::coerce::{UNKNOWN_PLACE, coerce};
use super::draft::Given;
use super::{ApiError, Org, Value};
use crate::schema::{Field, Object, Schema};
use serde_json::{Map, Value as Json};

/// Which write a body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new record.
    Create,
    /// An existing record.
    Update,
    /// Seeding: read-only fields may be written too.
    Seed,
}

/// The fields and values that a body names. `skip` lists keys that are addresses, not data (`attributes`, an id).
///
/// # Errors
/// INVALID_FIELD for unknown columns, INVALID_FIELD_FOR_INSERT_UPDATE for read-only ones, and everything that
/// [`coerce`] refuses.
pub fn read(
    org: &Org,
    object: &Object,
    body: &Map<String, Json>,
    purpose: Purpose,
    skip: &[&str],
) -> Result<Given, ApiError> {
    read_in(org, &org.schema(), object, body, purpose, skip)
}

/// Like [`read`], with the schema as a user sees it; the object is taken from there.
///
/// # Errors
/// As there.
pub fn read_in(
    org: &Org,
    schema: &Schema,
    object: &Object,
    body: &Map<String, Json>,
    purpose: Purpose,
    skip: &[&str],
) -> Result<Given, ApiError> {
    read_placed(org, schema, object, (body, &|_| None), purpose, skip)
}

/// Where the value of a key stands in the text of a request: line and column.
pub type Place<'a> = &'a dyn Fn(&str) -> Option<(usize, usize)>;

/// Like [`read_in`], with a way to tell where a value stands.
///
/// # Errors
/// As there; JSON_PARSER_ERROR names the place.
pub fn read_placed(
    org: &Org,
    schema: &Schema,
    object: &Object,
    (body, place): (&Map<String, Json>, Place<'_>),
    purpose: Purpose,
    skip: &[&str],
) -> Result<Given, ApiError> {
    let mut given = Given::with_capacity(body.len());
    let mut locked = Vec::new();
    for (key, json) in body {
        if key == "attributes" || skip.iter().any(|s| s.eq_ignore_ascii_case(key)) {
            continue;
        }
        if let Some(parent) = json.as_object() {
            let (at, value) = parent_by_key(org, schema, object, key, parent)?;
            if writable(&object.fields[at], purpose) {
                given.push((at, value));
            } else {
                locked.push(object.fields[at].name.clone());
            }
            continue;
        }
        let at = object.position(key).ok_or_else(|| no_such_column(object, key))?;
        let field = &object.fields[at];
        if !writable(field, purpose) {
            locked.push(field.name.clone());
            continue;
        }
        given.push((at, coerce(field, json).map_err(|e| placed(e, place(key)))?));
    }
    if locked.is_empty() {
        Ok(given)
    } else {
        Err(not_writable(locked))
    }
}

/// A parser's complaint with the place of the value instead of the one that stands for an unknown place.
fn placed(error: ApiError, place: Option<(usize, usize)>) -> ApiError {
    match place {
        Some((line, column)) if error.error_code == "JSON_PARSER_ERROR" => {
            let message = error
                .message
                .replace(UNKNOWN_PLACE, &format!("[line:{line}, column:{column}]"));
            ApiError { message, ..error }
        }
        _ => error,
    }
}

/// The error for a column that does not exist.
pub fn no_such_column(object: &Object, name: &str) -> ApiError {
    ApiError::bad(
        "INVALID_FIELD",
        format!("No such column '{name}' on sobject of type {}", object.name),
    )
}

fn writable(field: &Field, purpose: Purpose) -> bool {
    match purpose {
        Purpose::Create => field.createable,
        Purpose::Update => field.updateable,
        Purpose::Seed => field.kind != crate::schema::Kind::Address && !field.calculated(),
    }
}

fn not_writable(fields: Vec<String>) -> ApiError {
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
        fields.join(", ")
    );
    ApiError {
        fields: Some(fields),
        ..ApiError::bad("INVALID_FIELD_FOR_INSERT_UPDATE", message)
    }
}

/// `"Account":{"Ext__c":"A1"}` sets the reference to the parent that has this key.
fn parent_by_key(
    org: &Org,
    schema: &Schema,
    object: &Object,
    name: &str,
    parent: &Map<String, Json>,
) -> Result<(usize, Value), ApiError> {
    let at = object
        .relationship(name)
        .ok_or_else(|| no_such_column(object, name))?;
    let Some(reference) = &object.fields[at].reference else {
        return Err(no_such_column(object, name));
    };
    let named = parent
        .get("attributes")
        .and_then(|a| a.get("type"))
        .and_then(Json::as_str);
    let target = named
        .and_then(|n| schema.position(n))
        .filter(|t| reference.objects.contains(t))
        .or_else(|| reference.objects.first().copied())
        .ok_or_else(|| no_such_column(object, name))?;
    let (key, json) = parent.iter().find(|(k, _)| *k != "attributes").ok_or_else(|| {
        ApiError::bad(
            "INVALID_FIELD",
            format!("No external id field given for relationship {name}"),
        )
    })?;
    let target_object = schema.at(target);
    let field = target_object
        .position(key)
        .ok_or_else(|| no_such_column(target_object, key))?;
    if !target_object.fields[field].upsert_key() {
        let message = format!(
            "{key} is not an External ID or indexed field for {}",
            target_object.name
        );
        return Err(ApiError::bad("INVALID_FIELD", message));
    }
    let value = coerce(&target_object.fields[field], json)?;
    let found = org.matches(target, field, &value);
    match found.as_slice() {
        [id] => Ok((at, Value::Id(*id))),
        [] => Err(foreign_key_missing(json, key, &target_object.name)),
        _ => Err(ApiError::bad(
            "INVALID_FIELD",
            format!(
                "Foreign key external ID: {} matches more than one record for field {key} in entity {}",
                plain(json),
                target_object.name
            ),
        )),
    }
}

fn foreign_key_missing(json: &Json, key: &str, object: &str) -> ApiError {
    let message = format!(
        "Foreign key external ID: {} not found for field {key} in entity {object}",
        plain(json)
    );
    ApiError::bad("INVALID_FIELD", message)
}

fn plain(json: &Json) -> String {
    json.as_str()
        .map_or_else(|| json.to_string(), |s| s.to_lowercase())
}
