//! Faults on demand: rules, how often each fired, and what they make of a request.
//!
//! Every rule has its own dice, seeded from the plan's seed and the rule's place, so that adding a rule
//! at the end does not change what the others do.

mod delivery;
mod happening;
mod matching;
mod rows;
mod rule;

pub use delivery::Twists;
pub use happening::{EventVerdict, Happening};
pub use matching::Call;
pub use rule::{ErrorBody, Fault, FaultPlan, LimitScope, MAX_DELAY_MILLIS, MAX_RULES, Rule, When};

use crate::state::lock;
use serde::Serialize;
use std::sync::Mutex;
use std::time::Duration;

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Armed>,
}

#[derive(Debug, Default)]
struct Armed {
    seed: u64,
    rules: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    matched: u64,
    fired: u64,
    dice: Dice,
}

/// A rule with its counters, as `GET /sandbox/faults` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Requests (for row faults: record writes; for delivery faults: notifications and callouts) that fitted, whether
    /// or not it fired.
    pub matched: u64,
    /// How often it fired.
    pub fired: u64,
}

/// What the rules make of one request.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Wait this long first.
    pub delay: Duration,
    /// Answer with a clock this many milliseconds ahead.
    pub skew_millis: i64,
    /// Pub/Sub API: wait this long before each answer of a stream.
    pub pace: Duration,
    /// Stamp records so many seconds before the commit.
    pub late_seconds: u32,
    /// Send the body over this time.
    pub drip: Option<Duration>,
    /// Apply twice.
    pub duplicate: bool,
    /// Apply, then close.
    pub reset_after: bool,
    /// Do not apply; this happens instead.
    pub instead: Option<Fault>,
    /// Labels of the rules that fired.
    pub fired: Vec<String>,
}

impl Faults {
    /// Replaces all rules; counters begin at zero.
    pub fn replace(&self, plan: FaultPlan) {
        let mut armed = lock(&self.armed);
        *armed = Armed {
            seed: plan.seed,
            rules: Vec::new(),
        };
        armed.add(plan.rules);
    }

    /// Adds rules behind the present ones, which keep seed and counters.
    ///
    /// # Errors
    /// A sentence when there would be more than [`MAX_RULES`].
    pub fn append(&self, plan: FaultPlan) -> Result<(), String> {
        let mut armed = lock(&self.armed);
        if armed.rules.len() + plan.rules.len() > MAX_RULES {
            return Err(format!("at most {MAX_RULES} rules are allowed"));
        }
        armed.add(plan.rules);
        Ok(())
    }

    /// Seed, and rules with their counters.
    pub fn show(&self) -> (u64, Vec<Shown>) {
        let armed = lock(&self.armed);
        let shown = |one: &Counted| Shown {
            rule: one.rule.clone(),
            matched: one.matched,
            fired: one.fired,
        };
        (armed.seed, armed.rules.iter().map(shown).collect())
    }

    /// Decides about one request. Rules act in their order; after the first that prevents the request,
    /// only delays, skew and slow bodies are still added.
    pub fn judge(&self, call: &Call) -> Verdict {
        let mut verdict = Verdict::default();
        for one in &mut lock(&self.armed).rules {
            let settled = verdict.instead.is_some() && !one.rule.fault.only_disturbs();
            let relevant = !settled && one.rule.fault.is_for_requests();
            if relevant && matching::fits(&one.rule.when, &one.rule.fault, call) && one.fires() {
                verdict.fired.push(one.rule.label());
                one.apply_to(&mut verdict);
            }
        }
        verdict
    }

    /// Decides about one record write inside `call`: error code, message, status of a single call, rule label.
    pub fn judge_write(
        &self,
        call: &Call,
        object: &str,
        id: Option<&str>,
    ) -> Option<(&'static str, String, u16, String)> {
        let mut armed = lock(&self.armed);
        let rows = armed.rules.iter_mut().filter(|one| one.rule.fault.is_for_rows());
        for one in rows {
            if one.is_about(object) && matching::fits(&one.rule.when, &one.rule.fault, call) && one.fires() {
                return one.row_error(id);
            }
        }
        None
    }

