//! What stands before each CRM: the circuit breaker, the shares of its calls, and the retry budget.
//!
//! Every call of a run or a reconcile goes through [`Guarded`]. It asks [`Guard::admit`] first, and tells afterwards how
//! the call ended. An open circuit is stored, so that no restart and no other process forgets it; who finds it due makes
//! one probe, and everybody else waits for what that shows. Counts of calls are kept in memory and stored now and then:
//! no sync pays a commit for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::Result;
use cpq_domain::adapter::{CallBudget, CrmAdapter, Tally};
use cpq_domain::breaker::{Breaker, BreakerPolicy, Circuit, Outcomes};
use cpq_domain::call_budget::{Forecast, Purpose, Shares, Spent};
use cpq_domain::error::{Class, Code, Error, Hold, LimitKind};
use cpq_domain::id::ConnectionName;
use cpq_domain::retry_budget::{BudgetPolicy, RetryBudget};
use cpq_domain::world::World;
use cpq_meter::catalogue::syncs;
use cpq_store::{Store, circuits};
use jiff::{SignedDuration, Timestamp};

mod books;
mod guarded;
mod probe;
mod told;

pub(crate) use guarded::Guarded;
pub use told::Standing;

/// How old what is known from the store may be, in microseconds: as old as a look for due runs.
const LOOK_US: u64 = 500_000;
/// Wait before a background user that had its share asks again.
const SHARE_RETRY_MS: u64 = 15 * 60_000;

/// How calls are bounded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GuardSettings {
    pub(crate) breaker: BreakerPolicy,
    pub(crate) shares: Shares,
    pub(crate) retries: BudgetPolicy,
}

/// The guards of all connections.
pub(crate) struct Guards {
    store: Store,
    world: Arc<dyn World>,
    settings: GuardSettings,
    known: Mutex<HashMap<ConnectionName, Arc<Guard>>>,
}

impl Guards {
    pub(crate) fn new(store: Store, world: Arc<dyn World>, settings: GuardSettings) -> Guards {
        Guards {
            store,
            world,
            settings,
            known: Mutex::default(),
        }
    }

    /// The guard of a connection; always the same one for the same name.
    pub(crate) fn of(&self, connection: &ConnectionName) -> Arc<Guard> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            Arc::new(Guard {
                connection: connection.clone(),
                store: self.store.clone(),
                world: self.world.clone(),
                settings: self.settings,
                state: Mutex::new(State::new(&self.settings, self.world.now())),
                probing: tokio::sync::Mutex::default(),
            })
        };
        known.entry(connection.clone()).or_insert_with(fresh).clone()
    }

    fn all(&self) -> Vec<Arc<Guard>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().cloned().collect()
    }

    /// Connections whose circuit is due for a probe.
    pub(crate) async fn due(&self) -> Result<Vec<ConnectionName>> {
        let now = self.world.now();
        let circuits = self.store.read(|tx| Box::pin(circuits::list(tx))).await?;
        let due = circuits.into_iter().filter(|(_, breaker)| breaker.due_at <= now);
        Ok(due.map(|(connection, _)| connection).collect())
    }

    /// Makes durable what was counted since the last time.
    pub(crate) async fn save(&self) -> Result<()> {
        for guard in self.all() {
            guard.save().await?;
        }
        Ok(())
    }
}

/// The guard of one connection.
pub(crate) struct Guard {
    connection: ConnectionName,
    store: Store,
    world: Arc<dyn World>,
    settings: GuardSettings,
    state: Mutex<State>,
    /// Held while a probe is under way.
    probing: tokio::sync::Mutex<()>,
}

/// What is known of a connection.
struct State {
    /// When the store was looked at last, by the monotonic clock.
    looked_at: Option<u64>,
    breaker: Option<Breaker>,
    outcomes: Outcomes,
    retries: RetryBudget,
    budget: Option<CallBudget>,
    forecast: Forecast,
    /// Calls of the last day, of all processes, as stored.
    stored: Spent,
    /// Calls of this process that are not stored yet.
    unsaved: Spent,
    /// What the adapter had counted when it was looked at last.
    seen: Option<Tally>,
}

