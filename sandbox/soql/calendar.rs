//! Date functions such as CALENDAR_YEAR and HOUR_IN_DAY (SOQL and SOSL Reference, Date Functions).

use super::setting::Fiscal;
use crate::org::Value;
use crate::schema::Kind;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

/// A date function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePart {
    /// CALENDAR_MONTH
    CalendarMonth,
    /// CALENDAR_QUARTER
    CalendarQuarter,
    /// CALENDAR_YEAR
    CalendarYear,
    /// DAY_IN_MONTH
    DayInMonth,
    /// DAY_IN_WEEK
    DayInWeek,
    /// DAY_IN_YEAR
    DayInYear,
    /// DAY_ONLY
    DayOnly,
    /// FISCAL_MONTH
    FiscalMonth,
    /// FISCAL_QUARTER
    FiscalQuarter,
    /// FISCAL_YEAR
    FiscalYear,
    /// HOUR_IN_DAY
    HourInDay,
    /// WEEK_IN_MONTH
    WeekInMonth,
    /// WEEK_IN_YEAR
    WeekInYear,
}

const PARTS: [(&str, DatePart); 13] = [
    ("CALENDAR_MONTH", DatePart::CalendarMonth),
    ("CALENDAR_QUARTER", DatePart::CalendarQuarter),
    ("CALENDAR_YEAR", DatePart::CalendarYear),
    ("DAY_IN_MONTH", DatePart::DayInMonth),
    ("DAY_IN_WEEK", DatePart::DayInWeek),
    ("DAY_IN_YEAR", DatePart::DayInYear),
    ("DAY_ONLY", DatePart::DayOnly),
    ("FISCAL_MONTH", DatePart::FiscalMonth),
    ("FISCAL_QUARTER", DatePart::FiscalQuarter),
    ("FISCAL_YEAR", DatePart::FiscalYear),
    ("HOUR_IN_DAY", DatePart::HourInDay),
    ("WEEK_IN_MONTH", DatePart::WeekInMonth),
    ("WEEK_IN_YEAR", DatePart::WeekInYear),
];

impl DatePart {
    /// The function of this name, in any case.
    pub fn parse(name: &str) -> Option<DatePart> {
        PARTS
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, part)| *part)
    }

    /// Whether it takes instants only.
    pub fn needs_time(self) -> bool {
        matches!(self, DatePart::HourInDay | DatePart::DayOnly)
    }

    /// Type of its result.
    pub fn kind(self) -> Kind {
        if self == DatePart::DayOnly {
            Kind::Date
        } else {
            Kind::Int
        }
    }

    /// Its result for a day or an instant, read in this zone; null for everything else.
    pub fn of(self, value: &Value, zone: &TimeZone, fiscal: Fiscal) -> Value {
        let at = match value {
            Value::Date(date) => date.to_datetime(jiff::civil::Time::midnight()),
            Value::DateTime(at) => at.to_zoned(zone.clone()).datetime(),
            _ => return Value::Null,
        };
        if self == DatePart::DayOnly {
            return Value::Date(at.date());
        }
        Value::Number(Decimal::from(self.number(at, fiscal)))
    }

    fn number(self, at: DateTime, fiscal: Fiscal) -> i64 {
        let date = at.date();
        let month = i64::from(date.month());
        let (fiscal_year, fiscal_month) = fiscal_month(date, fiscal);
        match self {
            DatePart::CalendarMonth => month,
            DatePart::CalendarQuarter => (month + 2) / 3,
            DatePart::CalendarYear => i64::from(date.year()),
            DatePart::DayInMonth | DatePart::DayOnly => i64::from(date.day()),
            DatePart::DayInWeek => i64::from(date.weekday().since(Weekday::Sunday)) + 1,
            DatePart::DayInYear => i64::from(date.day_of_year()),
            DatePart::FiscalMonth => fiscal_month,
            DatePart::FiscalQuarter => (fiscal_month + 2) / 3,
            DatePart::FiscalYear => fiscal_year,
            DatePart::HourInDay => i64::from(at.hour()),
            // Weeks are counted in sevens from the first of the month or year, whatever weekday that is.
            DatePart::WeekInMonth => i64::from((date.day() + 6) / 7),
            DatePart::WeekInYear => i64::from((date.day_of_year() + 6) / 7),
        }
    }
}

/// Name of the fiscal year and number of its month.
fn fiscal_month(date: Date, fiscal: Fiscal) -> (i64, i64) {
    let (month, start) = (i64::from(date.month()), i64::from(fiscal.start));
    let begun = month >= start;
    let begins = i64::from(date.year()) - i64::from(!begun);
    let named = begins + i64::from(fiscal.start != 1 && !fiscal.named_by_start);
    (named, (month - start).rem_euclid(12) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, text: &str, start: i8) -> String {
        let fiscal = Fiscal {
            start,
            named_by_start: false,
        };
        let value = match text.parse() {
            Ok(date) if text.len() == 10 => Value::Date(date),
            _ => Value::DateTime(text.parse().expect("an instant")),
        };
        let part = DatePart::parse(name).expect("a function");
        let value = part.of(&value, &TimeZone::UTC, fiscal);
        value.to_json(part.kind()).to_string()
    }

    #[test]
    fn the_examples_of_the_reference() {
        let cases = [
            ("calendar_month", "2026-12-01", 1, "12"),
            ("CALENDAR_QUARTER", "2026-06-30", 1, "2"),
            ("DAY_IN_MONTH", "2026-02-20", 1, "20"),
            ("DAY_IN_WEEK", "2026-11-22", 1, "1"),
            ("DAY_IN_YEAR", "2026-02-01", 1, "32"),
            ("DAY_ONLY", "2009-09-22T18:23:10Z", 1, "\"2009-09-22\""),
            ("FISCAL_MONTH", "2026-03-05", 3, "1"),
            ("FISCAL_MONTH", "2026-02-05", 3, "12"),
            ("FISCAL_QUARTER", "2026-07-15", 7, "1"),
            ("FISCAL_QUARTER", "2026-06-06", 7, "4"),
            ("FISCAL_YEAR", "2026-07-15", 7, "2027"),
            ("FISCAL_YEAR", "2026-06-15", 7, "2026"),
            ("FISCAL_YEAR", "2026-07-15", 1, "2026"),
            ("HOUR_IN_DAY", "2026-01-01T18:23:10Z", 1, "18"),
            ("WEEK_IN_MONTH", "2026-04-10", 1, "2"),
            ("WEEK_IN_YEAR", "2026-01-03", 1, "1"),
            ("WEEK_IN_YEAR", "2026-01-08", 1, "2"),
        ];
        for (name, text, start, expected) in cases {
            assert_eq!(part(name, text, start), expected, "{name}({text})");
        }
    }
}
