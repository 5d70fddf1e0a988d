//! How many syncs there were, hour by hour.

use cpq_domain::Result;
use cpq_domain::id::ConnectionName;
use jiff::Timestamp;

use crate::tx::{Tx, params};

const HOURS: &str = "SELECT created_at / 3600000000, state, COUNT(*) FROM runs WHERE created_at >= $1
  AND (CAST($2 AS TEXT) IS NULL OR connection = $2)
  GROUP BY created_at / 3600000000, state ORDER BY created_at / 3600000000, state";

pub(super) const STATEMENTS: &[&str] = &[HOURS];

/// Syncs that were accepted in an hour and are in a state now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Start of the hour.
    pub hour: Timestamp,
    /// The state.
    pub state: String,
    /// How many.
    pub count: u64,
}

/// Syncs of a connection, or of all, that were accepted since then, by the hour of that and the state in which they are.
pub async fn hours(
    tx: &mut dyn Tx,
    since: Timestamp,
    connection: Option<&ConnectionName>,
) -> Result<Vec<Hour>> {
    let rows = tx.query(HOURS, params![since, connection]).await?;
    let read = |mut row: crate::row::Row| {
        let hour: i64 = row.take()?;
        Ok(Hour {
            hour: Timestamp::from_second(hour * 3_600).unwrap_or(Timestamp::UNIX_EPOCH),
            state: row.take()?,
            count: row.take()?,
        })
    };
    rows.into_iter().map(read).collect()
}
