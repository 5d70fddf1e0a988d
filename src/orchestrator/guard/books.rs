//! What a guard writes down, and reads of what others wrote.

use cpq_domain::Result;
use cpq_domain::breaker::Breaker;
use cpq_domain::error::Hold;
use cpq_meter::catalogue::crm;
use cpq_store::call_budgets::{self, Heard};
use cpq_store::circuits;

use super::{Guard, LOOK_US};

impl Guard {
    /// Looks at what other processes wrote, unless that was a moment ago.
    pub(super) async fn look(&self) -> Result<()> {
        let now = self.world.monotonic_us();
        match self.with(|state| state.looked_at) {
            Some(last) if now.saturating_sub(last) < LOOK_US => Ok(()),
            _ => self.look_now().await,
        }
    }

    pub(super) async fn look_now(&self) -> Result<()> {
        // Marked first, so that of many callers one reads.
        let at = self.world.monotonic_us();
        let before = self.with(|state| state.looked_at.replace(at));
        let (connection, now) = (self.connection.clone(), self.world.now());
        let read = self
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let breaker = circuits::get(tx, &connection).await?;
                    let heard = call_budgets::get(tx, &connection).await?;
                    Ok((breaker, heard, call_budgets::spent(tx, &connection, now).await?))
                })
            })
            .await;
        let (breaker, heard, stored) = read.inspect_err(|_| self.with(|state| state.looked_at = before))?;
        self.with(|state| {
            if state.breaker.is_some() != breaker.is_some() {
                state.outcomes.clear();
            }
            (state.breaker, state.stored) = (breaker, stored);
            state.budget = state.budget.or(heard.map(|heard| heard.budget));
        });
        Ok(())
    }

    /// Writes an open circuit down. It holds in this process even if that fails.
    pub(super) async fn open(&self, breaker: Breaker) {
        crm::CIRCUIT_OPENINGS.add([self.connection.as_str(), breaker.hold.as_str()], 1);
        let (due, cause) = (breaker.due_at, breaker.report.message.as_str());
        match breaker.hold {
            Hold::DailyLimit => {
                tracing::error!(connection = %self.connection, until = %due, cause, "the CRM's calls of the day are used up; its syncs wait");
            }
            _ => {
                tracing::warn!(connection = %self.connection, until = %due, cause, openings = breaker.openings, "the CRM does not answer; its syncs wait");
            }
        }
        let connection = self.connection.clone();
        let stored = self
            .store
            .write(move |tx| Box::pin(async move { circuits::put(tx, &connection, &breaker).await }))
            .await;
        if let Err(error) = stored {
            tracing::error!(connection = %self.connection, code = %error.code, %error, "an open circuit is not stored");
        }
    }

    /// Closes the circuit, for everybody.
    pub(super) async fn close(&self) -> Result<()> {
        let connection = self.connection.clone();
        self.store
            .write(move |tx| Box::pin(async move { circuits::close(tx, &connection).await }))
            .await?;
        self.with(|state| {
            state.breaker = None;
            state.outcomes.clear();
        });
        tracing::info!(connection = %self.connection, "the CRM answers again; its syncs go on");
        Ok(())
    }

    /// Makes durable what was counted since the last time; nothing is written when there is nothing new.
    pub(super) async fn save(&self) -> Result<()> {
        let made = self.with(|state| std::mem::take(&mut state.unsaved));
        if made.values().all(|calls| *calls == 0) {
            return Ok(());
        }
        let now = self.world.now();
        let heard = self.with(|state| {
            state.budget.map(|budget| Heard {
                connection: self.connection.clone(),
                budget,
                at: now,
                exhausted_at: state.forecast.exhausted_at(),
            })
        });
        let (connection, added) = (self.connection.clone(), made.clone());
        let saved = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    call_budgets::add(tx, &connection, &added, now).await?;
                    match &heard {
                        Some(heard) => call_budgets::put(tx, heard).await,
                        None => Ok(()),
                    }
                })
            })
            .await;
        self.with(|state| {
            let kept = match saved {
                Ok(()) => &mut state.stored,
                Err(_) => &mut state.unsaved,
            };
            for (purpose, calls) in made {
                *kept.entry(purpose).or_default() += calls;
            }
        });
        saved
    }
}
