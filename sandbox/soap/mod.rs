//! The SOAP API: login as jsforce and simple-salesforce do it, and the calls that older integrations sync with
//! ("SOAP API Developer Guide"; partner and enterprise WSDL).

mod bounds;
mod call;
mod describe;
mod dialect;
mod encoding;
mod envelope;
mod fault;
mod headers;
mod login;
mod merge;
mod operation;
mod query;
mod record;
mod recycle_bin;
mod replication;
mod rows;
mod show;
mod user;
mod xml;

pub use call::no_session;
pub use fault::Fault;

use crate::door::Visit;
use crate::state::Shared;
use crate::wire;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use dialect::Endpoint;
use http::{HeaderMap, StatusCode};

/// Partner (`u`) and enterprise (`c`) endpoints.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route(
            "/services/Soap/{kind}/{version}",
            post(call_by_version).fallback(only_post),
        )
        .route(
            "/services/Soap/{kind}/{version}/",
            post(call_by_version).fallback(only_post),
        )
        .route(
            "/services/Soap/{kind}/{version}/{organization}",
            post(call_of_org).fallback(only_post),
        )
}

async fn call_by_version(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path((kind, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    call::answer(&sandbox, &visit, &kind, &version, &headers, &body)
}

/// The address that `login` answers with.
async fn call_of_org(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path((kind, version, _)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    call::answer(&sandbox, &visit, &kind, &version, &headers, &body)
}

async fn only_post() -> Response {
    wire::html_error(
        StatusCode::METHOD_NOT_ALLOWED,
        "HTTP method is not supported by this URL",
    )
}

/// The session that a request names, for fault rules that end it.
pub fn session_id(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let text = encoding::text(headers, body).ok()?;
    let document = envelope::parse(&text).ok()?;
    let node = document
        .descendants()
        .find(|node| node.tag_name().name() == "sessionId")?;
    Some(envelope::text(node).trim().to_owned())
}

/// A fault as the answer to a request with this path, for fault rules that act before anybody has read it.
pub fn refusal(path: &str, fault: &Fault) -> Response {
    let kind = path.strip_prefix("/services/Soap/").unwrap_or_default();
    fault.written(Endpoint::dialect_of(kind.split('/').next().unwrap_or_default()))
}
