//! Who runs next: claims, leases and lanes.
//!
//! That a lane runs one at a time is kept by a unique index, whatever the statements here believe. Two claims at the
//! same moment do not meet on SQLite, which has one writer; PostgreSQL has texts of its own for [`CLAIM`] and [`EXPIRE`],
//! with `FOR UPDATE SKIP LOCKED`.

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, Lane, RunId};
use cpq_domain::run::Run;
use jiff::Timestamp;

use super::{columns, read};
use crate::limits::{BEGUN_RUNS, EXPIRED_RUNS, WAITING_RUNS};
use crate::row::Row;
use crate::tx::{Tx, params};

/// Under whose hands two processes have died is suspected, and runs while no other suspect does: one more death then tells
/// the guilty one from those that were only beside it.
pub(crate) const CLAIM: &str = concat!(
    "UPDATE runs SET state = 'running', attempt = attempt + 1, node = $2, lease_until = $3, updated_at = $1
  WHERE id IN (SELECT r.id FROM runs r WHERE r.ready_at <= $1
    AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.connection = r.connection AND o.opportunity = r.opportunity
      AND o.state = 'running')
    AND NOT EXISTS (SELECT 1 FROM runs e WHERE e.connection = r.connection AND e.opportunity = r.opportunity
      AND e.ready_at <= r.ready_at AND (e.ready_at < r.ready_at OR e.id < r.id))
    AND NOT EXISTS (SELECT 1 FROM circuits c WHERE c.connection = r.connection)
    AND (r.crashes < 2 OR r.id = (SELECT s.id FROM runs s WHERE s.ready_at <= $1 AND s.crashes >= 2
      AND NOT EXISTS (SELECT 1 FROM circuits c WHERE c.connection = s.connection)
      AND NOT EXISTS (SELECT 1 FROM runs t WHERE t.lease_until IS NOT NULL AND t.crashes >= 2)
      ORDER BY s.ready_at, s.id LIMIT 1))
    ORDER BY r.ready_at, r.id LIMIT $4)
  RETURNING ",
    columns!()
);
const FENCE: &str = "UPDATE runs SET lease_until = $4, updated_at = $3
  WHERE id = $1 AND attempt = $2 AND state = 'running'
  RETURNING (SELECT COALESCE(MAX(j.sequence), 0) FROM journal j WHERE j.run_id = $1)";
pub(crate) const EXPIRE: &str = concat!(
    "UPDATE runs SET state = 'queued', crashes = crashes + 1, due_at = CASE WHEN due_at < $1 THEN due_at ELSE $1 END,
  updated_at = $1, node = NULL, lease_until = NULL
  WHERE id IN (SELECT r.id FROM runs r WHERE r.lease_until <= $1
    ORDER BY r.lease_until LIMIT $2)
  RETURNING ",
    columns!(),
    ", crashes"
);
const LANE_BUSY: &str = "SELECT 1 FROM runs WHERE connection = $1 AND opportunity = $2 AND state = 'running'";
const WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM runs WHERE connection = $1 AND opportunity = $2 AND ready_at IS NOT NULL
  AND state IN ('queued', 'parked') AND attempt = 0 ORDER BY ready_at, id LIMIT $3 FOR UPDATE"
);
const BEGUN: &str = "SELECT id FROM runs WHERE connection = $1 AND opportunity = $2 AND ready_at IS NOT NULL
  AND attempt > 0 AND EXISTS (SELECT 1 FROM journal j WHERE j.run_id = runs.id AND j.kind = 'intent')
  ORDER BY ready_at, id LIMIT $3";
const REQUEUE: &str = "UPDATE runs SET state = 'queued', due_at = $2, updated_at = $2
  WHERE state = 'waiting' AND connection || '' = $1 RETURNING id";
const REQUEUE_LANE: &str = "UPDATE runs SET state = 'queued', due_at = $3, updated_at = $3
  WHERE state = 'waiting' AND connection = $1 AND opportunity = $2 RETURNING id";
const NEXT_DUE: &str = "SELECT r.ready_at FROM runs r WHERE r.ready_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.connection = r.connection AND o.opportunity = r.opportunity
    AND o.state = 'running')
  AND NOT EXISTS (SELECT 1 FROM circuits c WHERE c.connection = r.connection)
  ORDER BY r.ready_at, r.id LIMIT 1";
const MORE_DUE: &str = "SELECT 1 FROM runs WHERE ready_at <= $1 ORDER BY ready_at, id LIMIT 1 OFFSET $2";
const NEXT_EXPIRY: &str =
    "SELECT lease_until FROM runs WHERE lease_until IS NOT NULL ORDER BY lease_until LIMIT 1";

pub(super) const STATEMENTS: &[&str] = &[
    CLAIM,
    FENCE,
    EXPIRE,
    LANE_BUSY,
    WAITING,
    BEGUN,
    REQUEUE,
    REQUEUE_LANE,
    NEXT_DUE,
    MORE_DUE,
    NEXT_EXPIRY,
];

