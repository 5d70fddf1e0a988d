//! `/sandbox/clock`.

use super::{Complaint, read};
use crate::state::{Sandbox, Shared};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// A change; what is given is done in the order of these fields.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Change {
    /// Distance to the machine's clock.
    offset_seconds: Option<i64>,
    /// `true` stops time now, an instant stops it there, `false` lets it run.
    freeze: Option<Freeze>,
    /// Moves time, running or not.
    advance_seconds: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Freeze {
    Now(bool),
    At(Timestamp),
}

/// `GET`.
pub async fn show(State(sandbox): State<Shared>) -> Json<Value> {
    shown(&sandbox)
}

/// `POST`.
pub async fn change(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let change: Change = read(&body)?;
    if let Some(seconds) = change.offset_seconds {
        sandbox.clock.set_offset(seconds.saturating_mul(1_000));
    }
    match change.freeze {
        Some(Freeze::Now(true)) => sandbox.clock.freeze(None),
        Some(Freeze::Now(false)) => sandbox.clock.thaw(),
        Some(Freeze::At(at)) => sandbox.clock.freeze(Some(at)),
        None => {}
    }
    if let Some(seconds) = change.advance_seconds {
        sandbox.clock.advance(seconds.saturating_mul(1_000));
    }
    sandbox.touch();
    Ok(shown(&sandbox))
}

fn shown(sandbox: &Sandbox) -> Json<Value> {
    let face = sandbox.clock.face();
    Json(
        json!({"now": sandbox.clock.now(), "offsetMillis": face.offset_millis, "frozen": face.frozen_at.is_some()}),
    )
}
