//! Requests for batches (Bulk API Developer Guide, Add a Batch to a Job, Get Information for a Batch, Get a Batch Request).

use super::answer::{Reply, job};
use super::door::too_large;
use super::envelope::{self, Info};
use super::form::Form;
use super::info::batch_info;
use super::job::{Batch, ClassicJob, Task};
use super::records;
use crate::bulk::answer::Ask;
use crate::bulk::dialect::Dialect;
use crate::bulk::extract::Extract;
use crate::bulk::job::{Ingest, Job, State, Work};
use crate::bulk::limits::{BATCH_BYTES, BATCH_CHARACTERS, BATCH_ROWS};
use crate::bulk::upload::Upload;
use crate::org::{ApiError, Id};
use crate::state::lock;
use axum::body::Bytes;
use http::StatusCode;

/// `POST` of a batch.
pub fn add(ask: &Ask<'_>, id: &str) -> Result<Reply, ApiError> {
    let job = job(ask, id)?;
    count(ask)?;
    if !job.takes_batch_at(ask.now) {
        let message = format!("Unable to add a batch: the job is {}", job.state.name());
        return Err(ApiError::bad("InvalidJobState", message));
    }
    fits(ask, job.form)?;
    let mut batch = made(ask, &job)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    book.make_room(batch.weight())?;
    // The job may have been closed or forgotten meanwhile.
    if !book.classic(job.id).is_some_and(ClassicJob::takes_batches) {
        return Err(ApiError::bad("InvalidJobState", "The job takes no more batches"));
    }
    batch.id = book.next_batch_id()?;
    let id = batch.id;
    book.add(batch);
    book.close(id, ask.now);
    let info = book.job(id).map(|batch| batch_info(batch, job.id));
    drop(book);
    ask.sandbox.bulk.wake();
    let info = info.ok_or_else(|| unknown(&id.to_string()))?;
    Ok(Reply::of(
        StatusCode::CREATED,
        &info,
        job.form,
        &ask.request.headers,
    ))
}

/// Counts a batch, also one for a closed job (Limits, Batch Allocation).
fn count(ask: &Ask<'_>) -> Result<(), ApiError> {
    let batches = &ask.sandbox.bulk.daily.batches;
    if batches.used(ask.now) >= ask.sandbox.settings().daily_bulk_batches {
        return Err(ApiError::bad("ExceededQuota", "ApiBatchItems Limit exceeded."));
    }
    batches.spend(ask.now, 1);
    Ok(())
}

/// Whether the body may be a batch of a job of this form.
fn fits(ask: &Ask<'_>, form: Form) -> Result<(), ApiError> {
    let (body, media) = (&ask.request.body, ask.content_type());
    if Form::asked(&ask.request.headers).map_or(!media.is_empty(), |asked| asked != form) {
        let message = format!("Content type {media} is not that of the job, {}", form.media());
        return Err(ApiError::bad("UnsupportedContentType", message));
    }
    if body.is_empty() {
        return Err(ApiError::bad("InvalidBatch", "The batch has no content"));
    }
    let characters = body.iter().filter(|byte| *byte & 0xC0 != 0x80).count();
    match (characters > BATCH_CHARACTERS, body.len() > BATCH_BYTES) {
        (true, _) => Err(too_large(BATCH_CHARACTERS)),
        (_, true) => Err(too_large(BATCH_BYTES)),
        _ => Ok(()),
    }
}

