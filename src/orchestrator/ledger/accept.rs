//! How a submission joins a run that waits, or begins one of its own.

use cpq_domain::Result;
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::Error;
use cpq_domain::event::EventKind;
use cpq_domain::run::{Run, RunState};
use cpq_store::{Tx, runs};
use jiff::{SignedDuration, Timestamp};

use super::note;
use crate::engine::Submission;

/// When the run of a submission begins.
pub(crate) enum Start {
    /// At once: a worker waits for it.
    Now,
    /// When a worker is free.
    Later,
    /// Not before the connection is open again; this is why.
    Held(Error),
}

/// Parks a new run untried until the connection is open again.
pub(super) async fn hold(tx: &mut dyn Tx, mut run: Run, error: &Error, now: Timestamp) -> Result<Run> {
    let wait = i64::try_from(error.retry_after_ms.unwrap_or(0)).unwrap_or(i64::MAX);
    let report = error.report(Some(run.correlation.as_str()));
    run.state = RunState::Parked;
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
    Ok(waiting.filter(is_urgent))
}
