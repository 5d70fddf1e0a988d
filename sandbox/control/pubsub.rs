//! `/sandbox/streams` and `/sandbox/managed-subscriptions`: the Pub/Sub API seen from an administrator.

use super::{Complaint, read};
use crate::org::subscriptions::{Subscription, SubscriptionChange, SubscriptionSpec};
use crate::pubsub::OpenStream;
use crate::state::{Shared, lock};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

/// `GET /sandbox/streams`: calls that are under way, the oldest first, and what was delivered in the last day.
pub async fn streams(State(sandbox): State<Shared>) -> Json<Value> {
    let streams: Vec<OpenStream> = sandbox.pubsub.streams();
    let delivered = sandbox.events.quota().usage(sandbox.clock.now()).delivered.0;
    Json(json!({"streams": streams, "eventsDelivered": delivered}))
}

/// `GET /sandbox/managed-subscriptions`.
pub async fn subscriptions(State(sandbox): State<Shared>) -> Json<Vec<Subscription>> {
    Json(lock(&sandbox.org).subscriptions().all().to_vec())
}

/// `POST /sandbox/managed-subscriptions`.
pub async fn subscribe(
    State(sandbox): State<Shared>,
    body: Bytes,
) -> Result<(StatusCode, Json<Subscription>), Complaint> {
    let spec: SubscriptionSpec =
        serde_json::from_slice(&body).map_err(|error| Complaint(format!("cannot read the body: {error}")))?;
    let mut org = lock(&sandbox.org);
    if sandbox.events.topic(&org, &spec.topic_name).is_err() {
        return Err(Complaint(format!("there is no topic {}", spec.topic_name)));
    }
    let made = org.subscriptions_mut().create(spec).map_err(Complaint)?;
    drop(org);
    sandbox.touch();
    Ok((StatusCode::CREATED, Json(made)))
}

/// `PATCH /sandbox/managed-subscriptions/{developerName}`.
pub async fn change(
    State(sandbox): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Subscription>, Complaint> {
    let change: SubscriptionChange = read(&body)?;
    let changed = lock(&sandbox.org).subscriptions_mut().change(&name, &change);
    sandbox.touch();
    changed.map(Json).ok_or_else(|| unknown(&name))
}

/// `DELETE /sandbox/managed-subscriptions/{developerName}`.
pub async fn delete(
    State(sandbox): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Complaint> {
    let deleted = lock(&sandbox.org).subscriptions_mut().delete(&name);
    sandbox.touch();
    deleted
        .then_some(StatusCode::NO_CONTENT)
        .ok_or_else(|| unknown(&name))
}

fn unknown(name: &str) -> Complaint {
    Complaint(format!("there is no managed subscription {name}"))
}
