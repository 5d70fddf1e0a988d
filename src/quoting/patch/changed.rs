//! Which fields differ between two states of a quote, by name, for events and messages.

use std::collections::{BTreeMap, BTreeSet};

use cpq_domain::id::LineKey;
use cpq_domain::quote::{Line, Quote};

/// Names of the fields that differ: `quote.name`, `account.name`, `lines[KEY]` for a line that came or went, and
/// `lines[KEY].quantity` for a changed one. Version and times are left out, they differ always.
pub fn changed_fields(before: &Quote, after: &Quote) -> Vec<String> {
    let mut names = commercial(before, after);
    names.extend(differing(&[(
        "quote.is_primary",
        before.is_primary != after.is_primary,
    )]));
    let context = before.context.keys().chain(after.context.keys());
    let differs = context.filter(|field| before.context.get(*field) != after.context.get(*field));
    let differs: BTreeSet<&str> = differs.map(|field| field.as_str()).collect();
    names.extend(differs.into_iter().map(str::to_owned));
    names
}

/// The same without the context and without the choice of the primary quote: what is frozen once the quote leaves draft.
pub(super) fn commercial(before: &Quote, after: &Quote) -> Vec<String> {
    let mut names = header(before, after);
    names.extend(lines(before, after));
    names.extend(totals(before, after));
    names
}

fn header(a: &Quote, b: &Quote) -> Vec<String> {
    differing(&[
        ("quote.status", a.status != b.status),
        ("quote.name", a.name != b.name),
        ("quote.currency", a.currency != b.currency),
        ("quote.price_list", a.price_list != b.price_list),
        ("quote.valid_until", a.valid_until != b.valid_until),
        ("quote.payment_terms", a.payment_terms != b.payment_terms),
        ("quote.header_discount", a.header_discount != b.header_discount),
        ("quote.reason", a.reason != b.reason),
    ])
}

fn totals(a: &Quote, b: &Quote) -> Vec<String> {
    let (a, b) = (&a.totals, &b.totals);
    differing(&[
        ("quote.list_total", a.list != b.list),
        ("quote.line_discount", a.line_discount != b.line_discount),
        (
            "quote.header_discount_total",
            a.header_discount != b.header_discount,
        ),
        ("quote.discount_percent", a.discount_percent != b.discount_percent),
        ("quote.net_total", a.net != b.net),
        ("quote.optional_net", a.optional_net != b.optional_net),
    ])
}

fn lines(before: &Quote, after: &Quote) -> Vec<String> {
    let by_key = |quote: &'_ Quote| -> BTreeMap<LineKey, Line> {
        let lines = quote.lines.iter();
        lines.map(|line| (line.line_key.clone(), line.clone())).collect()
    };
    let (before, after) = (by_key(before), by_key(after));
    let keys: BTreeSet<&LineKey> = before.keys().chain(after.keys()).collect();
    let mut names = Vec::new();
    for key in keys {
        match (before.get(key), after.get(key)) {
            (Some(a), Some(b)) => {
                let fields = line(a, b);
                names.extend(fields.into_iter().map(|field| format!("lines[{key}].{field}")));
            }
            _ => names.push(format!("lines[{key}]")),
        }
    }
    names
}

fn line(a: &Line, b: &Line) -> Vec<String> {
    differing(&[
        ("sku", a.sku != b.sku),
        ("name", a.name != b.name),
        ("description", a.description != b.description),
        ("quantity", a.quantity != b.quantity),
        ("list_unit", a.list_unit != b.list_unit),
        ("discount", a.discount != b.discount),
        ("service_start", a.service_start != b.service_start),
        ("sequence", a.sequence != b.sequence),
        ("optional", a.optional != b.optional),
        ("net_total", a.totals != b.totals),
    ])
}

fn differing(fields: &[(&str, bool)]) -> Vec<String> {
    let differing = fields.iter().filter(|(_, differs)| *differs);
    differing.map(|(name, _)| (*name).to_owned()).collect()
}
