//! What a user's locale decides: on which day a week begins, and how FORMAT writes numbers and dates.

use jiff::civil::Weekday;

/// How dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `4/10/2025, 3:31 PM`
    MonthFirst,
    /// `10/04/2025, 15:31`
    DayFirst,
    /// `10.04.2025, 15:31`
    Dotted,
    /// `2025/04/10 15:31`
    YearFirst,
}

/// A locale.
#[derive(Debug, PartialEq, Eq)]
pub struct Locale {
    /// Its key, `en_US`.
    pub key: &'static str,
    /// First day of the week.
    pub week: Weekday,
    /// Writing of dates.
    pub dates: DateOrder,
    /// Between thousands.
    pub group: char,
    /// Before the fraction.
    pub point: char,
    /// Whether the currency's sign stands after the amount.
    pub sign_after: bool,
}

const fn locale(key: &'static str, week: Weekday, dates: DateOrder, group: char, point: char) -> Locale {
    // Whoever writes the fraction after a comma writes the sign after the amount, among these.
    let sign_after = point == ',';
    Locale {
        key,
        week,
        dates,
        group,
        point,
        sign_after,
    }
}

const NARROW_SPACE: char = '\u{202f}';

static LOCALES: [Locale; 6] = [
    locale("en_US", Weekday::Sunday, DateOrder::MonthFirst, ',', '.'),
    locale("en_GB", Weekday::Monday, DateOrder::DayFirst, ',', '.'),
    locale("de_DE", Weekday::Monday, DateOrder::Dotted, '.', ','),
    locale("fr_FR", Weekday::Monday, DateOrder::DayFirst, NARROW_SPACE, ','),
    locale("es_ES", Weekday::Monday, DateOrder::DayFirst, '.', ','),
    locale("ja_JP", Weekday::Sunday, DateOrder::YearFirst, ',', '.'),
];

impl Locale {
    /// The locale with this key; en_US for those that are not known.
    pub fn of(key: &str) -> &'static Locale {
        LOCALES.iter().find(|l| l.key == key).unwrap_or(&LOCALES[0])
    }
}
