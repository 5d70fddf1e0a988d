//! `/sandbox/*`: what a test can see and change. Bodies are JSON; errors are `{"error": "…"}`.

mod access;
mod define;
mod events;
mod faults;
mod org;
mod pubsub;
mod push;
mod records;
mod time;

use crate::state::{Info, Shared, lock};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The control plane's routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/sandbox/info", get(info))
        .route("/sandbox/health", get(health))
        .route("/sandbox/shutdown", post(shutdown))
        .route("/sandbox/requests", get(requests).delete(forget_requests))
        .route("/sandbox/reset", post(org::reset))
        .route("/sandbox/seed", post(org::seed))
        .route("/sandbox/records/undelete", post(records::undelete))
        .route("/sandbox/records/merge", post(records::merge))
        .route(
            "/sandbox/records/lock",
            get(records::locked).post(records::set_locked),
        )
        .route("/sandbox/define", post(define::define))
        .route(
            "/sandbox/permissions",
            get(define::permissions).put(define::permit),
        )
        .route(
            "/sandbox/faults",
            get(faults::show)
                .put(faults::replace)
                .post(faults::append)
                .delete(faults::clear),
        )
        .merge(push::routes())
        .route("/sandbox/events", get(events::list))
        .route("/sandbox/events/gap", post(events::gap))
        .route("/sandbox/events/reset", post(events::reset))
        .route("/sandbox/events/release", post(events::release))
        .route(
            "/sandbox/events/capture",
            get(events::capture).put(events::change_capture),
        )
        .route("/sandbox/clock", get(time::show).post(time::change))
        .route(
            "/sandbox/config",
            get(access::settings)
                .patch(access::change_settings)
                .post(access::change_settings),
        )
        .route(
            "/sandbox/clients",
            get(access::clients).post(access::register_client),
        )
        .route("/sandbox/streams", get(pubsub::streams))
        .route(
            "/sandbox/managed-subscriptions",
            get(pubsub::subscriptions).post(pubsub::subscribe),
        )
        .route(
            "/sandbox/managed-subscriptions/{name}",
            patch(pubsub::change).delete(pubsub::delete),
        )
        .route("/sandbox/sessions/expire", post(access::expire_sessions))
        .route("/sandbox/grants/revoke", post(access::revoke_grants))
}

/// Why the control plane did not do it.
pub(crate) struct Complaint(pub String);

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({"error": self.0}))).into_response()
    }
}

/// Reads a JSON body; an empty one is the default. The content type is not looked at, so that plain `curl -d` works.
pub(crate) fn read<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Complaint> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Complaint(format!("cannot read the body: {error}")))
}

async fn info(State(sandbox): State<Shared>) -> Json<Info> {
    Json(sandbox.info())
}

async fn health(State(sandbox): State<Shared>) -> Json<Value> {
    let (grants, sessions) = lock(&sandbox.access).counts();
    let now = sandbox.clock.now();
    Json(json!({
        "status": "ok", "version": env!("CARGO_PKG_VERSION"), "now": now, "grants": grants, "sessions": sessions,
        "apiCallsUsed": sandbox.limits.used(now), "inFlight": sandbox.in_flight.count(), "changes": sandbox.changes(),
    }))
}

async fn shutdown(State(sandbox): State<Shared>) -> (StatusCode, Json<Value>) {
    sandbox.stop.cancel();
    (StatusCode::ACCEPTED, Json(json!({"status": "stopping"})))
}

/// Which entries of a log are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    /// Only entries with a greater sequence number.
    #[serde(default)]
    after: u64,
    /// Only the last so many.
    #[serde(default = "everything")]
    limit: usize,
}

fn everything() -> usize {
    usize::MAX
}

async fn requests(State(sandbox): State<Shared>, Query(window): Query<Window>) -> Json<Value> {
    let (entries, routes) = sandbox.requests.read(window.after, window.limit);
    let total: u64 = routes.values().map(|count| count.requests).sum();
    let api_calls: u64 = routes.values().map(|count| count.api_calls).sum();
    Json(json!({"requests": entries, "routes": routes, "total": total, "apiCalls": api_calls}))
}

async fn forget_requests(State(sandbox): State<Shared>) -> StatusCode {
    sandbox.requests.clear();
    StatusCode::NO_CONTENT
}
