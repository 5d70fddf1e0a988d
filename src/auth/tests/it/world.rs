//! A clock that tests move, and real random bytes.

use std::sync::atomic::{AtomicI64, Ordering};

use cpq_domain::world::World;
use jiff::Timestamp;

#[derive(Default)]
pub struct TestWorld(AtomicI64);

/// 2026-11-22T00:00:00Z
const START_MS: i64 = 1_795_305_600_000;

impl TestWorld {
    pub fn pass_ms(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Milliseconds to the machine's time.
    #[expect(
        clippy::disallowed_methods,
        reason = "a foreign server judges assertions by the real time"
    )]
    pub fn behind_ms(&self) -> i64 {
        Timestamp::now().as_millisecond() - self.now().as_millisecond()
    }
}

impl World for TestWorld {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(START_MS + self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::SeqCst)).unwrap() * 1000
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}
