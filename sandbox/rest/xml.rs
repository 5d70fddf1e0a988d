//! Bodies in XML: JSON values written as elements, and requests read back into JSON (REST API Developer Guide; the
//! examples of Retrieve, Create, Query and Status Codes and Error Responses).

use crate::org::ApiError;
use crate::wire::escaped;
use serde_json::{Map, Value as Json};

/// Deepest nesting of a request; records of a tree go five levels down.
const DEPTH: usize = 30;

/// A body as an XML document. The name of its outermost element follows from what it holds.
pub fn write(body: &Json) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    match body {
        Json::Array(items) if items.iter().any(|i| i.get("errorCode").is_some()) => {
            list(&mut out, "Errors", "Error", items);
        }
        Json::Array(items) if items.iter().any(|i| i.get("version").is_some()) => {
            list(&mut out, "Versions", "Version", items);
        }
        Json::Array(items) => list(&mut out, "Results", "Result", items),
        Json::Object(map) => element(&mut out, &root_of(map), body),
        other => element(&mut out, "Result", other),
    }
    out
}

fn list(out: &mut String, root: &str, name: &str, items: &[Json]) {
    out.push_str(&format!("<{root}>"));
    items.iter().for_each(|item| element(out, name, item));
    out.push_str(&format!("</{root}>"));
}

/// What the outermost element of an answer is called.
fn root_of(map: &Map<String, Json>) -> String {
    let has = |key: &str| map.contains_key(key);
    if let Some(name) = map
        .get("attributes")
        .and_then(|a| a.get("type"))
        .and_then(Json::as_str)
    {
        return name.to_owned();
    }
    let named = [
        (has("records") && has("totalSize"), "QueryResult"),
        (has("fields") && has("keyPrefix"), "DescribeSObject"),
        (has("sobjects") && has("maxBatchSize"), "DescribeGlobal"),
        (has("DailyApiRequests"), "LimitsSnapshot"),
        (has("compositeResponse"), "CompositeResults"),
        (has("results") && has("hasErrors"), "BatchResults"),
        (has("identity"), "urls"),
    ];
    let found = named.into_iter().find(|(fits, _)| *fits);
    found.map_or_else(|| "Result".to_owned(), |(_, name)| name.to_owned())
}

