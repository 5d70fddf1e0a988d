//! All routes together.

use crate::bulk::classic;
use crate::state::Shared;
use crate::{control, door, oauth, soap, wire};
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::any;
use http::{Request, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;

/// Everything that the sandbox serves. The door has bounded bodies by the time these see them.
pub fn routes(sandbox: Shared) -> Router {
    Router::new()
        .route("/services/data", any(door::versions))
        .route("/services/data/", any(door::versions))
        .route("/services/data/{*rest}", any(door::data))
        .merge(oauth::routes())
        .merge(soap::routes())
        .merge(classic::routes())
        .merge(control::routes())
        .fallback(unknown)
        .layer(CatchPanicLayer::custom(|_| {
            let text =
                "An unexpected error occurred. Please include this ErrorId if you contact support: 0-0 (0)";
            wire::error(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", text)
        }))
        .layer(DefaultBodyLimit::disable())
        .with_state(sandbox)
}

/// APIs that are not served answer as if they were switched off; other paths are pages that do not exist.
async fn unknown(request: Request<Body>) -> Response {
    if request.uri().path().starts_with("/services/apexrest/") {
        let text = "Could not find a match for URL";
        return wire::error(StatusCode::NOT_FOUND, "NOT_FOUND", text);
    }
    if request.uri().path().starts_with("/services/") || request.uri().path().starts_with("/sandbox") {
        return wire::error(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "The requested resource does not exist",
        );
    }
    wire::html_error(StatusCode::NOT_FOUND, "URL No Longer Exists")
}
