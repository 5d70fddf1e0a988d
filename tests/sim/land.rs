//! Everything outside our processes: both systems, the people's records of what they did, and what lies on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use cpq_domain::adapter::{CpqWrite, CrmWrite, CrmWritten, QuoteTarget};
use cpq_domain::change::Position;
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, QuoteId, RunId};
use cpq_domain::ownership::Matrix;
use cpq_domain::quote::{Quote, Transition};
use cpq_domain::resolve::Base;
use cpq_domain::value::Value;
use cpq_domain::view::View;
use cpq_domain::{Code, Result};
use cpq_store::journal::Entry;
use cpq_store::{Store, bases, positions, runs};

use crate::cells::{cell, changes, holds, own_fields, put};
use crate::cpq::Cpq;
use crate::crm::Crm;
use crate::dice::Dice;
use crate::knobs::Knobs;
use crate::node::Clock;
use crate::tape::Tape;
use crate::trace::Trace;
use crate::witness::{Said, Side, Witness, Written};

/// The rules of the simulation: every policy on a field of its own, and the lines as the product comes with.
const RULES: &str = include_str!("rules.toml");

/// Everything outside our processes.
pub struct Land {
    /// The time.
    pub clock: Arc<Clock>,
    /// The store that all processes share.
    pub store: Store,
    /// The day.
    pub knobs: Knobs,
    state: Mutex<State>,
    rows: Mutex<Vec<Arc<Entry>>>,
}

/// What changes.
pub struct State {
    /// Chance of the wire.
    pub dice: Dice,
    /// The CRM.
    pub crm: Crm,
    /// The CPQ.
    pub cpq: Cpq,
    /// What the CRM tells of changes.
    pub tape: Tape,
    /// What must never happen.
    pub witness: Witness,
    /// What happened.
    pub trace: Trace,
    /// Whether calls fail.
    pub faulty: bool,
    /// Whether people still work.
    pub open: bool,
    /// Whether the CRM refuses our grant.
    pub revoked: bool,
    /// Writes that the network still holds.
    pub late: u64,
    /// Calls under way: node, correlation, call, by opportunity.
    pub under_way: BTreeMap<u64, Vec<(String, String, &'static str)>>,
    /// Opportunities of which a record was deleted.
    pub deleted: BTreeSet<u64>,
    /// The rules in force.
    pub matrix: Arc<Matrix>,
    /// Moments before which a run was told not to call again, in virtual milliseconds.
    pub floors: BTreeMap<String, u64>,
    /// What an adapter with a planted bug read first.
    #[cfg(feature = "planted-bugs")]
    pub first_seen: BTreeMap<String, cpq_domain::adapter::CrmSnapshot>,
    /// What both sides last agreed on, as the store knew it when the last edit began.
    pub agreed: BTreeMap<u64, Base>,
    /// Processes that have died.
    pub deaths: u64,
    /// Runs that are to take something back.
    pub regrets: BTreeMap<RunId, CorrelationId>,
    /// What the caller was answered, once it has gone home.
    pub keys: Option<crate::people::Keys>,
}

/// The rules, in one of two versions that differ in the policy of one field.
pub fn rules(other: bool) -> Arc<Matrix> {
    let text = match other {
        true => RULES.replace("policy = \"newest\"", "policy = \"always\""),
        false => RULES.to_owned(),
    };
    let version = if other { "second" } else { "first" };
    Arc::new(Matrix::parse(&text, version).expect("the rules parse"))
}

impl Land {
    /// A land in which nothing has happened yet.
    pub fn new(store: Store, knobs: Knobs, dice: Dice) -> Arc<Land> {
        let clock = Clock::start();
        let mut state = State {
            dice,
            crm: Crm::default(),
            cpq: Cpq::default(),
            tape: Tape::default(),
            witness: Witness::default(),
            trace: Trace::default(),
            faulty: true,
            open: true,
            revoked: false,
            late: 0,
            under_way: BTreeMap::new(),
            deleted: Default::default(),
            matrix: rules(false),
            floors: BTreeMap::new(),
            #[cfg(feature = "planted-bugs")]
            first_seen: BTreeMap::new(),
            agreed: BTreeMap::new(),
            deaths: 0,
            regrets: BTreeMap::new(),
            keys: None,
        };
        state.cpq.remembers_keys = knobs.remembers_keys;
        for at in 0..knobs.opportunities {
            let lines = state.dice.between(1, 4);
            state.crm.add(at, lines, clock.now());
        }
        Arc::new(Land {
            clock,
            store,
            knobs,
            state: Mutex::new(state),
            rows: Mutex::default(),
        })
    }

