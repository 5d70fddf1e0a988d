//! Values as a canonical field typically holds them, the same on every run.

use jiff::Timestamp;
use jiff::civil::date;
use rust_decimal::Decimal;

use super::Drawn;
use super::capacity::Capacity;
use super::map::offered;
use crate::kind::Kind;
use crate::schema::FieldSchema;
use crate::value::{Money, Value, minor_unit};

/// Digits after the point that are tried where nothing says how many there may be.
const USUAL_SCALE: u32 = 2;
/// Numbers that are made up beside the fixed ones.
const MADE_UP: u64 = 200;

/// Values to try; never empty ones. `words` are those of the value map that is tried.
pub(super) fn samples(
    field: &Drawn,
    there: &FieldSchema,
    holds: &Capacity,
    map: Option<&[(String, String)]>,
) -> Vec<Value> {
    let words = words(field, there, holds, map);
    match field.kind {
        Kind::Text if map.is_some() => words.into_iter().map(Value::Text).collect(),
        Kind::Text => texts(holds, there),
        Kind::Choice => words.into_iter().map(Value::Choice).collect(),
        Kind::Choices => several(&words),
        Kind::Flag => vec![Value::Bool(true), Value::Bool(false)],
        Kind::Number => numbers(field, there, holds).map(Value::Number).collect(),
        Kind::Money => {
            let money = |amount| Value::Money(Money::new(amount, &field.currency));
            numbers(field, there, holds).map(money).collect()
        }
        Kind::Date => days(),
        Kind::Instant => moments(),
        Kind::Phone => ["+49 351 5550142", "(414) 555-0110", "+1 414 555 0110 x7"]
            .map(Value::text)
            .into(),
        Kind::Country => ["US", "DE", "GB", "KR", "JP"].map(Value::text).into(),
        Kind::State => states(field.country.as_deref()),
    }
}

/// Our words of the map, and those that there can be; without either, those that the CRM offers.
fn words(
    field: &Drawn,
    there: &FieldSchema,
    holds: &Capacity,
    map: Option<&[(String, String)]>,
) -> Vec<String> {
    let mut words: Vec<String> = map
        .unwrap_or_default()
        .iter()
        .map(|(_, ours)| ours.clone())
        .collect();
    words.extend(holds.choices.iter().cloned());
    match field.kind {
        // An expression makes words of its own of those that are there.
        Kind::Choice | Kind::Choices if words.is_empty() && !field.computed() => offered(there),
        _ => words,
    }
}

/// States of the country, or of several.
fn states(country: Option<&str>) -> Vec<Value> {
    let all = [
        "US-OR", "US-CA", "CA-ON", "DE-SN", "GB-ENG", "AU-NSW", "BR-SP", "IN-KA", "JP-13", "MX-JAL",
    ];
    let of_country = |state: &&&str| country.is_none_or(|country| state.starts_with(&format!("{country}-")));
    all.iter()
        .filter(of_country)
        .map(|state| Value::text(*state))
        .collect()
}

fn texts(holds: &Capacity, there: &FieldSchema) -> Vec<Value> {
    let most = match (holds.chars, there.length as usize) {
        (Some(chars), _) => chars,
        (None, 0) => 80,
        (None, length) => length.min(80),
    };
    let cut = |text: &str| text.chars().take(most).collect::<String>();
    let long = "Ä quoted \"text\" & <tags>, ".repeat(most / 24 + 1);
    let texts = [
        "a",
        "0042",
        "Größe 東京",
        "two\r\nlines",
        "  edges  ",
        "true",
        "1,5",
        &long,
    ];
    texts
        .iter()
        .map(|text| Value::text(cut(text)))
        .filter(|value| !value.canonical(Default::default()).is_null())
        .collect()
}

/// Single entries, and all together.
fn several(words: &[String]) -> Vec<Value> {
    let one = words.iter().map(|word| [word.clone()].into());
    let all = words.iter().cloned().collect();
    one.chain([all])
        .map(Value::Choices)
        .filter(|value| *value != Value::Choices(Default::default()))
        .collect()
}

fn numbers<'a>(
    field: &'a Drawn,
    there: &FieldSchema,
    holds: &Capacity,
) -> impl Iterator<Item = Decimal> + 'a {
    let scale = match field.kind {
        _ if field.computed() && field.shape.scale.is_some() => field.shape.scale.unwrap_or(USUAL_SCALE),
        Kind::Money => holds.scale.unwrap_or_else(|| minor_unit(&field.currency)),
        _ => holds.scale.unwrap_or(USUAL_SCALE),
    };
    // What the field cannot hold is said elsewhere.
    let scale = if field.computed() || there.kind.is_empty() {
        scale
    } else {
        scale.min(there.scale)
    };
    let room = match there.precision {
        0 => 9,
        precision => precision.saturating_sub(there.scale).min(9),
    };
    let whole = holds.whole.unwrap_or(9).min(room).max(1);
    let below = 10_i64.pow(whole + scale);
    let fixed = [0, 1, 2, 3, 5, 7, 10, 25, 99, 100, 333, 1_250, 12_345, 99_999];
    let unit = 10_i64.pow(scale);
    let round = [1, 2, 5, 10, 33, 50, 75, 100].map(|number| number * unit);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let made_up = (0..MADE_UP).map(move |_| {
        // A linear congruential step (Knuth, MMIX): the same numbers on every run.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 2).unwrap_or(0) % below
    });
    fixed
        .into_iter()
        .chain(round)
        .chain([below - 1])
        .chain(made_up)
        .filter(move |number| *number < below)
        .map(move |number| Decimal::new(number, scale))
}

/// Leap days, turns of the year, and days on which zones move their clocks.
fn days() -> Vec<Value> {
    [
        (2024, 2, 29),
        (2025, 12, 31),
        (2026, 1, 1),
        (2026, 3, 8),
        (2026, 3, 29),
        (2026, 10, 25),
        (2026, 11, 1),
        (1970, 1, 1),
    ]
    .map(|(year, month, day)| Value::Date(date(year, month, day)))
    .into()
}

fn moments() -> Vec<Value> {
    let seconds = [0, 1_772_323_200, 1_798_761_599, 1_774_745_999, 1_792_893_600];
    let at = |second: i64| Timestamp::from_millisecond(second * 1_000 + 250).unwrap_or_default();
    seconds.map(|second| Value::Instant(at(second))).into()
}
