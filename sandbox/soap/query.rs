//! `query`, `queryAll`, `queryMore`, `retrieve`.

use super::dialect::Dialect;
use super::envelope::text_of;
use super::fault::Fault;
use super::operation::Desk;
use super::rows;
use super::show;
use crate::org::Id;
use http::Method;
use serde_json::{Value as Json, json};

/// `query` and `queryAll`; the resource of the data API has the same name.
pub fn query(desk: &mut Desk<'_, '_>, resource: &str) -> Result<(), Fault> {
    let text = text_of(desk.call.node, "queryString").unwrap_or_default();
    let answer = desk.ask(Method::GET, &[resource], &[("q", &text)], None)?;
    page(desk, &answer);
    Ok(())
}

/// `queryMore`.
pub fn more(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let locator = text_of(desk.call.node, "queryLocator").unwrap_or_default();
    let answer = desk.ask(Method::GET, &["query", locator.trim()], &[], None)?;
    page(desk, &answer);
    Ok(())
}

fn page(desk: &mut Desk<'_, '_>, answer: &Json) {
    let schema = desk.door.schema();
    let locator = answer["nextRecordsUrl"].as_str();
    let locator = locator.and_then(|url| url.rsplit('/').next());
    let dialect = desk.call.endpoint.dialect;
    let head = match dialect {
        Dialect::Partner => "result xsi:type=\"QueryResult\"",
        Dialect::Enterprise => "result",
    };
    desk.xml.open(head);
    show::result(&mut desk.xml, dialect, &schema, answer, locator);
    desk.xml.close("result");
}

/// `search`: SOSL, each record found in an element of its own.
pub fn search(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let text = text_of(desk.call.node, "searchString").unwrap_or_default();
    let answer = desk.ask(Method::GET, &["search"], &[("q", &text)], None)?;
    // Up to version 36 the answer is the list itself.
    let found = answer.get("searchRecords").unwrap_or(&answer);
    let (schema, dialect) = (desk.door.schema(), desk.call.endpoint.dialect);
    desk.xml.open("result");
    desk.xml.leaf("queryId", "");
    for record in found.as_array().into_iter().flatten().filter_map(Json::as_object) {
        let listed = record.contains_key("Id");
        desk.xml.open("searchRecords");
        show::record(&mut desk.xml, dialect, &schema, "record", record, listed);
        desk.xml.close("searchRecords");
    }
    desk.xml.close("result");
    Ok(())
}

/// `retrieve`: a result per id, nil where there is no such record.
pub fn retrieve(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let call = desk.call.node;
    let at = desk.object(text_of(call, "sObjectType").unwrap_or_default().trim())?;
    let list = text_of(call, "fieldList").unwrap_or_default();
    let fields: Vec<&str> = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let ids = rows::ids_up_to(desk, RETRIEVE_LIMIT)?;
    if let Some(bad) = ids.iter().find(|id| Id::parse(id).is_none()) {
        return Err(Fault::api("MALFORMED_ID", format!("malformed id {bad}")));
    }
    let name = desk.name_of(at);
    let body = json!({"ids": ids, "fields": fields});
    let answer = desk.ask(Method::POST, &["composite", "sobjects", &name], &[], Some(body))?;
    let schema = desk.door.schema();
    let listed = fields.iter().any(|field| field.eq_ignore_ascii_case("Id"));
    for record in answer.as_array().into_iter().flatten() {
        match record.as_object() {
            Some(record) => {
                show::record(
                    &mut desk.xml,
                    desk.call.endpoint.dialect,
                    &schema,
                    "result",
                    record,
                    listed,
                );
            }
            None => desk.xml.nil("result"),
        }
    }
    Ok(())
}

/// Most ids of a `retrieve`.
const RETRIEVE_LIMIT: usize = 2_000;
