//! Date literals such as THIS_MONTH and LAST_N_DAYS:3 (SOQL and SOSL Reference, Date Formats and Date Literals).

use super::setting::Setting;
use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

/// Largest count a literal may carry; more would leave the calendar.
const COUNT_LIMIT: i64 = 10_000;

const FIXED: [&str; 5] = ["YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"];
const UNITS: [&str; 6] = [
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "FISCAL_QUARTER",
    "FISCAL_YEAR",
];

/// Whether a word is a date literal, in any case; the count is not looked at.
pub fn is_known(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    FIXED.contains(&word.as_str()) || which(&word).is_some() || counted(&word).is_some()
}

/// Whether a date literal carries a count.
pub fn is_counted(word: &str) -> bool {
    counted(&word.to_ascii_uppercase()).is_some()
}

/// `LAST_WEEK`: how many units away, and the unit.
fn which(word: &str) -> Option<(i64, Unit)> {
    let (which, unit) = word.split_once('_')?;
    let offset = match which {
        "LAST" => -1,
        "THIS" => 0,
        "NEXT" => 1,
        _ => return None,
    };
    UNITS
        .contains(&unit)
        .then(|| Unit::parse(unit))?
        .map(|unit| (offset, unit))
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Last,
    Next,
    Ago,
}

/// `LAST_N_WEEKS`: the way and the unit.
fn counted(word: &str) -> Option<(Way, Unit)> {
    let (way, units) = match () {
        () if word.starts_with("LAST_N_") => (Way::Last, &word[7..]),
        () if word.starts_with("NEXT_N_") => (Way::Next, &word[7..]),
        () => (Way::Ago, word.strip_prefix("N_")?.strip_suffix("_AGO")?),
    };
    let unit = units.strip_suffix('S')?;
    Unit::parse(unit).map(|unit| (way, unit))
}

/// First day of the span and first day after it; none when there is no such literal.
pub fn span(name: &str, count: Option<i64>, setting: &Setting) -> Option<(Date, Date)> {
    let today = setting.today();
    let Some(n) = count else {
        return match name {
            "YESTERDAY" => days(today, -1, 0),
            "TODAY" => days(today, 0, 1),
            "TOMORROW" => days(today, 1, 2),
            "LAST_90_DAYS" => days(today, -90, 1),
            "NEXT_90_DAYS" => days(today, 1, 91),
            _ => {
                let (offset, unit) = which(name)?;
                unit.span(today, setting, offset, offset + 1)
            }
        };
    };
    if !(0..=COUNT_LIMIT).contains(&n) {
        return None;
    }
    match counted(name)? {
        // The last n days include today, the last n weeks do not include this week.
        (Way::Last, Unit::Day) => days(today, -n, 1),
        (Way::Last, unit) => unit.span(today, setting, -n, 0),
        (Way::Next, unit) => unit.span(today, setting, 1, n + 1),
        (Way::Ago, unit) => unit.span(today, setting, -n, 1 - n),
    }
}

fn days(today: Date, from: i64, until: i64) -> Option<(Date, Date)> {
    Some((shift(today, from.days())?, shift(today, until.days())?))
}

fn shift(date: Date, by: Span) -> Option<Date> {
    date.checked_add(by).ok()
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    FiscalQuarter,
    FiscalYear,
}

impl Unit {
    fn parse(name: &str) -> Option<Unit> {
        match name {
            "DAY" => Some(Unit::Day),
            "WEEK" => Some(Unit::Week),
            "MONTH" => Some(Unit::Month),
            "QUARTER" => Some(Unit::Quarter),
            "YEAR" => Some(Unit::Year),
            "FISCAL_QUARTER" => Some(Unit::FiscalQuarter),
            "FISCAL_YEAR" => Some(Unit::FiscalYear),
            _ => None,
        }
    }

    /// From the start of the unit `from` away to the start of the unit `until` away.
    fn span(self, today: Date, setting: &Setting, from: i64, until: i64) -> Option<(Date, Date)> {
        let start = self.start(today, setting)?;
        Some((self.step(start, from)?, self.step(start, until)?))
    }

