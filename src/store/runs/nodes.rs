//! Which processes have runs in hand.

use cpq_domain::Result;
use jiff::Timestamp;

use crate::tx::{Tx, params};

/// Processes that are told of. A fleet has a handful.
const MOST: i64 = 100;

const NODES: &str = "SELECT node, COUNT(*), MAX(lease_until) FROM runs WHERE lease_until > $1
  GROUP BY node ORDER BY node LIMIT $2";

pub(super) const STATEMENTS: &[&str] = &[NODES];

/// A process with runs in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id on its machine, and a name that no other process has.
    pub name: String,
    /// Runs that it holds.
    pub runs: u64,
    /// When the last of its leases ends, if it gives no further sign of life.
    pub lease_until: Timestamp,
}

/// Processes that hold runs now, by name.
pub async fn nodes(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<Node>> {
    let rows = tx.query(NODES, params![now, MOST]).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(Node {
                name: row.take()?,
                runs: row.take()?,
                lease_until: row.take()?,
            })
        })
        .collect()
}
