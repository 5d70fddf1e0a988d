//! Requests for jobs (Bulk API Developer Guide, Create a Job, Close a Job, Abort a Job, Get Job Details).

use super::answer::{Reply, job};
use super::envelope::{self, Properties};
use super::form::Form;
use super::job::{ClassicJob, State, Task};
use crate::bulk::answer::Ask;
use crate::bulk::ingest::looked_up;
use crate::org::{ApiError, Id};
use crate::state::lock;
use http::StatusCode;

/// `POST` of a new job.
pub fn create(ask: &Ask<'_>) -> Result<Reply, ApiError> {
    let asked = Form::asked(&ask.request.headers);
    let form = asked.unwrap_or(Form::Xml);
    let properties = envelope::read(form, &ask.request.body)?;
    let mut job = described(ask, &properties, asked)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    job.id = book.next_id()?;
    book.add_classic(job.clone());
    let info = job.info(std::iter::empty());
    Ok(Reply::of(StatusCode::CREATED, &info, form, &ask.request.headers))
}

/// A job as its properties say, not yet in the book.
fn described(ask: &Ask<'_>, properties: &Properties, asked: Option<Form>) -> Result<ClassicJob, ApiError> {
    let text = |name: &str| properties.get(name).map(String::as_str);
    let task = text("operation").and_then(Task::parse).ok_or_else(unreadable)?;
    // What is not said is what the request is written in (JobInfo, contentType).
    let form = match text("contentType") {
        Some(name) => Form::parse(name).ok_or_else(|| unserved(name))?,
        None => asked.unwrap_or(Form::Xml),
    };
    let concurrency = text("concurrencyMode").map_or(Some("Parallel"), concurrency);
    let object = text("object").unwrap_or_default();
    let (object, external_id) = match task {
        Task::Load(operation) => looked_up(ask.sandbox, object, operation, text("externalIdFieldName"))?,
        Task::Query | Task::QueryAll => (queryable(ask, object)?, None),
    };
    Ok(ClassicJob {
        id: Id::MIN,
        user: ask.user,
        client: ask.client.clone(),
        version: ask.version.number,
        task,
        object,
        external_id,
        assignment_rule: text("assignmentRuleId").map(str::to_owned),
        concurrency: concurrency.ok_or_else(unreadable)?.to_owned(),
        form,
        state: State::Open,
        created: ask.now,
        modified: ask.now,
    })
}

/// By name or, as a client of JSON writes it, by number.
fn concurrency(text: &str) -> Option<&'static str> {
    match text {
        "Parallel" | "0" => Some("Parallel"),
        "Serial" | "1" => Some("Serial"),
        _ => None,
    }
}

fn queryable(ask: &Ask<'_>, name: &str) -> Result<String, ApiError> {
    let schema = lock(&ask.sandbox.org).schema();
    let at = schema.position(name);
    let unknown = || ApiError::bad("InvalidJob", format!("Unable to find object: {name}"));
    let object = schema.at(at.ok_or_else(unknown)?);
    if !object.can("query") {
        let message = format!("Entity '{}' is not supported by the Bulk API.", object.name);
        return Err(ApiError::bad("InvalidEntity", message));
    }
    Ok(object.name.clone())
}

/// `GET` of a job.
pub fn show(ask: &Ask<'_>, id: &str) -> Result<Reply, ApiError> {
    let job = job(ask, id)?;
    Ok(shown(ask, &job))
}

/// `POST` of another state.
pub fn change(ask: &Ask<'_>, id: &str) -> Result<Reply, ApiError> {
    let id = job(ask, id)?.id;
    let asked = Form::asked(&ask.request.headers).unwrap_or(Form::Xml);
    let properties = envelope::read(asked, &ask.request.body)?;
    let state = properties.get("state").and_then(|name| State::parse(name));
    let state = state.ok_or_else(unreadable)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    let job = book.classic_mut(id).ok_or_else(unreadable)?;
    job.change(state, ask.now)?;
    let job = job.clone();
    if state == State::Aborted {
        book.leave_batches(id, ask.now);
    }
    drop(book);
    Ok(shown(ask, &job))
}

fn shown(ask: &Ask<'_>, job: &ClassicJob) -> Reply {
    let book = lock(&ask.sandbox.bulk.book);
    let info = job.info(book.batches(job.id));
    let form = Form::asked(&ask.request.headers).unwrap_or(job.form);
    Reply::of(StatusCode::OK, &info, form, &ask.request.headers)
}

fn unreadable() -> ApiError {
    ApiError::bad("InvalidJob", "Unable to parse Job")
}

fn unserved(name: &str) -> ApiError {
    let message = format!("Content type {name} is not supported");
    ApiError::bad("UnsupportedContentType", message)
}
