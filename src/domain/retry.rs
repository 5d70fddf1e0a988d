//! When to try again: exponential backoff with full jitter, inside limits.

use serde::{Deserialize, Serialize};

use crate::error::{Class, Error};
use crate::retry_budget::BudgetPolicy;
use crate::world::World;

/// Tries that a run has whatever its age: it may have waited for days without being tried at all.
const TRIES_AT_ANY_AGE: u32 = 3;

/// The retry schedule of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// First ceiling of the wait, in milliseconds.
    pub base_ms: u64,
    /// First ceiling after a lock or a call limit, where hurry makes things worse.
    pub throttled_base_ms: u64,
    /// No wait is longer, in milliseconds, unless the peer asks for more.
    pub cap_ms: u64,
    /// Tries before the run becomes a dead letter.
    pub tries_max: u32,
    /// Age at which the run becomes a dead letter, in milliseconds.
    pub age_max_ms: u64,
    /// Longest `Retry-After` that we follow, in milliseconds: a peer must not park us for a day.
    pub retry_after_max_ms: u64,
    /// Retries for each hundred fresh runs of a connection; more are spread over time.
    pub budget_percent: u32,
    /// Retries of a connection that may come at once.
    pub budget_burst: u32,
    /// Retries of a connection in a minute without fresh runs.
    pub budget_per_minute: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            base_ms: 500,
            throttled_base_ms: 2_000,
            cap_ms: 15 * 60_000,
            tries_max: 12,
            age_max_ms: 24 * 3_600_000,
            retry_after_max_ms: 3_600_000,
            budget_percent: 20,
            budget_burst: 100,
            budget_per_minute: 60,
        }
    }
}

impl RetryPolicy {
    /// Milliseconds to wait before try number `tries + 1`, or `None` when it has been tried enough.
    ///
    /// The wait is even in `0..=min(cap, base * 2^tries)` (full jitter), but never below what the peer asked for. Above
    /// such a floor it is spread over a tenth of it, or all that were told the same would come back together.
    pub fn wait_ms(&self, error: &Error, tries: u32, age_ms: u64, world: &dyn World) -> Option<u64> {
        #[cfg(feature = "planted-bugs")]
        let tries = if crate::planted::Bug::TriesForEver.is_on() {
            0
        } else {
            tries
        };
        let is_old = age_ms >= self.age_max_ms && tries >= TRIES_AT_ANY_AGE;
        if tries >= self.tries_max || is_old {
            return None;
        }
        let base = match error.class() {
            Class::Locked | Class::RateLimited => self.throttled_base_ms,
            _ => self.base_ms,
        };
        let ceiling = base.saturating_mul(1 << tries.min(20)).min(self.cap_ms);
        let floor = error.retry_after_ms.unwrap_or(0).min(self.retry_after_max_ms);
        #[cfg(feature = "planted-bugs")]
        let floor = if crate::planted::Bug::IgnoresRetryAfter.is_on() {
            0
        } else {
            floor
        };
        let spread = match floor {
            0 => 0,
            floor => world.random_below(floor / 10 + 1),
        };
        Some(world.random_below(ceiling + 1).max(floor + spread))
    }

    /// The part of it that bounds all retries of a connection together.
    pub fn budget(&self) -> BudgetPolicy {
        BudgetPolicy {
            percent: self.budget_percent,
            burst: self.budget_burst,
            per_minute: self.budget_per_minute,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;

    struct Dice(u64);
    impl World for Dice {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
        fn monotonic_us(&self) -> u64 {
            0
        }
        fn fill_random(&self, bytes: &mut [u8]) {
            bytes
                .iter_mut()
                .zip(self.0.to_le_bytes().iter().cycle())
                .for_each(|(to, from)| *to = *from);
        }
    }

    proptest! {
        #[test]
        fn a_wait_stays_between_the_peers_floor_and_our_cap(tries in 0_u32..12, dice: u64, floor in 0_u64..7_200_000) {
            let policy = RetryPolicy::default();
            let error = Error::new(Code::CrmUnavailable, "down").retry_after_ms(floor);
            let wait = policy.wait_ms(&error, tries, 0, &Dice(dice)).expect("tries are left");
            prop_assert!(wait >= floor.min(policy.retry_after_max_ms));
            prop_assert!(wait <= policy.cap_ms.max(policy.retry_after_max_ms / 10 * 11));
        }
    }

    #[test]
    fn tries_and_age_end_it() {
        let policy = RetryPolicy::default();
        let error = Error::new(Code::CrmUnavailable, "down");
        assert!(policy.wait_ms(&error, 11, 0, &Dice(1)).is_some());
        assert!(policy.wait_ms(&error, 12, 0, &Dice(1)).is_none());
        assert!(policy.wait_ms(&error, 3, policy.age_max_ms, &Dice(1)).is_none());
        // It may have waited behind an open circuit for all that time.
        assert!(policy.wait_ms(&error, 2, policy.age_max_ms, &Dice(1)).is_some());
    }
}
