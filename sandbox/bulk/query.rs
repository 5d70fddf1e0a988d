//! Requests for query jobs; their results are in [`super::pages`].

use super::answer::{Answer, Ask};
use super::extract::{self, Extract};
use super::ingest::{cannot_set, known, not_allowed, not_terminated, wanted_state};
use super::job::{Detail, State, Work};
use super::properties::Properties;
use crate::org::ApiError;
use crate::state::lock;
use http::StatusCode;

/// `POST`: makes a job, which waits for its turn at once (Create a Query Job).
pub fn create(ask: &Ask<'_>) -> Result<Answer, ApiError> {
    if !matches!(ask.content_type().as_str(), "" | "application/json") {
        return Err(ask.unsupported());
    }
    let mut properties = Properties::read(&ask.request.body)?;
    let all = |name: &str| match name {
        "query" => Some(false),
        "queryAll" => Some(true),
        _ => None,
    };
    let all = properties.word("operation", None, all)?;
    let dialect = properties.dialect()?;
    let soql = properties.text("query")?;
    let soql = soql.ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
    properties.finish()?;
    let schema = lock(&ask.sandbox.org).schema();
    let prepared = extract::prepare(&schema, &soql, ask.now, all, ask.version.number)?;
    let allowed = ask.sandbox.settings().daily_bulk_query_jobs;
    let used = ask.sandbox.bulk.daily.queries.used(ask.now);
    if used >= allowed {
        let message = format!("Max bulk v2 query jobs ({allowed}) per 24 hrs has been reached ({used})");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let work = Work::Query(Extract {
        soql,
        all,
        form: Default::default(),
        rows: Default::default(),
        doomed: false,
        found: None,
    });
    let object = schema.at(prepared.plan.object).name.clone();
    let mut job = ask.job(object, dialect, State::UploadComplete, work);
    let mut book = lock(&ask.sandbox.bulk.book);
    job.id = book.next_id()?;
    let id = job.id;
    book.add(job);
    book.close(id, ask.now);
    let shown = book.job(id).map(|job| job.to_json(Detail::Made));
    drop(book);
    ask.sandbox.bulk.daily.queries.spend(ask.now, 1);
    ask.sandbox.bulk.wake();
    shown.map(Answer::Json).ok_or_else(ApiError::not_found)
}

/// `GET`: the job (Get Information About a Query Job).
pub fn show(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let id = known(ask, id, false)?;
    let book = lock(&ask.sandbox.bulk.book);
    let shown = book.job(id).map(|job| job.to_json(Detail::Full));
    shown.map(Answer::Json).ok_or_else(ApiError::not_found)
}

/// `PATCH`: aborts the job (Abort a Query Job).
pub fn change(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let wanted = wanted_state(&ask.request.body)?;
    let id = known(ask, id, false)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    let job = book.job_mut(id).ok_or_else(ApiError::not_found)?;
    match wanted {
        State::Aborted if job.state.is_terminal() => Err(not_allowed("Aborting", job.state)),
        State::Aborted => {
            job.enter(State::Aborted, ask.now);
            Ok(Answer::Json(job.to_json(Detail::State)))
        }
        other => Err(cannot_set(other)),
    }
}

/// `DELETE`: the job and its results (Delete a Query Job).
pub fn delete(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let id = known(ask, id, false)?;
    let mut book = lock(&ask.sandbox.bulk.book);
    if book.job(id).is_some_and(|job| !job.state.is_terminal()) {
        return Err(not_terminated());
    }
    book.remove(id);
    Ok(Answer::Empty(StatusCode::NO_CONTENT))
}