impl State {
    fn new(settings: &GuardSettings, now: Timestamp) -> State {
        State {
            looked_at: None,
            breaker: None,
            outcomes: Outcomes::default(),
            retries: RetryBudget::full(&settings.retries, now),
            budget: None,
            forecast: Forecast::default(),
            stored: Spent::new(),
            unsaved: Spent::new(),
            seen: None,
        }
    }

    fn spent(&self) -> Spent {
        let mut spent = self.stored.clone();
        for (purpose, calls) in &self.unsaved {
            *spent.entry(*purpose).or_default() += calls;
        }
        spent
    }
}

impl Guard {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The CRM behind this guard.
    pub(crate) fn over(self: &Arc<Self>, crm: Arc<dyn CrmAdapter>) -> Guarded {
        // What was counted before belongs to somebody else.
        self.with(|state| {
            if state.seen.is_none() {
                state.seen = crm.tally();
            }
        });
        Guarded {
            crm,
            guard: self.clone(),
        }
    }

    /// Why no run of the connection is to be taken up now; `None` if it may be, or if a probe is due, which the first
    /// call makes.
    pub(crate) async fn closed_to_runs(&self) -> Result<Option<Error>> {
        self.look().await?;
        let now = self.world.now();
        let breaker = self.with(|state| state.breaker.clone());
        Ok(breaker
            .filter(|breaker| breaker.due_at > now)
            .map(|breaker| self.held(&breaker)))
    }

    /// Lets a call through, or says why not. Nothing was sent then.
    async fn admit(&self, purpose: Purpose, crm: &dyn CrmAdapter) -> Result<()> {
        self.look().await?;
        if let Some(breaker) = self.with(|state| state.breaker.clone())
            && !self.is_back(&breaker, crm).await?
        {
            let breaker = self.with(|state| state.breaker.clone()).unwrap_or(breaker);
            return Err(self.held(&breaker));
        }
        let refused = self.with(|state| {
            let budget = state.budget.or_else(|| crm.budget())?;
            self.settings.shares.refuse(purpose, budget, &state.spent())
        });
        match refused {
            Some(why) => Err(self.spent(why)),
            None => Ok(()),
        }
    }

    /// Makes a probe if one is due. `true`: the circuit is closed.
    pub(crate) async fn try_probe(&self, crm: &dyn CrmAdapter) -> Result<bool> {
        self.look_now().await?;
        match self.with(|state| state.breaker.clone()) {
            Some(breaker) => self.is_back(&breaker, crm).await,
            None => Ok(true),
        }
    }

    async fn is_back(&self, breaker: &Breaker, crm: &dyn CrmAdapter) -> Result<bool> {
        match breaker.due_at > self.world.now() {
            true => Ok(false),
            false => self.probe(crm).await,
        }
    }

    /// Notes how a call ended. The day's limit closes the connection at once, and whoever ran into it used no try.
    async fn observe<T>(&self, crm: &dyn CrmAdapter, result: Result<T>) -> Result<T> {
        let error = result.as_ref().err();
        if let Some(breaker) = self.note(crm, error) {
            self.open(breaker).await;
        }
        result.map_err(|error| match error.limit_kind() {
            Some(LimitKind::Daily) => error.hold(Hold::DailyLimit),
            _ => error,
        })
    }

