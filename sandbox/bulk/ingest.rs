//! Requests for ingest jobs.

use super::answer::{Answer, Ask};
use super::book::takes_data;
use super::job::{Detail, Ingest, Job, Operation, State, Work};
use super::multipart;
use super::properties::{Properties, invalid};
use super::results;
use super::upload::Upload;
use crate::clock::stopwatch;
use crate::org::{ApiError, Id};
use crate::state::{Sandbox, lock};
use axum::body::Bytes;
use http::StatusCode;

/// `POST`: makes a job, and closes it if its file comes along (Create a Job).
pub fn create(ask: &Ask<'_>) -> Result<Answer, ApiError> {
    let (properties, content) = match ask.content_type().as_str() {
        "multipart/form-data" => {
            let parts = multipart::read(&ask.request.headers, &ask.request.body)?;
            (parts.job, Some(parts.content))
        }
        "" | "application/json" => (ask.request.body.clone(), None),
        _ => return Err(ask.unsupported()),
    };
    let mut job = described(ask, &properties)?;
    let settings = ask.sandbox.settings();
    if ask.sandbox.bulk.daily.batches.used(ask.now) >= settings.daily_bulk_batches {
        return Err(exceeded("ApiBatchItems Limit exceeded."));
    }
    if let (Work::Ingest(ingest), Some(content)) = (&mut job.work, &content) {
        ingest.upload = Some(Upload::new(content.clone(), job.dialect));
    }
    let mut book = lock(&ask.sandbox.bulk.book);
    book.make_room(content.as_ref().map_or(0, Bytes::len))?;
    let id = book.next_id()?;
    job.id = id;
    book.add(job);
    if content.is_some() {
        book.close(id, ask.now);
    }
    let shown = book.job(id).map(|job| job.to_json(Detail::Made));
    drop(book);
    ask.sandbox.bulk.wake();
    shown.map(Answer::Json).ok_or_else(ApiError::not_found)
}

/// A job as its properties say, not yet in the book.
fn described(ask: &Ask<'_>, body: &[u8]) -> Result<Job, ApiError> {
    let mut properties = Properties::read(body)?;
    let operation = properties.word("operation", None, Operation::parse)?;
    let dialect = properties.dialect()?;
    let object = properties.text("object")?.unwrap_or_default();
    let key = properties.text("externalIdFieldName")?;
    let assignment_rule = properties.text("assignmentRuleId")?;
    properties.finish()?;
    let (object, external_id) = looked_up(ask.sandbox, &object, operation, key.as_deref())?;
    let work = Work::Ingest(Ingest {
        operation,
        external_id,
        assignment_rule,
        upload: None,
        stop: None,
    });
    Ok(ask.job(object, dialect, State::Open, work))
}

/// Canonical names of object and key.
///
/// # Errors
/// What there is no such thing of, and what cannot be loaded.
pub fn looked_up(
    sandbox: &Sandbox,
    object: &str,
    operation: Operation,
    key: Option<&str>,
) -> Result<(String, Option<String>), ApiError> {
    let schema = lock(&sandbox.org).schema();
    let at = schema
        .position(object)
        .ok_or_else(|| invalid_job(format!("Unable to find object: {object}")))?;
    let object = schema.at(at);
    if !operation.calls().iter().all(|call| object.can(call)) {
        let message = format!("Entity '{}' is not supported by the Bulk API.", object.name);
        return Err(ApiError::bad("INVALIDENTITY", message));
    }
    if operation == Operation::HardDelete && !sandbox.settings().bulk_hard_delete {
        let message = "hardDelete operation requires special user profile permission, please contact your system administrator";
        return Err(ApiError::bad("FEATURENOTENABLED", message));
    }
    let key = match (operation, key) {
        (Operation::Upsert, Some(name)) => {
            let field = object.field(name).filter(|field| field.upsert_key());
            let text = format!(
                "Field name provided, {name} does not match an External ID for {}",
                object.name
            );
            Some(field.ok_or_else(|| invalid_job(text))?.name.clone())
        }
        (Operation::Upsert, None) => {
            let text = format!(
                "External ID was blank for {}. An External ID must be specified for upsert.",
                object.name
            );
            return Err(invalid_job(text));
        }
        _ => None,
    };
    Ok((object.name.clone(), key))
}

/// `GET`: the job (Get Information About an Ingest Job).
pub fn show(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    with(ask, id, |job| Ok(Answer::Json(job.to_json(Detail::Full))))
}

/// `PUT …/batches`: the file, once (Upload Job Data).
pub fn put(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    if !matches!(ask.content_type().as_str(), "" | "text/csv") {
        return Err(ask.unsupported());
    }
    // The door has refused larger ones than are allowed.
    let bytes = &ask.request.body;
    let dialect = with(ask, id, |job| open_and_empty(ask, job).map(|()| job.dialect))?;
    // Reading a large file takes its time, and nobody has to wait for it.
    let upload = Upload::new(bytes.clone(), dialect);
    lock(&ask.sandbox.bulk.book).make_room(bytes.len())?;
    with(ask, id, |job| {
        open_and_empty(ask, job)?;
        if let Work::Ingest(ingest) = &mut job.work {
            ingest.upload = Some(upload);
        }
        Ok(Answer::Empty(StatusCode::CREATED))
    })
}

