//! A clock that tests move, seeded random bytes, and processes that die where they are told to.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpq_domain::world::World;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// 2026-03-02T09:00:00Z.
const START_S: i64 = 1_772_442_000;

/// Time and chance for all processes of a test. Goes with tokio's paused clock, and may be moved ahead of it.
pub struct Clock {
    started: Instant,
    ahead_ms: AtomicI64,
    dice: Mutex<u64>,
}

impl Clock {
    pub fn seeded(seed: u64) -> Arc<Clock> {
        Arc::new(Clock {
            started: Instant::now(),
            ahead_ms: AtomicI64::new(0),
            dice: Mutex::new(seed),
        })
    }

    pub fn now(&self) -> Timestamp {
        let start = Timestamp::from_second(START_S).expect("a moment");
        let ahead = SignedDuration::from_millis(self.ahead_ms.load(SeqCst));
        start + SignedDuration::try_from(self.started.elapsed()).expect("a short test") + ahead
    }

    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a short test");
        self.ahead_ms.fetch_add(by, SeqCst);
    }

    /// Somebody sets the clock back.
    pub fn set_back(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a short test");
        self.ahead_ms.fetch_sub(by, SeqCst);
    }

    pub fn advance_to(&self, moment: Timestamp) {
        let left = moment.as_millisecond() - self.now().as_millisecond();
        self.ahead_ms.fetch_add(left.max(0), SeqCst);
    }

    /// SplitMix64, whose every seed is a good one.
    fn roll(&self) -> u64 {
        let mut state = self.dice.lock().expect("not poisoned");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// What a point is about: a call, and whether its effect is still to come (`before`) or over (`after`).
pub type Place = (&'static str, &'static str);

/// The place of a point at which a process asks for the time or for chance.
const WORLD: Place = ("world", "asked");

/// What would survive the process if it died now: transactions of the store, effects in the CRM, effects in the CPQ.
pub type Image = (u64, usize, usize);

/// One process. It passes a point whenever it asks the world for something and on both sides of every foreign effect;
/// at the chosen one it dies: whoever asks again unwinds, so that nothing of the process goes on or is written.
pub struct Life {
    clock: Arc<Clock>,
    ends_at: Option<usize>,
    dead: AtomicBool,
    observe: Box<dyn Fn() -> Image + Send + Sync>,
    passed: Mutex<Vec<(Image, Place)>>,
}

impl Life {
    pub fn new(
        clock: Arc<Clock>,
        ends_at: Option<usize>,
        observe: impl Fn() -> Image + Send + Sync + 'static,
    ) -> Arc<Life> {
        Arc::new(Life {
            clock,
            ends_at,
            dead: AtomicBool::new(false),
            observe: Box::new(observe),
            passed: Mutex::default(),
        })
    }

    /// A place between two statements at which a process may die: what it was about.
    pub fn point(&self, place: Place) {
        if !self.is_over() {
            let mut passed = self.passed.lock().expect("not poisoned");
            passed.push(((self.observe)(), place));
            self.dead.store(self.ends_at == Some(passed.len() - 1), SeqCst);
        }
        if self.is_over() {
            resume_unwind(Box::new("this process is dead"));
        }
    }

    pub fn end(&self) {
        self.dead.store(true, SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.dead.load(SeqCst)
    }

    /// What would have survived at each point so far.
    pub fn passed(&self) -> Vec<Image> {
        let passed = self.passed.lock().expect("not poisoned");
        passed.iter().map(|(image, _)| *image).collect()
    }

    /// What each point so far was about.
    pub fn places(&self) -> Vec<Place> {
        let passed = self.passed.lock().expect("not poisoned");
        passed.iter().map(|(_, place)| *place).collect()
    }
}

impl World for Life {
    fn now(&self) -> Timestamp {
        self.point(WORLD);
        self.clock.now()
    }

    fn monotonic_us(&self) -> u64 {
        self.point(WORLD);
        u64::try_from(self.clock.now().as_microsecond()).expect("after 1970")
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.point(WORLD);
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.clock.roll().to_le_bytes()[..chunk.len()]);
        }
    }
}
