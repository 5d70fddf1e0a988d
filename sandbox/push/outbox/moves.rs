//! How items move between waiting, under way and given up, with every index kept in step.

use super::{MAX_WEIGHT, Outbox, Patience};
use crate::clock::shifted;
use crate::push::envelope;
use crate::push::item::{Answer, Failed, Item, Kind, Lane};
use jiff::Timestamp;

/// Items kept that were given up.
const MAX_FAILED: usize = 1_000;

impl Outbox {
    pub(super) fn keep(&mut self, item: Item) {
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

    pub(super) fn take_due(&mut self, lane: &Lane, now: Timestamp) -> Vec<Item> {
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

    pub(super) fn settle(&mut self, number: u64, answer: &Answer, patience: Patience) {
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

    pub(super) fn reschedule(&mut self, number: u64, due: Timestamp) {
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
    pub(super) fn release(&mut self, lane: &Lane, passed: u64, now: Timestamp) {
        let Some(waiting) = self.lanes.get(lane) else {
            return;
        };
        let free: Vec<u64> = waiting.held.range(..passed).copied().collect();
        free.into_iter().for_each(|number| self.reschedule(number, now));
    }

    /// Outbound messages have a life; callouts have a number of tries.
    pub(super) fn expire(&mut self, now: Timestamp, life_seconds: u32) {
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
    pub(super) fn abandon(&mut self, lane: &Lane, now: Timestamp) {
        let waiting = self.lanes.remove(lane).unwrap_or_default();
        for (_, number) in waiting.due {
            if let Some(item) = self.remove(number) {
                self.give_up(item, now, "its rule does not exist any more");
            }
        }
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Item> {
        let item = self.items.remove(&number)?;
        self.weight = self.weight.saturating_sub(item.weight());
        self.ages.remove(&(item.queued_at, number));
        if let Some(waiting) = self.lanes.get_mut(&item.lane) {
            waiting.due.remove(&(item.due_at, number));
            waiting.held.remove(&number);
        }
        Some(item)
    }

    pub(super) fn forget_empty(&mut self, lane: &Lane) {
        if self.lanes.get(lane).is_some_and(|waiting| waiting.due.is_empty()) {
            self.lanes.remove(lane);
        }
    }

    pub(super) fn give_up(&mut self, item: Item, at: Timestamp, reason: &str) {
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
