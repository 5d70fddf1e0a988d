//! The header row: which field each column is, or which field of a parent finds the parent.

use super::job::Operation;
use crate::schema::{ID, Kind, Object, Schema};
use csv::StringRecord;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// A field of the record, by position.
    Field(usize),
    /// A key of a parent (Relationship Fields in a Header Row).
    Parent {
        /// The reference field, by position.
        reference: usize,
        /// Name of the relationship.
        relationship: String,
        /// Object of the parent, where there is a choice.
        object: Option<String>,
        /// Name of the key.
        key: String,
    },
}

/// What the columns of a file hold. An error is the text of the failed job, without the `InvalidBatch` before it.
///
/// # Errors
/// Columns that are no fields, keys that are missing, and more than ids in a delete.
pub fn read(
    schema: &Schema,
    object: &Object,
    operation: Operation,
    external_id: Option<usize>,
    header: &StringRecord,
) -> Result<Vec<Column>, String> {
    if operation.deletes() {
        return match header.iter().collect::<Vec<_>>().as_slice() {
            [only] if only.eq_ignore_ascii_case("Id") => Ok(vec![Column::Field(ID)]),
            _ => Err(format!("The '{}' batch must contain only ids", operation.name())),
        };
    }
    let mut columns = Vec::with_capacity(header.len());
    for name in header {
        let column = column(schema, object, name)?;
        if columns.contains(&column) {
            return Err(format!("Duplicate field name in the header row : {name}"));
        }
        columns.push(column);
    }
    let key = match operation {
        Operation::Update => Some(ID),
        Operation::Upsert => external_id,
        _ => None,
    };
    match key {
        Some(key) if !columns.contains(&Column::Field(key)) => {
            Err(format!("Field name not found : {}", object.fields[key].name))
        }
        _ => Ok(columns),
    }
}

fn column(schema: &Schema, object: &Object, name: &str) -> Result<Column, String> {
    let unknown = || format!("Field name not found : {name}");
    if let Some((path, key)) = name.split_once('.') {
        return parent(schema, object, name, path, key);
    }
    object
        .position(name)
        .filter(|at| object.fields[*at].kind != Kind::Address)
        .map(Column::Field)
        .ok_or_else(unknown)
}

/// `Relationship.Key`, or `Object:Relationship.Key` where the relationship leads to several objects.
fn parent(schema: &Schema, object: &Object, name: &str, path: &str, key: &str) -> Result<Column, String> {
    let (named, relationship) = match path.split_once(':') {
        Some((named, relationship)) => (Some(named), relationship),
        None => (None, path),
    };
    let reference = object
        .relationship(relationship)
        .ok_or_else(|| format!("Unable to find relationship: {relationship}"))?;
    let target = object.fields[reference].reference.as_ref();
    let target = target.ok_or_else(|| format!("Unable to find relationship: {relationship}"))?;
    let parent = match (named, target.polymorphic) {
        (Some(_), false) => {
            return Err(format!(
                "type is not needed for non polymorphic foreign key references: {relationship}"
            ));
        }
        (None, true) => {
            return Err(format!(
                "type is needed for polymorphic foreign key references: {relationship}"
            ));
        }
        (Some(named), true) => schema
            .position(named)
            .filter(|at| target.objects.contains(at))
            .ok_or_else(|| format!("Unable to find object: {named}"))?,
        (None, false) => *target
            .objects
            .first()
            .ok_or_else(|| format!("Unable to find relationship: {relationship}"))?,
    };
    let parent = schema.at(parent);
    let field = parent
        .field(key)
        .ok_or_else(|| format!("Field name not found : {name}"))?;
    if !field.upsert_key() {
        return Err(format!(
            "Field name provided, {key} does not match an External ID for {}",
            parent.name
        ));
    }
    Ok(Column::Parent {
        reference,
        relationship: relationship.to_owned(),
        object: named.map(|_| parent.name.clone()),
        key: field.name.clone(),
    })
}
