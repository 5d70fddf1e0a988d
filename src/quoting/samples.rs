//! Quotes and patches for the tests of this room.

use cpq_domain::id::{LineKey, QuoteId, QuoteNumber, RecordId};
use cpq_domain::quote::{Discount, Line, LineTotals, OpportunityRef, Quote};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{Fields, LineChange, Patch};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::revision::{Birth, first};
use crate::settings::QuotingSettings;

pub(crate) fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().expect("a moment")
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

pub(crate) fn key(text: &str) -> LineKey {
    LineKey::new(text).expect("a line key")
}

pub(crate) fn opportunity() -> OpportunityRef {
    OpportunityRef {
        system: "crm".into(),
        id: RecordId::new("006000000000001AAA").expect("an id"),
        number: None,
    }
}

pub(crate) fn settings() -> QuotingSettings {
    QuotingSettings {
        default_currency: Some("USD".into()),
        ..QuotingSettings::default()
    }
}

pub(crate) fn birth() -> Birth {
    Birth {
        id: QuoteId::new("q-1").expect("an id"),
        number: QuoteNumber::new("Q-2026-0001").expect("a number"),
        now: now(),
    }
}

/// A draft without lines.
pub(crate) fn draft(currency: &str) -> Quote {
    let patch = fields(&[("quote.currency", Value::Choice(currency.into()))]);
    first(&birth(), &opportunity(), &patch, &settings()).expect("a draft")
}

/// A draft with one line of ten at 100.00 USD.
pub(crate) fn draft_with_line() -> Quote {
    let mut quote = draft("USD");
    quote.lines.push(line("L1", 10, "10", "100", None));
    crate::pricing::price(&mut quote).expect("priced");
    quote
}

pub(crate) fn line(
    name: &str,
    sequence: i32,
    quantity: &str,
    unit: &str,
    discount: Option<Discount>,
) -> Line {
    Line {
        line_key: key(name),
        sequence,
        sku: name.into(),
        name: name.into(),
        description: None,
        quantity: decimal(quantity),
        list_unit: decimal(unit),
        discount,
        service_start: None,
        optional: false,
        totals: LineTotals::default(),
    }
}

pub(crate) fn number(text: &str) -> Value {
    Value::Number(decimal(text))
}

pub(crate) fn usd(text: &str) -> Value {
    Value::Money(Money::new(decimal(text), "USD"))
}

pub(crate) fn fields(list: &[(&str, Value)]) -> Patch {
    Patch {
        fields: all(list),
        ..Patch::default()
    }
}

pub(crate) fn put(name: &str, list: &[(&str, Value)]) -> Patch {
    let mut patch = Patch::default();
    patch.lines.insert(key(name), LineChange::Put(all(list)));
    patch
}

pub(crate) fn remove(name: &str) -> Patch {
    let mut patch = Patch::default();
    patch.lines.insert(key(name), LineChange::Remove);
    patch
}

fn all(list: &[(&str, Value)]) -> Fields {
    let list = list.iter();
    list.map(|(field, value)| ((*field).into(), value.clone()))
        .collect()
}