fn open_and_empty(ask: &Ask<'_>, job: &Job) -> Result<(), ApiError> {
    if !takes_data(job, ask.now) {
        let message = format!(
            "InvalidJobState : Job is not Open. Current job state is '{}'",
            job.state.name()
        );
        return Err(ApiError::bad("INVALIDJOBSTATE", message));
    }
    match &job.work {
        Work::Ingest(ingest) if ingest.upload.is_some() => {
            let id = job.id.to_string();
            let message = format!(
                "Found multipe contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.",
                &id[..15]
            );
            Err(ApiError::bad("BULK_API_ERROR", message))
        }
        _ => Ok(()),
    }
}

/// `PATCH`: closes or aborts the job (Upload Complete, Abort a Job).
pub fn change(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let wanted = wanted_state(&ask.request.body)?;
    let id = known(ask, id, true)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    let state = book.job(id).map_or(State::Aborted, |job| job.state);
    match (wanted, state) {
        (State::UploadComplete, State::Open) => book.close(id, ask.now),
        (State::UploadComplete, other) => return Err(not_allowed("Closing", other)),
        (State::Aborted, other) if other.is_terminal() => return Err(not_allowed("Aborting", other)),
        (State::Aborted, _) => {
            if let Some(job) = book.job_mut(id) {
                job.enter(State::Aborted, ask.now);
            }
        }
        (other, _) => return Err(cannot_set(other)),
    }
    let shown = book.job(id).map(|job| job.to_json(Detail::State));
    drop(book);
    ask.sandbox.bulk.wake();
    shown.map(Answer::Json).ok_or_else(ApiError::not_found)
}

/// `DELETE`: the job and its files (Delete a Job).
pub fn delete(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let id = known(ask, id, true)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    let state = book.job(id).map_or(State::Aborted, |job| job.state);
    if matches!(state, State::Open | State::InProgress) {
        return Err(not_terminated());
    }
    book.remove(id);
    Ok(Answer::Empty(StatusCode::NO_CONTENT))
}

/// `GET` of one of the three result sets.
pub fn results(ask: &Ask<'_>, id: &str, set: &str) -> Result<Answer, ApiError> {
    let job = with(ask, id, |job| match job.state.is_terminal() {
        true => Ok(job.clone()),
        false => Err(not_finished(job.state)),
    })?;
    // The job is a cheap copy, so that large files are written without the lock.
    let text = match set {
        "successfulresults" => results::successful(&job),
        "failedresults" => results::failed(&job),
        _ => results::unprocessed(&job),
    };
    Ok(Answer::Csv(text, Vec::new()))
}

/// The id of a job of this kind.
///
/// # Errors
/// NOT_FOUND.
pub fn known(ask: &Ask<'_>, id: &str, ingest: bool) -> Result<Id, ApiError> {
    let id = Id::parse(id).ok_or_else(ApiError::not_found)?;
    let book = lock(&ask.sandbox.bulk.book);
    let job = book
        .job(id)
        .filter(|job| job.batch.is_none() && job.is_ingest() == ingest);
    job.map(|job| job.id).ok_or_else(ApiError::not_found)
}

fn with<T>(
    ask: &Ask<'_>,
    id: &str,
    act: impl FnOnce(&mut Job) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let id = known(ask, id, true)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    book.job_mut(id).ok_or_else(ApiError::not_found).and_then(act)
}

/// The state that a `PATCH` asks for.
///
/// # Errors
/// What [`Properties`] refuses.
pub fn wanted_state(body: &[u8]) -> Result<State, ApiError> {
    let mut properties = Properties::read(body)?;
    let state = properties.text("state")?.unwrap_or_default();
    properties.finish()?;
    State::parse(&state).ok_or_else(|| invalid(&state, "state"))
}

/// The error for a change that comes too late.
pub fn not_allowed(change: &str, state: State) -> ApiError {
    let name = match state {
        State::JobComplete => "Completed",
        State::UploadComplete => "Closed",
        other => other.name(),
    };
    ApiError::bad(
        "INVALIDJOBSTATE",
        format!("{change} already {name} Job not allowed"),
    )
}

/// The error for a state that only the server gives.
pub fn cannot_set(state: State) -> ApiError {
    let message = format!("InvalidJobState : A job cannot be set to {}", state.name());
    ApiError::bad("INVALIDJOBSTATE", message)
}

/// The error for results that are not there yet.
pub fn not_finished(state: State) -> ApiError {
    let message = format!(
        "InvalidJobState : The job has no results yet. Current job state is '{}'",
        state.name()
    );
    ApiError::bad("INVALIDJOBSTATE", message)
}

/// The error for deleting what is still at work (Delete a Query Job, Response Body for an Unsuccessful Request).
pub fn not_terminated() -> ApiError {
    let message = "Error encountered when deleting the job because the job is not terminated";
    ApiError::bad("API_ERROR", message)
}

fn invalid_job(why: String) -> ApiError {
    ApiError::bad("INVALIDJOB", format!("InvalidJob : {why}"))
}

fn exceeded(why: &str) -> ApiError {
    ApiError::bad("EXCEEDEDQUOTA", format!("ExceededQuota : {why}"))
}

impl Ask<'_> {
    /// A job of the asker, with an id that is still to be given.
    pub fn job(&self, object: String, dialect: super::dialect::Dialect, state: State, work: Work) -> Job {
        Job {
            id: Id::MIN,
            user: self.user,
            client: self.client.clone(),
            version: self.version.number,
            object,
            dialect,
            created: self.now,
            modified: self.now,
            state,
            turn: 0,
            error: None,
            micros: 0,
            batch: None,
            work,
            stepped: stopwatch(),
        }
    }
}
