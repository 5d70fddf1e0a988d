//! The schedule: opportunities with a quote that nobody looked at for long are looked at again, a few at a time. It
//! finds what no feed tells of, e.g. a change of a formula, or a deletion that the CRM has forgotten.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::id::ConnectionName;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::engine::Inner;

/// When to look again.
#[derive(Clone, Copy, Debug)]
pub struct LookAgain {
    /// Age of the last look.
    pub after: SignedDuration,
    /// Time between two batches.
    pub every: Duration,
    /// Opportunities of one batch. They are read together, so a batch costs few calls.
    pub batch: u32,
}

/// Looks again until `stop`.
pub(crate) async fn look_again(
    inner: Arc<Inner>,
    connection: ConnectionName,
    settings: LookAgain,
    stop: CancellationToken,
) {
    loop {
        match look(&inner, &connection, &settings).await {
            Ok(0) => {}
            Ok(found) => {
                tracing::info!(%connection, found, "looking again at opportunities that nobody looked at for long");
                inner.rouse();
            }
            Err(error) => tracing::error!(%connection, code = %error.code, %error, "cannot look again"),
        }
        if stop
            .run_until_cancelled(tokio::time::sleep(settings.every))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Accepts a batch, if no other node does this. Returns how many.
async fn look(inner: &Inner, connection: &ConnectionName, settings: &LookAgain) -> Result<usize> {
    let ledger = &inner.ledger;
    if !ledger.store().leads(&format!("look-again:{connection}")).await? {
        return Ok(0);
    }
    let before = inner
        .world
        .now()
        .saturating_sub(settings.after)
        .unwrap_or(Timestamp::MIN);
    ledger.look_again(connection, before, settings.batch).await
}
