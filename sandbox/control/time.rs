//! `/sandbox/clock`.

use super::{Complaint, read};
use crate::clock::Clock;
use crate::state::{Sandbox, Shared};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// Years that the org can have; dates of records end in the latter (SOQL and SOSL Reference, Date Formats).
const YEARS: RangeInclusive<i16> = 1970..=4000;
/// Longest way that time is moved at once: what is longer is a mistake in the unit.
const CENTURY_SECONDS: u64 = 100 * 366 * 86_400;

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
    let before = sandbox.clock.face();
    let moved = [change.offset_seconds, change.advance_seconds];
    if moved
        .into_iter()
        .flatten()
        .any(|s| s.unsigned_abs() > CENTURY_SECONDS)
    {
        return Err(Complaint(
            "time is moved by at most a hundred years at once".to_owned(),
        ));
    }
    apply(&sandbox.clock, change);
    let year = sandbox.clock.now().to_zoned(TimeZone::UTC).year();
    if !YEARS.contains(&year) {
        sandbox.clock.set_face(before);
        return Err(Complaint(format!(
            "the year would be {year}, and must be from {} to {}",
            YEARS.start(),
            YEARS.end()
        )));
    }
    sandbox.touch();
    Ok(shown(&sandbox))
}

fn apply(clock: &Clock, change: Change) {
    if let Some(seconds) = change.offset_seconds {
        clock.set_offset(seconds.saturating_mul(1_000));
    }
    match change.freeze {
        Some(Freeze::Now(true)) => clock.freeze(None),
        Some(Freeze::Now(false)) => clock.thaw(),
        Some(Freeze::At(at)) => clock.freeze(Some(at)),
        None => {}
    }
    if let Some(seconds) = change.advance_seconds {
        clock.advance(seconds.saturating_mul(1_000));
    }
}

fn shown(sandbox: &Sandbox) -> Json<Value> {
    let face = sandbox.clock.face();
    Json(
        json!({"now": sandbox.clock.now(), "offsetMillis": face.offset_millis, "frozen": face.frozen_at.is_some()}),
    )
}
