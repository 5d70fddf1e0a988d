//! The calls that a CRM lets us make in a day: who may make how many, and when they will be used up.
//!
//! Pure. Source of the counts: Salesforce's `Sforce-Limit-Info` header (REST API Developer Guide, "Limit Info Header"):
//! calls used by everybody in the org during the last 24 hours, and calls allowed.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::adapter::CallBudget;
use crate::run::Trigger;

/// What a call is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// What somebody waits for, or what just changed.
    #[default]
    Live,
    /// A replay of dead letters.
    Replay,
    /// A reconcile, or its repairs.
    Reconcile,
    /// Taking in what was there before us.
    Backfill,
}

impl Purpose {
    /// All, the most urgent first.
    pub const ALL: [Purpose; 4] = [
        Purpose::Live,
        Purpose::Replay,
        Purpose::Reconcile,
        Purpose::Backfill,
    ];

    /// What the run of this trigger is for.
    pub fn of(trigger: Trigger) -> Purpose {
        match trigger {
            Trigger::Request
            | Trigger::Webhook
            | Trigger::Quote
            | Trigger::Event
            | Trigger::Poll
            | Trigger::Decision
            | Trigger::Undo
            | Trigger::Superseded => Purpose::Live,
            Trigger::Replay => Purpose::Replay,
            Trigger::Reconcile => Purpose::Reconcile,
            // The schedule looks at what nobody looked at for long: it can wait until tomorrow.
            Trigger::Schedule => Purpose::Backfill,
        }
    }

    /// As on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Live => "live",
            Purpose::Replay => "replay",
            Purpose::Reconcile => "reconcile",
            Purpose::Backfill => "backfill",
        }
    }

    /// The purpose of that name.
    pub fn parse(name: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// Calls by what they were made for.
pub type Spent = BTreeMap<Purpose, u64>;

/// Shares of the calls of a day, in percent. What is left of a hundred is live work's own; live work may also use what
/// others leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    /// For replays.
    pub replay_percent: u64,
    /// For reconciles and their repairs.
    pub reconcile_percent: u64,
    /// For what can wait until tomorrow.
    pub backfill_percent: u64,
}

impl Default for Shares {
    fn default() -> Self {
        Shares {
            replay_percent: 20,
            reconcile_percent: 20,
            backfill_percent: 10,
        }
    }
}

impl Shares {
    /// The share of a purpose.
    pub fn percent(&self, purpose: Purpose) -> u64 {
        match purpose {
            Purpose::Live => 100_u64.saturating_sub(
                self.replay_percent
                    .saturating_add(self.reconcile_percent)
                    .saturating_add(self.backfill_percent),
            ),
            Purpose::Replay => self.replay_percent,
            Purpose::Reconcile => self.reconcile_percent,
            Purpose::Backfill => self.backfill_percent,
        }
    }

    /// Calls of a day that a purpose has for its own.
    pub fn calls(&self, purpose: Purpose, max: u64) -> u64 {
        max.saturating_mul(self.percent(purpose)) / 100
    }

    /// Why a call of that purpose must wait, in words; `None` if it may be made. Live work is never told to wait here:
    /// the CRM itself refuses when nothing is left.
    pub fn refuse(&self, purpose: Purpose, budget: CallBudget, spent: &Spent) -> Option<String> {
        if purpose == Purpose::Live || budget.max == 0 {
            return None;
        }
        let (name, max) = (purpose.as_str(), budget.max);
        let used = |purpose| spent.get(&purpose).copied().unwrap_or(0);
        let (own, own_used) = (self.calls(purpose, max), used(purpose));
        if own_used >= own {
            return Some(format!(
                "{name} has made {own_used} calls in the last 24 hours, and {own} of the CRM's {max} are its share"
            ));
        }
        // Others in the org use calls too, so a share may be gone before it was touched. What live work has not had of
        // its own is kept for it.
        let left = max.saturating_sub(budget.used);
        let kept = self.calls(Purpose::Live, max).saturating_sub(used(Purpose::Live));
        (left <= kept).then(|| {
            format!("{left} of the CRM's {max} calls of the day are left, and {kept} of them are kept for live work")
        })
    }
}

/// Moments of the forecast; one in ten seconds, for an hour.
const SAMPLES: usize = 360;
/// Least time between two of them.
const EVERY: SignedDuration = SignedDuration::from_secs(10);
/// Below that a rate says nothing.
const LEAST: SignedDuration = SignedDuration::from_secs(60);
/// The CRM's window. What would take longer does not happen: by then the first calls count no more.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// How fast the calls of a day are used, by everybody.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    seen: VecDeque<(Timestamp, CallBudget)>,
}