    fn start(self, today: Date, setting: &Setting) -> Option<Date> {
        let first: i64 = match self {
            Unit::Day => return Some(today),
            Unit::Week => return week_start(today, setting.locale.week),
            Unit::Month => return first_of(today, 0),
            Unit::Quarter | Unit::Year => 1,
            Unit::FiscalQuarter | Unit::FiscalYear => i64::from(setting.fiscal.start),
        };
        let length = if matches!(self, Unit::Quarter | Unit::FiscalQuarter) {
            3
        } else {
            12
        };
        let into = (i64::from(today.month()) - first).rem_euclid(length);
        first_of(today, -into)
    }

    fn step(self, start: Date, count: i64) -> Option<Date> {
        match self {
            Unit::Day => shift(start, count.days()),
            Unit::Week => shift(start, count.weeks()),
            Unit::Month => shift(start, count.months()),
            Unit::Quarter | Unit::FiscalQuarter => shift(start, (count * 3).months()),
            Unit::Year | Unit::FiscalYear => shift(start, (count * 12).months()),
        }
    }
}

fn week_start(today: Date, first: Weekday) -> Option<Date> {
    let back = i64::from(today.weekday().since(first));
    shift(today, (-back).days())
}

/// First day of the month this many months away.
fn first_of(today: Date, months: i64) -> Option<Date> {
    shift(today.first_of_month(), months.months())
}

#[cfg(test)]
mod tests {
    use super::super::locale::Locale;
    use super::*;

    fn setting() -> Setting {
        // A Sunday.
        Setting::plain("2026-11-22T10:00:00Z".parse().expect("an instant"), false)
    }

    fn of(setting: &Setting, name: &str, count: Option<i64>) -> (String, String) {
        let (from, until) = span(name, count, setting).expect("known literal");
        (from.to_string(), until.to_string())
    }

    #[test]
    fn spans_of_literals() {
        let pairs = [
            (("TODAY", None), ("2026-11-22", "2026-11-23")),
            (("LAST_WEEK", None), ("2026-11-15", "2026-11-22")),
            (("THIS_QUARTER", None), ("2026-10-01", "2027-01-01")),
            (("NEXT_YEAR", None), ("2027-01-01", "2028-01-01")),
            (("LAST_90_DAYS", None), ("2026-08-24", "2026-11-23")),
            (("LAST_N_DAYS", Some(3)), ("2026-11-19", "2026-11-23")),
            (("LAST_N_WEEKS", Some(1)), ("2026-11-15", "2026-11-22")),
            (("NEXT_N_MONTHS", Some(2)), ("2026-12-01", "2027-02-01")),
            (("N_DAYS_AGO", Some(2)), ("2026-11-20", "2026-11-21")),
            (("N_FISCAL_YEARS_AGO", Some(1)), ("2025-01-01", "2026-01-01")),
            (("LAST_N_QUARTERS", Some(2)), ("2026-04-01", "2026-10-01")),
        ];
        for ((name, count), (from, until)) in pairs {
            assert_eq!(
                of(&setting(), name, count),
                (from.to_owned(), until.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn fiscal_years_and_weeks_follow_the_org_and_the_user() {
        let mut setting = setting();
        setting.fiscal.start = 3;
        setting.locale = Locale::of("de_DE");
        let pairs = [
            ("THIS_FISCAL_YEAR", ("2026-03-01", "2027-03-01")),
            ("THIS_FISCAL_QUARTER", ("2026-09-01", "2026-12-01")),
            ("LAST_FISCAL_QUARTER", ("2026-06-01", "2026-09-01")),
            ("THIS_WEEK", ("2026-11-16", "2026-11-23")),
        ];
        for (name, (from, until)) in pairs {
            assert_eq!(
                of(&setting, name, None),
                (from.to_owned(), until.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn days_are_the_users() {
        let mut setting = setting();
        setting.now = "2026-11-22T23:30:00Z".parse().expect("an instant");
        setting.zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
        assert_eq!(of(&setting, "TODAY", None).0, "2026-11-23");
        let begins = setting.midnight(setting.today()).expect("a day begins");
        assert_eq!(begins.to_string(), "2026-11-22T23:00:00Z");
    }

    #[test]
    fn words_that_are_none() {
        for word in [
            "SOMEDAY",
            "LAST_DAY",
            "LAST_N_DAY",
            "THIS_90_DAYS",
            "N_DAYS",
            "LAST_FISCAL_WEEK",
            "LAST_N_",
        ] {
            assert!(!is_known(word), "{word}");
        }
        assert!(is_counted("last_n_fiscal_quarters") && is_known("tomorrow"));
        assert_eq!(span("LAST_N_DAYS", Some(10_001), &setting()), None);
    }
}
