//! The last stretch before the bus, where events get lost, come twice or wait for others when a fault rule says so.

use super::bus::Bus;
use super::replay::ReplayId;
use crate::faults::EventVerdict;
use crate::state::lock;
use axum::body::Bytes;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};

/// Events that are held back at most; past this the oldest goes on.
const HELD: usize = 10_000;

/// An event ready to be stored.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its own id.
    pub id: Arc<str>,
    /// Name under which it is stored.
    pub kind: Arc<str>,
    /// Schema it is written in.
    pub schema_id: Arc<str>,
    /// One Avro datum.
    pub payload: Bytes,
    /// What goes wrong with it.
    pub verdict: EventVerdict,
}

/// Events that wait.
#[derive(Debug, Default)]
pub struct Stage {
    held: Mutex<Vec<Held>>,
}

#[derive(Debug)]
struct Held {
    ready: Ready,
    /// How many others are stored before it; none when somebody has to let it go.
    others: Option<u64>,
}

impl Stage {
    /// Stores an event, unless a rule wants it otherwise; answers its position, or one that no event has.
    pub fn send(&self, bus: &Bus, now: Timestamp, ready: Ready) -> ReplayId {
        let verdict = ready.verdict.clone();
        if verdict.stream_reset {
            bus.restart();
        }
        if verdict.drop {
            return bus.skip();
        }
        if let Some(others) = verdict.delay {
            self.hold(bus, now, Held { ready, others });
            return bus.skip();
        }
        let at = store(bus, now, &ready);
        if verdict.duplicate {
            store(bus, now, &ready);
        }
        for ready in self.due() {
            store(bus, now, &ready);
        }
        if verdict.replay_expired {
            bus.forget_until(at);
        }
        at
    }

    /// Lets everything go that waits; answers how many that were.
    pub fn release(&self, bus: &Bus, now: Timestamp) -> usize {
        let held = std::mem::take(&mut *lock(&self.held));
        for one in &held {
            store(bus, now, &one.ready);
        }
        held.len()
    }

    /// Forgets everything that waits.
    pub fn clear(&self) {
        lock(&self.held).clear();
    }

    /// How many wait.
    pub fn held(&self) -> usize {
        lock(&self.held).len()
    }

    fn hold(&self, bus: &Bus, now: Timestamp, one: Held) {
        let mut held = lock(&self.held);
        held.push(one);
        if held.len() > HELD {
            let first = held.remove(0);
            drop(held);
            store(bus, now, &first.ready);
        }
    }

    /// Counts one stored event and takes out those that have waited long enough.
    fn due(&self) -> Vec<Ready> {
        let mut held = lock(&self.held);
        for others in held.iter_mut().filter_map(|one| one.others.as_mut()) {
            *others = others.saturating_sub(1);
        }
        let due = |one: &mut Held| one.others == Some(0);
        held.extract_if(.., due).map(|one| one.ready).collect()
    }
}

fn store(bus: &Bus, now: Timestamp, ready: &Ready) -> ReplayId {
    bus.append(
        now,
        ready.id.clone(),
        ready.kind.clone(),
        ready.schema_id.clone(),
        ready.payload.clone(),
    )
}
