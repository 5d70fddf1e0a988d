//! Circuit breakers that are not closed.

use cpq_domain::Result;
use cpq_domain::breaker::Breaker;
use cpq_domain::error::Report;
use cpq_domain::id::ConnectionName;
use jiff::Timestamp;

use crate::encode::{json, word};
use crate::limits::{CREDENTIALS, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO circuits (connection, circuit, hold, openings, opened_at, due_at, report)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (connection) DO UPDATE SET circuit = excluded.circuit, hold = excluded.hold,
    openings = excluded.openings, due_at = excluded.due_at, report = excluded.report";
const TRY: &str =
    "UPDATE circuits SET circuit = 'half_open', due_at = $3 WHERE connection = $1 AND due_at <= $2";
const CLOSE: &str = "DELETE FROM circuits WHERE connection = $1";
const GET: &str =
    "SELECT circuit, hold, openings, opened_at, due_at, report FROM circuits WHERE connection = $1";
const LIST: &str = "SELECT connection, circuit, hold, openings, opened_at, due_at, report FROM circuits
  ORDER BY connection LIMIT $1";

pub(crate) const STATEMENTS: &[&str] = &[PUT, TRY, CLOSE, GET, LIST];

/// Opens the circuit of a connection, or opens it anew.
pub async fn put(tx: &mut dyn Tx, connection: &ConnectionName, breaker: &Breaker) -> Result<()> {
    let values = params![
        connection,
        word(&breaker.circuit)?,
        word(&breaker.hold)?,
        breaker.openings,
        breaker.opened_at,
        breaker.due_at,
        json("what opened a circuit", &breaker.report, TEXT_BYTES)?,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// Takes the right to make the one call that shows whether the CRM is back; it ends at `until`. `false`: it is not due,
/// somebody else has the right, or the circuit is closed.
pub async fn try_half_open(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    Ok(tx.execute(TRY, params![connection, now, until]).await? == 1)
}

/// Closes the circuit.
pub async fn close(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<()> {
    tx.execute(CLOSE, params![connection]).await.map(drop)
}

/// The circuit of a connection; `None` if it is closed.
pub async fn get(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<Option<Breaker>> {
    let row = tx.first(GET, params![connection]).await?;
    row.map(|mut row| read(&mut row)).transpose()
}

/// All circuits that are not closed, by connection.
pub async fn list(tx: &mut dyn Tx) -> Result<Vec<(ConnectionName, Breaker)>> {
    let rows = tx.query(LIST, params![CREDENTIALS]).await?;
    let one = |mut row: Row| Ok((row.take()?, read(&mut row)?));
    rows.into_iter().map(one).collect()
}

fn read(row: &mut Row) -> Result<Breaker> {
    Ok(Breaker {
        circuit: row.word()?,
        hold: row.word()?,
        openings: row.take()?,
        opened_at: row.take()?,
        due_at: row.take()?,
        report: row.json::<Report>()?,
    })
}
