//! What may become of a call, and what a call may never do.

use std::time::Duration;

use cpq_domain::error::Written;
use cpq_domain::{Code, Error, Result};

use crate::land::{Land, State};
use crate::witness::Side;

/// A call.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its name, e.g. `crm.read`.
    pub name: &'static str,
    /// Whom it goes to.
    pub side: Side,
    /// Correlation id of the run.
    pub by: String,
    /// The process.
    pub node: String,
    /// The opportunity that it is about; `u64::MAX` for many.
    pub opportunity: u64,
    /// Key, body and target of a write to the CPQ.
    pub keyed: Option<(String, String, String)>,
}

/// What becomes of a call: the seven outcomes.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// Delivered and answered.
    Ok,
    /// Refused, with a wait in milliseconds if the system asks for one.
    Refused(Code, Option<u64>),
    /// The answer is lost, and nothing was done.
    LostNot,
    /// The answer is lost, and it was done.
    LostDone,
    /// The answer is lost, and it is done so much later.
    LostLate(Duration),
    /// Delivered twice.
    Twice,
    /// Answered with what was true before.
    Stale,
}

/// A lost answer to a write.
pub fn lost() -> Error {
    let error = Error::new(
        Code::OutcomeUnknown,
        "the connection broke before the answer came",
    );
    error.written(Written::Unknown)
}

/// A refusal.
pub fn refusal(code: Code, wait: Option<u64>) -> Error {
    let error = Error::new(code, "refused");
    match wait {
        Some(wait) => error.retry_after_ms(wait),
        None => error,
    }
}

impl Ask {
    fn writes(&self) -> bool {
        matches!(self.name, "crm.write" | "cpq.write" | "cpq.transition")
    }

    fn looks(&self) -> bool {
        matches!(self.name, "crm.read" | "crm.fate" | "cpq.find" | "cpq.get")
    }
}

impl Land {
    /// A call begins. Says what becomes of it, and how long it is on its way there and back.
    pub async fn begin(&self, ask: &Ask) -> (Fate, Duration, Duration) {
        let restarts = match &ask.keyed {
            Some(_) => self.restarts(&ask.by).await,
            None => 0,
        };
        let (now, knobs) = (self.clock.elapsed_ms(), &self.knobs);
        let calm = knobs.death_ms == 0 && knobs.jumps == 0;
        let (fate, there, back) = self.with(|state| {
            state.must_not(ask, restarts, now, (calm, knobs.jumps == 0));
            let fate = state.draw(ask, knobs);
            if matches!(fate, Fate::Stale) {
                state.witness.sees_old(&ask.by, ask.side);
            }
            let latency = if state.faulty { knobs.latency_ms } else { 5 };
            let (there, back) = (state.dice.below(latency + 1), state.dice.below(latency + 1));
            state.note(ask, &fate, restarts);
            (fate, Duration::from_millis(there), Duration::from_millis(back))
        });
        self.tell(format_args!("{} {} of {}: {fate:?}", ask.node, ask.name, ask.by));
        (fate, there, back)
    }

    /// A call has ended.
    pub fn end<T>(&self, ask: &Ask, answer: &Result<T>) {
        if let Err(Error {
            retry_after_ms: Some(wait),
            ..
        }) = answer
        {
            let floor = self.clock.elapsed_ms() + wait;
            self.with(|state| state.floors.insert(ask.by.clone(), floor));
        }
        let known = match answer {
            Ok(_) => true,
            Err(error) => matches!(error.code, Code::OpportunityNotFound | Code::QuoteNotFound),
        };
        if ask.looks() && known {
            self.with(|state| state.witness.looked(&ask.by, ask.side));
        }
    }
}

