//! What the CRM tells of changes: a tape of events, of which some may be gone, and a list of what changed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::node::Clock;

/// An event: the opportunities that one transaction changed.
#[derive(Clone, Debug)]
pub struct Event {
    /// The opportunities.
    pub about: Vec<u64>,
    /// Whether the CRM says that we did it.
    pub ours: bool,
    /// When it was committed.
    pub at: Timestamp,
    /// From when on the feed shows it, in virtual milliseconds.
    pub shown_at: u64,
}

/// The tape.
#[derive(Default)]
pub struct Tape {
    /// All events; the first has number 1.
    pub events: Vec<Event>,
    /// Events up to this number are gone.
    pub gone: usize,
    /// Numbers of events that the feed left out.
    pub left_out: BTreeSet<usize>,
    /// Events up to this number were before anybody listened.
    pub unheard: usize,
    /// How long the feed holds back the next event, in milliseconds.
    pub delay_ms: u64,
}

impl Tape {
    /// Adds an event.
    pub fn tell(&mut self, about: &[u64], ours: bool, clock: &Clock) {
        let before = self.events.last().map_or(0, |event| event.shown_at);
        let shown_at = before.max(clock.elapsed_ms() + std::mem::take(&mut self.delay_ms));
        self.events.push(Event {
            about: about.to_vec(),
            ours,
            at: clock.now(),
            shown_at,
        });
    }

    /// The number of the last event.
    pub fn head(&self) -> usize {
        self.events.len()
    }

    /// The number of the last event that is shown by now.
    pub fn shown(&self, now_ms: u64) -> usize {
        self.events.partition_point(|event| event.shown_at <= now_ms)
    }
}
