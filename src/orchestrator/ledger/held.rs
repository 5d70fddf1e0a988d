//! Runs that are accepted while their connection is held.

use cpq_domain::Result;
use cpq_domain::error::Error;
use cpq_domain::event::EventKind;
use cpq_domain::run::{Run, RunState};
use cpq_store::{Tx, runs};
use jiff::{SignedDuration, Timestamp};

use super::note;

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
