//! Lines by their stable key: added, changed field by field, taken away.

use std::collections::HashMap;

use cpq_domain::id::LineKey;
use cpq_domain::limits::{DESCRIPTION_CHARS, NAME_CHARS, QUOTE_LINES};
use cpq_domain::quote::{LINE_TOTALS, Line, LineTotals, Quote};
use cpq_domain::value::Value;
use cpq_domain::view::{Fields, LineChange, Patch};
use cpq_domain::{Error, Result};
use rust_decimal::Decimal;

use super::read::{self, Why};
use crate::limits::SKU_CHARS;
use crate::refusal;

/// Distance between the positions of new lines, so that a person can put one between two others.
const SEQUENCE_STEP: i32 = 10;

/// Takes away the lines that the patch removes. A line that is not there is gone already.
pub(super) fn remove(quote: &mut Quote, patch: &Patch) {
    let gone = |key: &LineKey| matches!(patch.lines.get(key), Some(LineChange::Remove));
    quote.lines.retain(|line| !gone(&line.line_key));
}

/// Adds and changes lines. The order of the result is left to pricing.
pub(super) fn put(quote: &mut Quote, patch: &Patch) -> Result<()> {
    let places = quote.lines.iter().enumerate();
    let places: HashMap<LineKey, usize> = places.map(|(at, line)| (line.line_key.clone(), at)).collect();
    for (key, change) in &patch.lines {
        let LineChange::Put(fields) = change else { continue };
        match places.get(key) {
            Some(at) => set_all(&mut quote.lines[*at], fields, &quote.currency)?,
            None => add(quote, key, fields)?,
        }
    }
    Ok(())
}

fn add(quote: &mut Quote, key: &LineKey, fields: &Fields) -> Result<()> {
    if quote.lines.len() >= QUOTE_LINES {
        let why = format!("is one too many: a quote has at most {QUOTE_LINES} lines");
        return Err(refusal::line(key, "line.key", &why));
    }
    let last = quote.lines.iter().map(|line| line.sequence).max().unwrap_or(0);
    let mut line = blank(key, last.saturating_add(SEQUENCE_STEP));
    set_all(&mut line, fields, &quote.currency)?;
    for field in ["line.quantity", "line.list_unit"] {
        if !fields.contains_key(field) {
            return Err(refuse(&line, field, "is missing; a new line must have it"));
        }
    }
    quote.lines.push(line);
    Ok(())
}

fn blank(key: &LineKey, sequence: i32) -> Line {
    Line {
        line_key: key.clone(),
        sequence,
        sku: String::new(),
        name: String::new(),
        description: None,
        quantity: Decimal::ZERO,
        list_unit: Decimal::ZERO,
        discount: None,
        service_start: None,
        optional: false,
        totals: LineTotals::default(),
    }
}

fn set_all(line: &mut Line, fields: &Fields, currency: &str) -> Result<()> {
    for (field, value) in fields {
        let field = field.as_str();
        set(line, field, value, currency).map_err(|why| refuse(line, field, &why))?;
    }
    if line.sku.is_empty() && line.name.is_empty() {
        return Err(refuse(
            line,
            "line.sku",
            "is empty, and so is line.name; a line must have one of them",
        ));
    }
    Ok(())
}

fn refuse(line: &Line, field: &str, why: &str) -> Error {
    refusal::line(&line.line_key, field, why)
}

/// `line.discount_amount` and `line.optional` are not part of the synced view: they stay inside the CPQ.
fn set(line: &mut Line, field: &str, value: &Value, currency: &str) -> Result<(), Why> {
    match field {
        "line.sku" => line.sku = read::text(value, SKU_CHARS)?.unwrap_or_default(),
        "line.name" => line.name = read::text(value, NAME_CHARS)?.unwrap_or_default(),
        "line.description" => line.description = read::text(value, DESCRIPTION_CHARS)?,
        "line.quantity" => line.quantity = read::number(value, currency)?,
        "line.list_unit" => line.list_unit = read::number(value, currency)?,
        "line.discount_percent" => line.discount = read::percent(line.discount.as_ref(), value)?,
        "line.discount_amount" => line.discount = read::off(line.discount.as_ref(), value, currency)?,
        "line.service_start" => line.service_start = read::date(value)?,
        "line.sequence" => line.sequence = read::whole(value)?,
        "line.optional" => line.optional = read::flag(value)?,
        total if LINE_TOTALS.contains(&total) => return Err("cannot be set: it is computed".into()),
        _ => return Err("is no field of a quote line".into()),
    }
    Ok(())
}
