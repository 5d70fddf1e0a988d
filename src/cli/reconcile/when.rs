//! A moment as people write it.

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A moment (RFC 3339), a day (its start in UTC), or a span back from `now`: `90m`, `24h`, `7d`.
pub fn read(text: &str, now: Timestamp) -> Result<Timestamp> {
    let found = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| day(text))
        .or_else(|| back(text, now));
    found.filter(|moment| *moment <= now).ok_or_else(|| {
        let message = format!("{text:.40?} is no moment of the past");
        Error::new(Code::RequestInvalid, message)
            .field("--since")
            .next("write 2026-11-26T08:00:00Z, 2026-11-26, or a span back from now such as 90m, 24h or 7d")
    })
}

fn day(text: &str) -> Option<Timestamp> {
    let day: Date = text.parse().ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn back(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let minutes: i64 = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let minutes = number.parse::<i64>().ok()?.checked_mul(minutes)?;
    let span = SignedDuration::from_secs(minutes.checked_mul(60)?);
    now.checked_sub(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_days_and_spans_are_read_and_nothing_else() {
        let now: Timestamp = "2026-11-26T08:30:00Z".parse().expect("a moment");
        let at = |text: &str| read(text, now).map(|moment| moment.to_string()).ok();
        assert_eq!(
            at("2026-11-26T06:00:00+01:00").as_deref(),
            Some("2026-11-26T05:00:00Z")
        );
        assert_eq!(at("2026-11-26").as_deref(), Some("2026-11-26T00:00:00Z"));
        assert_eq!(at("90m").as_deref(), Some("2026-11-26T07:00:00Z"));
        assert_eq!(at("24h").as_deref(), Some("2026-11-25T08:30:00Z"));
        assert_eq!(at("7d").as_deref(), Some("2026-11-19T08:30:00Z"));
        for bad in [
            "",
            "h",
            "-1h",
            "+1h",
            "1w",
            "ü",
            "2026-11-27",
            "99999999999999999999d",
            "9999999999999999d",
            "yesterday",
        ] {
            assert_eq!(at(bad), None, "{bad:?}");
        }
    }
}
