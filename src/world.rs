//! The real world: the machine's clocks and its random numbers, and of several machines the one clock that they share.
//! The only file that may ask for them.

use std::time::Instant;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use cpq_domain::trace::TraceContext;
use cpq_domain::world::World;
use cpq_store::Store;
use jiff::Timestamp;

/// The machine's clocks and random numbers.
pub struct RealWorld {
    start: Instant,
    random: SystemRandom,
}

impl RealWorld {
    /// Starts the monotonic clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the others are sent to"
    )]
    pub fn new() -> Self {
        RealWorld {
            start: Instant::now(),
            random: SystemRandom::new(),
        }
    }
}

impl World for RealWorld {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the others are sent to"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.random
            .fill(bytes)
            .expect("the operating system always has random bytes once it has started");
    }
}

/// The real world of a node that shares its store with others: the time is that of the store's server, or a node whose
/// clock is ahead would take every lease of the others for over.
pub struct SharedWorld {
    own: RealWorld,
    store: Store,
}

impl SharedWorld {
    /// The world of whoever uses this store; that of this machine where nobody shares it.
    pub fn of(store: &Store) -> Self {
        SharedWorld {
            own: RealWorld::new(),
            store: store.clone(),
        }
    }
}

impl World for SharedWorld {
    fn now(&self) -> Timestamp {
        self.store.time().unwrap_or_else(|| self.own.now())
    }

    fn monotonic_us(&self) -> u64 {
        self.own.monotonic_us()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.own.fill_random(bytes);
    }

    fn trace_context(&self) -> Option<TraceContext> {
        crate::telemetry::trace_context()
    }
}
