//! A record that a query found, in JSON or XML (Bulk API Developer Guide, Use Bulk Query).

use crate::bulk::extract::Leaf;
use crate::wire;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value as Json;

/// The record in JSON, as the data API has it but for dates and instants, which are milliseconds since 1970.
pub fn json(mut record: Json, columns: &[Leaf]) -> String {
    for leaf in columns.iter().filter(|leaf| leaf.date || leaf.instant) {
        let here = leaf
            .path
            .iter()
            .try_fold(&mut record, |here, name| here.get_mut(name));
        if let Some(value) = here
            && let Some(millis) = value.as_str().and_then(millis)
        {
            *value = millis.into();
        }
    }
    let bytes = wire::json_bytes(&record, &HeaderMap::new());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn millis(text: &str) -> Option<i64> {
    let instant = match text.split_once('T') {
        Some(_) => text.replace("+0000", "Z"),
        None => format!("{text}T00:00:00Z"),
    };
    let at: Timestamp = instant.parse().ok()?;
    Some(at.as_millisecond())
}

/// The record in XML: its type, then its fields; relationships are records in it.
pub fn xml(record: &Json, columns: &[Leaf]) -> String {
    element("records", record, &mut Vec::new(), columns)
}

fn element(name: &str, value: &Json, path: &mut Vec<String>, columns: &[Leaf]) -> String {
    match value {
        Json::Null => format!("<{name} xsi:nil=\"true\"/>"),
        Json::Object(record) => {
            let kind = record.get("attributes").and_then(|about| about["type"].as_str());
            let mut inside = format!("<type>{}</type>", kind.unwrap_or_default());
            for (key, value) in record.iter().filter(|(key, _)| *key != "attributes") {
                path.push(key.clone());
                inside.push_str(&element(key, value, path, columns));
                path.pop();
            }
            format!("<{name} xsi:type=\"sObject\">{inside}</{name}>")
        }
        Json::String(text) => {
            let instant = columns.iter().any(|leaf| leaf.instant && leaf.path == *path);
            let text = if instant {
                text.replace("+0000", "Z")
            } else {
                wire::escaped(text)
            };
            format!("<{name}>{text}</{name}>")
        }
        other => format!("<{name}>{other}</{name}>"),
    }
}
