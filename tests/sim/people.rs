//! The people of both sides: reps, sellers, those who ask for syncs, and those who decide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cpq_domain::quote::{Discount, Quote, Transition};
use cpq_domain::run::Trigger;
use cpq_domain::value::Value;
use cpq_orchestrator::Submission;
use tokio::time::sleep;

use crate::crm::{dollars, line_key, new_line, number};
use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::land::{Land, State, lane};
use crate::witness::{Said, Side};

/// Somebody who works until the day is over.
pub struct Person {
    /// Where.
    pub land: Arc<Land>,
    /// With whom.
    pub fleet: Arc<Fleet>,
    /// Chance.
    pub dice: Dice,
    /// Counts values, so that each is another one.
    pub made: u64,
}

impl Person {
    async fn pause(&mut self) -> bool {
        let mean = self.land.knobs.pause_ms;
        sleep(Duration::from_millis(self.dice.between(1, mean * 2))).await;
        self.land.is_open()
    }

    fn somewhere(&mut self) -> u64 {
        self.dice.below(self.land.knobs.opportunities)
    }

    /// A value that nobody has said yet, or sometimes one that was there before.
    fn word(&mut self, who: &str) -> String {
        self.made += 1;
        match self.dice.percent(25) {
            true => format!("{who}{}", self.made.saturating_sub(1 + self.dice.below(3))),
            false => format!("{who}{}", self.made),
        }
    }

    /// A rep works in the CRM.
    pub async fn rep(mut self) {
        while self.pause().await {
            let at = self.somewhere();
            let word = self.word("r");
            let (mut choice, amount) = (self.dice.below(14), self.dice.between(1, 60));
            if self.land.knobs.long_quotes && choice < 10 {
                choice = 10 + choice % 3;
            }
            self.land.remember_agreed().await;
            let (land, dice) = (self.land.clone(), &mut self.dice);
            let told = land.with(|state| rep_edits(state, &land, at, choice, amount, &word, dice));
            land.tell(format_args!("rep: {told} of OPP-{at}"));
        }
    }

    /// A seller works in the CPQ, which tells of it at least once, if the day loses nothing.
    pub async fn seller(mut self) {
        while self.pause().await {
            let at = self.somewhere();
            let word = self.word("s");
            let (mut choice, amount) = (self.dice.below(12), self.dice.between(1, 60));
            if self.land.knobs.long_quotes {
                choice = 8 + choice % 4;
            }
            self.land.remember_agreed().await;
            let (land, dice) = (self.land.clone(), &mut self.dice);
            let told = land.with(|state| seller_edits(state, &land, at, choice, amount, &word, dice));
            land.tell(format_args!("seller: {told} of OPP-{at}"));
            if told == "nothing" || (land.knobs.lossy && self.dice.percent(40)) {
                continue;
            }
            for _ in 0..self.dice.between(1, 2) {
                let (fleet, mut dice) = (self.fleet.clone(), self.dice.fork());
                tokio::spawn(async move {
                    sleep(Duration::from_millis(dice.below(1_500))).await;
                    fleet
                        .submit(Submission::of(lane(at), Trigger::Quote), &mut dice)
                        .await;
                });
            }
        }
    }

    /// Deletes, brings back, and answers what is asked about it.
    pub async fn deleter(mut self) {
        while self.pause().await {
            sleep(Duration::from_millis(self.dice.between(500, 4_000))).await;
            let (at, what) = (self.somewhere(), self.dice.below(4));
            let land = self.land.clone();
            let told = land.with(|state| delete(state, &land, at, what));
            land.tell(format_args!("{told} of OPP-{at}"));
            crate::decide::about_deleted(&self.fleet, &land, at, &mut self.dice).await;
        }
    }
}