impl Forecast {
    /// Notes a count. One that went down means that the window moved: what was before says nothing any more.
    pub fn note(&mut self, now: Timestamp, budget: CallBudget) {
        if self
            .seen
            .back()
            .is_some_and(|(_, last)| budget.used < last.used || budget.max != last.max)
        {
            self.seen.clear();
        }
        let is_early = |(at, _): &(Timestamp, CallBudget)| now.duration_since(*at) < EVERY;
        // The newest count replaces the last one as long as they are close together, except the first of all.
        if self.seen.len() > 1 && self.seen.iter().nth_back(1).is_some_and(is_early) {
            self.seen.pop_back();
        }
        if self.seen.len() >= SAMPLES {
            self.seen.pop_front();
        }
        self.seen.push_back((now, budget));
    }

    /// When all calls will be used up if it goes on like this; `None` if they will not be within the CRM's window, or if
    /// too little was seen to say so.
    pub fn exhausted_at(&self) -> Option<Timestamp> {
        let ((from, first), (to, last)) = (self.seen.front()?, self.seen.back()?);
        let (passed, used) = (to.duration_since(*from), last.used.saturating_sub(first.used));
        if passed < LEAST || used == 0 {
            return None;
        }
        let left = u128::from(last.max.saturating_sub(last.used));
        let passed_ms = u128::try_from(passed.as_millis()).ok()?;
        let in_ms = left.saturating_mul(passed_ms) / u128::from(used);
        let in_ms = SignedDuration::from_millis(i64::try_from(in_ms).ok()?);
        (in_ms < WINDOW).then(|| *to + in_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + seconds).expect("a moment")
    }

    fn budget(used: u64) -> CallBudget {
        CallBudget { used, max: 1_000 }
    }

    #[test]
    fn a_share_ends_where_it_ends_and_live_goes_on() {
        let shares = Shares::default();
        let spent = Spent::from([(Purpose::Reconcile, 200), (Purpose::Live, 500)]);
        let refused = shares.refuse(Purpose::Reconcile, budget(700), &spent);
        assert!(refused.is_some_and(|why| why.contains("200 of the CRM's 1000")));
        assert_eq!(shares.refuse(Purpose::Replay, budget(700), &spent), None);
        for used in [700, 1_000, 2_000] {
            assert_eq!(
                shares.refuse(Purpose::Live, budget(used), &spent),
                None,
                "live may borrow"
            );
        }
    }

    #[test]
    fn what_live_has_not_had_yet_is_kept_for_it() {
        let shares = Shares::default();
        let refuse = |used, live| {
            shares.refuse(
                Purpose::Backfill,
                budget(used),
                &Spent::from([(Purpose::Live, live)]),
            )
        };
        assert_eq!(refuse(499, 0), None);
        assert!(refuse(500, 0).is_some_and(|why| why.contains("500 of them are kept for live work")));
        assert_eq!(refuse(900, 450), None, "live had most of its own");
        assert!(refuse(950, 450).is_some());
        assert_eq!(
            shares.refuse(Purpose::Backfill, CallBudget::default(), &Spent::new()),
            None,
            "nobody told"
        );
    }

    #[test]
    fn the_end_is_foretold_by_what_was_used_lately() {
        let mut forecast = Forecast::default();
        forecast.note(at(0), budget(100));
        forecast.note(at(5), budget(110));
        assert_eq!(forecast.exhausted_at(), None, "too little was seen");
        for n in 1..=60 {
            forecast.note(at(10 * n), budget(100 + 5 * n as u64));
        }
        // 300 calls in 600 s; 600 are left.
        assert_eq!(forecast.exhausted_at(), Some(at(600 + 1_200)));
        forecast.note(at(610), budget(3));
        assert_eq!(forecast.exhausted_at(), None, "the window moved");
        forecast.note(at(100_000), budget(4));
        assert_eq!(forecast.exhausted_at(), None, "not within a day");
    }

    proptest::proptest! {
        #[test]
        fn shares_never_eat_into_each_other(max in 1_u64..1_000_000, used in 0_u64..1_000_000, own in 0_u64..1_000_000) {
            let shares = Shares::default();
            for purpose in [Purpose::Replay, Purpose::Reconcile, Purpose::Backfill] {
                let spent = Spent::from([(purpose, own)]);
                if shares.refuse(purpose, CallBudget { used, max }, &spent).is_none() {
                    proptest::prop_assert!(own < shares.calls(purpose, max));
                    proptest::prop_assert!(max.saturating_sub(used) > shares.calls(Purpose::Live, max));
                }
            }
        }
    }
}
