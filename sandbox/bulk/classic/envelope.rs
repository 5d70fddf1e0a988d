//! What is said about jobs and batches, in XML or JSON (Bulk API Developer Guide, JobInfo, BatchInfo).

use super::form::Form;
use crate::org::ApiError;
use crate::wire;
use http::HeaderMap;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Namespace of all XML of this API.
const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";
/// Beginning of every XML answer.
const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// Names and texts of a request.
pub type Properties = BTreeMap<String, String>;

/// Something with a name and properties: texts, numbers, booleans. A null is left out of XML.
pub struct Info {
    /// Name of the XML element.
    pub name: &'static str,
    /// Properties in the order of the XML schema.
    pub properties: Vec<(&'static str, Json)>,
}

impl Info {
    /// The answer in XML or, when asked for, JSON.
    pub fn written(&self, form: Form, headers: &HeaderMap) -> Vec<u8> {
        match form {
            Form::Json => wire::json_bytes(&self.to_json(), headers),
            Form::Xml | Form::Csv => spread(self.name, &self.lines(" ")).into_bytes(),
        }
    }

    /// The JSON object, its keys in the order of their letters.
    fn to_json(&self) -> Json {
        let sorted: BTreeMap<&str, &Json> =
            self.properties.iter().map(|(key, value)| (*key, value)).collect();
        let pairs = sorted
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.clone()));
        Json::Object(Map::from_iter(pairs))
    }

    /// The XML elements of the properties, each on a line of its own.
    fn lines(&self, margin: &str) -> String {
        let texts = self
            .properties
            .iter()
            .filter_map(|(key, value)| property(key, value));
        texts.map(|text| format!("{margin}{text}\n")).collect()
    }
}

/// All batches of a job.
pub fn list(infos: &[Info], form: Form, headers: &HeaderMap) -> Vec<u8> {
    if form == Form::Json {
        let infos: Vec<Json> = infos.iter().map(Info::to_json).collect();
        return wire::json_bytes(&json!({"batchInfo": infos}), headers);
    }
    let element = |info: &Info| format!(" <{0}>\n{1} </{0}>\n", info.name, info.lines("  "));
    let inside: String = infos.iter().map(element).collect();
    spread("batchInfoList", &inside).into_bytes()
}

/// An outermost element on lines, as this API spreads what it says of jobs.
fn spread(name: &str, lines: &str) -> String {
    format!("{PROLOG}<{name}\n   xmlns=\"{NAMESPACE}\">\n{lines}</{name}>\n")
}

/// An outermost element without spaces in it, as results have it; `more` are further attributes.
pub fn flat(name: &str, more: &str, inside: &str) -> String {
    format!("{PROLOG}<{name} xmlns=\"{NAMESPACE}\"{more}>{inside}</{name}>")
}

fn property(key: &str, value: &Json) -> Option<String> {
    let text = match value {
        // XML and JSON write the offset of instants differently.
        Json::String(text) if key == "createdDate" || key == "systemModstamp" => text.replace("+0000", "Z"),
        Json::String(text) => text.clone(),
        // Only JSON has these.
        Json::Null | Json::Bool(_) => return None,
        other => other.to_string(),
    };
    Some(format!("<{key}>{}</{key}>", wire::escaped(&text)))
}

/// The properties of a request about a job. JSON may give numbers for names.
///
/// # Errors
/// InvalidXml, and ClientInputError for JSON that cannot be read.
pub fn read(form: Form, body: &[u8]) -> Result<Properties, ApiError> {
    match form {
        Form::Json => read_json(body),
        Form::Xml | Form::Csv => read_xml(body),
    }
}

fn read_json(body: &[u8]) -> Result<Properties, ApiError> {
    let map: Map<String, Json> = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad("ClientInputError", format!("Unable to parse the JSON: {error}")))?;
    let pairs = map.into_iter().filter(|(_, value)| !value.is_null());
    let text = |value: Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(pairs.map(|(key, value)| (key, text(value))).collect())
}

fn read_xml(body: &[u8]) -> Result<Properties, ApiError> {
    let text = String::from_utf8_lossy(body);
    let document = roxmltree::Document::parse(text.trim_start())
        .map_err(|error| ApiError::bad("InvalidXml", format!("Unable to parse the XML: {error}")))?;
    let properties = document
        .root_element()
        .children()
        .filter(|node| node.is_element());
    Ok(properties
        .map(|node| {
            let text = node.text().unwrap_or_default().trim();
            (node.tag_name().name().to_owned(), text.to_owned())
        })
        .collect())
}