fn rep_edits(
    state: &mut State,
    land: &Land,
    at: u64,
    choice: u64,
    amount: u64,
    word: &str,
    dice: &mut Dice,
) -> &'static str {
    if !state.crm.now.contains_key(&number(at)) {
        return "nothing";
    }
    let clock = &land.clock;
    if state.faulty && dice.percent(land.knobs.feed) {
        state.tape.delay_ms = dice.below(1_500);
    }
    let lines: Vec<String> = state.crm.now[&number(at)]
        .view
        .lines
        .keys()
        .map(ToString::to_string)
        .collect();
    let line = lines
        .get(usize::try_from(amount).unwrap_or(0) % lines.len().max(1))
        .cloned()
        .unwrap_or_default();
    let mut set = |line: &str, field: &str, value: Value| state.person_in_crm(at, line, field, value, clock);
    let told = match choice {
        0 | 1 => ("name", set("", "opportunity.name", Value::text(word))),
        2 => ("stage", set("", "opportunity.stage", Value::Choice(word.into()))),
        3 | 4 => (
            "description",
            set("", "opportunity.description", Value::text(word)),
        ),
        5 => ("next step", set("", "opportunity.next_step", Value::text(word))),
        6 => (
            "type",
            set("", "opportunity.type", Value::text(format!("t{}", amount % 6))),
        ),
        7 => ("account", set("", "account.name", Value::text(word))),
        8 => (
            "lead source",
            set("", "opportunity.lead_source", Value::text(word)),
        ),
        9 => (
            "net total, which is not the rep's",
            set("", "quote.net_total", dollars(amount)),
        ),
        10 if !line.is_empty() => (
            "quantity",
            set(&line, "line.quantity", Value::Number(amount.into())),
        ),
        11 if !line.is_empty() => ("price", set(&line, "line.list_unit", dollars(amount))),
        12 => {
            add_or_take(state, at, amount, land);
            ("lines", ())
        }
        13 => {
            rename_all(state, land, word);
            return "all names at once";
        }
        _ => return "nothing",
    };
    state.tape.tell(&[at], false, clock);
    told.0
}

/// One transaction about several opportunities. A deleted one is in the bin, where nobody renames it: the feed would tell
/// of a change that no sweep could ever find.
fn rename_all(state: &mut State, land: &Land, word: &str) {
    let all: Vec<u64> = (0..land.knobs.opportunities)
        .filter(|at| state.crm.now.contains_key(&number(*at)))
        .collect();
    for each in &all {
        let name = Value::text(format!("{word}-{each}"));
        state.person_in_crm(*each, "", "opportunity.name", name, &land.clock);
    }
    state.tape.tell(&all, false, &land.clock);
}

fn add_or_take(state: &mut State, at: u64, amount: u64, land: &Land) {
    let key = line_key(amount % 6);
    let removes = state.crm.now[&number(at)].view.lines.contains_key(&key);
    state
        .crm
        .change(&number(at), land.clock.now(), |view| match removes {
            true => drop(view.lines.remove(&key)),
            false => drop(view.lines.insert(key.clone(), new_line(amount % 6, amount))),
        });
    state.witness.moved(at);
    if removes {
        state.witness.removed.insert((at, key.to_string()));
    }
}

fn seller_edits(
    state: &mut State,
    land: &Land,
    at: u64,
    choice: u64,
    amount: u64,
    word: &str,
    dice: &mut Dice,
) -> &'static str {
    let Some(quote) = state.quote(at) else {
        return "nothing";
    };
    let draft = quote.status == cpq_domain::quote::Status::Draft;
    let now = land.clock.now();
    let line = quote.lines.first();
    let context = |state: &mut State, field: &str, value: Value| {
        // To say what is there already is no edit.
        let old = state.value(Side::Cpq, at, "", field);
        let known = state.is_agreed(at, "", field) && old != value;
        let other = if known {
            state.value(Side::Crm, at, "", field)
        } else {
            value.clone()
        };
        let set = value.clone();
        state.cpq.change(&quote.id, now, |quote| {
            drop(quote.context.insert(field.into(), set))
        });
        state.trace.row(format!("         OPP-{at} {field} = {value}"));
        let (cell, new) = ((at, String::new(), field.into()), value);
        state.witness.person(Side::Cpq, cell, Said { old, new, other });
    };
    match choice {
        0 | 1 => context(state, "opportunity.description", Value::text(word)),
        2 => context(state, "opportunity.next_step", Value::text(word)),
        3 => context(state, "opportunity.name", Value::text(word)),
        4 => context(state, "opportunity.lead_source", Value::text(word)),
        5 if draft => context(state, "account.name", Value::text(word)),
        6 if draft => {
            state.cpq.change(&quote.id, now, |quote| quote.name = word.into());
            state.witness.moved(at);
        }
        7 if draft => {
            let percent = Discount::Percent((amount % 40).into());
            state
                .cpq
                .change(&quote.id, now, |quote| quote.header_discount = Some(percent));
            state.witness.moved(at);
        }
        8 if draft && line.is_some() => seller_counts(state, land, at, &quote, amount),
        9..=11 => return move_on(state, land, at, dice),
        _ => return "nothing",
    }
    "an edit"
}

