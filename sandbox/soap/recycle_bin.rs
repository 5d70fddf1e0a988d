//! `undelete` and `emptyRecycleBin`.

use super::fault::Fault;
use super::operation::Desk;
use super::rows::{LIMIT, ROLLED_BACK, ids_up_to, results};
use crate::org::{ApiError, Id};
use serde_json::{Value as Json, json};

/// `undelete`.
pub fn undelete(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let ids = ids_up_to(desk, LIMIT)?;
    let mark = desk.door.org.mark();
    let mut outcomes: Vec<Result<Id, ApiError>> = ids.iter().map(|id| restored(desk, id)).collect();
    if desk.call.headers.all_or_none && outcomes.iter().any(Result::is_err) {
        desk.door.org.rollback(mark);
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            *outcome = Err(ApiError::data(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                ROLLED_BACK,
                &[],
            ));
        }
    }
    results(&mut desk.xml, outcomes.iter().map(row).collect(), false);
    Ok(())
}

fn restored(desk: &mut Desk<'_, '_>, text: &str) -> Result<Id, ApiError> {
    let (at, id) = place(desk, text)?;
    let name = desk.name_of(at);
    if let Some(fault) = desk.door.around.before_write(&name, Some(&id.to_string())) {
        return Err(fault);
    }
    let hand = desk.door.hand.clone();
    desk.door.org.undelete(&hand, at, id).map(|()| id)
}

/// `emptyRecycleBin`: nobody brings these records back.
pub fn empty(desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
    let ids = ids_up_to(desk, LIMIT)?;
    let purged = |id: &String| {
        let (at, id) = place(desk, id)?;
        desk.door.org.purge(at, id).map(|()| id)
    };
    let rows: Json = ids.iter().map(purged).map(|outcome| row(&outcome)).collect();
    results(&mut desk.xml, rows, false);
    Ok(())
}

/// Object and id that a text names.
///
/// # Errors
/// `MALFORMED_ID`.
pub fn place(desk: &Desk<'_, '_>, text: &str) -> Result<(usize, Id), ApiError> {
    let id = Id::parse(text);
    let at = id.and_then(|id| desk.door.schema().by_prefix(id.prefix()));
    at.zip(id).ok_or_else(|| {
        let message = format!("Record ID: id value of incorrect type: {text}");
        ApiError::data("MALFORMED_ID", message, &["Id"])
    })
}

/// A row of the result, as the data API has it.
pub fn row(outcome: &Result<Id, ApiError>) -> Json {
    match outcome {
        Ok(id) => json!({"id": id.to_string(), "success": true, "errors": []}),
        Err(error) => {
            let errors: Vec<Json> = error.all().map(written).collect();
            json!({"success": false, "errors": errors})
        }
    }
}

/// A row that is not there says so in its own way where there are several.
fn written(error: &ApiError) -> Json {
    if error.error_code == "NOT_FOUND" {
        return ApiError::data("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])
            .to_row_json();
    }
    error.to_row_json()
}
