//! The retry budget of a connection: repeats may be a share of fresh work and no more, so that an outage does not
//! multiply the load on whoever comes back.
//!
//! A token bucket. Fresh work puts a fraction of a token in, and so does time, because runs must end even when nothing
//! new comes. A repeat takes one. An empty bucket refuses nobody: it says when the token will be there, and that moment
//! is taken, so of a thousand repeats each gets its own.

use jiff::Timestamp;

/// Parts of a token; so that all is whole numbers.
const TOKEN: i64 = 1_000_000;

/// How much repeats may add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// Repeats for each hundred fresh runs.
    pub percent: u32,
    /// Repeats that may come at once.
    pub burst: u32,
    /// Repeats in a minute without fresh work.
    pub per_minute: u32,
}

/// The bucket.
#[derive(Clone, Copy, Debug)]
pub struct RetryBudget {
    tokens: i64,
    filled_at: Timestamp,
}

impl RetryBudget {
    /// A full bucket.
    pub fn full(policy: &BudgetPolicy, now: Timestamp) -> RetryBudget {
        RetryBudget {
            tokens: i64::from(policy.burst) * TOKEN,
            filled_at: now,
        }
    }

    /// Whole repeats that are left; below zero, how many have taken a token that is not there yet.
    pub fn left(&self) -> i64 {
        self.tokens.div_euclid(TOKEN)
    }

    /// A run was taken up for the first time.
    pub fn fresh(&mut self, policy: &BudgetPolicy) {
        self.add(policy, i64::from(policy.percent) * TOKEN / 100);
    }

    /// Takes a token. Returns in how many milliseconds it is there.
    pub fn take(&mut self, policy: &BudgetPolicy, now: Timestamp) -> u64 {
        let passed_ms = now
            .duration_since(self.filled_at)
            .as_millis()
            .clamp(0, 86_400_000);
        let passed_ms = i64::try_from(passed_ms).unwrap_or(0);
        self.filled_at = now;
        let each_ms = (i64::from(policy.per_minute) * TOKEN / 60_000).max(1);
        self.add(policy, passed_ms.saturating_mul(each_ms));
        self.tokens -= TOKEN;
        u64::try_from(-self.tokens / each_ms).unwrap_or(0)
    }

    fn add(&mut self, policy: &BudgetPolicy, parts: i64) {
        let most = i64::from(policy.burst) * TOKEN;
        self.tokens = self.tokens.saturating_add(parts).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BudgetPolicy = BudgetPolicy {
        percent: 20,
        burst: 10,
        per_minute: 60,
    };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_772_442_000_000 + millis).expect("a moment")
    }

    #[test]
    fn after_the_burst_each_repeat_gets_a_moment_of_its_own() {
        let mut budget = RetryBudget::full(&POLICY, at(0));
        let waits: Vec<u64> = (0..13).map(|_| budget.take(&POLICY, at(0))).collect();
        assert_eq!(waits[..10], [0; 10]);
        assert!(
            waits[10..].windows(2).all(|two| two[1] - two[0] >= 1_000),
            "{waits:?}"
        );
        assert_eq!(budget.left(), -3);
        // What was taken ahead is paid back by time.
        assert_eq!(budget.take(&POLICY, at(4_500)), 0);
    }

    #[test]
    fn fresh_work_pays_for_a_share_of_repeats() {
        let mut budget = RetryBudget::full(&POLICY, at(0));
        (0..10).for_each(|_| assert_eq!(budget.take(&POLICY, at(0)), 0));
        (0..50).for_each(|_| budget.fresh(&POLICY));
        let at_once = (0..20).filter(|_| budget.take(&POLICY, at(0)) == 0).count();
        assert_eq!(at_once, 10, "a fifth of fifty");
    }
}