    /// Looks at it or changes it.
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("nobody panics while holding it"))
    }

    /// The rows of the journal that were looked at so far.
    pub fn rows<T>(&self, work: impl FnOnce(&mut Vec<Arc<Entry>>) -> T) -> T {
        work(&mut self.rows.lock().expect("nobody panics while holding it"))
    }

    /// Adds a row to the trace.
    pub fn tell(&self, what: impl std::fmt::Display) {
        let row = format!("{:>6} {what}", self.clock.elapsed_ms());
        self.with(|state| state.trace.row(row));
    }

    /// Something that must never happen.
    pub fn object(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(format_args!("!! {what}"));
        self.with(|state| state.witness.object(what));
    }

    /// Whether people still work.
    pub fn is_open(&self) -> bool {
        self.with(|state| state.open)
    }

    /// Where the reader of the feed stands.
    pub async fn standing(&self) -> Option<Position> {
        let read = self
            .store
            .read(|tx| Box::pin(async move { positions::get(tx, &connection(), crate::feed::NAME).await }));
        read.await.ok().flatten()?.position
    }

    /// Looks up what both sides agreed on, for the edit that comes next.
    pub async fn remember_agreed(&self) {
        for at in 0..self.knobs.opportunities {
            let lane = lane(at);
            let read = self.store.read(move |tx| {
                Box::pin(async move { bases::get(tx, &lane.connection, &lane.opportunity).await })
            });
            if let Ok(Some(agreement)) = read.await {
                self.with(|state| state.agreed.insert(at, agreement.base));
            }
        }
    }

    /// How often the run of that correlation id has started over.
    pub async fn restarts(&self, correlation: &str) -> u32 {
        let Ok(correlation) = cpq_domain::id::CorrelationId::new(correlation) else {
            return 0;
        };
        let read = self
            .store
            .read(move |tx| Box::pin(async move { runs::by_correlation(tx, &correlation).await }));
        read.await
            .ok()
            .and_then(|runs| Some(runs.first()?.restarts))
            .unwrap_or(0)
    }
}

/// The one connection.
pub fn connection() -> ConnectionName {
    ConnectionName::new("crm").expect("a name")
}

/// The lane of an opportunity.
pub fn lane(at: u64) -> Lane {
    Lane {
        connection: connection(),
        opportunity: crate::crm::number(at),
    }
}

/// The number in the name of an opportunity.
pub fn place_of(key: &str) -> u64 {
    let digits = key.trim_start_matches("OPP-").trim_start_matches("006");
    digits.parse().unwrap_or(u64::MAX)
}

impl State {
    /// Our write to the CRM.
    pub fn crm_write(
        &mut self,
        by: &str,
        write: &CrmWrite,
        clock: &Clock,
        late: bool,
        automation: u64,
    ) -> Result<CrmWritten> {
        let key = write.opportunity.number.clone().expect("a number");
        let before = self
            .crm
            .read(&key, false)
            .map(|held| held.view)
            .unwrap_or_default();
        let mut written = self.crm.write(write, clock.now())?;
        let after = self.crm.read(&key, false)?.view;
        let at = place_of(key.as_str());
        let status = self.cpq.find(&key, false).map(|quote| quote.status);
        self.watch(Side::Crm, at, by, (&before, &after), status, false, late);
        // Automation changes another field in the same transaction, and its event says that we did it.
        if self.open && self.dice.percent(automation) {
            let stage = format!("Stage {}", self.dice.below(1_000));
            self.trace.saw("automation");
            self.person_in_crm(at, "", "opportunity.stage", Value::Choice(stage), clock);
            let held = self.crm.read(&key, false)?;
            written.modified_at = held.modified_at;
        }
        self.tape.tell(&[at], true, clock);
        Ok(written)
    }

    /// Our write to the CPQ.
    pub fn cpq_write(
        &mut self,
        by: &str,
        key: &str,
        write: &CpqWrite,
        clock: &Clock,
        late: bool,
    ) -> Result<Quote> {
        let (before, effects) = (self.target(&write.target), self.cpq.effects.get(key).copied());
        let quote = self.cpq.write(key, write, clock.now())?;
        if self.cpq.effects.get(key).copied() != effects {
            self.wrote_quote(by, key, before, &quote, late);
        }
        Ok(quote)
    }

    /// Our transition of a quote.
    pub fn cpq_move(
        &mut self,
        by: &str,
        key: &str,
        target: &QuoteTarget,
        to: Transition,
        clock: &Clock,
    ) -> Result<Quote> {
        let before = self.target(target);
        let quote = self.cpq.transition(key, target, to, clock.now())?;
        self.wrote_quote(by, key, before, &quote, false);
        Ok(quote)
    }

    fn target(&self, target: &QuoteTarget) -> Option<Quote> {
        match target {
            QuoteTarget::New(_) => None,
            QuoteTarget::Existing { id, .. } => self.cpq.get(id).ok(),
        }
    }

