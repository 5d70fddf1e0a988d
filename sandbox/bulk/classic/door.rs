//! `/services/async`: session, allowance, then the API proper. Its sessions come in a header of their own.

use super::answer::{self, Reply, failure};
use super::form::Form;
use crate::bulk::answer::Ask;
use crate::door::{Visit, bearer};
use crate::org::{ApiError, Id};
use crate::rest::{DataRequest, Version, split};
use crate::state::{Sandbox, Shared, lock};
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::{HeaderMap, Method};

/// Header with the session (Bulk API Developer Guide, Set a Session Header).
const SESSION: &str = "x-sfdc-session";
/// Where this API begins.
const ROOT: &str = "/services/async/";

/// Everything below `/services/async`.
pub fn routes() -> Router<Shared> {
    Router::new().route("/services/async/{*rest}", any(serve))
}

/// Whether a request is for this API.
pub fn concerns(target: &str) -> bool {
    target.starts_with(ROOT)
}

/// The token of a request. `Authorization` is taken as well, as the other APIs do.
pub fn session_of(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get(SESSION).and_then(|value| value.to_str().ok());
    own.map(str::trim)
        .filter(|token| !token.is_empty())
        .or_else(|| bearer(headers))
}

/// A refusal in this API's words, for fault rules and whoever refuses a request before it gets here.
pub fn refusal(headers: &HeaderMap, error: &ApiError) -> Response {
    failure(error, Form::asked(headers).unwrap_or(Form::Xml), headers).into_response()
}

/// The error for a token that is not, or no longer, one; clients look for status and code.
pub fn no_session() -> ApiError {
    ApiError::bad("InvalidSessionId", "Invalid session id")
}

/// The error for a request that nobody reads to its end. The text is known from clients that met it.
pub fn too_large(limit: usize) -> ApiError {
    let message = format!("Failed to read request. Exceeded max size limit of {limit}");
    ApiError::bad("ClientInputError", message)
}

async fn serve(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = DataRequest::of(method, &uri, headers, body);
    let asked = Form::asked(&request.headers).unwrap_or(Form::Xml);
    let reply = served(&sandbox, &visit, &request);
    let reply = reply.unwrap_or_else(|error| failure(&error, asked, &request.headers));
    reply.into_response()
}

fn served(sandbox: &Sandbox, visit: &Visit, request: &DataRequest) -> Result<Reply, ApiError> {
    let ask = admitted(sandbox, visit, request)?;
    lock(&sandbox.bulk.book).forget_old(ask.now);
    let reply = answer::answer(&ask);
    visit.spent(1);
    sandbox.limits.spend(ask.now, 1);
    sandbox.touch();
    Ok(reply)
}

/// The request, if its session and the allowance of calls let it in.
fn admitted<'a>(sandbox: &'a Sandbox, visit: &Visit, request: &'a DataRequest) -> Result<Ask<'a>, ApiError> {
    let nothing = || ApiError::bad("InvalidSessionId", "Unable to find session id");
    let token = session_of(&request.headers).ok_or_else(nothing)?;
    let session = sandbox
        .session(visit, token)
        .filter(|session| session.reaches_api());
    let user = session.and_then(|session| Id::parse(&session.user_id));
    let (user, now) = (user.ok_or_else(no_session)?, visit.now(sandbox));
    if sandbox.calls_are_used_up(now) {
        return Err(ApiError::bad("ExceededQuota", "TotalRequests Limit exceeded."));
    }
    let (segments, pairs) = split(&request.target);
    let version = segments.get(2).map(String::as_str).unwrap_or_default();
    let unknown = || ApiError::bad("InvalidUrl", format!("unknown version: {version}"));
    Ok(Ask {
        sandbox,
        user,
        client: crate::door::call_options_client(&request.headers),
        request,
        version: Version::parse(&format!("v{version}")).ok_or_else(unknown)?,
        pairs,
        now,
    })
}
