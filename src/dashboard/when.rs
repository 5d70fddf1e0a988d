//! Moments and durations, as people read them.

use jiff::Timestamp;

/// A moment to the second, in UTC.
pub(crate) fn moment(at: &Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment that may be missing.
pub(crate) fn perhaps(at: &Option<Timestamp>) -> String {
    at.as_ref().map(moment).unwrap_or_default()
}

/// Milliseconds: `0.4 ms`, `31 ms`, `2.3 s`; what takes longer as [`span`] tells it.
pub(crate) fn took(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 120_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => span(whole_seconds(ms)),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a duration in seconds fits, and `as` saturates"
)]
fn whole_seconds(ms: f64) -> i64 {
    (ms / 1_000.0) as i64
}

/// The same of whole milliseconds.
#[allow(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
pub(crate) fn took_ms(ms: u64) -> String {
    took(ms as f64)
}

/// Seconds: `12 s`, `5 min`, `3 h`, `2 days`.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}