    fn wrote_quote(&mut self, by: &str, key: &str, before: Option<Quote>, quote: &Quote, late: bool) {
        let at = place_of(quote.opportunity.number.as_ref().expect("a number").as_str());
        let now = quote.view();
        let (old, creates) = (
            before.as_ref().map(Quote::view).unwrap_or_default(),
            before.is_none(),
        );
        let status = before.as_ref().map(|quote| quote.status);
        let held = own_fields(old, creates);
        self.watch(
            Side::Cpq,
            at,
            by,
            (&held, &own_fields(now, creates)),
            status,
            creates,
            late,
        );
        if self.cpq.effects.get(key).is_some_and(|effects| *effects > 1) {
            self.witness.object(format!("the key {key} had two effects"));
        }
        self.one_quote_each();
    }

    /// At most one quote per opportunity and revision.
    pub fn one_quote_each(&mut self) {
        let mut seen = std::collections::BTreeSet::new();
        let twice = self
            .cpq
            .quotes
            .iter()
            .find(|quote| !seen.insert((quote.opportunity.id.clone(), quote.revision)));
        if let Some(quote) = twice {
            let told = format!(
                "{} has two quotes of revision {}",
                quote.opportunity.id, quote.revision
            );
            self.witness.object(told);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "it only puts them together")]
    fn watch(
        &mut self,
        side: Side,
        opportunity: u64,
        by: &str,
        (before, after): (&View, &View),
        status: Option<cpq_domain::quote::Status>,
        creates: bool,
        late: bool,
    ) {
        for line in before
            .lines
            .keys()
            .filter(|line| !after.lines.contains_key(*line))
        {
            let known = self.witness.removed.contains(&(opportunity, line.to_string()));
            if side == Side::Cpq && !known {
                self.witness.object(format!(
                    "{by} removed {line} from the quote; no rep had removed it"
                ));
            }
        }
        let changes = changes(opportunity, before, after);
        let told: Vec<String> = changes
            .iter()
            .map(|((_, line, field), old, new)| format!("{line}{field} {old} → {new}"))
            .collect();
        self.trace.row(format!(
            "         {by} in the {side:?} of OPP-{opportunity}: {}",
            told.join(", ")
        ));
        let written = Written {
            side,
            opportunity,
            by,
            changes,
            status,
            creates,
            late,
        };
        self.witness.product(&written);
    }

    /// A person edits a field of the CRM.
    pub fn person_in_crm(&mut self, at: u64, line: &str, field: &str, value: Value, clock: &Clock) {
        let old = self.value(Side::Crm, at, line, field);
        let same = old == value;
        let key = crate::crm::number(at);
        let other = self.value(Side::Cpq, at, line, field);
        let (on, name) = (line.to_owned(), field.to_owned());
        let set = value.clone();
        self.crm
            .change(&key, clock.now(), move |view| put(view, &on, &name, set));
        self.trace
            .row(format!("         OPP-{at} {line}{field} = {value}"));
        // Before there is a quote there is no agreement that an edit could be one against.
        let other = if self.is_agreed(at, line, field) && !same {
            other
        } else {
            value.clone()
        };
        let cell = (at, line.to_owned(), field.to_owned());
        let new = value;
        self.witness.person(Side::Crm, cell, Said { old, new, other });
    }

    /// Whether both sides have agreed on a cell before: else no edit could be one against an agreement.
    pub fn is_agreed(&self, at: u64, line: &str, field: &str) -> bool {
        let base = self.agreed.get(&at);
        base.is_some_and(|base| {
            [&base.crm, &base.cpq]
                .into_iter()
                .all(|view| holds(view, line, field))
        })
    }

    /// What a side holds of a cell.
    pub fn value(&self, side: Side, at: u64, line: &str, field: &str) -> Value {
        let key = crate::crm::number(at);
        let view = match side {
            Side::Crm => self
                .crm
                .read(&key, false)
                .map(|held| held.view)
                .unwrap_or_default(),
            Side::Cpq => self
                .cpq
                .find(&key, false)
                .map(|quote| quote.view())
                .unwrap_or_default(),
        };
        cell(&view, line, field)
    }

    /// The quote of an opportunity.
    pub fn quote(&self, at: u64) -> Option<Quote> {
        self.cpq.find(&crate::crm::number(at), false)
    }

    /// Whether a call of that code is one that may pass with time.
    pub fn refusals(side: Side) -> &'static [Code] {
        match side {
            Side::Crm => &[Code::CrmUnavailable, Code::CrmLocked, Code::CrmLimit],
            Side::Cpq => &[Code::CpqUnavailable],
        }
    }
}

/// The name of what a write is about.
pub fn target_name(target: &QuoteTarget) -> String {
    match target {
        QuoteTarget::New(of) => format!("new {}", of.id),
        QuoteTarget::Existing { etag, .. } => etag.clone(),
    }
}

/// A quote's id, for a look at it.
pub fn quote_place(state: &State, id: &QuoteId) -> u64 {
    let quote = state.cpq.get(id).ok();
    let number = quote.and_then(|quote| quote.opportunity.number);
    number.map_or(u64::MAX, |number| place_of(number.as_str()))
}
