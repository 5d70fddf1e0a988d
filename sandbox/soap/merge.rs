//! `merge`: up to two records of one object into a third, as often as there are requests.

use super::envelope::{elements, text};
use super::fault::Fault;
use super::operation::Desk;
use super::record::{self, Given};
use super::recycle_bin::{place, row};
use super::rows::{LIMIT, write_error};
use crate::org::input::{self, Purpose};

use crate::org::{ApiError, Id, Merged};
use roxmltree::Node;
use serde_json::Value as Json;

/// `merge`.
pub fn merge(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    // The WSDL calls them `request`, jsforce calls them `mergeRequests`.
    let asks = |node: &Node<'_, '_>| matches!(node.tag_name().name(), "request" | "mergeRequests");
    let requests: Vec<Node<'_, '_>> = elements(desk.call.node).filter(asks).collect();
    if requests.len() > LIMIT {
        let text = format!("record limit reached. cannot submit more than {LIMIT} records into this call");
        return Err(Fault::api("EXCEEDED_ID_LIMIT", text));
    }
    let mut read = Vec::with_capacity(requests.len());
    for request in requests {
        read.push(request_of(desk, request)?);
    }
    for (master, losers) in read {
        let outcome = merged(desk, master, &losers);
        write(desk, &outcome);
    }
    Ok(())
}

fn request_of(desk: &Desk<'_, '_>, request: Node<'_, '_>) -> Result<(Given, Vec<String>), Fault> {
    let named = |name: &'static str| elements(request).filter(move |node| node.tag_name().name() == name);
    let missing = || Fault::api("REQUIRED_FIELD_MISSING", "A merge needs a masterRecord");
    let master = named("masterRecord").next().ok_or_else(missing)?;
    let losers = named("recordToMergeIds").map(|node| text(node).trim().to_owned());
    Ok((record::one(desk, master)?, losers.collect()))
}

fn merged(desk: &mut Desk<'_, '_>, mut master: Given, losers: &[String]) -> Result<Merged, ApiError> {
    let id = master.body.get("Id").and_then(Json::as_str).unwrap_or_default();
    let (at, id) = place(desk, id.trim())?;
    let losers: Vec<(usize, Id)> = losers
        .iter()
        .map(|loser| place(desk, loser))
        .collect::<Result<_, _>>()?;
    if at != master.at || losers.iter().any(|(other, _)| *other != at) {
        let message = "all records of a merge must be of one type";
        return Err(ApiError::data("INVALID_TYPE", message, &[]));
    }
    master.body.shift_remove("Id");
    let losers: Vec<Id> = losers.into_iter().map(|(_, id)| id).collect();
    let schema = desk.door.schema();
    let object = schema.at(at);
    let given = input::read_in(desk.door.org, &schema, object, &master.body, Purpose::Update, &[])?;
    let written = Some(id.to_string());
    if let Some(fault) = desk.door.around.before_write(&object.name, written.as_deref()) {
        return Err(fault);
    }
    let hand = desk.door.hand.clone();
    desk.door.org.merge(&hand, at, id, &losers, given)
}

/// A `MergeResult`: its elements are in alphabetical order.
fn write(desk: &mut Desk<'_, '_>, outcome: &Result<Merged, ApiError>) {
    let xml = &mut desk.xml;
    xml.open("result");
    match outcome {
        Ok(merged) => {
            xml.leaf("id", &merged.master.to_string());
            for id in &merged.losers {
                xml.leaf("mergedRecordIds", &id.to_string());
            }
            xml.leaf("success", "true");
            for id in &merged.related {
                xml.leaf("updatedRelatedIds", &id.to_string());
            }
        }
        Err(error) => {
            let row = row(&Err(error.clone()));
            let errors = row["errors"].as_array().into_iter().flatten();
            errors.for_each(|error| write_error(xml, error));
            xml.nil("id");
            xml.leaf("success", "false");
        }
    }
    xml.close("result");
}
