//! `describeGlobal`, `describeSObject`, `describeSObjects`: the describes of the data API, told in XML.

use super::envelope::{children, text};
use super::fault::Fault;
use super::operation::Desk;
use super::xml::Xml;
use http::Method;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Most objects of one call.
const LIMIT: usize = 100;
/// Keys that the WSDL does not have.
const REST_ONLY: [&str; 2] = ["urls", "sobjectDescribeOption"];
/// Elements that are nil where JSON has null; other nulls are left away.
const NILLABLE: [&str; 5] = [
    "defaultImplementation",
    "implementedBy",
    "implementsInterfaces",
    "keyPrefix",
    "networkScopeFieldName",
];

/// `describeGlobal`.
pub fn global(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let answer = desk.ask(Method::GET, &["sobjects"], &[], None)?;
    desk.xml.open("result");
    desk.xml
        .leaf("encoding", answer["encoding"].as_str().unwrap_or_default());
    desk.xml.leaf("maxBatchSize", &answer["maxBatchSize"].to_string());
    for object in answer["sobjects"].as_array().into_iter().flatten() {
        let object = object.as_object().cloned().unwrap_or_default();
        desk.xml.open("sobjects");
        members(&mut desk.xml, &with_identity(object));
        desk.xml.close("sobjects");
    }
    desk.xml.close("result");
    Ok(())
}

/// `describeSObject` and `describeSObjects`, which differ in how many they ask for.
pub fn objects(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let names: Vec<String> = children(desk.call.node, "sObjectType").map(text).collect();
    if names.len() > LIMIT {
        let text = format!("cannot describe more than {LIMIT} objects in one call");
        return Err(Fault::api("EXCEEDED_ID_LIMIT", text));
    }
    if names.is_empty() {
        // The fault that a type without a name gets.
        desk.object("")?;
    }
    for name in names {
        let answer = described(desk, name.trim())?;
        let object = with_identity(answer.as_object().cloned().unwrap_or_default());
        let object = with_pages(object, &desk.call.visit.base_url);
        desk.xml.open("result");
        members(&mut desk.xml, &object);
        desk.xml.close("result");
    }
    Ok(())
}

/// The data API's answer. It describes change events too, which are no objects of the schema: the type is wrong when it
/// is neither.
fn described(desk: &mut Desk<'_, '_>, name: &str) -> Result<Json, Fault> {
    let answer = desk.ask(Method::GET, &["sobjects", name, "describe"], &[], None);
    if answer.is_err() {
        desk.object(name)?;
    }
    answer
}

/// Only the WSDL has `idEnabled`: every object here has ids.
fn with_identity(mut object: Map<String, Json>) -> Map<String, Json> {
    object.insert("idEnabled".into(), true.into());
    object
}

/// Addresses of the pages of a record; null for objects without layouts.
fn with_pages(mut object: Map<String, Json>, base: &str) -> Map<String, Json> {
    let prefix = object.get("keyPrefix").and_then(Json::as_str).unwrap_or_default();
    let prefix = prefix.to_owned();
    if object.get("layoutable") == Some(&Json::Bool(true)) {
        object.insert("urlDetail".into(), format!("{base}/{{ID}}").into());
        object.insert("urlEdit".into(), format!("{base}/{{ID}}/e").into());
        object.insert("urlNew".into(), format!("{base}/{prefix}/e").into());
    }
    object
}

/// Members of a type; the WSDL has them in alphabetical order.
fn members(xml: &mut Xml, object: &Map<String, Json>) {
    let sorted: BTreeMap<&String, &Json> = object.iter().collect();
    for (name, value) in sorted {
        if !REST_ONLY.contains(&name.as_str()) {
            member(xml, name, value);
        }
    }
}

fn member(xml: &mut Xml, name: &str, value: &Json) {
    match value {
        Json::Null if NILLABLE.contains(&name) => xml.nil(name),
        Json::Null => {}
        Json::Array(items) => items.iter().for_each(|item| member(xml, name, item)),
        Json::Object(object) => {
            xml.open(name);
            members(xml, object);
            xml.close(name);
        }
        Json::String(text) => xml.leaf(&typed(name, "xsd:string"), text),
        Json::Bool(flag) => xml.leaf(&typed(name, "xsd:boolean"), &flag.to_string()),
        Json::Number(number) => xml.leaf(&typed(name, "xsd:double"), &number.to_string()),
    }
}

/// A field's default can be of any type, and says of which.
fn typed(name: &str, kind: &str) -> String {
    if name == "defaultValue" {
        format!("{name} xsi:type=\"{kind}\"")
    } else {
        name.to_owned()
    }
}