/// A run whose worker died.
#[derive(Clone, Debug, PartialEq)]
pub struct Expired {
    /// The run, queued again.
    pub run: Run,
    /// How many processes died while they held it, this one included.
    pub crashes: u32,
}

/// Takes up to `limit` runs that are due (queued or parked, `due_at <= now`), oldest first, at most one per lane and
/// none of a lane that runs or of a connection whose circuit is not closed. Of runs that two processes have died on, one
/// at a time. Each gets the next attempt and a lease until `lease_until`. `node` names this process, and
/// differs after a restart.
pub async fn claim(
    tx: &mut dyn Tx,
    node: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Run>> {
    let rows = tx.query(CLAIM, params![now, node, lease_until, limit]).await?;
    let mut runs = rows.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    runs.sort_by_key(|run| (run.due_at, run.id));
    Ok(runs)
}

/// Keeps a claimed run: the lease now ends at `lease_until`, if it still runs under this attempt. `None` means that the
/// lease is lost: whoever asked must write nothing more about the run. Call it first in every transaction of a worker.
/// Returns how many rows its journal has, for [`journal::append_behind`](crate::journal::append_behind).
pub async fn fence(
    tx: &mut dyn Tx,
    id: RunId,
    attempt: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<u32>> {
    #[cfg(feature = "planted-bugs")]
    if cpq_domain::planted::Bug::SkipsFencing.is_on() {
        return crate::journal::length(tx, id).await.map(Some);
    }
    let row = tx.first(FENCE, params![id, attempt, now, lease_until]).await?;
    row.map(|mut row| row.take()).transpose()
}

/// Puts runs whose lease is over (`lease_until <= now`) back in the queue, and counts the crash. At most
/// [`EXPIRED_RUNS`] at once, those over longest first.
///
/// They stay due when they were, and so before whatever came into their lane since: only they know what they have
/// written. Another run that went first would take it for somebody's edit.
pub async fn expire_leases(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<Expired>> {
    let rows = tx.query(EXPIRE, params![now, EXPIRED_RUNS]).await?;
    let mut expired = rows.into_iter().map(read_expired).collect::<Result<Vec<_>>>()?;
    expired.sort_by_key(|expired| expired.run.id);
    Ok(expired)
}

/// Whether a run of the lane is running.
pub async fn lane_busy(tx: &mut dyn Tx, lane: &Lane) -> Result<bool> {
    let row = tx
        .first(LANE_BUSY, params![&lane.connection, &lane.opportunity])
        .await?;
    Ok(row.is_some())
}

/// The runs of the lane that wait and were never claimed, be they queued or held back by an open circuit, those due first;
/// at most [`WAITING_RUNS`]. A new request can share one, because it will look at both sides later than now.
pub async fn waiting_in_lane(tx: &mut dyn Tx, lane: &Lane) -> Result<Vec<Run>> {
    let values = params![&lane.connection, &lane.opportunity, WAITING_RUNS];
    let rows = tx.query(WAITING, values).await?;
    rows.into_iter().map(read).collect()
}

/// The runs of the lane that wait and were about to write once, those due first; at most [`BEGUN_RUNS`].
pub async fn begun_in_lane(tx: &mut dyn Tx, lane: &Lane) -> Result<Vec<RunId>> {
    let values = params![&lane.connection, &lane.opportunity, BEGUN_RUNS];
    let rows = tx.query(BEGUN, values).await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// Puts every run of the connection that waits for a person back in the queue, due now, e.g. after a new login.
/// Whoever still lacks a decision will wait again.
pub async fn requeue_waiting(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    now: Timestamp,
) -> Result<Vec<RunId>> {
    let rows = tx.query(REQUEUE, params![connection, now]).await?;
    let mut ids = rows
        .into_iter()
        .map(|mut row| row.take())
        .collect::<Result<Vec<RunId>>>()?;
    ids.sort();
    Ok(ids)
}

/// Puts the runs of one lane that wait for a person back in the queue, due now: somebody has answered.
pub async fn requeue_waiting_in(tx: &mut dyn Tx, lane: &Lane, now: Timestamp) -> Result<Vec<RunId>> {
    let rows = tx
        .query(REQUEUE_LANE, params![&lane.connection, &lane.opportunity, now])
        .await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// When the next run can be claimed, past or future; `None` when nothing waits but in busy lanes and behind open
/// circuits.
pub async fn next_due(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    tx.first(NEXT_DUE, &[])
        .await?
        .map(|mut row| row.take())
        .transpose()
}

/// Whether more than `limit` runs are due and wait for a worker.
pub async fn more_due_than(tx: &mut dyn Tx, limit: u32, now: Timestamp) -> Result<bool> {
    Ok(tx.first(MORE_DUE, params![now, limit]).await?.is_some())
}

/// When the next lease ends.
pub async fn next_expiry(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    tx.first(NEXT_EXPIRY, &[])
        .await?
        .map_or(Ok(None), |mut row| row.take())
}

fn read_expired(mut row: Row) -> Result<Expired> {
    let run = super::read_from(&mut row)?;
    Ok(Expired {
        run,
        crashes: row.take()?,
    })
}
