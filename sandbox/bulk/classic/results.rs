//! Results of batches (Bulk API Developer Guide, Get Batch Results; Use Bulk Query).

use super::answer::Reply;
use super::batches::known;
use super::envelope;
use super::form::Form;
use super::outcomes;
use crate::bulk::answer::Ask;
use crate::bulk::job::{Job, State, Work};
use crate::org::{ApiError, Id};
use crate::wire;
use serde_json::json;

/// Namespace of types in records of XML.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// All that a file of no records says. Clients know the text.
const NOTHING: &str = "Records not found for this query";

/// `GET …/result`: what became of each record, or the results that a query has.
pub fn of_batch(ask: &Ask<'_>, id: &str, batch: &str) -> Result<Reply, ApiError> {
    let (job, batch) = known(ask, id, batch)?;
    ended(&batch)?;
    let body = match &batch.work {
        Work::Ingest(_) => {
            return Ok(Reply::whole(
                job.form,
                outcomes::written(&batch, job.form, &ask.request.headers),
            ));
        }
        Work::Query(_) => result_id(&batch),
    };
    let (form, headers) = (job.form.of_answers(), &ask.request.headers);
    let body = match form {
        Form::Json => wire::json_bytes(&json!([body]), headers),
        Form::Xml | Form::Csv => {
            let list = envelope::flat("result-list", "", &format!("<result>{body}</result>"));
            list.into_bytes()
        }
    };
    Ok(Reply::whole(form, body))
}

/// `GET …/result/{id}`: the records that a query found.
pub fn of_query(ask: &Ask<'_>, id: &str, batch: &str, result: &str) -> Result<Reply, ApiError> {
    let (job, batch) = known(ask, id, batch)?;
    ended(&batch)?;
    let Work::Query(extract) = &batch.work else {
        return Err(no_result(result));
    };
    if Id::parse(result).map(|id| id.to_string()) != Some(result_id(&batch)) {
        return Err(no_result(result));
    }
    let rows = extract.rows.page(0, extract.count());
    let body = match job.form {
        Form::Csv if extract.count() == 0 => NOTHING.to_owned(),
        Form::Csv => rows,
        Form::Json => format!("[{rows}]"),
        Form::Xml => envelope::flat("queryResult", &format!(" xmlns:xsi=\"{INSTANCE}\""), &rows),
    };
    Ok(Reply::whole(job.form, body))
}

/// Whether a batch has come to something.
fn ended(batch: &Job) -> Result<(), ApiError> {
    let refused = |why: &str| Err(ApiError::bad("InvalidBatch", why));
    match (batch.state, &batch.work) {
        (State::Open | State::UploadComplete | State::InProgress, _) => refused("Batch not completed"),
        (State::JobComplete, _) => Ok(()),
        (State::Failed | State::Aborted, Work::Ingest(ingest))
            if ingest
                .upload
                .as_ref()
                .is_some_and(|upload| upload.processed() > 0) =>
        {
            Ok(())
        }
        (State::Failed | State::Aborted, _) => refused("Records not processed"),
    }
}

/// A query has one result here; Salesforce begins another one at a gigabyte.
fn result_id(batch: &Job) -> String {
    let text = batch.id.to_string();
    let id = Id::parse(&format!("752{}", &text[3..15]));
    id.unwrap_or(batch.id).to_string()
}

fn no_result(id: &str) -> ApiError {
    ApiError::bad("InvalidBatch", format!("Invalid result id: {id}"))
}
