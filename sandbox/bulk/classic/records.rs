//! Records of a batch in JSON or XML, turned into the rows of a file (Bulk API Developer Guide, Valid JSON Batch Files,
//! Valid XML Batch Files). What a record does not have is an empty cell, and null is what empties a field.

use super::form::Form;
use crate::bulk::cells::NULL;
use crate::bulk::dialect::{Dialect, LineEnding};
use crate::schema::Object;
use axum::body::Bytes;
use roxmltree::{Document, Node};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

/// Namespace of `nil`.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Names and texts of a record, in its order.
type Cells = Vec<(String, String)>;

/// The rows of a batch, and their dialect.
///
/// # Errors
/// Why the batch cannot be read.
pub fn rows(form: Form, body: &Bytes, object: &Object) -> Result<(Bytes, Dialect), String> {
    let records = match form {
        Form::Csv => return Ok((body.clone(), dialect_of(body))),
        Form::Json => from_json(body, object)?,
        Form::Xml => from_xml(body, object)?,
    };
    Ok((table(&records), Dialect::default()))
}

/// Either line ending is taken, as the header has it.
fn dialect_of(body: &[u8]) -> Dialect {
    let first = body.iter().position(|byte| *byte == b'\n');
    let before = first.and_then(|at| at.checked_sub(1)).map(|at| body[at]);
    let line_ending = match before {
        Some(b'\r') => LineEnding::Crlf,
        _ => LineEnding::Lf,
    };
    Dialect {
        line_ending,
        ..Dialect::default()
    }
}

fn from_json(body: &[u8], object: &Object) -> Result<Vec<Cells>, String> {
    let unreadable = |why: String| format!("InvalidBatch : Failed to parse JSON. {why}");
    let records: Vec<Map<String, Json>> =
        serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    let cell = |(name, value): (String, Json)| match value {
        Json::Object(parent) => json_parent(name, parent, object),
        other => Ok((name, text(&other))),
    };
    let cells = |record: Map<String, Json>| {
        let fields = record.into_iter().filter(|(name, _)| name != "attributes");
        fields.map(cell).collect::<Result<Cells, String>>()
    };
    records
        .into_iter()
        .map(cells)
        .collect::<Result<_, _>>()
        .map_err(unreadable)
}

fn json_parent(
    name: String,
    mut parent: Map<String, Json>,
    object: &Object,
) -> Result<(String, String), String> {
    let kind = parent.shift_remove("attributes");
    let kind = kind.as_ref().and_then(|attributes| attributes["type"].as_str());
    match parent.into_iter().collect::<Vec<_>>().as_slice() {
        [(key, value)] => Ok((column(&name, kind, key, object), text(value))),
        _ => Err(format!("{name} must have one field that finds the record")),
    }
}

