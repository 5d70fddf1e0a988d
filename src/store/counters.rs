//! Counters that are read over the phone: `csync-001`, `Q-2026-0137`.

use cpq_domain::Result;

use crate::tx::{Tx, params};

pub(crate) const NEXT: &str = "INSERT INTO counters (name, value) VALUES ($1, 1)
  ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value";
const SET: &str = "INSERT INTO counters (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const PEEK: &str = "SELECT value FROM counters WHERE name = $1";

pub(crate) const STATEMENTS: &[&str] = &[NEXT, SET, PEEK];

/// The next number: 1 at first, then without gaps among what is committed; a job that fails gives its number back.
pub async fn next(tx: &mut dyn Tx, name: &str) -> Result<i64> {
    let row = tx.first(NEXT, params![name]).await?;
    row.map_or(Ok(0), |mut row| row.take())
}

/// The next number of a series that people read, and nobody else's. In a file it is [`next`]. On a server it is drawn
/// beside the transaction, so that many can draw at once: a job that fails leaves a gap, and numbers are committed in any
/// order.
pub async fn draw(tx: &mut dyn Tx, name: &str) -> Result<i64> {
    tx.draw(name).await
}

/// Makes `value` the last number given, e.g. for a seed; the next one is `value + 1`.
pub async fn set(tx: &mut dyn Tx, name: &str, value: i64) -> Result<()> {
    tx.execute(SET, params![name, value]).await.map(drop)
}

/// The last number given; 0 before the first.
pub async fn peek(tx: &mut dyn Tx, name: &str) -> Result<i64> {
    let row = tx.first(PEEK, params![name]).await?;
    row.map_or(Ok(0), |mut row| row.take())
}
