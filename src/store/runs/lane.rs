//! The one lane of an opportunity, for a run that was asked for by another of its names.

use cpq_domain::Result;
use cpq_domain::id::{OpportunityKey, RecordId, RunId};
use jiff::Timestamp;

use crate::tx::{Tx, params};

// A run that waits or works there may have written, and a link tells of one that has: what this run has read counts no
// more in either case.
const ENTER: &str = "UPDATE runs SET opportunity = $3, updated_at = $5
  WHERE id = $1 AND attempt = $2 AND state = 'running'
    AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.connection = runs.connection AND o.opportunity = $3
      AND o.state = 'running')
    AND NOT EXISTS (SELECT 1 FROM runs e WHERE e.connection = runs.connection AND e.opportunity = $3
      AND e.ready_at IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM links l WHERE l.connection = runs.connection AND l.opportunity_id = $4)";
const LINE_UP: &str = "UPDATE runs SET opportunity = $3, state = 'queued', due_at = $4, updated_at = $4,
  node = NULL, lease_until = NULL WHERE id = $1 AND attempt = $2 AND state = 'running'";

pub(super) const STATEMENTS: &[&str] = &[ENTER, LINE_UP];

/// Moves a run in hand into the lane of this name, if no other run of that lane works or waits and the record has no link
/// yet: then nobody can have written since the run read. `false`: it stays where it is.
pub async fn enter_lane(
    tx: &mut dyn Tx,
    (id, attempt): (RunId, u32),
    name: &OpportunityKey,
    record: &RecordId,
    now: Timestamp,
) -> Result<bool> {
    let values = params![id, attempt, name, record, now];
    Ok(tx.execute(ENTER, values).await? == 1)
}

/// Gives a run in hand back to the queue, in the lane of this name and behind whatever is due there. `false` when it is no
/// longer in hand under this attempt.
pub async fn line_up(
    tx: &mut dyn Tx,
    (id, attempt): (RunId, u32),
    name: &OpportunityKey,
    now: Timestamp,
) -> Result<bool> {
    Ok(tx.execute(LINE_UP, params![id, attempt, name, now]).await? == 1)
}