/// Another quantity of the first line.
fn seller_counts(state: &mut State, land: &Land, at: u64, quote: &Quote, amount: u64) {
    let Some(key) = quote.lines.first().map(|line| line.line_key.clone()) else {
        return;
    };
    let value = Value::Number(amount.into());
    let old = state.value(Side::Cpq, at, key.as_str(), "line.quantity");
    let known = state.is_agreed(at, key.as_str(), "line.quantity") && old != value;
    let held = state.value(Side::Crm, at, key.as_str(), "line.quantity");
    let other = if known { held } else { value.clone() };
    state.cpq.change(&quote.id, land.clock.now(), |quote| {
        let line = quote.lines.iter_mut().find(|line| line.line_key == key);
        line.into_iter().for_each(|line| line.quantity = amount.into());
    });
    let cell = (at, key.to_string(), "line.quantity".into());
    let new = value;
    state.witness.person(Side::Cpq, cell, Said { old, new, other });
}

/// A step of the quote's life that ends it for nobody.
fn move_on(state: &mut State, land: &Land, at: u64, dice: &mut Dice) -> &'static str {
    let Some(quote) = state.quote(at) else {
        return "nothing";
    };
    let mut steps = quote.status.allowed();
    let ends = |step: &Transition| {
        matches!(
            step,
            Transition::Cancel
                | Transition::Convert
                | Transition::Accept
                | Transition::Decline
                | Transition::Expire
        )
    };
    steps.retain(|step| !ends(step));
    if steps.is_empty() {
        return "nothing";
    }
    let step = *dice.pick(&steps);
    state.trace.saw(format!("quote {step}"));
    state.witness.moved(at);
    match step {
        Transition::Revise => state.cpq.revise(&quote.id, land.clock.now()),
        step => state.cpq.change(&quote.id, land.clock.now(), |quote| {
            quote.status = quote.status.after(step).unwrap_or(quote.status);
        }),
    }
    state.one_quote_each();
    "the state"
}

fn delete(state: &mut State, land: &Land, at: u64, what: u64) -> &'static str {
    let key = number(at);
    if let Some(mut held) = state.crm.bin.remove(&key) {
        held.modified_at = land.clock.now();
        state.crm.now.insert(key, held);
        state.tape.tell(&[at], false, &land.clock);
        return "the opportunity came back";
    }
    if what > 1 || state.quote(at).is_none() {
        return "nothing was deleted";
    }
    state.deleted.insert(at);
    state.witness.moved(at);
    match what {
        0 => {
            let mut held = state.crm.now.remove(&key).expect("it is not in the bin");
            held.modified_at = land.clock.now();
            state.crm.bin.insert(key, held);
            state.witness.forget(Side::Crm, at);
            state.tape.tell(&[at], false, &land.clock);
            "the opportunity was deleted"
        }
        _ => {
            state.cpq.delete(&key);
            state.witness.forget(Side::Cpq, at);
            "the quote was deleted"
        }
    }
}

/// What was answered under each key.
#[derive(Default)]
pub struct Keys {
    /// The first run of each.
    pub runs: BTreeMap<String, cpq_domain::id::RunId>,
    /// The stored answer of each.
    pub answers: BTreeMap<String, (u16, String)>,
}
