//! FORMAT: values as the user's locale writes them (SOQL and SOSL Reference, FORMAT()).

use super::locale::{DateOrder, Locale};
use super::setting::Setting;
use crate::org::Value;
use crate::schema::Kind;
use jiff::civil::{Date, Time};
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits after the point of an amount.
const MONEY_SCALE: u32 = 2;

/// The value as text; `scale` is that of the field, `currency` that of the record in a multi-currency org.
pub fn formatted(
    value: &Value,
    kind: Kind,
    scale: u32,
    currency: Option<&str>,
    setting: &Setting,
) -> Option<String> {
    let locale = setting.locale;
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => flag.to_string(),
        Value::Text(text) => text.as_ref().to_owned(),
        Value::Id(id) => id.to_string(),
        Value::Date(day) => date(*day, locale),
        Value::DateTime(at) => {
            let local = at.to_zoned(setting.zone.clone()).datetime();
            let gap = if locale.dates == DateOrder::YearFirst {
                " "
            } else {
                ", "
            };
            format!(
                "{}{gap}{}",
                date(local.date(), locale),
                time(local.time(), locale)
            )
        }
        Value::Number(n) => match kind {
            Kind::Currency => money(*n, currency, setting),
            Kind::Percent => format!("{}%", number(*n, scale, locale)),
            Kind::Int => number(*n, 0, locale),
            _ => number(*n, scale, locale),
        },
    })
}

fn date(day: Date, locale: &Locale) -> String {
    let (y, m, d) = (day.year(), day.month(), day.day());
    match locale.dates {
        DateOrder::MonthFirst => format!("{m}/{d}/{y}"),
        DateOrder::DayFirst => format!("{d:02}/{m:02}/{y}"),
        DateOrder::Dotted => format!("{d:02}.{m:02}.{y}"),
        DateOrder::YearFirst => format!("{y}/{m:02}/{d:02}"),
    }
}

fn time(time: Time, locale: &Locale) -> String {
    let (hour, minute) = (time.hour(), time.minute());
    if locale.dates != DateOrder::MonthFirst {
        return format!("{hour:02}:{minute:02}");
    }
    let half = if hour < 12 { "AM" } else { "PM" };
    format!("{}:{minute:02} {half}", (hour + 11) % 12 + 1)
}

fn money(amount: Decimal, currency: Option<&str>, setting: &Setting) -> String {
    let text = number(amount, MONEY_SCALE, setting.locale);
    if let Some(code) = currency {
        return format!("{code} {text}");
    }
    let sign = match setting.money.corporate.as_str() {
        "USD" | "" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "JPY" => "¥",
        other => return format!("{other} {text}"),
    };
    match (setting.locale.sign_after, text.strip_prefix('-')) {
        (true, _) => format!("{text} {sign}"),
        (false, Some(digits)) => format!("-{sign}{digits}"),
        (false, None) => format!("{sign}{text}"),
    }
}

fn number(n: Decimal, scale: u32, locale: &Locale) -> String {
    let rounded = n.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
    let plain = format!("{:.*}", scale as usize, rounded.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut out = String::with_capacity(plain.len() + 8);
    if rounded.is_sign_negative() && !rounded.is_zero() {
        out.push('-');
    }
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(locale.group);
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push(locale.point);
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(locale: &str, value: Value, kind: Kind, scale: u32) -> String {
        let mut setting = Setting::plain("2026-11-22T10:00:00Z".parse().expect("an instant"), false);
        setting.locale = Locale::of(locale);
        formatted(&value, kind, scale, None, &setting).expect("a text")
    }

    #[test]
    fn numbers_money_and_dates() {
        let n = |text: &str| Value::Number(text.parse().expect("a number"));
        let at = || Value::DateTime("2025-04-10T15:31:37Z".parse().expect("an instant"));
        assert_eq!(shown("en_US", n("44000"), Kind::Currency, 2), "$44,000.00");
        assert_eq!(shown("en_US", n("-1234.5"), Kind::Currency, 2), "-$1,234.50");
        assert_eq!(shown("de_DE", n("1234567.891"), Kind::Double, 2), "1.234.567,89");
        assert_eq!(shown("de_DE", n("12"), Kind::Currency, 2), "12,00 $");
        assert_eq!(shown("en_US", n("75"), Kind::Percent, 0), "75%");
        assert_eq!(shown("en_US", at(), Kind::DateTime, 0), "4/10/2025, 3:31 PM");
        assert_eq!(shown("de_DE", at(), Kind::DateTime, 0), "10.04.2025, 15:31");
        assert_eq!(shown("ja_JP", at(), Kind::DateTime, 0), "2025/04/10 15:31");
        assert_eq!(
            shown(
                "en_GB",
                Value::Date("2025-04-10".parse().expect("a day")),
                Kind::Date,
                0
            ),
            "10/04/2025"
        );
    }
}
