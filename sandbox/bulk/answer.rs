//! Which path of `/services/data/vXX.0/jobs` leads where, and the forms of answers.

use super::limits::UPLOAD_BYTES;
use super::{ingest, pages, query};
use crate::door::Visit;
use crate::org::{ApiError, Id};
use crate::rest::{Caller, DataRequest, Version, split};
use crate::state::{Sandbox, lock};
use crate::wire;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

/// First version with ingest jobs (Create a Job, Availability).
const INGEST_SINCE: u16 = 41;
/// First version with query jobs (Create a Query Job, Available since release).
const QUERY_SINCE: u16 = 47;
/// First version with parallel results (Get Parallel Results for a Query Job).
const RESULT_PAGES_SINCE: u16 = 58;

/// One request to a job or to all jobs.
pub struct Ask<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// Who asks.
    pub user: Id,
    /// `client=` of the request.
    pub client: Option<String>,
    /// The request.
    pub request: &'a DataRequest,
    /// Its version.
    pub version: Version,
    /// Its query pairs.
    pub pairs: Vec<(String, String)>,
    /// When.
    pub now: Timestamp,
}

/// A successful answer.
pub enum Answer {
    /// JSON.
    Json(Json),
    /// A file, with headers of its own.
    Csv(String, Vec<(&'static str, String)>),
    /// Only a status.
    Empty(StatusCode),
}

/// Whether a request is for this room.
pub fn concerns(target: &str) -> bool {
    let (segments, _) = split(target);
    matches!(segments.as_slice(), [services, data, _, jobs, ..]
        if services == "services" && data == "data" && jobs == "jobs")
}

/// The largest body of a request: the file of a job may be larger than all others.
pub fn body_limit(target: &str, others: usize) -> usize {
    let path = target.split('?').next().unwrap_or_default().trim_end_matches('/');
    match concerns(target) && path.ends_with("/batches") {
        true => UPLOAD_BYTES,
        false => others,
    }
}

/// Answers a request that [`concerns`] this room.
pub fn answer(sandbox: &Sandbox, visit: &Visit, caller: &Caller, request: &DataRequest) -> Response {
    let now = visit.now(sandbox);
    lock(&sandbox.bulk.book).forget_old(now);
    let (segments, pairs) = split(&request.target);
    let version = segments.get(2).and_then(|text| Version::parse(text));
    let outcome = version.ok_or_else(ApiError::not_found).and_then(|version| {
        let user = Id::parse(&caller.user_id).ok_or_else(ApiError::not_found)?;
        let ask = Ask {
            sandbox,
            user,
            client: caller.origin.client.clone(),
            request,
            version,
            pairs,
            now,
        };
        let path: Vec<&str> = segments.iter().skip(4).map(String::as_str).collect();
        ask.route(&path)
    });
    respond(outcome, request)
}

impl Ask<'_> {
    fn route(&self, path: &[&str]) -> Result<Answer, ApiError> {
        let since = match path {
            ["query", _, last] if last.eq_ignore_ascii_case("resultPages") => RESULT_PAGES_SINCE,
            ["query", ..] => QUERY_SINCE,
            _ => INGEST_SINCE,
        };
        if self.version.number < since {
            return Err(ApiError::not_found());
        }
        let (method, lower) = (
            &self.request.method,
            path.last().map(|last| last.to_ascii_lowercase()),
        );
        match (path, lower.as_deref(), method) {
            (["ingest"], _, &Method::POST) => ingest::create(self),
            (["query"], _, &Method::POST) => query::create(self),
            (["ingest" | "query"], _, &Method::GET) => pages::list(self, path[0] == "ingest"),
            (["ingest" | "query"], ..) => Err(self.not_allowed("GET,HEAD,POST")),
            (["ingest", id], _, &Method::GET) => ingest::show(self, id),
            (["ingest", id], _, &Method::PATCH) => ingest::change(self, id),
            (["ingest", id], _, &Method::DELETE) => ingest::delete(self, id),
            (["query", id], _, &Method::GET) => query::show(self, id),
            (["query", id], _, &Method::PATCH) => query::change(self, id),
            (["query", id], _, &Method::DELETE) => query::delete(self, id),
            (["ingest" | "query", _], ..) => Err(self.not_allowed("DELETE,GET,HEAD,PATCH")),
            (["ingest", id, _], Some("batches"), &Method::PUT) => ingest::put(self, id),
            (["ingest", _, _], Some("batches"), _) => Err(self.not_allowed("PUT")),
            (
                ["ingest", id, _],
                Some(set @ ("successfulresults" | "failedresults" | "unprocessedrecords")),
                _,
            ) => self.only_get().and_then(|()| ingest::results(self, id, set)),
            (["query", id, _], Some("results"), _) => self.only_get().and_then(|()| pages::results(self, id)),
            (["query", id, _], Some("resultpages"), _) => {
                self.only_get().and_then(|()| pages::result_pages(self, id))
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        pair.map(|(_, value)| value.as_str())
    }

    /// The media type of the body, in lower case, without its parameters; empty when there is none.
    pub fn content_type(&self) -> String {
        let value = self.request.headers.get(header::CONTENT_TYPE);
        let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }

    /// The error for a body of another kind than the resource takes.
    pub fn unsupported(&self) -> ApiError {
        let message = format!(
            "Content type {} is not supported by this resource",
            self.content_type()
        );
        ApiError {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ..ApiError::bad("UNSUPPORTED_MEDIA_TYPE", message)
        }
    }

    fn only_get(&self) -> Result<(), ApiError> {
        match self.request.method {
            Method::GET => Ok(()),
            _ => Err(self.not_allowed("GET,HEAD")),
        }
    }

    fn not_allowed(&self, allowed: &str) -> ApiError {
        let method = &self.request.method;
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        ApiError {
            status: StatusCode::METHOD_NOT_ALLOWED,
            ..ApiError::bad("METHOD_NOT_ALLOWED", message)
        }
    }
}

fn respond(outcome: Result<Answer, ApiError>, request: &DataRequest) -> Response {
    let json = |status: StatusCode, value: &Json| {
        let mut response = Response::new(Body::from(wire::json_bytes(value, &request.headers)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, wire::JSON);
        response
    };
    let mut response = match outcome {
        Ok(Answer::Json(value)) => json(StatusCode::OK, &value),
        Ok(Answer::Csv(text, headers)) => csv(text, headers),
        Ok(Answer::Empty(status)) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        }
        // Jobs name the code first, unlike the rest of the data API.
        Err(error) => json(
            error.status,
            &json!([{"errorCode": error.error_code, "message": error.message}]),
        ),
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, wire::NO_CACHE);
    response
}

fn csv(text: String, headers: Vec<(&'static str, String)>) -> Response {
    let mut response = Response::new(Body::from(text));
    let content_type = HeaderValue::from_static("text/csv; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
