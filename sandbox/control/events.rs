//! `/sandbox/events`: what is on the bus, and what a test wants to happen to it.

use super::{Complaint, read};
use crate::events::{Capture, Made, ReplayId};
use crate::state::{Shared, lock};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

/// Events that one answer holds unless it says otherwise.
const LISTED: usize = 100;
/// Events that one answer may hold.
const LISTED_MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Position after which they stand; without it, the last ones.
    after: Option<u64>,
    /// At most so many.
    #[serde(default = "listed")]
    limit: usize,
    /// Only those of this topic.
    topic: Option<String>,
}

fn listed() -> usize {
    LISTED
}

/// `GET`: stored events, decoded.
pub async fn list(
    State(sandbox): State<Shared>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Complaint> {
    let now = sandbox.clock.now();
    let topic = match &wanted.topic {
        Some(name) => {
            let org = lock(&sandbox.org);
            let found = sandbox.events.topic(&org, name);
            Some(found.map_err(|_| Complaint(format!("there is no topic {name}")))?)
        }
        None => None,
    };
    let most = wanted.limit.min(LISTED_MOST);
    let events = sandbox.events.show(topic.as_ref(), wanted.after, most, now);
    let events = events.ok_or_else(|| Complaint("this position cannot be read from any more".to_owned()))?;
    let bus = &sandbox.events.bus;
    Ok(Json(json!({
        "events": events, "beginning": bus.beginning(now).0, "tip": bus.tip().0, "held": sandbox.events.held(),
    })))
}

/// `POST …/gap`: a gap event, an overflow, or an update of all records by a conversion.
pub async fn gap(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let made: Made = read(&body)?;
    let org = lock(&sandbox.org);
    let at = sandbox
        .events
        .make(&org, &made, sandbox.clock.now())
        .map_err(Complaint)?;
    drop(org);
    sandbox.touch();
    Ok(Json(json!({"replayId": at.0})))
}

/// What becomes of the stream; with nothing it begins anew.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Reset {
    /// Only forget the events before this position, as if they were too old.
    before: Option<u64>,
}

/// `POST …/reset`: no replay id of before can be used.
pub async fn reset(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let reset: Reset = read(&body)?;
    match reset.before {
        Some(position) => sandbox.events.bus.forget_until(ReplayId(position)),
        None => sandbox.events.restart(),
    }
    sandbox.touch();
    let bus = &sandbox.events.bus;
    Ok(Json(
        json!({"beginning": bus.beginning(sandbox.clock.now()).0, "tip": bus.tip().0}),
    ))
}

/// `POST …/release`: events that a rule holds back are stored now.
pub async fn release(State(sandbox): State<Shared>) -> Json<Value> {
    let released = sandbox.events.release(sandbox.clock.now());
    sandbox.touch();
    Json(json!({"released": released}))
}

/// `GET …/capture`: which changes become events, and on which channels.
pub async fn capture(State(sandbox): State<Shared>) -> Json<Capture> {
    Json(Capture::clone(lock(&sandbox.org).capture()))
}

/// `PUT …/capture`: this and nothing else, from now on.
pub async fn change_capture(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Capture>, Complaint> {
    let capture: Capture = read(&body)?;
    lock(&sandbox.org)
        .set_capture(capture.clone())
        .map_err(Complaint)?;
    sandbox.touch();
    Ok(Json(capture))
}
