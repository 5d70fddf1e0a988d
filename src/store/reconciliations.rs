//! Reconciles: what was asked, how far each has come, and what it has to tell. At most one of a connection runs.

use cpq_domain::Result;
use cpq_domain::error::Report as Failure;
use cpq_domain::id::{ConnectionName, OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::reconcile::{Mark, Order, Reconciliation, State, Told};
use jiff::Timestamp;

use crate::encode::{json, word};
use crate::limits::TEXT_BYTES;
use crate::many::{self, keys};
use crate::row::Row;
use crate::tx::{Param, Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, connection, since, repair, asked_by, state, attempt, started_at, updated_at, ended_at, \
             lease_until, mark, told, matrix_version, error FROM reconciliations ",
            $rest
        )
    };
}

const INSERT: &str =
    "INSERT INTO reconciliations (id, connection, since, repair, asked_by, state, attempt, started_at,
  updated_at, ended_at, lease_until, mark, told, matrix_version, error, digest)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const UPDATE: &str =
    "UPDATE reconciliations SET state = $3, updated_at = $4, ended_at = $5, lease_until = $6,
  mark = $7, told = $8, error = $9, digest = COALESCE($10, digest)
  WHERE id = $1 AND attempt = $2 AND state = 'running'";
const TAKE_UP: &str = "UPDATE reconciliations SET state = 'running', attempt = attempt + 1, updated_at = $2,
  lease_until = $3, ended_at = NULL, error = NULL, matrix_version = $4
  WHERE id = $1 AND state IN ('running', 'stopped', 'failed')";
const TOUCH: &str =
    "UPDATE reconciliations SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND state = 'running'";
const ABANDON: &str = "UPDATE reconciliations SET state = 'abandoned', updated_at = $2, ended_at = $2
  WHERE connection = $1 AND state IN ('running', 'stopped', 'failed')";
const BY_ID: &str = select!("WHERE id = $1");
const DIGEST: &str = "SELECT digest FROM reconciliations WHERE id = $1";
const NEWEST: &str = select!("WHERE connection = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
const ALL: &str = select!("WHERE TRUE AND id < $1 ORDER BY id DESC LIMIT $2");
const IN_MOTION: &str = concat!(
    "SELECT opportunity FROM runs WHERE connection = $1 AND opportunity IN (",
    keys!(),
    ") AND (state IN ('queued', 'running', 'parked') OR id IN (SELECT run_id FROM journal WHERE position > $52))"
);

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT, UPDATE, TAKE_UP, TOUCH, ABANDON, BY_ID, DIGEST, NEWEST, ALL, IN_MOTION,
];

/// Adds a reconcile that runs. Whoever does must have [`abandon`]ed the one before.
pub async fn insert(tx: &mut dyn Tx, one: &Reconciliation) -> Result<()> {
    let values = params![
        one.id,
        &one.order.connection,
        one.order.since,
        one.order.repair,
        word(&one.order.asked_by)?,
        one.state.as_str(),
        one.attempt,
        one.started_at,
        one.updated_at,
        one.ended_at,
        one.lease_until,
        mark(&one.mark)?,
        told(&one.told)?,
        &one.matrix_version,
        error(one.error.as_ref())?,
        &[][..] as &[u8],
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Stores how far a running reconcile has come, with its digest if that has changed. `false`, and nothing is stored, if
/// another process has taken it up, or it was abandoned.
pub async fn update(tx: &mut dyn Tx, one: &Reconciliation, digest: Option<&[u8]>) -> Result<bool> {
    let values = params![
        one.id,
        one.attempt,
        one.state.as_str(),
        one.updated_at,
        one.ended_at,
        one.lease_until,
        mark(&one.mark)?,
        told(&one.told)?,
        error(one.error.as_ref())?,
        digest,
    ];
    Ok(tx.execute(UPDATE, values).await? == 1)
}

/// Takes up a reconcile where it stands, in place of whoever had it. It judges by the matrix that is in force now.
/// `None` if it has ended.
pub async fn take_up(
    tx: &mut dyn Tx,
    id: RunId,
    now: Timestamp,
    lease_until: Timestamp,
    matrix_version: &str,
) -> Result<Option<Reconciliation>> {
    match tx
        .execute(TAKE_UP, params![id, now, lease_until, matrix_version])
        .await?
    {
        1 => by_id(tx, id).await,
        _ => Ok(None),
    }
}

/// A sign of life. `false` if another process has taken it up, or it was abandoned.
pub async fn touch(tx: &mut dyn Tx, id: RunId, attempt: u32, lease_until: Timestamp) -> Result<bool> {
    Ok(tx.execute(TOUCH, params![id, attempt, lease_until]).await? == 1)
}

/// Puts an end to what is left of earlier reconciles of the connection.
pub async fn abandon(tx: &mut dyn Tx, connection: &ConnectionName, now: Timestamp) -> Result<()> {
    tx.execute(ABANDON, params![connection, now]).await.map(drop)
}

/// A reconcile by its id.
pub async fn by_id(tx: &mut dyn Tx, id: RunId) -> Result<Option<Reconciliation>> {
    tx.first(BY_ID, params![id]).await?.map(read).transpose()
}

/// The digest that was stored with it last; empty at the start.
pub async fn digest(tx: &mut dyn Tx, id: RunId) -> Result<Vec<u8>> {
    tx.first(DIGEST, params![id])
        .await?
        .map_or(Ok(Vec::new()), |mut row| row.take())
}

/// The reconciles of a connection, or of all, newest first, older than `before`; at most [`PAGE_ROWS`].
pub async fn newest(
    tx: &mut dyn Tx,
    connection: Option<&ConnectionName>,
    before: Option<RunId>,
    limit: u32,
) -> Result<Vec<Reconciliation>> {
    // 'g' is above every hexadecimal digit, so above every id.
    let before = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
    let limit = limit.min(PAGE_ROWS);
    let rows = match connection {
        Some(connection) => tx.query(NEWEST, params![connection, before, limit]).await?,
        None => tx.query(ALL, params![before, limit]).await?,
    };
    rows.into_iter().map(read).collect()
}

/// Which of these lanes have a run that has not ended, or of which the journal tells something behind the position
/// `since`.
pub async fn in_motion(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    lanes: &[OpportunityKey],
    since: i64,
) -> Result<Vec<OpportunityKey>> {
    let keys: Vec<&str> = lanes.iter().map(OpportunityKey::as_str).collect();
    let rows = many::rows(tx, IN_MOTION, connection.as_str(), &keys, &[Param::from(since)]).await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

fn mark(mark: &Mark) -> Result<String> {
    json("the mark of a reconcile", mark, TEXT_BYTES)
}

fn told(told: &Told) -> Result<String> {
    json("the report of a reconcile", told, TEXT_BYTES)
}

fn error(error: Option<&Failure>) -> Result<Option<String>> {
    error
        .map(|error| json("the error of a reconcile", error, TEXT_BYTES))
        .transpose()
}

fn read(mut row: Row) -> Result<Reconciliation> {
    Ok(Reconciliation {
        id: row.take()?,
        order: Order {
            connection: row.take()?,
            since: row.take()?,
            repair: row.take()?,
            asked_by: row.word()?,
        },
        state: row.word::<State>()?,
        attempt: row.take()?,
        started_at: row.take()?,
        updated_at: row.take()?,
        ended_at: row.take()?,
        lease_until: row.take()?,
        mark: row.json()?,
        told: row.json()?,
        matrix_version: row.take()?,
        error: row.json_or_none()?,
    })
}
