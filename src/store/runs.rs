//! Runs, and the queue that they are.

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, OpportunityKey, RunId};
use cpq_domain::run::{Run, RunState};
use jiff::Timestamp;

use crate::encode::{json, word};
use crate::limits::{RUNS_PER_CORRELATION, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

mod hold;
mod hours;
mod lane;
mod list;
mod nodes;
mod queue;
mod unlinked;
mod waiting;

pub use hold::{claim_lane_of, claim_run, heartbeat};
pub use hours::{Hour, hours};
pub use lane::{enter_lane, line_up};
pub use list::{Filter, counts_by_state, list};
pub use nodes::{Node, nodes};
pub(crate) use queue::{CLAIM, EXPIRE};
pub use queue::{
    Expired, begun_in_lane, claim, expire_leases, fence, lane_busy, more_due_than, next_due, next_expiry,
    requeue_waiting, requeue_waiting_in, waiting_in_lane,
};
pub use unlinked::read_by_run;
pub use waiting::{Waiting, waiting_of};

/// Columns of a run, in the order in which [`read`] takes them.
macro_rules! columns {
    () => {
        "id, connection, opportunity, correlation, caller_correlation, traceparent, cause, state, attempt, tries, \
         restarts, created_at, updated_at, due_at, outcome, error, superseded_by"
    };
}
use columns;

const INSERT: &str = "INSERT INTO runs (id, connection, opportunity, correlation, caller_correlation, traceparent,
  cause, state, attempt, tries, restarts, created_at, updated_at, due_at, outcome, error, error_code, superseded_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM runs WHERE id = $1");
const BY_CORRELATION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM runs WHERE correlation = $1 OR caller_correlation = $1 ORDER BY id DESC LIMIT $2"
);
const UPDATE: &str = "UPDATE runs SET state = $3, tries = $4, restarts = $5, updated_at = $6, due_at = $7,
  outcome = $8, error = $9, error_code = $10, superseded_by = $11,
  node = CASE WHEN $3 = 'running' THEN node END, lease_until = CASE WHEN $3 = 'running' THEN lease_until END
  WHERE id = $1 AND attempt = $2";
const CRASHES: &str = "SELECT crashes FROM runs WHERE id = $1";
const NODE: &str = "SELECT node FROM runs WHERE id = $1";

pub(crate) const STATEMENTS: &[&[&str]] = &[
    &[INSERT, BY_ID, BY_CORRELATION, UPDATE, CRASHES, NODE],
    hold::STATEMENTS,
    hours::STATEMENTS,
    lane::STATEMENTS,
    queue::STATEMENTS,
    list::STATEMENTS,
    nodes::STATEMENTS,
    unlinked::STATEMENTS,
    waiting::STATEMENTS,
];

/// Adds a run.
pub async fn insert(tx: &mut dyn Tx, run: &Run) -> Result<()> {
    let (outcome, error) = endings(run)?;
    let values = params![
        run.id,
        &run.lane.connection,
        &run.lane.opportunity,
        &run.correlation,
        run.caller_correlation.as_ref(),
        run.traceparent.as_ref(),
        word(&run.trigger)?,
        run.state.as_str(),
        run.attempt,
        run.tries,
        run.restarts,
        run.created_at,
        run.updated_at,
        run.due_at,
        outcome,
        error,
        run.error.as_ref().map(|error| error.code.as_str()),
        run.superseded_by,
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// A run by its id.
pub async fn by_id(tx: &mut dyn Tx, id: RunId) -> Result<Option<Run>> {
    tx.first(BY_ID, params![id]).await?.map(read).transpose()
}

/// The runs that go by this correlation id, ours or the caller's; newest first.
pub async fn by_correlation(tx: &mut dyn Tx, correlation: &CorrelationId) -> Result<Vec<Run>> {
    let rows = tx
        .query(BY_CORRELATION, params![correlation, RUNS_PER_CORRELATION])
        .await?;
    rows.into_iter().map(read).collect()
}

/// Stores everything of a run that can change, if nobody claimed it since it was read (same `attempt`). Returns whether
/// it was stored. A state other than running gives the lease back. The attempt itself changes only by [`claim`].
pub async fn update(tx: &mut dyn Tx, run: &Run) -> Result<bool> {
    let (outcome, error) = endings(run)?;
    let values = params![
        run.id,
        run.attempt,
        run.state.as_str(),
        run.tries,
        run.restarts,
        run.updated_at,
        run.due_at,
        outcome,
        error,
        run.error.as_ref().map(|error| error.code.as_str()),
        run.superseded_by,
    ];
    Ok(tx.execute(UPDATE, values).await? == 1)
}

/// How many processes died while they held the run.
pub async fn crashes(tx: &mut dyn Tx, id: RunId) -> Result<u32> {
    tx.first(CRASHES, params![id])
        .await?
        .map_or(Ok(0), |mut row| row.take())
}

/// The node that holds the run, while it runs.
pub async fn node(tx: &mut dyn Tx, id: RunId) -> Result<Option<String>> {
    tx.first(NODE, params![id])
        .await?
        .map_or(Ok(None), |mut row| row.take())
}

fn endings(run: &Run) -> Result<(Option<String>, Option<String>)> {
    let outcome = run
        .outcome
        .as_ref()
        .map(|outcome| json("the outcome of a run", outcome, TEXT_BYTES));
    let error = run
        .error
        .as_ref()
        .map(|error| json("the error of a run", error, TEXT_BYTES));
    Ok((outcome.transpose()?, error.transpose()?))
}

fn read(mut row: Row) -> Result<Run> {
    read_from(&mut row)
}

fn read_from(row: &mut Row) -> Result<Run> {
    Ok(Run {
        id: row.take()?,
        lane: Lane {
            connection: row.take::<ConnectionName>()?,
            opportunity: row.take::<OpportunityKey>()?,
        },
        correlation: row.take()?,
        caller_correlation: row.take()?,
        traceparent: row.take()?,
        trigger: row.word()?,
        state: row.word::<RunState>()?,
        attempt: row.take()?,
        tries: row.take()?,
        restarts: row.take()?,
        created_at: row.take::<Timestamp>()?,
        updated_at: row.take()?,
        due_at: row.take()?,
        outcome: row.json_or_none()?,
        error: row.json_or_none()?,
        superseded_by: row.take()?,
    })
}