    /// Counts, and says whether the circuit is to open.
    fn note(&self, crm: &dyn CrmAdapter, error: Option<&Error>) -> Option<Breaker> {
        let now = self.world.now();
        self.with(|state| {
            let (answered, unavailable) = made(state, crm.tally(), error);
            if let Some(budget) = crm.budget() {
                state.budget = Some(budget);
                state.forecast.note(now, budget);
            }
            let fails = state
                .outcomes
                .note(now, answered, unavailable, &self.settings.breaker);
            let is_daily = error.is_some_and(|error| error.limit_kind() == Some(LimitKind::Daily));
            let open = state.breaker.as_ref().map(|breaker| breaker.hold);
            let hold = match (is_daily, open) {
                (true, Some(Hold::DailyLimit)) => return None,
                (true, _) => Hold::DailyLimit,
                (false, None) if fails => Hold::Circuit,
                (false, _) => return None,
            };
            let breaker = self.breaker(hold, 1, error?, now);
            state.breaker = Some(breaker.clone());
            Some(breaker)
        })
    }

    /// An open circuit after this failure.
    fn breaker(&self, hold: Hold, openings: u32, error: &Error, now: Timestamp) -> Breaker {
        let wait = match hold {
            Hold::DailyLimit => error.retry_after_ms.unwrap_or(SHARE_RETRY_MS),
            _ => self.settings.breaker.wait_ms(openings),
        };
        let wait = wait + self.world.random_below(wait / 10 + 1);
        Breaker {
            circuit: Circuit::Open,
            hold,
            openings,
            opened_at: now,
            due_at: now + SignedDuration::from_millis(i64::try_from(wait).unwrap_or(i64::MAX)),
            report: error.report(None),
        }
    }

    fn held(&self, breaker: &Breaker) -> Error {
        let (code, why) = match breaker.hold {
            Hold::DailyLimit => (Code::CrmLimit, "its calls of the day are used up"),
            _ => (Code::CrmUnavailable, "it did not answer lately"),
        };
        let wait = breaker.due_at.as_millisecond() - self.world.now().as_millisecond();
        let message = format!(
            "{} is not called before {:.0}, because {why}: {}",
            self.connection, breaker.due_at, breaker.report.message
        );
        Error::new(code, message)
            .connection(self.connection.as_str())
            .retry_after_ms(u64::try_from(wait).unwrap_or(0))
            .hold(breaker.hold)
            .next("nothing to do: then it is tried again by itself; `cpq connections` shows how it stands")
    }

    fn spent(&self, why: String) -> Error {
        Error::new(Code::CrmLimit, why)
            .connection(self.connection.as_str())
            .retry_after_ms(SHARE_RETRY_MS)
            .hold(Hold::Share)
            .next("go on tomorrow, or raise the share in [call_shares]; `cpq connections` shows who uses the calls")
    }

    /// A run was taken up for the first time.
    pub(crate) fn fresh(&self) {
        self.with(|state| state.retries.fresh(&self.settings.retries));
    }

    /// A run is to be tried again. Returns in how many milliseconds the budget has room for it.
    pub(crate) fn repeat(&self) -> u64 {
        let now = self.world.now();
        let (wait, left) = self.with(|state| {
            let wait = state.retries.take(&self.settings.retries, now);
            (wait, state.retries.left())
        });
        syncs::RETRY_BUDGET.set([self.connection.as_str()], left as f64);
        wait
    }
}

/// Calls that were answered and not, since the last look. An adapter that does not count made one call.
fn made(state: &mut State, tally: Option<Tally>, error: Option<&Error>) -> (u64, u64) {
    let Some(tally) = tally else {
        let is_away =
            error.is_some_and(|error| matches!(error.class(), Class::Unavailable | Class::UnknownOutcome));
        return (u64::from(!is_away), u64::from(is_away));
    };
    let seen = state.seen.replace(tally.clone()).unwrap_or_default();
    for (purpose, calls) in tally.counted {
        let before = seen.counted.get(&purpose).copied().unwrap_or(0);
        *state.unsaved.entry(purpose).or_default() += calls.saturating_sub(before);
    }
    (
        tally.answered.saturating_sub(seen.answered),
        tally.unavailable.saturating_sub(seen.unavailable),
    )
}
