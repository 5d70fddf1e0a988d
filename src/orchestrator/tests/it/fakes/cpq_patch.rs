//! How the CPQ in memory takes a patch, and what it makes of it.

use cpq_domain::id::LineKey;
use cpq_domain::quote::{Discount, Quote};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{FieldName, Fields, LineChange, Patch};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::blank;

pub fn apply(quote: &mut Quote, patch: &Patch) {
    for (field, value) in &patch.fields {
        header(quote, field, value);
    }
    for (key, change) in &patch.lines {
        match change {
            LineChange::Remove => quote.lines.retain(|line| &line.line_key != key),
            LineChange::Put(fields) => put(quote, key, fields),
        }
    }
}

fn header(quote: &mut Quote, field: &FieldName, value: &Value) {
    match field.as_str() {
        "quote.name" => quote.name = text(value),
        "quote.currency" => quote.currency = text(value),
        _ => drop(quote.context.insert(field.clone(), value.clone())),
    }
}

fn put(quote: &mut Quote, key: &LineKey, fields: &Fields) {
    if quote.line(key).is_none() {
        quote.lines.push(blank::line(key));
    }
    let lines = &mut quote.lines;
    let line = lines
        .iter_mut()
        .find(|line| &line.line_key == key)
        .expect("just added");
    for (field, value) in fields {
        match field.as_str() {
            "line.sku" => line.sku = text(value),
            "line.name" => line.name = text(value),
            "line.quantity" => line.quantity = value.as_decimal().unwrap_or_default(),
            "line.list_unit" => line.list_unit = value.as_decimal().unwrap_or_default(),
            other => panic!("this CPQ has no {other}"),
        }
    }
}

/// Sums of the lines, less the discount on the whole quote.
pub fn price(mut quote: Quote, at: Timestamp) -> Quote {
    for line in &mut quote.lines {
        line.totals.list = line.quantity * line.list_unit;
        line.totals.net = line.totals.list;
    }
    let list: Decimal = quote.lines.iter().map(|line| line.totals.list).sum();
    let percent = match &quote.header_discount {
        Some(Discount::Percent(percent)) => *percent,
        _ => Decimal::ZERO,
    };
    let off = list * percent / Decimal::ONE_HUNDRED;
    let money = |amount| Money::new(amount, &quote.currency).to_minor_unit();
    quote.totals.list = money(list);
    quote.totals.header_discount = money(off);
    quote.totals.net = money(list - off);
    quote.totals.discount_percent = percent;
    quote.updated_at = at;
    quote
}

fn text(value: &Value) -> String {
    value.as_text().unwrap_or_default().to_owned()
}
