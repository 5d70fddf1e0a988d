//! The queue: what waits, until when, what is under way, and what was given up.
//!
//! Every rule has its lane, and every endpoint a small number of deliveries under way, so that a dead endpoint holds up
//! nobody else. What failed is tried later, and what comes after it is not kept waiting: order is not promised.

use super::envelope;
use super::item::{Answer, Failed, Item, Kind, Lane};
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
/// Items kept that were given up.
const MAX_FAILED: usize = 1_000;
/// How long an item that a fault rule holds back waits for a later one to pass it.
const HELD_MILLIS: i64 = 30_000;

/// The queue; also its form in the snapshot.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outbox {
    last: u64,
    items: BTreeMap<u64, Item>,
    failed: VecDeque<Failed>,
    /// Numbers of outbound messages, given out when first needed.
    actions: BTreeMap<String, u64>,
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

/// When a failed item is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Milliseconds to the second try; then doubled each time.
    pub first_millis: u64,
    /// Longest wait.
    pub longest_millis: u64,
    /// Tries in all; without a number, until the item is too old.
    pub attempts: Option<u32>,
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
        let next = self.actions.len() as u64 + 1;
        Id::new(*b"04k", *self.actions.entry(rule.to_owned()).or_insert(next))
    }

    /// What waits, oldest first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// What was given up, oldest first.
    pub fn failed(&self) -> impl Iterator<Item = &Failed> {
        self.failed.iter()
    }

    fn keep(&mut self, item: Item) {
        let waiting = self.lanes.entry(item.lane.clone()).or_default();
        waiting.due.insert((item.due_at, item.number));
        if item.twists.held {
            waiting.held.insert(item.number);
        }
        if item.lane.kind == Kind::OutboundMessage {
            self.ages.insert((item.queued_at, item.number));
        }
        self.weight += item.weight();
        self.items.insert(item.number, item);
    }

    fn take_due(&mut self, lane: &Lane, now: Timestamp) -> Vec<Item> {
        let most = match lane.kind {
            Kind::OutboundMessage => envelope::LARGEST,
            Kind::Callout => 1,
        };
        let mut taken = Vec::new();
        let Some(waiting) = self.lanes.get_mut(lane) else {
            return taken;
        };
        while taken.len() < most
            && let Some((due, number)) = waiting.due.first().copied()
            && due <= now
        {
            waiting.due.pop_first();
            waiting.held.remove(&number);
            if let Some(item) = self.items.get_mut(&number) {
                item.flying = true;
                taken.push(item.clone());
            }
        }
        taken
    }

    fn settle(&mut self, number: u64, answer: &Answer, patience: Patience) {
        let Some(item) = self.items.get_mut(&number) else {
            return;
        };
        item.flying = false;
        item.attempts += 1;
        item.last = Some(answer.clone());
        let mut error = answer.error.clone();
        if error.is_none() && item.twists.deaf > 0 {
            item.twists.deaf -= 1;
            error = Some("a fault rule kept the answer from being heard".to_owned());
            item.last = Some(Answer {
                error: error.clone(),
                ..answer.clone()
            });
        }
        match error {
            None if item.twists.twice => {
                item.twists.twice = false;
                self.reschedule(number, answer.at);
            }
            None => drop(self.remove(number)),
            Some(reason) if patience.attempts.is_some_and(|most| item.attempts >= most) => {
                if let Some(item) = self.remove(number) {
                    self.give_up(item, answer.at, &reason);
                }
            }
            Some(_) => {
                let due = shifted(answer.at, patience.after(item.attempts));
                self.reschedule(number, due);
            }
        }
    }

    fn reschedule(&mut self, number: u64, due: Timestamp) {
        let Some(item) = self.items.get_mut(&number) else {
            return;
        };
        let waiting = self.lanes.entry(item.lane.clone()).or_default();
        waiting.due.remove(&(item.due_at, number));
        waiting.held.remove(&number);
        waiting.due.insert((due, number));
        item.due_at = due;
        item.twists.held = false;
    }

    /// Lets go what was held back until a later item had passed it.
    fn release(&mut self, lane: &Lane, passed: u64, now: Timestamp) {
        let Some(waiting) = self.lanes.get(lane) else {
            return;
        };
        let free: Vec<u64> = waiting.held.range(..passed).copied().collect();
        free.into_iter().for_each(|number| self.reschedule(number, now));
    }

    /// Outbound messages have a life; callouts have a number of tries.
    fn expire(&mut self, now: Timestamp, life_seconds: u32) {
        let youngest_old = shifted(now, -i64::from(life_seconds) * 1_000);
        let old = self
            .ages
            .range(..=(youngest_old, u64::MAX))
            .map(|(_, number)| *number);
        let numbers: Vec<u64> = old
            .filter(|number| self.items.get(number).is_some_and(|item| !item.flying))
            .collect();
        for number in numbers {
            if let Some(item) = self.remove(number) {
                self.forget_empty(&item.lane);
                self.give_up(item, now, "it was not acknowledged in time");
            }
        }
    }

    /// Gives up what no rule stands for any more.
    fn abandon(&mut self, lane: &Lane, now: Timestamp) {
        let waiting = self.lanes.remove(lane).unwrap_or_default();
        for (_, number) in waiting.due {
            if let Some(item) = self.remove(number) {
                self.give_up(item, now, "its rule does not exist any more");
            }
        }
    }

    fn remove(&mut self, number: u64) -> Option<Item> {
        let item = self.items.remove(&number)?;
        self.weight = self.weight.saturating_sub(item.weight());
        self.ages.remove(&(item.queued_at, number));
        if let Some(waiting) = self.lanes.get_mut(&item.lane) {
            waiting.due.remove(&(item.due_at, number));
            waiting.held.remove(&number);
        }
        Some(item)
    }

    fn forget_empty(&mut self, lane: &Lane) {
        if self.lanes.get(lane).is_some_and(|waiting| waiting.due.is_empty()) {
            self.lanes.remove(lane);
        }
    }

    fn give_up(&mut self, item: Item, at: Timestamp, reason: &str) {
        self.failed.push_back(Failed {
            item,
            at,
            reason: reason.to_owned(),
        });
        let mut weight: usize = self.failed.iter().map(|one| one.item.weight()).sum();
        while (self.failed.len() > MAX_FAILED || weight > MAX_WEIGHT)
            && let Some(oldest) = self.failed.pop_front()
        {
            weight -= oldest.item.weight();
        }
    }
}

impl Patience {
    /// Milliseconds to wait after so many tries.
    fn after(self, attempts: u32) -> i64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        let millis = self.first_millis.saturating_mul(doubled).min(self.longest_millis);
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}