/// The batch, not yet in the book. One that cannot be read is worked off like others, and fails then.
fn made(ask: &Ask<'_>, job: &ClassicJob) -> Result<Job, ApiError> {
    let body = &ask.request.body;
    let (work, dialect) = match job.task {
        Task::Load(operation) => {
            let (upload, dialect, trouble) = read(ask, job)?;
            let work = Work::Ingest(Ingest {
                operation,
                external_id: job.external_id.clone(),
                assignment_rule: job.assignment_rule.clone(),
                upload: Some(upload),
                stop: trouble.map(|why| (0, why)),
            });
            (work, dialect)
        }
        Task::Query | Task::QueryAll => {
            let soql = std::str::from_utf8(body);
            let soql =
                soql.map_err(|_| ApiError::bad("InvalidBatch", "The query is not encoded in UTF-8"))?;
            let work = Work::Query(Extract {
                soql: soql.to_owned(),
                all: job.task == Task::QueryAll,
                form: job.form,
                rows: Default::default(),
                doomed: false,
                found: None,
            });
            (work, Dialect::default())
        }
    };
    let mut batch = ask.job(job.object.clone(), dialect, State::Open, work);
    batch.client = batch.client.or_else(|| job.client.clone());
    batch.batch = Some(Batch {
        job: job.id,
        request: body.clone(),
    });
    Ok(batch)
}

/// The rows of a batch, and why it will fail.
fn read(ask: &Ask<'_>, job: &ClassicJob) -> Result<(Upload, Dialect, Option<String>), ApiError> {
    let schema = lock(&ask.sandbox.org).schema();
    let at = schema.position(&job.object);
    let gone = || ApiError::bad("InvalidJob", format!("Unable to find object: {}", job.object));
    let object = schema.at(at.ok_or_else(gone)?);
    let (bytes, dialect, trouble) = match records::rows(job.form, &ask.request.body, object) {
        Ok((bytes, dialect)) => (bytes, dialect, None),
        Err(why) => (Bytes::new(), Dialect::default(), Some(why)),
    };
    let upload = Upload::new(bytes, dialect);
    let most = BATCH_ROWS + 1;
    // Its reader counts the header and stops at the first row too many: the number is always the same.
    let crowd = (upload.rows() > BATCH_ROWS).then(|| {
        let (seen, rule) = (most + 1, "Number of records should be less than or equal to");
        format!("InvalidBatch : Exceeded number of records: {seen}. {rule} {most}")
    });
    Ok((upload, dialect, trouble.or(crowd)))
}

/// `GET` of all batches of a job.
pub fn list(ask: &Ask<'_>, id: &str) -> Result<Reply, ApiError> {
    let job = job(ask, id)?;
    let book = lock(&ask.sandbox.bulk.book);
    let infos: Vec<Info> = book
        .batches(job.id)
        .map(|batch| batch_info(batch, job.id))
        .collect();
    let body = envelope::list(&infos, job.form, &ask.request.headers);
    Ok(Reply::whole(job.form.of_answers(), body))
}

/// `GET` of a batch.
pub fn show(ask: &Ask<'_>, id: &str, batch: &str) -> Result<Reply, ApiError> {
    let (job, batch) = known(ask, id, batch)?;
    let info = batch_info(&batch, job.id);
    Ok(Reply::of(StatusCode::OK, &info, job.form, &ask.request.headers))
}

/// `GET` of a batch as it came.
pub fn request(ask: &Ask<'_>, id: &str, batch: &str) -> Result<Reply, ApiError> {
    let (job, batch) = known(ask, id, batch)?;
    Ok(Reply::whole(
        job.form,
        batch.batch.map(|batch| batch.request).unwrap_or_default(),
    ))
}

/// A job and one of its batches.
///
/// # Errors
/// InvalidJob, InvalidBatch.
pub fn known(ask: &Ask<'_>, id: &str, batch: &str) -> Result<(ClassicJob, Job), ApiError> {
    let job = job(ask, id)?;
    let book = lock(&ask.sandbox.bulk.book);
    let found = Id::parse(batch).and_then(|id| book.job(id));
    let found = found.filter(|one| one.is_batch_of(job.id)).cloned();
    Ok((job, found.ok_or_else(|| unknown(batch))?))
}

/// What a batch says of a query that it cannot answer.
pub fn failed_query(error: &ApiError) -> String {
    match error.error_code {
        // What cannot be asked in bulk only.
        "API_ERROR" => format!("FeatureNotEnabled : {}", error.message),
        code => format!(
            "InvalidBatch : Failed to process query: {code}: {}",
            error.message
        ),
    }
}

fn unknown(batch: &str) -> ApiError {
    ApiError::bad("InvalidBatch", format!("Invalid batch id: {batch}"))
}
