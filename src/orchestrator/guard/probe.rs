//! The one call that shows whether a CRM is back.

use cpq_domain::adapter::{Call, CrmAdapter, Probe};
use cpq_domain::breaker::{Breaker, Circuit};
use cpq_domain::error::{Class, Error, Hold, LimitKind};
use cpq_domain::id::CorrelationId;
use cpq_domain::{Code, Result};
use cpq_store::circuits;
use jiff::SignedDuration;

use super::Guard;

/// How long a probe may take before another process makes one: longer than any call.
const PROBE: SignedDuration = SignedDuration::from_secs(45);

impl Guard {
    /// Makes the probe, unless somebody else does. `true`: the circuit is closed.
    pub(super) async fn probe(&self, crm: &dyn CrmAdapter) -> Result<bool> {
        let _alone = self.probing.lock().await;
        let now = self.world.now();
        // Whoever had the lock before may have found out.
        let before = match self.with(|state| state.breaker.clone()) {
            None => return Ok(true),
            Some(breaker) if breaker.due_at > now => return Ok(false),
            Some(breaker) => breaker,
        };
        if !self.take_probe().await? {
            self.look_now().await?;
            return Ok(self.with(|state| state.breaker.is_none()));
        }
        let call = Call::live(CorrelationId::new("circuit-probe")?);
        let probed = crm.probe(&call).await;
        // The probe is counted, but it is no outcome among others: it alone decides.
        self.with(|state| {
            super::made(state, crm.tally(), None);
        });
        match verdict(&before, probed) {
            None => self.close().await.map(|()| true),
            Some(error) => {
                self.reopen(before, &error).await;
                Ok(false)
            }
        }
    }

    async fn take_probe(&self) -> Result<bool> {
        let (now, connection) = (self.world.now(), self.connection.clone());
        let until = now + PROBE;
        let ours = self
            .store
            .write(move |tx| {
                Box::pin(async move { circuits::try_half_open(tx, &connection, now, until).await })
            })
            .await?;
        if ours {
            self.with(|state| {
                if let Some(breaker) = &mut state.breaker {
                    (breaker.circuit, breaker.due_at) = (Circuit::HalfOpen, until);
                }
            });
        }
        Ok(ours)
    }

    async fn reopen(&self, before: Breaker, error: &Error) {
        let again = self.breaker(
            before.hold,
            before.openings.saturating_add(1),
            error,
            self.world.now(),
        );
        let breaker = Breaker {
            opened_at: before.opened_at,
            ..again
        };
        self.with(|state| state.breaker = Some(breaker.clone()));
        self.open(breaker).await;
    }
}

/// What still keeps the circuit open. A CRM that refuses us is there; one whose calls are used up is not for us.
fn verdict(before: &Breaker, probed: Result<Probe>) -> Option<Error> {
    match probed {
        Err(error) if matches!(error.class(), Class::Unavailable | Class::UnknownOutcome) => Some(error),
        Err(error) if error.limit_kind() == Some(LimitKind::Daily) => Some(error),
        Ok(Probe {
            budget: Some(budget), ..
        }) if before.hold == Hold::DailyLimit && budget.max > 0 && budget.used >= budget.max => {
            let message = format!("{} of {} calls of the day are used", budget.used, budget.max);
            Some(Error::new(Code::CrmLimit, message))
        }
        Ok(_) | Err(_) => None,
    }
}
