//! How many events were published and delivered, and how many may be (Platform Events Developer Guide, Platform Event
//! Allocations).

use crate::options::Settings;
use crate::state::lock;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const SECONDS_PER_HOUR: i64 = 3_600;
/// Deliveries are counted over a rolling day, here in hours.
const HOURS: i64 = 24;
/// Days that a monthly allowance is reckoned with.
const DAYS_PER_MONTH: u64 = 30;

/// The org's use of events.
#[derive(Debug, Default)]
pub struct Quota {
    settings: Arc<Mutex<Settings>>,
    counts: Mutex<Counts>,
}

/// What was used; also the form in the snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Pairs of (hour since 1970, events delivered).
    delivered: VecDeque<(i64, u64)>,
    /// Month since year 0, and events delivered in it.
    delivered_in_month: (i64, u64),
    /// Hour since 1970, and events published in it.
    published: (i64, u64),
}

/// Pairs of used and allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventUsage {
    /// Events delivered in the last 24 hours.
    pub delivered: (u64, u64),
    /// Events delivered in this month.
    pub delivered_in_month: (u64, u64),
    /// Events published in this hour.
    pub published: (u64, u64),
}

impl Quota {
    /// Counts from zero, or from where a snapshot ended, under these settings as they are at each time.
    pub fn new(settings: Arc<Mutex<Settings>>, counts: Counts) -> Quota {
        Quota {
            settings,
            counts: Mutex::new(counts),
        }
    }

    /// Counts one published event; false, without counting, when this hour's are used up.
    pub fn publish(&self, now: Timestamp) -> bool {
        let most = lock(&self.settings).hourly_published_events;
        let mut counts = lock(&self.counts);
        let hour = hour(now);
        if counts.published.0 != hour {
            counts.published = (hour, 0);
        }
        let fits = counts.published.1 < most;
        counts.published.1 += u64::from(fits);
        fits
    }

    /// Counts events that are about to be delivered to one subscriber; answers how many of them the day still allows.
    pub fn deliver(&self, number: u64, now: Timestamp) -> u64 {
        let most = lock(&self.settings).daily_delivered_events;
        let mut counts = lock(&self.counts);
        let number = number.min(most.saturating_sub(counts.delivered_in_day(now)));
        if number == 0 {
            return 0;
        }
        let (hour, month) = (hour(now), month(now));
        match counts.delivered.iter_mut().find(|(at, _)| *at == hour) {
            Some((_, count)) => *count += number,
            None => counts.delivered.push_back((hour, number)),
        }
        counts.delivered.retain(|(at, _)| *at > hour - HOURS);
        if counts.delivered_in_month.0 != month {
            counts.delivered_in_month = (month, 0);
        }
        counts.delivered_in_month.1 += number;
        number
    }

    /// For `/limits`.
    pub fn usage(&self, now: Timestamp) -> EventUsage {
        let (daily, hourly) = {
            let settings = lock(&self.settings);
            (settings.daily_delivered_events, settings.hourly_published_events)
        };
        let counts = lock(&self.counts);
        let current = |(at, count): (i64, u64), period| if at == period { count } else { 0 };
        EventUsage {
            delivered: (counts.delivered_in_day(now), daily),
            delivered_in_month: (
                current(counts.delivered_in_month, month(now)),
                daily.saturating_mul(DAYS_PER_MONTH),
            ),
            published: (current(counts.published, hour(now)), hourly),
        }
    }

    /// Changes in one transaction after which the rest is an overflow.
    pub fn overflow_after(&self) -> u64 {
        lock(&self.settings).change_overflow_after
    }

    /// The form for the snapshot.
    pub fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    /// Forgets what was used.
    pub fn clear(&self) {
        *lock(&self.counts) = Counts::default();
    }
}

impl Counts {
    /// Hours to come count too: the clock may have been set back, and what was used is used.
    fn delivered_in_day(&self, now: Timestamp) -> u64 {
        let hours = self.delivered.iter().filter(|(at, _)| *at > hour(now) - HOURS);
        hours.map(|(_, count)| count).sum()
    }
}

fn hour(now: Timestamp) -> i64 {
    now.as_second().div_euclid(SECONDS_PER_HOUR)
}

fn month(now: Timestamp) -> i64 {
    let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn deliveries_leave_the_day_and_published_events_the_hour() {
        let settings = Settings {
            daily_delivered_events: 10,
            hourly_published_events: 2,
            ..Settings::default()
        };
        let quota = Quota::new(Arc::new(Mutex::new(settings)), Counts::default());
        let morning = at("2026-03-31T08:59:00Z");
        assert_eq!(quota.deliver(8, morning), 8);
        assert_eq!(quota.deliver(3, morning), 2);
        assert_eq!(quota.deliver(1, morning), 0);
        assert_eq!([(); 3].map(|()| quota.publish(morning)), [true, true, false]);
        assert!(quota.publish(at("2026-03-31T09:00:00Z")));
        assert_eq!(quota.usage(at("2026-04-01T07:59:00Z")).delivered, (10, 10));
        let later = quota.usage(at("2026-04-01T08:00:00Z"));
        assert_eq!((later.delivered, later.delivered_in_month), ((0, 10), (0, 300)));
        assert_eq!(quota.usage(morning).delivered_in_month, (10, 300));
    }
}
