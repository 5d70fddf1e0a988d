//! Taking one named run, and keeping hold of those in hand.

use cpq_domain::Result;
use cpq_domain::id::RunId;
use cpq_domain::run::Run;
use jiff::Timestamp;

use super::{columns, read};
use crate::tx::{Tx, params};

const CLAIM_RUN: &str = concat!(
    "UPDATE runs SET state = 'running', attempt = attempt + 1, node = $2, lease_until = $4, updated_at = $3
  WHERE id = $1 AND ready_at <= $3
    AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.connection = runs.connection AND o.opportunity = runs.opportunity
      AND o.state = 'running')
    AND NOT EXISTS (SELECT 1 FROM runs e WHERE e.connection = runs.connection AND e.opportunity = runs.opportunity
      AND e.ready_at <= runs.ready_at AND (e.ready_at < runs.ready_at OR e.id < runs.id))
  RETURNING ",
    columns!()
);
const FIRST_OF_LANE: &str = "SELECT e.id FROM runs r
  JOIN runs e ON e.connection = r.connection AND e.opportunity = r.opportunity
  WHERE r.id = $1 AND e.ready_at <= $2 ORDER BY e.ready_at, e.id LIMIT 1";
const HEARTBEAT: &str =
    "UPDATE runs SET lease_until = $3 WHERE state = 'running' AND node = $1 AND lease_until > $2";

pub(super) const STATEMENTS: &[&str] = &[CLAIM_RUN, FIRST_OF_LANE, HEARTBEAT];

/// Takes this run if it is due, its lane is free, and no run of the lane is due before it; `None` if not.
pub async fn claim_run(
    tx: &mut dyn Tx,
    id: RunId,
    node: &str,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Run>> {
    tx.first(CLAIM_RUN, params![id, node, now, lease_until])
        .await?
        .map(read)
        .transpose()
}

/// Takes the run that is due first in the lane of this one, if the lane is free; `None` if none is due.
pub async fn claim_lane_of(
    tx: &mut dyn Tx,
    id: RunId,
    node: &str,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Run>> {
    match tx.first(FIRST_OF_LANE, params![id, now]).await? {
        Some(mut row) => claim_run(tx, row.take()?, node, now, lease_until).await,
        None => Ok(None),
    }
}

/// A sign of life: the leases that this node still has last until `lease_until`. Returns how many there are. A lease
/// that is over stays over, for somebody else may be about to take the run.
pub async fn heartbeat(tx: &mut dyn Tx, node: &str, now: Timestamp, lease_until: Timestamp) -> Result<u64> {
    tx.execute(HEARTBEAT, params![node, now, lease_until]).await
}
