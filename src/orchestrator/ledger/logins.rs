//! Logins, counted for each connection, so that a run which is about to wait for one does not miss it.
//!
//! A sync that meets a dead grant waits for a login. The login may come between the CRM's refusal and the moment at which
//! the run is stored as waiting: it finds nothing that waits yet, and without the count nobody would let the run go on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cpq_domain::Result;
use cpq_domain::error::Class;
use cpq_domain::event::EventKind;
use cpq_domain::id::ConnectionName;
use cpq_domain::run::{Run, RunEvent, RunState};
use cpq_store::{Tx, counters, runs};
use jiff::Timestamp;

use super::{Ledger, note};

/// The counts that this process has seen. Another process may have counted further since: then a run is tried once more
/// in vain, and never waits in vain.
#[derive(Default)]
pub(crate) struct Logins(Mutex<BTreeMap<ConnectionName, i64>>);

impl Ledger {
    /// Puts the runs that wait for this connection back in the queue, and lets those know that are about to wait.
    pub(crate) async fn resume(&self, connection: &ConnectionName) -> Result<usize> {
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::ForgetsToResume.is_on() {
            return Ok(0);
        }
        let (now, of) = (self.world.now(), connection.clone());
        let (logins, resumed) = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let logins = count(tx, &of).await?;
                    let resumed = runs::requeue_waiting(tx, &of, now).await?;
                    for id in &resumed {
                        note(tx, *id, EventKind::Requeued, 0, now, serde_json::Value::Null).await?;
                    }
                    Ok((logins, resumed.len()))
                })
            })
            .await?;
        self.logins.see(connection, logins);
        Ok(resumed)
    }

    /// How often somebody has logged in to the connection, as far as this process knows.
    pub(crate) fn logins(&self, connection: &ConnectionName) -> i64 {
        self.logins.known(connection)
    }
}

impl Logins {
    /// What this process has seen of the connection; 0 before the first time.
    pub(super) fn known(&self, connection: &ConnectionName) -> i64 {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(connection).copied().unwrap_or_default()
    }

    /// Takes note of a count that is durable.
    pub(super) fn see(&self, connection: &ConnectionName, count: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.entry(connection.clone()).or_default();
        *known = count.max(*known);
    }
}

/// Somebody has logged in. Returns how often by now.
pub(super) async fn count(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<i64> {
    counters::next(tx, &counter(connection)).await
}

/// Puts a run that would wait for a login back in the queue if there was one since its try began, when `before` of them
/// were known. Returns how many there were by now.
pub(super) async fn go_on(tx: &mut dyn Tx, run: &mut Run, before: i64, now: Timestamp) -> Result<i64> {
    let code = run.error.as_ref().map(|report| report.code);
    if run.state != RunState::Waiting || code.is_none_or(|code| code.class() != Class::AuthRevoked) {
        return Ok(before);
    }
    let count = counters::peek(tx, &counter(&run.lane.connection)).await?;
    if count > before {
        run.state = run.state.after(RunEvent::Requeue).unwrap_or(run.state);
        run.due_at = now;
        note(tx, run.id, EventKind::Requeued, 0, now, serde_json::Value::Null).await?;
    }
    Ok(count)
}

fn counter(connection: &ConnectionName) -> String {
    format!("logins:{connection}")
}
