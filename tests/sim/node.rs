//! One process: its clock, its chance, and its death.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use cpq_domain::world::World;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::dice::Dice;

/// 2026-03-02T09:00:00Z.
const START_S: i64 = 1_772_442_000;

/// The time of everybody. The clock of our machines may jump; that of the two systems does not.
pub struct Clock {
    started: Instant,
    ahead_ms: AtomicI64,
}

impl Clock {
    /// Starts it now.
    pub fn start() -> Arc<Clock> {
        Arc::new(Clock {
            started: Instant::now(),
            ahead_ms: AtomicI64::new(0),
        })
    }

    /// Virtual milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).expect("a short simulation")
    }

    /// The time of both systems.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).expect("a short simulation");
        Timestamp::from_second(START_S).expect("a moment") + SignedDuration::from_micros(elapsed)
    }

    /// Lets the clock of our machines jump.
    pub fn jump(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, SeqCst);
    }

    fn of_our_machines(&self) -> Timestamp {
        self.now() + SignedDuration::from_millis(self.ahead_ms.load(SeqCst))
    }
}

/// A process. It passes a point whenever it asks for the time or for chance and on both sides of every call; it dies at
/// one of them, and then nothing of it goes on: whoever asks again unwinds.
pub struct Node {
    /// Its name, another one after each start.
    pub name: String,
    clock: Arc<Clock>,
    dice: Mutex<Dice>,
    dead: AtomicBool,
    /// Points until it dies; 0 for a process that lives on.
    doom: AtomicU64,
}

impl Node {
    /// A process that begins to live.
    pub fn born(name: String, clock: Arc<Clock>, dice: Dice) -> Arc<Node> {
        Arc::new(Node {
            name,
            clock,
            dice: Mutex::new(dice),
            dead: AtomicBool::new(false),
            doom: AtomicU64::new(0),
        })
    }

    /// A place between two statements at which it may die.
    pub fn point(&self) {
        let doom = self.doom.load(SeqCst);
        if doom == 1 {
            self.dead.store(true, SeqCst);
        }
        self.doom.store(doom.saturating_sub(1), SeqCst);
        if self.is_dead() {
            resume_unwind(Box::new("this process is dead"));
        }
    }

    /// Lets it die after so many points.
    pub fn dies_after(&self, points: u64) {
        self.doom.store(points.max(1), SeqCst);
    }

    /// Ends it now.
    pub fn end(&self) {
        self.dead.store(true, SeqCst);
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.dead.load(SeqCst)
    }
}

impl World for Node {
    fn now(&self) -> Timestamp {
        self.point();
        self.clock.of_our_machines()
    }

    fn monotonic_us(&self) -> u64 {
        self.point();
        self.clock.elapsed_ms() * 1_000
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.point();
        let mut dice = self.dice.lock().expect("not poisoned");
        for chunk in bytes.chunks_mut(8) {
            let drawn = dice.next().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}
