//! Records that a reconcile found to differ: the list that a repair works through, and that people read.

use cpq_domain::Result;
use cpq_domain::certificate::{Object, Tally};
use cpq_domain::id::RunId;
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::reconcile::Differing;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::encode::json;
use crate::limits::{PURGE_ROWS, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO reconcile_records (reconciliation, opportunity_id, state, body, parts)
  VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (reconciliation, opportunity_id) DO UPDATE SET state = excluded.state, body = excluded.body,
    parts = excluded.parts";
const PAGE: &str = "SELECT body, parts FROM reconcile_records
  WHERE reconciliation = $1 AND opportunity_id > $2 ORDER BY opportunity_id LIMIT $3";
pub(crate) const PURGE: &str =
    "DELETE FROM reconcile_records WHERE reconciliation < $1 AND (reconciliation, opportunity_id) IN
  (SELECT reconciliation, opportunity_id FROM reconcile_records WHERE reconciliation < $1 LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[PUT, PAGE, PURGE];

/// A record's part in the certificates of its hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// First moment of the hour.
    pub hour: Timestamp,
    /// By object.
    pub of: Vec<(Object, Tally)>,
}

/// Stores a record, in place of what was known of it.
pub async fn put(tx: &mut dyn Tx, id: RunId, record: &Differing, parts: &Parts) -> Result<()> {
    let values = params![
        id,
        &record.opportunity_id,
        record.state.as_str(),
        json("a record that differs", record, TEXT_BYTES)?,
        json("a record's part in the certificates", parts, TEXT_BYTES)?,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// A page of records behind an opportunity's id (empty for the start), in our order of ids; at most [`PAGE_ROWS`].
pub async fn page(tx: &mut dyn Tx, id: RunId, after: &str, limit: u32) -> Result<Vec<(Differing, Parts)>> {
    let rows = tx.query(PAGE, params![id, after, limit.min(PAGE_ROWS)]).await?;
    rows.into_iter().map(read).collect()
}

/// Takes away some of the records of reconciles older than this one. Returns how many; 0 when none is left.
pub async fn purge(tx: &mut dyn Tx, older_than: RunId) -> Result<u64> {
    tx.execute(PURGE, params![older_than, PURGE_ROWS]).await
}

fn read(mut row: Row) -> Result<(Differing, Parts)> {
    Ok((row.json()?, row.json()?))
}
