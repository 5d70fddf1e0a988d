//! How many runs of a connection have not ended.

use cpq_domain::Result;
use cpq_domain::id::ConnectionName;
use jiff::Timestamp;

use crate::tx::{Tx, params};

const READY: &str =
    "SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = 'parked' THEN 1 ELSE 0 END), 0), MIN(ready_at)
  FROM runs WHERE connection = $1 AND ready_at IS NOT NULL";
/// By the state alone: the index of a connection holds its whole history.
const PERSON: &str = "SELECT COUNT(*) FROM runs WHERE state = 'waiting' AND COALESCE(connection, '') = $1";

pub(super) const STATEMENTS: &[&str] = &[READY, PERSON];

/// Runs of a connection that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Waiting for a worker.
    pub queued: u64,
    /// To be tried again later.
    pub parked: u64,
    /// Waiting for a person.
    pub person: u64,
    /// When the first of those queued or parked is due.
    pub next_due: Option<Timestamp>,
}

/// How many runs of a connection have not ended, those in hand aside.
pub async fn waiting_of(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<Waiting> {
    let mut waiting = Waiting::default();
    if let Some(mut row) = tx.first(READY, params![connection]).await? {
        let (all, parked): (u64, u64) = (row.take()?, row.take()?);
        (waiting.queued, waiting.parked) = (all.saturating_sub(parked), parked);
        waiting.next_due = row.take()?;
    }
    if let Some(mut row) = tx.first(PERSON, params![connection]).await? {
        waiting.person = row.take()?;
    }
    Ok(waiting)
}
