//! `getUpdated` and `getDeleted`.

use super::envelope::text_of;
use super::fault::Fault;
use super::operation::Desk;
use super::record::date_time;
use super::show::instant;
use http::Method;
use serde_json::Value as Json;

/// `getUpdated`.
pub fn updated(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let answer = window(desk, "updated")?;
    desk.xml.open("result");
    for id in answer["ids"].as_array().into_iter().flatten() {
        desk.xml.leaf("ids", id.as_str().unwrap_or_default());
    }
    moment(desk, &answer, "latestDateCovered");
    desk.xml.close("result");
    Ok(())
}

/// `getDeleted`.
pub fn deleted(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let answer = window(desk, "deleted")?;
    desk.xml.open("result");
    for row in answer["deletedRecords"].as_array().into_iter().flatten() {
        desk.xml.open("deletedRecords");
        moment(desk, row, "deletedDate");
        desk.xml.leaf("id", row["id"].as_str().unwrap_or_default());
        desk.xml.close("deletedRecords");
    }
    moment(desk, &answer, "earliestDateAvailable");
    moment(desk, &answer, "latestDateCovered");
    desk.xml.close("result");
    Ok(())
}

fn window(desk: &mut Desk<'_, '_>, resource: &str) -> Result<Json, Fault> {
    let read = |name| {
        text_of(desk.call.node, name)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    // What is no time is refused by the resource behind it.
    let at = |name| date_time(&read(name)).unwrap_or_default();
    let (kind, start, end) = (read("sObjectType"), at("startDate"), at("endDate"));
    let name = desk.name_of(desk.object(&kind)?);
    let pairs = [("start", start.as_str()), ("end", end.as_str())];
    desk.ask(Method::GET, &["sobjects", &name, resource], &pairs, None)
}

fn moment(desk: &mut Desk<'_, '_>, answer: &Json, name: &str) {
    let text = instant(answer[name].as_str().unwrap_or_default());
    desk.xml.leaf(name, &text);
}