    /// Decides about one bulk job that begins: after how many rows it fails (none = half of them), and the text.
    pub fn judge_job(&self, call: &Call, object: &str) -> Option<(Option<u64>, String)> {
        let mut armed = lock(&self.armed);
        for one in &mut armed.rules {
            let Fault::BulkFailure { after_rows, message } = one.rule.fault.clone() else {
                continue;
            };
            let right_object = one.rule.when.object.as_ref();
            let right_object = right_object.is_none_or(|name| name.eq_ignore_ascii_case(object));
            if right_object && matching::fits(&one.rule.when, &one.rule.fault, call) && one.fires() {
                return Some((after_rows, message));
            }
        }
        None
    }
}

impl Armed {
    fn add(&mut self, rules: Vec<Rule>) {
        for rule in rules {
            let dice = Dice(
                self.seed
                    .wrapping_add((self.rules.len() as u64 + 1).wrapping_mul(GOLDEN)),
            );
            self.rules.push(Counted {
                rule,
                matched: 0,
                fired: 0,
                dice,
            });
        }
    }
}

impl Fault {
    fn only_disturbs(&self) -> bool {
        matches!(
            self,
            Self::Latency { .. }
                | Self::ClockSkew { .. }
                | Self::SlowBody { .. }
                | Self::LateCommit { .. }
                | Self::StreamThrottle { .. }
        )
    }
}

impl Counted {
    /// Counts one fitting request and decides whether the rule fires on it.
    fn fires(&mut self) -> bool {
        self.matched += 1;
        let when = &self.rule.when;
        let chosen = (when.nth.is_empty() || when.nth.contains(&self.matched))
            && when.every.is_none_or(|every| self.matched.is_multiple_of(every))
            && when.after.is_none_or(|after| self.matched > after)
            && self.rule.times.is_none_or(|times| self.fired < times);
        // The dice are thrown for every fitting request, so that `times` does not shift later throws.
        let lucky = when
            .probability
            .is_none_or(|chance| self.dice.fraction() < chance);
        self.fired += u64::from(chosen && lucky);
        chosen && lucky
    }

    fn apply_to(&mut self, verdict: &mut Verdict) {
        match &self.rule.fault {
            Fault::Latency {
                millis,
                jitter_millis,
            } => {
                let jitter = (self.dice.fraction() * *jitter_millis as f64).round() as u64;
                verdict.delay += Duration::from_millis(millis + jitter);
            }
            Fault::StreamThrottle { millis } => verdict.pace += Duration::from_millis(*millis),
            Fault::SlowBody { millis } => verdict.drip = Some(Duration::from_millis(*millis)),
            Fault::ClockSkew { seconds } => verdict.skew_millis += seconds.saturating_mul(1_000),
            Fault::LateCommit { seconds } => verdict.late_seconds = *seconds,
            Fault::Duplicate {} => verdict.duplicate = true,
            Fault::ResetAfter {} => verdict.reset_after = true,
            other => verdict.instead = Some(other.clone()),
        }
    }

    fn row_error(&self, id: Option<&str>) -> Option<(&'static str, String, u16, String)> {
        let (code, own_message) = match &self.rule.fault {
            Fault::RowError { error_code, message } => (error_code.as_str(), message.clone()),
            _ => ("UNABLE_TO_LOCK_ROW", None),
        };
        let (code, status, text) = rows::typical(code)?;
        let names_row = code == "UNABLE_TO_LOCK_ROW";
        let message = own_message.unwrap_or_else(|| match id {
            Some(id) if names_row => format!("{text}{id}"),
            _ => text.to_owned(),
        });
        Some((code, message, status, self.rule.label()))
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64: small, well spread, and the same on every machine, which is all that faults need.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly in 0 ≤ x < 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
