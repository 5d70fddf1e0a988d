//! Which path of `/services/async/XX.0/job` leads where, and the forms of answers.

use super::envelope::Info;
use super::form::Form;
use super::job::ClassicJob;
use super::{batches, jobs, results};
use crate::bulk::answer::Ask;
use crate::org::{ApiError, Id};
use crate::rest::split;
use crate::state::lock;
use crate::wire;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

/// An answer. Media types come without a character set: clients compare them as a whole.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Form of the body.
    pub form: Form,
    /// The body.
    pub body: Bytes,
}

/// Answers a request.
pub fn answer(ask: &Ask<'_>) -> Reply {
    let (segments, _) = split(&ask.request.target);
    let path: Vec<&str> = segments.iter().skip(3).map(String::as_str).collect();
    route(ask, &path).unwrap_or_else(|error| {
        let known = path.get(1).and_then(|id| job(ask, id).ok());
        let form = Form::asked(&ask.request.headers).or(known.map(|job| job.form));
        failure(&error, form.unwrap_or(Form::Xml), &ask.request.headers)
    })
}

fn route(ask: &Ask<'_>, path: &[&str]) -> Result<Reply, ApiError> {
    let method = &ask.request.method;
    match (path, method) {
        (["job"], &Method::POST) => jobs::create(ask),
        (["job", id], &Method::GET) => jobs::show(ask, id),
        (["job", id], &Method::POST) => jobs::change(ask, id),
        (["job", id, "batch"], &Method::GET) => batches::list(ask, id),
        (["job", id, "batch"], &Method::POST) => batches::add(ask, id),
        (["job", id, "batch", batch], &Method::GET) => batches::show(ask, id, batch),
        (["job", id, "batch", batch, "request"], &Method::GET) => batches::request(ask, id, batch),
        (["job", id, "batch", batch, "result"], &Method::GET) => results::of_batch(ask, id, batch),
        (["job", id, "batch", batch, "result", result], &Method::GET) => {
            results::of_query(ask, id, batch, result)
        }
        (["job", ..], _) => {
            let message = format!("{method} is not an operation of this URL");
            Err(ApiError::bad("InvalidUrl", message))
        }
        // "Check the spelling of job in the URI" (Errors).
        _ => {
            let message = format!("Invalid operation: {}", path.first().unwrap_or(&""));
            Err(ApiError::bad("InvalidOperation", message))
        }
    }
}

/// A job by the id of a path.
///
/// # Errors
/// InvalidJob.
pub fn job(ask: &Ask<'_>, id: &str) -> Result<ClassicJob, ApiError> {
    let unknown = || ApiError::bad("InvalidJob", format!("Invalid job id: {id}"));
    let id = Id::parse(id).ok_or_else(unknown)?;
    let book = lock(&ask.sandbox.bulk.book);
    book.classic(id).cloned().ok_or_else(unknown)
}

/// A refusal in JSON or XML. The codes that this API shares with its successor are written in its own way here.
pub fn failure(error: &ApiError, form: Form, headers: &HeaderMap) -> Reply {
    let code = match error.error_code {
        "INVALIDJOB" => "InvalidJob",
        "INVALIDJOBSTATE" => "InvalidJobState",
        "INVALIDENTITY" => "InvalidEntity",
        "FEATURENOTENABLED" => "FeatureNotEnabled",
        "EXCEEDEDQUOTA" | "LIMIT_EXCEEDED" => "ExceededQuota",
        other => other,
    };
    let message = error
        .message
        .strip_prefix(code)
        .and_then(|rest| rest.strip_prefix(" : "));
    let properties = vec![
        ("exceptionCode", json!(code)),
        ("exceptionMessage", json!(message.unwrap_or(&error.message))),
    ];
    let info = Info {
        name: "error",
        properties,
    };
    Reply::of(error.status, &info, form, headers)
}

impl Reply {
    /// What is said of something.
    pub fn of(status: StatusCode, info: &Info, form: Form, headers: &HeaderMap) -> Self {
        Self {
            status,
            form: form.of_answers(),
            body: info.written(form, headers).into(),
        }
    }

    /// A body in this form.
    pub fn whole(form: Form, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            form,
            body: body.into(),
        }
    }

    /// The answer on the wire.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, wire::NO_CACHE);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.form.media()));
        response
    }
}
