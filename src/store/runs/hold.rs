//! Taking one named run, and keeping hold of those in hand.

use cpq_domain::Result;
use cpq_domain::id::RunId;
use cpq_domain::run::Run;
use jiff::Timestamp;

use super::{columns, read};
use crate::tx::{Tx, params};

const CLAIM_RUN: &str = concat!(
    "UPDATE runs SET state = 'running', attempt = attempt + 1, node = $2, lease_until = $4, updated_at = $3
  WHERE id = $1 AND state IN ('queued', 'parked') AND due_at <= $3
    AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.connection = runs.connection AND o.opportunity = runs.opportunity
      AND o.state = 'running')
  RETURNING ",
    columns!()
);
const HEARTBEAT: &str =
    "UPDATE runs SET lease_until = $3 WHERE state = 'running' AND node = $1 AND lease_until > $2";

pub(super) const STATEMENTS: &[&str] = &[CLAIM_RUN, HEARTBEAT];

/// Takes this run if it is due and its lane is free; `None` if not.
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

/// A sign of life: the leases that this node still has last until `lease_until`. Returns how many there are. A lease
/// that is over stays over, for somebody else may be about to take the run.
pub async fn heartbeat(tx: &mut dyn Tx, node: &str, now: Timestamp, lease_until: Timestamp) -> Result<u64> {
    tx.execute(HEARTBEAT, params![node, now, lease_until]).await
}
