//! Deliveries that were seen already, so that a repeated one is recognised.

use cpq_domain::Result;
use jiff::{SignedDuration, Timestamp};

use crate::encode::bounded;
use crate::limits::{PURGE_ROWS, WEBHOOK_DAYS};
use crate::tx::{Tx, params};

const SEEN: &str = "INSERT INTO webhook_deliveries (source, delivery_id, seen_at) VALUES ($1, $2, $3)
  ON CONFLICT (source, delivery_id) DO NOTHING";
pub(crate) const PURGE: &str = "DELETE FROM webhook_deliveries WHERE (source, delivery_id) IN
  (SELECT source, delivery_id FROM webhook_deliveries WHERE seen_at <= $1 ORDER BY seen_at LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[SEEN, PURGE];

/// Bytes of a delivery id; senders use up to about 60.
const DELIVERY_ID_BYTES: usize = 255;

/// Remembers a delivery. `true` when it is new, `false` when it was seen before. Belongs into the transaction that
/// acts on it: then a delivery is remembered exactly if it was acted on.
pub async fn seen(tx: &mut dyn Tx, source: &str, delivery_id: &str, now: Timestamp) -> Result<bool> {
    bounded(
        "the id of a webhook delivery",
        delivery_id.len(),
        DELIVERY_ID_BYTES,
    )?;
    Ok(tx.execute(SEEN, params![source, delivery_id, now]).await? == 1)
}

/// Forgets deliveries older than [`WEBHOOK_DAYS`], at most [`PURGE_ROWS`] of them. Returns how many.
pub async fn purge(tx: &mut dyn Tx, now: Timestamp) -> Result<u64> {
    let age = SignedDuration::from_hours(24 * WEBHOOK_DAYS);
    let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    tx.execute(PURGE, params![before, PURGE_ROWS]).await
}
