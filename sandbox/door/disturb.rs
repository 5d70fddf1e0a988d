//! Answers that fault rules give instead of the real one, and bodies that take their time.

use super::{Visit, bearer, data};
use crate::bulk::classic;
use crate::faults::{ErrorBody, Fault, LimitScope};
use crate::oauth::Refusal;
use crate::org::ApiError;
use crate::soap;
use crate::state::{Sandbox, lock};
use crate::wire;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use std::convert::Infallible;
use std::time::Duration;

/// What Salesforce says of its own mistakes.
const UNEXPECTED: &str =
    "An unexpected error occurred. Please include this ErrorId if you contact support: 0-0 (0)";
/// Pieces of a slow body.
const PIECES: usize = 16;

/// The answer of a fault that prevents the request.
pub fn instead(sandbox: &Sandbox, visit: &Visit, headers: &HeaderMap, fault: &Fault) -> Response {
    if visit.call.is_soap()
        && let Some(response) = in_soap(sandbox, visit, headers, fault)
    {
        return response;
    }
    if visit.call.is_classic_bulk()
        && let Some(error) = in_classic_bulk(sandbox, headers, fault)
    {
        return classic::refusal(headers, &error);
    }
    match fault {
        Fault::SessionExpired {} => {
            // The session really ends, so that a client that repeats without refreshing gets nowhere.
            if let Some(token) = bearer(headers) {
                lock(&sandbox.access).end_session(token);
                sandbox.touch();
            }
            data::session_expired()
        }
        Fault::RequestLimit { scope } => {
            let response = wire::error(
                StatusCode::FORBIDDEN,
                "REQUEST_LIMIT_EXCEEDED",
                limit_text(*scope),
            );
            data::with_limit_header(sandbox, visit, response)
        }
        Fault::ServerError { status, body } => server_error(*status, *body),
        Fault::AlreadyProcessing {} => {
            Refusal::grant("token request is already being processed").into_response()
        }
        Fault::InvalidGrant { description } => {
            Refusal::new("invalid_grant", description.clone()).into_response()
        }
        Fault::TokenHtmlMaintenance {} => {
            wire::html_error(StatusCode::SERVICE_UNAVAILABLE, "Down for maintenance")
        }
        _ => wire::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "UNKNOWN_EXCEPTION",
            "This fault has no answer of its own.",
        ),
    }
}

/// The same in SOAP's words; what has none of its own is the same everywhere.
fn in_soap(sandbox: &Sandbox, visit: &Visit, headers: &HeaderMap, fault: &Fault) -> Option<Response> {
    let said = match fault {
        Fault::SessionExpired {} => {
            let token = soap::session_id(headers, &visit.call.body).unwrap_or_default();
            lock(&sandbox.access).end_session(&token);
            sandbox.touch();
            soap::no_session(&token)
        }
        Fault::RequestLimit { scope } => soap::Fault::api("REQUEST_LIMIT_EXCEEDED", limit_text(*scope)),
        Fault::ServerError {
            status: 500,
            body: ErrorBody::Json,
        } => soap::Fault::api("UNKNOWN_EXCEPTION", UNEXPECTED),
        Fault::ServerError {
            status,
            body: ErrorBody::Json,
        } => return Some(server_error(*status, ErrorBody::Html)),
        _ => return None,
    };
    Some(soap::refusal(&visit.call.target, &said))
}

/// The same in the words of the older API for bulk jobs.
fn in_classic_bulk(sandbox: &Sandbox, headers: &HeaderMap, fault: &Fault) -> Option<ApiError> {
    match fault {
        Fault::SessionExpired {} => {
            if let Some(token) = classic::session_of(headers) {
                lock(&sandbox.access).end_session(token);
                sandbox.touch();
            }
            Some(classic::no_session())
        }
        Fault::RequestLimit { scope } => Some(ApiError::bad("ExceededQuota", limit_text(*scope))),
        Fault::ServerError {
            status,
            body: ErrorBody::Json,
        } => Some(ApiError {
            status: StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            ..ApiError::bad("InternalServerError", UNEXPECTED)
        }),
        _ => None,
    }
}

/// The message is the only difference between limits that end in seconds and limits that end tomorrow.
pub fn limit_text(scope: LimitScope) -> &'static str {
    match scope {
        LimitScope::Daily => "TotalRequests Limit exceeded.",
        LimitScope::Concurrent => "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        LimitScope::LongTransactions => "ConcurrentPerOrgLongTxn Limit exceeded.",
    }
}

fn server_error(status: u16, body: ErrorBody) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match (body, status) {
        (ErrorBody::Empty, _) => status.into_response(),
        (ErrorBody::Html, _) => wire::html_error(status, status.canonical_reason().unwrap_or("Server Error")),
        (ErrorBody::Json, StatusCode::SERVICE_UNAVAILABLE) => {
            wire::error(status, "SERVER_UNAVAILABLE", "Server temporarily unavailable")
        }
        (ErrorBody::Json, _) => wire::error(status, "UNKNOWN_EXCEPTION", UNEXPECTED),
    }
}

/// The same answer, its body cut into pieces that arrive evenly over this time.
pub async fn drip(response: Response, over: Duration) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    let size = bytes.len().div_ceil(PIECES).max(1);
    let pause = over / u32::try_from(PIECES).unwrap_or(1);
    let pieces = stream::unfold((bytes, 0), move |(mut rest, sent)| async move {
        if sent == PIECES {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<Bytes, Infallible>(piece), (rest, sent + 1)))
    });
    // Compression asks once more after the end.
    Response::from_parts(parts, Body::from_stream(pieces.fuse()))
}
