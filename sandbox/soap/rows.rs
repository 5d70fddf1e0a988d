//! `create`, `update`, `upsert`, `delete`: up to 200 records, each with a result of its own.

use super::envelope::{children, text, text_of};
use super::fault::Fault;
use super::operation::Desk;
use super::record::{self, Given, no_column};
use super::xml::Xml;
use http::Method;
use serde_json::{Value as Json, json};

/// Most ids of a call.
pub const LIMIT: usize = 200;
/// What is said of rows that were fine but went back with another one.
pub const ROLLED_BACK: &str =
    "Record rolled back because not all records were valid and the request was using AllOrNone header";

/// `create`.
pub fn create(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    save(desk, Method::POST)
}

/// `update`.
pub fn update(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    save(desk, Method::PATCH)
}

fn save(desk: &mut Desk<'_, '_>, method: Method) -> Result<(), Fault> {
    let given = record::all(desk, "sObjects")?;
    let body = desk.collection(given.into_iter().map(Given::into_json).collect());
    let rows = desk.ask(method, &["composite", "sobjects"], &[], Some(body))?;
    results(&mut desk.xml, rows, false);
    Ok(())
}

/// `upsert`. Records of several objects go one object after the other; the order of the results is theirs all the same.
pub fn upsert(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let field = text_of(desk.call.node, "externalIDFieldName").unwrap_or_default();
    let field = field.trim();
    let given = record::all(desk, "sObjects")?;
    let mut objects: Vec<usize> = given.iter().map(|one| one.at).collect();
    objects.sort_unstable();
    objects.dedup();
    for at in &objects {
        check_key(desk, *at, field)?;
    }
    let mark = desk.door.org.mark();
    let mut rows: Vec<Json> = vec![Json::Null; given.len()];
    for at in objects {
        let places: Vec<usize> = (0..given.len()).filter(|n| given[*n].at == at).collect();
        let records = places
            .iter()
            .map(|n| Json::Object(given[*n].body.clone()))
            .collect();
        let (name, body) = (desk.name_of(at), desk.collection(records));
        let path = ["composite", "sobjects", &name, field];
        let answers = desk.ask(Method::PATCH, &path, &[], Some(body))?;
        for (n, row) in places.into_iter().zip(answers.as_array().into_iter().flatten()) {
            rows[n] = row.clone();
        }
    }
    if desk.call.headers.all_or_none && rows.iter().any(|row| row["success"] != true) {
        desk.door.org.rollback(mark);
        rows.iter_mut().for_each(take_back);
    }
    results(&mut desk.xml, Json::Array(rows), true);
    Ok(())
}

fn take_back(row: &mut Json) {
    if row["success"] == true {
        *row = json!({"success": false, "errors": [{
            "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": ROLLED_BACK, "fields": [],
        }]});
    }
}

fn check_key(desk: &Desk<'_, '_>, at: usize, name: &str) -> Result<(), Fault> {
    let schema = desk.door.schema();
    let object = schema.at(at);
    let field = object.field(name).ok_or_else(|| no_column(object, name))?;
    if field.upsert_key() {
        return Ok(());
    }
    let text = format!(
        "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {}",
        object.name
    );
    Err(Fault::api("INVALID_FIELD", text))
}

/// `delete`.
pub fn delete(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let ids = ids_up_to(desk, LIMIT)?;
    if ids.is_empty() {
        return Ok(());
    }
    let all_or_none = desk.call.headers.all_or_none.to_string();
    let pairs = [("ids", ids.join(",")), ("allOrNone", all_or_none)];
    let pairs = pairs.each_ref().map(|(name, value)| (*name, value.as_str()));
    let rows = desk.ask(Method::DELETE, &["composite", "sobjects"], &pairs, None)?;
    results(&mut desk.xml, rows, false);
    Ok(())
}

/// The ids that a call names.
///
/// # Errors
/// `EXCEEDED_ID_LIMIT`.
pub fn ids_up_to(desk: &Desk<'_, '_>, limit: usize) -> Result<Vec<String>, Fault> {
    // A comma would make two of one.
    let id = |node| text(node).trim().replace(',', " ");
    // The WSDL says `ids`; beatbox and pyforce have always deleted by `id`.
    let named = ["ids", "id"];
    let nodes = named.into_iter().flat_map(|name| children(desk.call.node, name));
    let ids: Vec<String> = nodes.map(id).collect();
    if ids.len() > limit {
        let text = format!("record limit reached. cannot submit more than {limit} records into this call");
        return Err(Fault::api("EXCEEDED_ID_LIMIT", text));
    }
    Ok(ids)
}

impl Given {
    fn into_json(self) -> Json {
        Json::Object(self.body)
    }
}

/// One `result` per row, in the order of the WSDL: `created` (upsert only), `errors`, `id`, `success`.
pub fn results(xml: &mut Xml, rows: Json, upsert: bool) {
    for row in rows.as_array().into_iter().flatten() {
        let success = row["success"] == true;
        xml.open("result");
        if upsert {
            let created = row["created"] == true;
            xml.leaf("created", if created { "true" } else { "false" });
        }
        row["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|error| write_error(xml, error));
        // A record that was refused has no id, even if the call named one.
        xml.leaf_or_nil("id", row["id"].as_str().filter(|_| success));
        xml.leaf("success", if success { "true" } else { "false" });
        xml.close("result");
    }
}

/// One `errors` element.
pub fn write_error(xml: &mut Xml, error: &Json) {
    xml.open("errors");
    for field in error["fields"].as_array().into_iter().flatten() {
        xml.leaf("fields", field.as_str().unwrap_or_default());
    }
    xml.leaf("message", error["message"].as_str().unwrap_or_default());
    xml.leaf("statusCode", error["statusCode"].as_str().unwrap_or_default());
    xml.close("errors");
}