impl State {
    /// What a call must never be.
    fn must_not(&mut self, ask: &Ask, restarts: u32, now: u64, (calm, steady): (bool, bool)) {
        if ask.looks() {
            self.witness.looks(&ask.by, ask.side);
        }
        if ask.writes() {
            self.witness.sends(&ask.by, ask.side, ask.name);
        }
        if let Some((key, body, target)) = &ask.keyed {
            let run = format!("{} {}", ask.by, ask.name);
            self.witness.sends_keyed(&run, key, body, target, restarts);
        }
        let floor = self.floors.get(&ask.by).copied().unwrap_or(0);
        if calm && now < floor {
            let told = format!(
                "{} called {} ms before the time that it was given",
                ask.by,
                floor - now
            );
            self.witness.object(told);
        }
        let under_way = self.under_way.entry(ask.opportunity).or_default();
        let same =
            |(node, by, name): &(String, String, &str)| (node, by, *name) == (&ask.node, &ask.by, ask.name);
        // After a jump of the clock a process may lose a run to itself, and notices at its next commit.
        let twice = steady && ask.opportunity != u64::MAX && under_way.iter().any(same);
        let writes = |name: &str| matches!(name, "crm.write" | "cpq.write" | "cpq.transition");
        let other = under_way
            .iter()
            .find(|(_, by, name)| by != &ask.by && writes(name))
            .map(|(_, by, _)| by.clone())
            .filter(|_| steady && ask.writes() && ask.opportunity != u64::MAX);
        under_way.push((ask.node.clone(), ask.by.clone(), ask.name));
        if twice {
            let told = format!(
                "{} makes the call {} twice at once on {}",
                ask.by, ask.name, ask.node
            );
            self.witness.object(told);
        }
        if let Some(other) = other {
            let told = format!("{} and {other} write to OPP-{} at once", ask.by, ask.opportunity);
            self.witness.object(told);
        }
    }

    /// A call is no longer under way.
    pub fn leave(&mut self, ask: &Ask) {
        let under_way = self.under_way.entry(ask.opportunity).or_default();
        let own = |(node, by, name): &(String, String, &'static str)| {
            (node, by, *name) == (&ask.node, &ask.by, ask.name)
        };
        if let Some(at) = under_way.iter().position(own) {
            under_way.remove(at);
        }
    }

    fn draw(&mut self, ask: &Ask, knobs: &crate::knobs::Knobs) -> Fate {
        if self.revoked && ask.side == Side::Crm {
            return Fate::Refused(Code::TokenExpired, None);
        }
        if !self.faulty {
            return Fate::Ok;
        }
        if self.dice.percent(knobs.refused) {
            let code = *self.dice.pick(State::refusals(ask.side));
            let asks = code == Code::CrmLimit || self.dice.percent(20);
            let wait = asks.then(|| self.dice.between(100, 2_500));
            return Fate::Refused(code, wait);
        }
        if ask.writes() {
            if self.dice.percent(knobs.lost) {
                let after = Duration::from_millis(self.dice.between(20, 5_000));
                return *self
                    .dice
                    .pick(&[Fate::LostNot, Fate::LostDone, Fate::LostLate(after)]);
            }
            if self.dice.percent(knobs.twice) {
                return Fate::Twice;
            }
        } else if self.dice.percent(knobs.stale) {
            return Fate::Stale;
        }
        Fate::Ok
    }

    fn note(&mut self, ask: &Ask, fate: &Fate, restarts: u32) {
        self.trace.saw(format!("{} {}", ask.name, fate.name()));
        match fate {
            Fate::LostNot | Fate::LostDone | Fate::LostLate(_) => {
                let keyed = ask.keyed.as_ref();
                let keyed = keyed.map(|(key, _, target)| (key.as_str(), target.as_str(), restarts));
                self.witness.lost_answer(&ask.by, ask.side, ask.name, keyed);
            }
            _ => {}
        }
        if !matches!(fate, Fate::Ok) && ask.opportunity != u64::MAX {
            *self.witness.disturbances.entry(ask.opportunity).or_default() += 1;
        }
    }
}

impl Fate {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Fate::Ok => "ok",
            Fate::Refused(..) => "refused",
            Fate::LostNot => "lost, not done",
            Fate::LostDone => "lost, done",
            Fate::LostLate(_) => "lost, done later",
            Fate::Twice => "twice",
            Fate::Stale => "stale",
        }
    }
}
