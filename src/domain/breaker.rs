//! The circuit breaker of a connection: when calls to a CRM that does not answer are no longer made, and when one of
//! them is let through to see whether it is back.
//!
//! Pure: the moments come in, the decision goes out. A closed circuit has no [`Breaker`]; an open one is stored, so that
//! no restart and no other process forgets it.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Hold, Report};

/// Outcomes that are remembered; more than any window holds at the rate of one connection.
const REMEMBERED: usize = 1_000;

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerPolicy {
    /// Milliseconds for which an outcome counts.
    pub window_ms: u64,
    /// Failures one after the other, within the window, that open it.
    pub failures_in_a_row: u32,
    /// Calls within the window below which a share says nothing.
    pub calls_min: u32,
    /// Share of failures among them, in percent, that opens it.
    pub failing_percent: u32,
    /// Milliseconds until the first look whether the CRM is back; twice as long each time it is not.
    pub open_ms: u64,
    /// Longest such wait, in milliseconds.
    pub open_max_ms: u64,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        BreakerPolicy {
            window_ms: 30_000,
            failures_in_a_row: 10,
            calls_min: 20,
            failing_percent: 50,
            open_ms: 5_000,
            open_max_ms: 5 * 60_000,
        }
    }
}

impl BreakerPolicy {
    /// Milliseconds until the next look after the circuit opened for the `openings`-th time in a row, counted from 1.
    pub fn wait_ms(&self, openings: u32) -> u64 {
        let doubled = self
            .open_ms
            .saturating_mul(1 << openings.saturating_sub(1).min(20));
        doubled.min(self.open_max_ms)
    }
}

/// The last outcomes of a connection's calls.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    recent: VecDeque<(Timestamp, bool)>,
}

impl Outcomes {
    /// Notes calls that were answered, whatever the answer, and calls that were not. Returns whether the circuit is to
    /// open.
    pub fn note(&mut self, now: Timestamp, answered: u64, unavailable: u64, policy: &BreakerPolicy) -> bool {
        let many = |calls: u64| usize::try_from(calls).unwrap_or(REMEMBERED).min(REMEMBERED);
        // Of what ended at the same moment the answer counts as the later one: in doubt the circuit stays closed.
        self.recent
            .extend(std::iter::repeat_n((now, false), many(unavailable)));
        self.recent
            .extend(std::iter::repeat_n((now, true), many(answered)));
        let window = SignedDuration::from_millis(i64::try_from(policy.window_ms).unwrap_or(i64::MAX));
        let is_old = |(at, _): &(Timestamp, bool)| now.duration_since(*at) > window;
        while self.recent.front().is_some_and(is_old) || self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        unavailable > 0 && self.is_failing(policy)
    }

    /// Forgets everything: what was before the circuit closed says nothing about what comes after.
    pub fn clear(&mut self) {
        self.recent.clear();
    }

    fn is_failing(&self, policy: &BreakerPolicy) -> bool {
        let in_a_row = self.recent.iter().rev().take_while(|(_, ok)| !ok).count();
        let failed = self.recent.iter().filter(|(_, ok)| !ok).count();
        let (row, least) = (policy.failures_in_a_row as usize, policy.calls_min as usize);
        let share = failed * 100 >= self.recent.len() * policy.failing_percent as usize;
        in_a_row >= row || (self.recent.len() >= least && share)
    }
}

/// Where a circuit that is not closed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// No call is made until it is due.
    Open,
    /// One call is under way to see whether the CRM is back; all others wait.
    HalfOpen,
}

/// A circuit that is not closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// Whether a probe is under way.
    pub circuit: Circuit,
    /// Why: [`Hold::Circuit`] or [`Hold::DailyLimit`].
    pub hold: Hold,
    /// How often it opened in a row.
    pub openings: u32,
    /// When it opened first.
    pub opened_at: Timestamp,
    /// When the next probe may be made. For a half-open one: when its probe counts as lost.
    pub due_at: Timestamp,
    /// What failed last.
    pub report: Report,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_772_442_000_000 + millis).expect("a moment")
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_answer_begins_anew() {
        let policy = BreakerPolicy::default();
        let mut outcomes = Outcomes::default();
        for n in 0..9 {
            assert!(!outcomes.note(at(n), 0, 1, &policy), "{n}");
        }
        assert!(!outcomes.note(at(9), 1, 0, &policy));
        assert!(!outcomes.note(at(10), 0, 1, &policy));
        for n in 0..8 {
            outcomes.note(at(11 + n), 0, 1, &policy);
        }
        assert!(outcomes.note(at(20), 0, 1, &policy));
    }

    #[test]
    fn a_share_of_failures_opens_it_and_old_ones_do_not_count() {
        let policy = BreakerPolicy::default();
        let mut outcomes = Outcomes::default();
        let mut opened = Vec::new();
        for n in 0..20 {
            opened.push(outcomes.note(at(n * 100), (n % 2) as u64, ((n + 1) % 2) as u64, &policy));
        }
        // Half of twenty calls failed; the twentieth was answered, so the next failure opens it.
        assert!(!opened.contains(&true), "{opened:?}");
        assert!(outcomes.note(at(2_000), 0, 1, &policy));
        assert!(
            !outcomes.note(at(60_000), 0, 1, &policy),
            "a minute later one failure is one failure"
        );
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = BreakerPolicy::default();
        let waits: Vec<u64> = [1, 2, 3, 7, 40].map(|n| policy.wait_ms(n)).into();
        assert_eq!(waits, [5_000, 10_000, 20_000, 300_000, 300_000]);
    }
}
