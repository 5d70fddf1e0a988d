//! How many API calls were used in the last 24 hours, and what the `Sforce-Limit-Info` header says.

use crate::state::lock;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

/// The allowance is a rolling day ("API Request Limits and Allocations"), counted here in hours.
const WINDOW_HOURS: i64 = 24;
const MILLIS_PER_HOUR: i64 = 3_600_000;

/// API calls of the rolling day, in buckets of an hour.
#[derive(Debug, Default)]
pub struct Limits {
    hours: Mutex<Usage>,
    apps: Mutex<BTreeMap<String, Usage>>,
}

/// Pairs of (hour since 1970, calls); also the form in the snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Usage(VecDeque<(i64, u64)>);

impl Limits {
    /// Continues the count of a snapshot.
    pub fn from_usage(usage: Usage) -> Self {
        Self {
            hours: Mutex::new(usage),
            ..Self::default()
        }
    }

    /// Adds the calls of one answered request.
    pub fn spend(&self, now: Timestamp, calls: u32) {
        lock(&self.hours).add(hour_of(now), u64::from(calls));
    }

    /// Adds as many of `wanted` as keep the day's sum within `most`; returns how many that were.
    pub fn grant(&self, now: Timestamp, wanted: u64, most: u64) -> u64 {
        let hour = hour_of(now);
        let mut usage = lock(&self.hours);
        let granted = wanted.min(most.saturating_sub(usage.sum(hour)));
        usage.add(hour, granted);
        granted
    }

    /// Adds the calls that an app with an allotment of its own made.
    pub fn spend_for(&self, app: &str, now: Timestamp, calls: u32) {
        let mut apps = lock(&self.apps);
        apps.entry(app.to_owned())
            .or_default()
            .add(hour_of(now), u64::from(calls));
    }

    /// Calls counted in the 24 hours before `now`.
    pub fn used(&self, now: Timestamp) -> u64 {
        lock(&self.hours).sum(hour_of(now))
    }

    /// Calls that an app made in the 24 hours before `now`.
    pub fn used_by(&self, app: &str, now: Timestamp) -> u64 {
        let apps = lock(&self.apps);
        apps.get(app).map_or(0, |usage| usage.sum(hour_of(now)))
    }

    /// The form for the snapshot.
    pub fn usage(&self) -> Usage {
        lock(&self.hours).clone()
    }

    /// Forgets everything, as a reset does.
    pub fn clear(&self) {
        lock(&self.hours).0.clear();
        lock(&self.apps).clear();
    }
}

impl Usage {
    fn add(&mut self, hour: i64, calls: u64) {
        match self.0.iter_mut().find(|(at, _)| *at == hour) {
            Some((_, count)) => *count += calls,
            None => self.0.push_back((hour, calls)),
        }
        self.0.retain(|(at, _)| within_day(*at, hour));
    }

    fn sum(&self, hour: i64) -> u64 {
        let recent = self.0.iter().filter(|(at, _)| within_day(*at, hour));
        recent.map(|(_, count)| count).sum()
    }
}

fn hour_of(now: Timestamp) -> i64 {
    now.as_millisecond().div_euclid(MILLIS_PER_HOUR)
}

/// Buckets of the future count too: the clock may have been set back, and what was used is used.
fn within_day(at: i64, hour: i64) -> bool {
    at > hour - WINDOW_HOURS
}

/// The value of `Sforce-Limit-Info`: calls used, not calls left ("REST API Developer Guide", Limit Info Header).
pub fn header(used: u64, max: u64) -> String {
    format!("api-usage={used}/{max}")
}

/// The same with what an app has used of its own allotment.
pub fn app_header(used: u64, max: u64, app: &str, (app_used, app_max): (u64, u64)) -> String {
    let all = header(used, max);
    format!("{all}; per-app-api-usage={app_used}/{app_max}(appName={app})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_leave_the_window_after_a_day() {
        let limits = Limits::default();
        let morning: Timestamp = "2026-03-01T08:10:00Z".parse().unwrap();
        limits.spend(morning, 3);
        limits.spend(morning, 25);
        assert_eq!(limits.used("2026-03-02T07:59:00Z".parse().unwrap()), 28);
        assert_eq!(limits.used("2026-03-02T08:00:00Z".parse().unwrap()), 0);
        assert_eq!(limits.grant(morning, 5, 30), 2);
        assert_eq!(limits.grant(morning, 5, 30), 0);
        assert_eq!(header(28, 15_000), "api-usage=28/15000");
    }
}
