//! How connections stand, for people.

use cpq_domain::Result;
use cpq_domain::breaker::Breaker;
use cpq_domain::call_budget::{Purpose, Shares, Spent};
use cpq_domain::id::ConnectionName;
use cpq_store::call_budgets::{self, Heard};
use cpq_store::runs::{self, Waiting};
use cpq_store::{Tx, circuits};
use jiff::Timestamp;

use super::Guards;
use crate::engine::Engine;

/// How a connection stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The connection.
    pub connection: ConnectionName,
    /// Its circuit breaker; `None` while it is closed.
    pub breaker: Option<Breaker>,
    /// What the CRM said last about our calls.
    pub heard: Option<Heard>,
    /// Calls that we made in the last 24 hours, by purpose.
    pub spent: Spent,
    /// Shares of the calls of a day.
    pub shares: Shares,
    /// Runs that have not ended.
    pub waiting: Waiting,
}

impl Standing {
    /// Calls of a day that a purpose has for its own, as far as the CRM told how many there are.
    pub fn share(&self, purpose: Purpose) -> Option<u64> {
        let heard = self.heard.as_ref()?;
        Some(self.shares.calls(purpose, heard.budget.max))
    }
}

impl Engine {
    /// How these connections stand. No call is made.
    pub async fn standings(&self, connections: Vec<ConnectionName>) -> Result<Vec<Standing>> {
        let guards: &Guards = &self.inner.guards;
        guards.save().await?;
        let (shares, now) = (guards.settings.shares, guards.world.now());
        guards
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let mut standings = Vec::with_capacity(connections.len());
                    for connection in connections {
                        standings.push(standing(tx, connection, shares, now).await?);
                    }
                    Ok(standings)
                })
            })
            .await
    }
}

async fn standing(
    tx: &mut dyn Tx,
    connection: ConnectionName,
    shares: Shares,
    now: Timestamp,
) -> Result<Standing> {
    Ok(Standing {
        breaker: circuits::get(tx, &connection).await?,
        heard: call_budgets::get(tx, &connection).await?,
        spent: call_budgets::spent(tx, &connection, now).await?,
        waiting: runs::waiting_of(tx, &connection).await?,
        shares,
        connection,
    })
}