/// One element. Arrays repeat it; a record's `attributes` become attributes.
fn element(out: &mut String, name: &str, value: &Json) {
    let name = element_name(name);
    match value {
        Json::Null => out.push_str(&format!("<{name} xsi:nil=\"true\" xmlns:xsi=\"{XSI}\"/>")),
        Json::Array(items) => items.iter().for_each(|item| element(out, &name, item)),
        Json::Object(map) => {
            out.push_str(&format!("<{name}{}>", attributes(map)));
            for (key, value) in map.iter().filter(|(k, _)| *k != "attributes") {
                element(out, key, value);
            }
            out.push_str(&format!("</{name}>"));
        }
        Json::String(text) => {
            out.push_str(&format!("<{name}>{}</{name}>", escaped(&moment(text))));
        }
        Json::Number(number) => {
            let text = match number.as_f64() {
                Some(double) if number.is_f64() => crate::wire::java_double(double),
                _ => number.to_string(),
            };
            out.push_str(&format!("<{name}>{text}</{name}>"));
        }
        Json::Bool(flag) => out.push_str(&format!("<{name}>{flag}</{name}>")),
    }
}

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Keys that are no names, such as those of an app in the limits, become some.
fn element_name(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut name: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

fn attributes(map: &Map<String, Json>) -> String {
    let Some(Json::Object(attributes)) = map.get("attributes") else {
        return String::new();
    };
    let one = |(key, value): (&String, &Json)| {
        let text = value.as_str().unwrap_or_default();
        format!(" {}=\"{}\"", element_name(key), escaped(text))
    };
    attributes.iter().map(one).collect()
}

/// Instants end in `Z` in XML.
fn moment(text: &str) -> String {
    match text.strip_suffix("+0000") {
        Some(head) if head.len() == 23 && head.as_bytes().get(10) == Some(&b'T') => format!("{head}Z"),
        _ => text.to_owned(),
    }
}

/// A request body: the children of its root element by name, elements that repeat as an array.
///
/// # Errors
/// XML_PARSER_ERROR.
pub fn read(bytes: &[u8]) -> Result<Json, ApiError> {
    let wrong = |why: String| ApiError::bad("XML_PARSER_ERROR", why);
    let text = std::str::from_utf8(bytes).map_err(|e| wrong(e.to_string()))?;
    let document = roxmltree::Document::parse(text).map_err(|e| wrong(e.to_string()))?;
    let read = value(document.root_element(), 0).map_err(wrong)?;
    Ok(match read {
        Json::Object(map) => Json::Object(map),
        _ => Json::Object(Map::new()),
    })
}

/// Elements that are lists even when there is one of them.
const LISTS: [&str; 6] = [
    "records",
    "ids",
    "fields",
    "compositeRequest",
    "batchRequests",
    "graphs",
];

fn value(node: roxmltree::Node<'_, '_>, depth: usize) -> Result<Json, String> {
    if depth > DEPTH {
        return Err("the elements nest too deeply".into());
    }
    let nil = node
        .attributes()
        .any(|a| a.name() == "nil" && matches!(a.value(), "true" | "1"));
    if nil {
        return Ok(Json::Null);
    }
    let children: Vec<_> = node.children().filter(roxmltree::Node::is_element).collect();
    let mut out = Map::new();
    let typed: Map<String, Json> = node
        .attributes()
        .filter(|a| a.namespace().is_none())
        .map(|a| (a.name().to_owned(), a.value().into()))
        .collect();
    if children.is_empty() && typed.is_empty() {
        return Ok(node.text().unwrap_or_default().into());
    }
    if !typed.is_empty() {
        out.insert("attributes".into(), Json::Object(typed));
    }
    for child in children {
        let (name, value) = (child.tag_name().name(), value(child, depth + 1)?);
        match out.get_mut(name) {
            Some(Json::Array(all)) => all.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
            None if LISTS.contains(&name) => drop(out.insert(name.to_owned(), Json::Array(vec![value]))),
            None => drop(out.insert(name.to_owned(), value)),
        }
    }
    Ok(Json::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn answers_have_the_documented_elements() {
        let record = json!({"attributes": {"type": "Account", "url": "/a?b&c"}, "Name": "A & B", "Site": null,
            "AnnualRevenue": 139000000.0, "CreatedDate": "2026-11-22T10:00:30.000+0000"});
        assert_eq!(
            write(&record),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Account type=\"Account\" url=\"/a?b&amp;c\"><Name>A &amp; B</Name>\
             <Site xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"/>\
             <AnnualRevenue>1.39E8</AnnualRevenue><CreatedDate>2026-11-22T10:00:30.000Z</CreatedDate></Account>"
        );
        let error = json!([{"message": "m", "errorCode": "C", "fields": ["A", "B"]}]);
        assert!(write(&error).ends_with(
            "<Errors><Error><message>m</message><errorCode>C</errorCode><fields>A</fields><fields>B</fields></Error></Errors>"
        ));
    }

    #[test]
    fn requests_are_read_by_element() {
        let body = read(b"<Account><Name>A &amp; B</Name><Site xsi:nil='true' xmlns:xsi='x'/></Account>");
        assert_eq!(body.expect("well formed"), json!({"Name": "A & B", "Site": null}));
        let many = read(b"<r><records type='Account'><Name>1</Name></records><records type='Account'><Name>2</Name></records></r>");
        assert_eq!(
            many.expect("well formed")["records"][1],
            json!({"attributes": {"type": "Account"}, "Name": "2"})
        );
        let error = read(b"<Account>").expect_err("not closed");
        assert_eq!(error.error_code, "XML_PARSER_ERROR");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in "[<>/a-c=\"'&; ]{0,40}") {
            drop(read(text.as_bytes()));
        }
    }
}
