//! The queue: what waits, until when, what is under way, and what was given up.
//!
//! Every rule has its lane, and every endpoint a small number of deliveries under way, so that a dead endpoint holds up
//! nobody else. What failed is tried later, and what comes after it is not kept waiting: order is not promised.

mod moves;
mod patience;
#[cfg(test)]
mod tests;

pub use patience::Patience;

use super::item::{Answer, Failed, Item, Lane};
use crate::clock::shifted;
use crate::faults::Twists;
use crate::org::Id;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Items that wait at most; Salesforce has no such bound, a small machine has.
const MAX_ITEMS: usize = 100_000;
/// Bytes of callout bodies that wait at most.
const MAX_WEIGHT: usize = 64 * 1024 * 1024;
/// How long an item that a fault rule holds back waits for a later one to pass it.
const HELD_MILLIS: i64 = 30_000;

/// The queue; also its form in the snapshot.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outbox {
    last: u64,
    items: BTreeMap<u64, Item>,
    failed: VecDeque<Failed>,
    actions: Actions,
    #[serde(skip)]
    lanes: BTreeMap<Lane, Waiting>,
    /// Outbound messages by age.
    #[serde(skip)]
    ages: BTreeSet<(Timestamp, u64)>,
    /// Deliveries under way by endpoint.
    #[serde(skip)]
    flying: HashMap<String, usize>,
    #[serde(skip)]
    weight: usize,
    /// Which life of the queue this is: what left in an earlier one must not land in this one.
    #[serde(skip)]
    epoch: u64,
}

/// Numbers of outbound messages by name, given out when first needed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Actions {
    last: u64,
    names: BTreeMap<String, u64>,
}

/// A lane: what is due when, and what is held back.
#[derive(Debug, Default)]
struct Waiting {
    due: BTreeSet<(Timestamp, u64)>,
    held: BTreeSet<u64>,
}

/// Items on their way to an endpoint.
#[derive(Debug)]
pub struct Departure {
    /// Their rule.
    pub lane: Lane,
    /// Where to.
    pub url: String,
    /// The items: one, or up to a hundred notifications.
    pub items: Vec<Item>,
    epoch: u64,
}

impl Outbox {
    /// Queues an item that is due now, unless a fault rule says later.
    pub fn add(&mut self, mut item: Item) {
        self.last += 1;
        item.number = self.last;
        let delay = i64::try_from(item.twists.delay_millis).unwrap_or(i64::MAX);
        let held = if item.twists.held { HELD_MILLIS } else { 0 };
        item.due_at = shifted(item.queued_at, delay.saturating_add(held));
        if self.items.len() >= MAX_ITEMS || self.weight + item.weight() > MAX_WEIGHT {
            let at = item.queued_at;
            return self.give_up(item, at, "the queue is full");
        }
        self.keep(item);
    }

    /// Gives up what has become too old, and sends off what is due and has a free place at its endpoint. `address` is
    /// the URL of a rule that still exists.
    pub fn depart(
        &mut self,
        now: Timestamp,
        life_seconds: u32,
        per_endpoint: usize,
        address: impl Fn(&Lane) -> Option<String>,
    ) -> Vec<Departure> {
        self.expire(now, life_seconds);
        let mut departures = Vec::new();
        let lanes: Vec<Lane> = self.lanes.keys().cloned().collect();
        for lane in lanes {
            let Some(url) = address(&lane) else {
                self.abandon(&lane, now);
                continue;
            };
            while self.flying.get(&url).copied().unwrap_or(0) < per_endpoint.max(1) {
                let items = self.take_due(&lane, now);
                if items.is_empty() {
                    break;
                }
                *self.flying.entry(url.clone()).or_default() += 1;
                departures.push(Departure {
                    lane: lane.clone(),
                    url: url.clone(),
                    items,
                    epoch: self.epoch,
                });
            }
        }
        departures
    }

    /// Takes back what was under way. A good answer ends an item, unless a fault rule has other plans; a bad one
    /// makes it wait, or ends it when its tries are used up.
    pub fn land(&mut self, departure: &Departure, answer: &Answer, patience: Patience) {
        if let Some(count) = self.flying.get_mut(&departure.url) {
            *count -= 1;
            if *count == 0 {
                self.flying.remove(&departure.url);
            }
        }
        if departure.epoch != self.epoch {
            return;
        }
        for item in &departure.items {
            self.settle(item.number, answer, patience);
        }
        if let (None, Some(last)) = (
            &answer.error,
            departure.items.iter().map(|item| item.number).max(),
        ) {
            self.release(&departure.lane, last, answer.at);
        }
        self.forget_empty(&departure.lane);
    }

    /// When the next item is due that is not due yet, or too old.
    pub fn next_event(&self, now: Timestamp, life_seconds: u32) -> Option<Timestamp> {
        let later = |waiting: &Waiting| waiting.due.range((now, u64::MAX)..).next().map(|(due, _)| *due);
        let due = self.lanes.values().filter_map(later).min();
        let life = i64::from(life_seconds) * 1_000;
        let youngest_old = shifted(now, -life);
        let next_old = self.ages.range((youngest_old, u64::MAX)..).next();
        due.into_iter()
            .chain(next_old.map(|(queued, _)| shifted(*queued, life)))
            .min()
    }

    /// Makes chosen items due now; those that were given up begin a new life. Returns how many there were.
    pub fn retry(&mut self, now: Timestamp, chosen: impl Fn(&Item) -> bool) -> usize {
        let waiting = self.items.values().filter(|item| !item.flying && chosen(item));
        let numbers: Vec<u64> = waiting.map(|item| item.number).collect();
        for number in &numbers {
            self.reschedule(*number, now);
        }
        let (again, kept) = self
            .failed
            .drain(..)
            .partition::<VecDeque<_>, _>(|one| chosen(&one.item));
        self.failed = kept;
        let revived = again.len();
        for Failed { mut item, .. } in again {
            item.queued_at = now;
            item.due_at = now;
            item.attempts = 0;
            item.twists = Twists::default();
            self.keep(item);
        }
        numbers.len() + revived
    }

    /// Forgets everything that waits and everything that was given up; ids go on.
    pub fn clear(&mut self) {
        let (last, actions) = (self.last, std::mem::take(&mut self.actions));
        self.begin_anew();
        (self.last, self.actions) = (last, actions);
    }

    /// As for a fresh org.
    pub fn begin_anew(&mut self) {
        *self = Outbox {
            flying: std::mem::take(&mut self.flying),
            epoch: self.epoch + 1,
            ..Outbox::default()
        };
    }

    /// The queue of a snapshot, with its items back in their lanes.
    pub fn restored(mut kept: Outbox) -> Outbox {
        let items = std::mem::take(&mut kept.items);
        items.into_values().for_each(|item| kept.keep(item));
        kept
    }

    /// The id of an outbound message, `04k…`.
    pub fn action(&mut self, rule: &str) -> Id {
        self.actions.of(rule)
    }

    /// Forgets the ids of outbound messages that do not exist any more.
    pub fn keep_actions(&mut self, exists: impl Fn(&str) -> bool) {
        self.actions.names.retain(|name, _| exists(name));
    }

    /// What waits, oldest first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// What was given up, oldest first.
    pub fn failed(&self) -> impl Iterator<Item = &Failed> {
        self.failed.iter()
    }
}

impl Actions {
    fn of(&mut self, rule: &str) -> Id {
        if let Some(number) = self.names.get(rule) {
            return Id::new(*b"04k", *number);
        }
        self.last += 1;
        self.names.insert(rule.to_owned(), self.last);
        Id::new(*b"04k", self.last)
    }
}
