//! Taking in a wish: which lane it means, whether a run that waits does its work, when a fresh one begins, and its first
//! rows.

use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::Error;
use cpq_domain::event::{EventKind, SyncEvent};
use cpq_domain::id::{CorrelationId, Lane, RecordId, RunId};
use cpq_domain::limits;
use cpq_domain::replay::ReplayOf;
use cpq_domain::run::{Run, RunEvent, Trigger};
use cpq_store::{Tx, counters, journal, links, runs};
use jiff::{SignedDuration, Timestamp};

use super::{note, own_row};
use crate::engine::Submission;

/// Counter that numbers syncs.
const CORRELATION_COUNTER: &str = "correlation";

/// When the run of a submission begins.
#[derive(Clone)]
pub(crate) enum Start {
    /// At once: a worker waits for it.
    Now,
    /// When a worker is free.
    Later,
    /// Not before the connection is open again; this is why.
    Held(Arc<Error>),
}

/// Parks a new run untried until the connection is open again.
pub(super) async fn hold(tx: &mut dyn Tx, mut run: Run, error: &Error, now: Timestamp) -> Result<Run> {
    let wait = i64::try_from(error.retry_after_ms.unwrap_or(0)).unwrap_or(i64::MAX);
    let report = error.report(Some(run.correlation.as_str()));
    run.state = run.state.after(RunEvent::Park).unwrap_or(run.state);
    run.due_at = now + SignedDuration::from_millis(wait);
    run.error = Some(report.clone());
    runs::update(tx, &run).await?;
    let data = serde_json::to_value(report).unwrap_or_default();
    note(tx, run.id, EventKind::Parked, 0, now, data).await?;
    Ok(run)
}

/// A run of the lane that has not started looks at both sides later than now, so it does the work of this wish too. A
/// caller with a correlation id of its own gets a run of its own, and live work does not wait with what can wait.
pub(super) async fn joinable(tx: &mut dyn Tx, submission: &Submission) -> Result<Option<Run>> {
    #[cfg(feature = "planted-bugs")]
    if cpq_domain::planted::Bug::KeepsHintsApart.is_on() {
        return Ok(None);
    }
    #[cfg(feature = "planted-bugs")]
    if cpq_domain::planted::Bug::JoinsRunning.is_on()
        && let Some(running) = crate::planted::running_in_lane(tx, submission).await?
    {
        return Ok(Some(running));
    }
    if submission.caller_correlation.is_some() {
        return Ok(None);
    }
    let waiting = runs::waiting_in_lane(tx, &submission.lane).await?;
    let is_urgent = |run: &Run| Purpose::of(run.trigger) <= Purpose::of(submission.trigger);
    // Only a sync that undoes looks for what it is to put back.
    let undoes = |run: &Run| submission.trigger != Trigger::Undo || run.trigger == Trigger::Undo;
    Ok(waiting.into_iter().find(|run| is_urgent(run) && undoes(run)))
}

pub(super) async fn new_run(
    tx: &mut dyn Tx,
    submission: &Submission,
    id: RunId,
    replays: Option<&ReplayOf>,
    now: Timestamp,
) -> Result<Run> {
    let number = counters::draw(tx, CORRELATION_COUNTER).await?;
    #[cfg(feature = "planted-bugs")]
    let number = crate::planted::name_twice(number);
    let correlation = CorrelationId::new(format!("csync-{number:03}"))?;
    let run = submission.queued(id, correlation, now);
    runs::insert(tx, &run).await?;
    let mut data = serde_json::json!({ "trigger": run.trigger, "opportunity": run.lane.opportunity });
    if let Some(of) = replays {
        data["replayOf"] = serde_json::json!(of);
    }
    let mut rows = vec![own_row(EventKind::Accepted, 0, now, data)];
    rows.extend(hinted(submission, now));
    journal::append_behind(tx, run.id, 0, &mut rows).await?;
    Ok(run)
}

/// The lane of an opportunity goes by its business number once that is known: an event that names the record and a
/// person who names the number mean the same lane.
pub(super) async fn own_lane(tx: &mut dyn Tx, lane: Lane) -> Result<Lane> {
    let Ok(id) = RecordId::new(lane.opportunity.as_str()) else {
        return Ok(lane);
    };
    let link = links::by_id(tx, &lane.connection, &id).await?;
    Ok(match link.and_then(|link| link.opportunity_number) {
        Some(opportunity) => Lane { opportunity, ..lane },
        None => lane,
    })
}

/// Hints only say who may have changed what; a run that waits long leaves further ones out, or its journal would fill
/// up and nothing could join it any more.
pub(super) async fn note_hints(
    tx: &mut dyn Tx,
    id: RunId,
    submission: &Submission,
    now: Timestamp,
) -> Result<()> {
    if submission.hints.is_empty() {
        return Ok(());
    }
    let last = journal::length(tx, id).await?;
    if last >= limits::HINTED_ROWS {
        return Ok(());
    }
    journal::append_behind(tx, id, last, &mut hinted(submission, now)).await
}

fn hinted(submission: &Submission, now: Timestamp) -> Vec<SyncEvent> {
    let hints = submission.hints.iter().take(limits::HINTS_MAX);
    hints
        .map(|hint| own_row(EventKind::Hint, 0, now, serde_json::json!(hint)))
        .collect()
}
