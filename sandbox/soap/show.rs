//! Records as answers show them, made from the JSON of the data API.

use super::dialect::Dialect;
use super::xml::Xml;
use crate::org::value::parse_instant;
use crate::schema::{Kind, Object, Schema};
use serde_json::{Map, Value as Json};

/// Parts of an address in the order of the WSDL, base type first, with their keys in JSON.
const ADDRESS: [&str; 10] = [
    "latitude",
    "longitude",
    "city",
    "country",
    "countryCode",
    "geocodeAccuracy",
    "postalCode",
    "state",
    "stateCode",
    "street",
];

/// The inside of a `QueryResult`.
pub fn result(xml: &mut Xml, dialect: Dialect, schema: &Schema, answer: &Json, locator: Option<&str>) {
    let done = answer["done"] == true;
    xml.leaf("done", if done { "true" } else { "false" });
    xml.leaf_or_nil("queryLocator", locator);
    for one in answer["records"].as_array().into_iter().flatten() {
        if let Some(one) = one.as_object() {
            record(xml, dialect, schema, "records", one, one.contains_key("Id"));
        }
    }
    xml.leaf("size", &answer["totalSize"].to_string());
}

/// A record under this element name. In the partner WSDL the id comes first whether or not it was asked for, and then
/// once more if it was.
pub fn record(
    xml: &mut Xml,
    dialect: Dialect,
    schema: &Schema,
    name: &str,
    record: &Map<String, Json>,
    id_listed: bool,
) {
    let kind = record.get("attributes").and_then(|about| about["type"].as_str());
    let kind = kind.unwrap_or("Name");
    let object = schema.object(kind);
    match dialect {
        Dialect::Partner => {
            xml.open(&format!("{name} xsi:type=\"sf:sObject\""));
            xml.leaf("sf:type", kind);
            xml.leaf_or_nil("sf:Id", record.get("Id").and_then(Json::as_str));
        }
        Dialect::Enterprise => xml.open(&format!("{name} xsi:type=\"sf:{kind}\"")),
    }
    for (key, value) in record {
        let hidden = key == "attributes" || key == "Id" && !id_listed && dialect == Dialect::Partner;
        if !hidden {
            field(xml, dialect, schema, object, key, value);
        }
    }
    xml.close(name);
}

fn field(xml: &mut Xml, dialect: Dialect, schema: &Schema, object: Option<&Object>, key: &str, value: &Json) {
    let name = format!("sf:{key}");
    match value {
        // The enterprise WSDL leaves nulls away.
        Json::Null if dialect == Dialect::Partner => xml.nil(&name),
        Json::Null => {}
        Json::Object(map) if map.contains_key("records") => {
            let typed = match dialect {
                Dialect::Partner => format!("{name} xsi:type=\"QueryResult\""),
                Dialect::Enterprise => name.clone(),
            };
            xml.open(&typed);
            result(xml, dialect, schema, value, None);
            xml.close(&name);
        }
        Json::Object(map) if map.contains_key("attributes") => {
            record(xml, dialect, schema, &name, map, map.contains_key("Id"));
        }
        Json::Object(map) => address(xml, &name, map),
        plain => {
            let kind = object
                .and_then(|object| object.field(key))
                .map(|field| field.kind);
            let text = text_of(plain, kind);
            match object {
                Some(_) => xml.leaf(&name, &text),
                // Columns of groups have no type of their own in the WSDL.
                None => xml.leaf(&format!("{name} xsi:type=\"{}\"", type_of(plain)), &text),
            }
        }
    }
}

fn address(xml: &mut Xml, name: &str, parts: &Map<String, Json>) {
    xml.open(&format!("{name} xsi:type=\"address\""));
    for key in ADDRESS {
        let part = parts.get(key).unwrap_or(&Json::Null);
        if part.is_null() {
            xml.nil(key);
        } else {
            xml.leaf(key, &text_of(part, None));
        }
    }
    xml.close(name);
}

/// A value as text; instants end with `Z` here, where JSON has `+0000`.
fn text_of(value: &Json, kind: Option<Kind>) -> String {
    match value {
        Json::String(text) if kind.is_none_or(|kind| kind == Kind::DateTime) => instant(text),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An instant as `xsd:dateTime`; other text as it is.
pub fn instant(text: &str) -> String {
    match text.strip_suffix("+0000") {
        Some(plain) if parse_instant(text).is_some() => format!("{plain}Z"),
        _ => text.to_owned(),
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Bool(_) => "xsd:boolean",
        Json::Number(number) if number.is_f64() => "xsd:double",
        Json::Number(_) => "xsd:int",
        Json::String(text) if instant(text) != *text => "xsd:dateTime",
        _ => "xsd:string",
    }
}