/// `Relationship.Key`, with the kind before it where there is a choice.
fn column(name: &str, kind: Option<&str>, key: &str, object: &Object) -> String {
    let reference = object.relationship(name).map(|at| &object.fields[at]);
    let several = reference.is_some_and(|field| field.reference.as_ref().is_some_and(|to| to.polymorphic));
    match kind.filter(|_| several) {
        Some(kind) => format!("{kind}:{name}.{key}"),
        None => format!("{name}.{key}"),
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::Null => NULL.to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn from_xml(body: &[u8], object: &Object) -> Result<Vec<Cells>, String> {
    let unreadable = |why: &str| format!("InvalidBatch : Failed to parse XML. {why}");
    let body = std::str::from_utf8(body).map_err(|_| unreadable("It is not encoded in UTF-8"))?;
    let document = Document::parse(body.trim_start()).map_err(|error| unreadable(&error.to_string()))?;
    let records = document.root_element().children().filter(Node::is_element);
    Ok(records
        .map(|record| {
            let fields = record.children().filter(Node::is_element);
            fields
                .filter(|field| !named(field, "type"))
                .map(|field| xml_cell(field, object))
                .collect()
        })
        .collect())
}

fn xml_cell(field: Node<'_, '_>, object: &Object) -> (String, String) {
    let name = field.tag_name().name();
    let parent = field.children().find(|node| named(node, "sObject"));
    let Some(parent) = parent else {
        return (name.to_owned(), xml_text(field));
    };
    let inside = || parent.children().filter(Node::is_element);
    let kind = inside()
        .find(|node| named(node, "type"))
        .and_then(|node| node.text());
    let key = inside().find(|node| !named(node, "type"));
    let name = column(
        name,
        kind.map(str::trim),
        key.map_or("", |key| key.tag_name().name()),
        object,
    );
    (name, key.map(xml_text).unwrap_or_default())
}

fn xml_text(field: Node<'_, '_>) -> String {
    if field.attribute((INSTANCE, "nil")) == Some("true") {
        return NULL.to_owned();
    }
    field.children().filter_map(|node| node.text()).collect()
}

fn named(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// A file with a column for every name that a record has.
fn table(records: &[Cells]) -> Bytes {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut header: Vec<&str> = Vec::new();
    for (name, _) in records.iter().flatten() {
        places.entry(name).or_insert_with(|| {
            header.push(name);
            header.len() - 1
        });
    }
    if header.is_empty() {
        header.push("Id");
    }
    // A line with one empty value is a blank line, and no row.
    let missing = if header.len() == 1 { NULL } else { "" };
    let mut writer = Dialect::default().writer(Vec::new());
    // A vector takes every byte.
    let _ = writer.write_record(&header);
    for record in records {
        let mut row = vec![missing; header.len()];
        for (name, text) in record {
            row[places[name.as_str()]] = text.as_str();
        }
        if header.len() == 1 && row[0].is_empty() {
            row[0] = missing;
        }
        let _ = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Customization, Schema};
    use proptest::prelude::*;

    fn rows_of(form: Form, body: &str) -> Result<String, String> {
        let schema = Schema::build(&Customization::default()).expect("the standard objects");
        let object = schema.at(schema.position("Task").expect("an object"));
        let (bytes, _) = rows(form, &Bytes::from(body.to_owned()), object)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn json_and_xml_give_the_same_rows() {
        let json = r##"[
            {"attributes": {"type": "Task"}, "Subject": "A \"b\"", "Priority": null},
            {"CallDurationInSeconds": 5, "What": {"attributes": {"type": "Account"}, "Key__c": "x"},
             "Owner": {"attributes": {"type": "User"}, "Username": "u"}, "IsReminderSet": true}]"##;
        let xml = r#"<?xml version="1.0"?>
            <sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload"
              xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
              <sObject><type>Task</type><Subject>A "b"</Subject><Priority xsi:nil="true"/></sObject>
              <sObject><CallDurationInSeconds>5</CallDurationInSeconds>
                <What><sObject><type>Account</type><Key__c>x</Key__c></sObject></What>
                <Owner><sObject><type>User</type><Username>u</Username></sObject></Owner>
                <IsReminderSet>true</IsReminderSet></sObject>
            </sObjects>"#;
        let rows = rows_of(Form::Json, json).expect("rows");
        assert_eq!(
            rows,
            "\"Subject\",\"Priority\",\"CallDurationInSeconds\",\"Account:What.Key__c\",\"Owner.Username\",\"IsReminderSet\"\n\
             \"A \"\"b\"\"\",\"#N/A\",\"\",\"\",\"\",\"\"\n\"\",\"\",\"5\",\"x\",\"u\",\"true\"\n"
        );
        assert_eq!(rows_of(Form::Xml, xml), Ok(rows));
    }

    #[test]
    fn every_record_is_a_row() {
        assert_eq!(
            rows_of(Form::Json, "[{\"Subject\": \"\"}, {}]")
                .expect("rows")
                .lines()
                .count(),
            3
        );
        assert_eq!(rows_of(Form::Json, "[{}]"), Ok("\"Id\"\n\"#N/A\"\n".to_owned()));
        for bad in [
            "",
            "{}",
            "[1]",
            "[{\"What\": {}}]",
            "[{\"What\": {\"A\": 1, \"B\": 2}}]",
        ] {
            assert!(rows_of(Form::Json, bad).is_err(), "{bad}");
        }
        assert!(rows_of(Form::Xml, "<a>").is_err());
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "[\\[\\]{}\":,a1<>/ ]{0,60}") {
            let _ = (rows_of(Form::Json, &body), rows_of(Form::Xml, &body));
        }
    }
}
