//! Room for live traffic: how many syncs of a replay may be under way.
//!
//! A replay hands over its syncs one by one, so that none of them ever waits in the queue before a live one; what it
//! takes of the CRM and of the store is bounded by how many are under way, and that by whether anybody else is here.

use std::sync::atomic::{AtomicU64, Ordering};

use cpq_domain::run::{Run, Trigger};

/// How long after a live sync another one is expected, in microseconds.
const LIVE_FOR_US: u64 = 2_000_000;

/// When this process last worked on a live sync.
#[derive(Debug, Default)]
pub(crate) struct Headroom {
    /// Microseconds of the monotonic clock; 0 for never.
    live_us: AtomicU64,
}

impl Headroom {
    /// A run is taken up, or has ended.
    pub(crate) fn note(&self, run: &Run, now_us: u64) {
        if run.trigger != Trigger::Replay {
            self.live_us.store(now_us.max(1), Ordering::Relaxed);
        }
    }

    /// How many syncs of a replay may be under way now: `alone` or, beside live traffic, `beside`.
    pub(crate) fn at_once(&self, now_us: u64, alone: usize, beside: usize) -> usize {
        let seen = self.live_us.load(Ordering::Relaxed);
        let is_live = seen > 0 && now_us.saturating_sub(seen) < LIVE_FOR_US;
        if is_live { beside.min(alone) } else { alone }.max(1)
    }
}
