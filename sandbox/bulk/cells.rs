//! From the text of a row to the values of a record.

use super::columns::Column;
use crate::org::coerce::coerce;
use crate::org::draft::Given;
use crate::org::input::{self, Purpose};
use crate::org::{ApiError, Org, Value};
use crate::schema::{Field, Kind, Object};
use csv::StringRecord;
use serde_json::{Map, Value as Json, json};

/// What a cell says to empty a field; an empty cell leaves the field alone (Prepare CSV Files).
pub const NULL: &str = "#N/A";

/// The fields and values of a row; `skip` are the columns of keys, which address the record and do not change it.
///
/// # Errors
/// Read-only fields, values of the wrong type, parents that are not found, and rows longer than the header.
pub fn given(
    org: &Org,
    object: &Object,
    columns: &[Column],
    row: &StringRecord,
    purpose: Purpose,
    skip: &[usize],
) -> Result<Given, ApiError> {
    if row.len() > columns.len() {
        let message = format!("The row has {} values, the header {}", row.len(), columns.len());
        return Err(ApiError::data("INVALID_FIELD", message, &[]));
    }
    let mut given = Given::with_capacity(columns.len());
    let mut locked = Vec::new();
    let filled = columns.iter().zip(row).enumerate();
    for (at, (column, text)) in filled.filter(|(_, (_, text))| !text.is_empty()) {
        let field = match column {
            Column::Field(field) if skip.contains(field) => continue,
            Column::Field(field) => *field,
            Column::Parent { reference, .. } => *reference,
        };
        let open = match purpose {
            Purpose::Update => object.fields[field].updateable,
            _ => object.fields[field].createable,
        };
        if !open {
            locked.push(object.fields[field].name.as_str());
        } else if text == NULL {
            given.push((field, coerce(&object.fields[field], &Json::Null)?));
        } else if let Column::Field(_) = column {
            given.push((field, value(&object.fields[field], at, text)?));
        } else {
            given.extend(parent(org, object, column, text, purpose)?);
        }
    }
    if locked.is_empty() {
        return Ok(given);
    }
    Err(locked_fields(&locked))
}

/// The value of a cell in the column at this position.
///
/// # Errors
/// As SOAP words it when a text is none of the field's type, else as the field's own checks do.
pub fn value(field: &Field, at: usize, text: &str) -> Result<Value, ApiError> {
    let text = match field.kind {
        // The guide's own sample writes a date with the mark of UTC behind it.
        Kind::Date => text.strip_suffix('Z').unwrap_or(text),
        _ => text,
    };
    let shaped = match field.kind {
        Kind::Date => text.len() == 10,
        Kind::DateTime => text.contains('T'),
        Kind::Int => text.trim().parse::<i64>().is_ok(),
        _ => true,
    };
    let wrong_type =
        |error: &ApiError| error.error_code == "JSON_PARSER_ERROR" || field.kind == Kind::Boolean;
    match coerce(field, &Json::from(text)) {
        Ok(value) if shaped => Ok(value),
        Err(error) if shaped && !wrong_type(&error) => Err(error),
        _ => Err(undeserializable(field, at, text)),
    }
}

fn undeserializable(field: &Field, at: usize, text: &str) -> ApiError {
    let message = format!(
        "Failed to deserialize field at col {at}. Due to, '{text}' is not a valid value for the type {}",
        field.kind.soap()
    );
    ApiError::data("INVALID_FIELD", message, &[&field.name])
}

fn parent(
    org: &Org,
    object: &Object,
    column: &Column,
    text: &str,
    purpose: Purpose,
) -> Result<Given, ApiError> {
    let Column::Parent {
        relationship,
        object: named,
        key,
        ..
    } = column
    else {
        return Ok(Given::new());
    };
    let mut keys = Map::new();
    if let Some(named) = named {
        keys.insert("attributes".to_owned(), json!({"type": named}));
    }
    keys.insert(key.clone(), Json::from(text));
    let body = Map::from_iter([(relationship.clone(), Json::Object(keys))]);
    input::read(org, object, &body, purpose, &[])
}

fn locked_fields(names: &[&str]) -> ApiError {
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
        names.join(", ")
    );
    ApiError::data("INVALID_FIELD_FOR_INSERT_UPDATE", message, names)
}
