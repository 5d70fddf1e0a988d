//! Answers with a body that is already text: as they were made, or as they were stored.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use cpq_domain::error::Report;
use cpq_domain::run::Run;
use http::{HeaderMap, HeaderValue, header};

use crate::caller::CORRELATION;
use crate::failure::status;
use crate::limits;

/// Header that marks a stored answer.
pub(crate) const REPLAYED: &str = "idempotent-replayed";

/// A JSON answer of these very bytes.
pub(crate) fn json(code: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status(code);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON answer of one of our own types.
pub(crate) fn of(code: u16, value: &impl serde::Serialize) -> cpq_domain::Result<Response> {
    let body = serde_json::to_vec(value).map_err(|error| {
        cpq_domain::Error::new(cpq_domain::Code::Internal, "the answer cannot be written as JSON")
            .cause(error)
    })?;
    Ok(json(code, body))
}

/// Sets a header whose value we made ourselves; one that does not fit is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The answer to the request for a run, as the run is now.
pub(crate) fn of_run(run: &Run, now: jiff::Timestamp) -> Response {
    let (code, body) = run.answer();
    let mut response = json(code, body);
    let headers = response.headers_mut();
    set(headers, CORRELATION, run.correlation.as_str());
    if code == 202 {
        set(headers, "location", &location(run.correlation.as_str()));
        headers.insert(header::RETRY_AFTER, look_again(run, now).into());
    } else if code >= 400 {
        retry_after(headers, run.error.as_ref());
    }
    response
}

/// A stored answer. Its headers are told from its body, which alone is stored.
pub(crate) fn replayed(code: u16, body: String) -> Response {
    let told: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let mut response = json(code, body);
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(correlation) = told["correlationId"].as_str() {
        set(headers, CORRELATION, correlation);
        if code == 202 {
            set(headers, "location", &location(correlation));
        }
    }
    response
}

/// Where a sync can be looked at.
pub(crate) fn location(correlation: &str) -> String {
    format!("/api/v1/sync/{correlation}")
}

fn retry_after(headers: &mut HeaderMap, report: Option<&Report>) {
    if let Some(after_ms) = report.and_then(|report| report.details.retry_after_ms) {
        headers.insert(header::RETRY_AFTER, after_ms.div_ceil(1000).max(1).into());
    }
}

/// Seconds until looking again makes sense.
fn look_again(run: &Run, now: jiff::Timestamp) -> u64 {
    let due_in = Duration::try_from(run.due_at.duration_since(now)).unwrap_or_default();
    due_in
        .as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
        .max(limits::LOOK_AGAIN_S)
}
