//! Cells of a view: what is in one, and what has changed.

use cpq_domain::value::Value;
use cpq_domain::view::View;

use crate::witness::Cell;

/// What a view holds of a cell.
pub fn cell(view: &View, line: &str, field: &str) -> Value {
    let fields = match line.is_empty() {
        true => Some(&view.fields),
        false => view
            .lines
            .iter()
            .find(|(key, _)| key.as_str() == line)
            .map(|(_, fields)| fields),
    };
    let held = fields.and_then(|fields| fields.iter().find(|(name, _)| name.as_str() == field));
    held.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Whether a view holds a cell at all.
pub fn holds(view: &View, line: &str, field: &str) -> bool {
    let fields = match line.is_empty() {
        true => Some(&view.fields),
        false => view
            .lines
            .iter()
            .find(|(key, _)| key.as_str() == line)
            .map(|(_, fields)| fields),
    };
    fields.is_some_and(|fields| fields.keys().any(|name| name.as_str() == field))
}

/// Sets a cell.
pub fn put(view: &mut View, line: &str, field: &str, value: Value) {
    match line.is_empty() {
        true => drop(view.fields.insert(field.into(), value)),
        false => {
            let fields = view.lines.iter_mut().find(|(key, _)| key.as_str() == line);
            fields.map(|(_, fields)| fields.insert(field.into(), value));
        }
    }
}

/// What people and the product set in a quote, without what the CPQ computes of it.
pub fn own_fields(mut view: View, creates: bool) -> View {
    let set = |field: &str| !field.starts_with("quote") || (!creates && field == "quote.name");
    view.fields.retain(|field, _| set(field.as_str()));
    for fields in view.lines.values_mut() {
        fields.retain(|field, _| matches!(field.as_str(), "line.sku" | "line.quantity" | "line.list_unit"));
    }
    view
}

/// What differs between two views, as cell, old and new value.
pub fn changes(opportunity: u64, before: &View, after: &View) -> Vec<(Cell, Value, Value)> {
    let mut found = Vec::new();
    let mut compare = |line: &str, name: &str, new: &Value| {
        let old = cell(before, line, name);
        if &old != new {
            found.push(((opportunity, line.to_owned(), name.to_owned()), old, new.clone()));
        }
    };
    for (name, new) in &after.fields {
        compare("", name.as_str(), new);
    }
    for (key, fields) in &after.lines {
        fields
            .iter()
            .for_each(|(name, new)| compare(key.as_str(), name.as_str(), new));
    }
    found
}
