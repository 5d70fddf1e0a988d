//! Requests that are being answered, and since when: only long ones count against the concurrency limit.

use crate::state::{Shared, lock};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Requests under way with the time of their arrival.
#[derive(Debug, Default)]
pub struct InFlight {
    under_way: Mutex<Arrivals>,
}

#[derive(Debug, Default)]
struct Arrivals {
    last: u64,
    since: BTreeMap<u64, Timestamp>,
}

/// A request under way; it is over when this is dropped.
pub struct Stay {
    sandbox: Shared,
    number: u64,
}

impl InFlight {
    /// Requests that have been under way for at least this long ("API Request Limits and Allocations", concurrent
    /// limits).
    pub fn longer_than(&self, span: SignedDuration, now: Timestamp) -> usize {
        let arrivals = lock(&self.under_way);
        let long = arrivals
            .since
            .values()
            .filter(|at| now.duration_since(**at) >= span);
        long.count()
    }

    /// Requests under way.
    pub fn count(&self) -> usize {
        lock(&self.under_way).since.len()
    }
}

impl Stay {
    /// Notes that a request has arrived.
    pub fn begin(sandbox: &Shared) -> Stay {
        let mut arrivals = lock(&sandbox.in_flight.under_way);
        arrivals.last += 1;
        let number = arrivals.last;
        arrivals.since.insert(number, sandbox.clock.now());
        Stay {
            sandbox: sandbox.clone(),
            number,
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        lock(&self.sandbox.in_flight.under_way).since.remove(&self.number);
    }
}
