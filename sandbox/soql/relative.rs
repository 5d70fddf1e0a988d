//! Date literals such as THIS_MONTH and LAST_N_DAYS:3 (SOQL and SOSL Reference, Date Formats and Date Literals).
//! Weeks start on Sunday and days in UTC, as for an en_US user in GMT; fiscal years are calendar years.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

/// Largest count a literal may carry; more would leave the calendar.
const COUNT_LIMIT: i64 = 2_000;

/// First day of the span and first day after it; none when there is no such literal.
pub fn span(name: &str, count: Option<i64>, today: Date) -> Option<(Date, Date)> {
    if let Some(count) = count {
        return counted(name, count, today);
    }
    match name {
        "YESTERDAY" => days(today, -1, 0),
        "TODAY" => days(today, 0, 1),
        "TOMORROW" => days(today, 1, 2),
        "LAST_90_DAYS" => days(today, -90, 1),
        "NEXT_90_DAYS" => days(today, 1, 91),
        _ => {
            let (which, unit) = name.split_once('_')?;
            let offset = match which {
                "LAST" => -1,
                "THIS" => 0,
                "NEXT" => 1,
                _ => return None,
            };
            let unit = Unit::parse(unit)?;
            unit.span(today, offset, offset + 1)
        }
    }
}

fn counted(name: &str, n: i64, today: Date) -> Option<(Date, Date)> {
    if !(0..=COUNT_LIMIT).contains(&n) {
        return None;
    }
    if let Some(unit) = name.strip_prefix("LAST_N_") {
        return match Unit::parse(unit)? {
            // The last n days include today, the last n weeks do not include this week.
            Unit::Day => days(today, -n, 1),
            unit => unit.span(today, -n, 0),
        };
    }
    if let Some(unit) = name.strip_prefix("NEXT_N_") {
        return Unit::parse(unit)?.span(today, 1, n + 1);
    }
    let unit = name.strip_prefix("N_")?.strip_suffix("_AGO")?;
    Unit::parse(unit)?.span(today, -n, 1 - n)
}

fn days(today: Date, from: i64, until: i64) -> Option<(Date, Date)> {
    Some((shift(today, from.days())?, shift(today, until.days())?))
}

fn shift(date: Date, by: Span) -> Option<Date> {
    date.checked_add(by).ok()
}

#[derive(Clone, Copy)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn parse(name: &str) -> Option<Unit> {
        let name = name.strip_prefix("FISCAL_").unwrap_or(name);
        match name.strip_suffix('S').unwrap_or(name) {
            "DAY" => Some(Unit::Day),
            "WEEK" => Some(Unit::Week),
            "MONTH" => Some(Unit::Month),
            "QUARTER" => Some(Unit::Quarter),
            "YEAR" => Some(Unit::Year),
            _ => None,
        }
    }

    /// From the start of the unit `from` away to the start of the unit `until` away.
    fn span(self, today: Date, from: i64, until: i64) -> Option<(Date, Date)> {
        let start = self.start(today)?;
        Some((self.step(start, from)?, self.step(start, until)?))
    }

    fn start(self, today: Date) -> Option<Date> {
        let month = match self {
            Unit::Day => return Some(today),
            Unit::Week => {
                let back = i64::from(today.weekday().since(Weekday::Sunday));
                return shift(today, (-back).days());
            }
            Unit::Month => today.month(),
            Unit::Quarter => (today.month() - 1) / 3 * 3 + 1,
            Unit::Year => 1,
        };
        Date::new(today.year(), month, 1).ok()
    }

    fn step(self, start: Date, count: i64) -> Option<Date> {
        match self {
            Unit::Day => shift(start, count.days()),
            Unit::Week => shift(start, count.weeks()),
            Unit::Month => shift(start, count.months()),
            Unit::Quarter => shift(start, (count * 3).months()),
            Unit::Year => shift(start, count.years()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, count: Option<i64>) -> (String, String) {
        // A Sunday.
        let (from, until) = span(name, count, "2026-11-22".parse().expect("date")).expect("known literal");
        (from.to_string(), until.to_string())
    }

    #[test]
    fn spans_of_literals() {
        let pairs = [
            (("TODAY", None), ("2026-11-22", "2026-11-23")),
            (("LAST_WEEK", None), ("2026-11-15", "2026-11-22")),
            (("THIS_QUARTER", None), ("2026-10-01", "2027-01-01")),
            (("NEXT_YEAR", None), ("2027-01-01", "2028-01-01")),
            (("LAST_N_DAYS", Some(3)), ("2026-11-19", "2026-11-23")),
            (("NEXT_N_MONTHS", Some(2)), ("2026-12-01", "2027-02-01")),
            (("N_DAYS_AGO", Some(2)), ("2026-11-20", "2026-11-21")),
            (("N_FISCAL_YEARS_AGO", Some(1)), ("2025-01-01", "2026-01-01")),
        ];
        for ((name, count), (from, until)) in pairs {
            assert_eq!(of(name, count), (from.to_owned(), until.to_owned()), "{name}");
        }
        assert_eq!(span("SOMEDAY", None, "2026-11-22".parse().expect("date")), None);
    }
}
