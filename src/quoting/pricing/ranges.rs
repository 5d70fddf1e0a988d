//! The ranges of what people and CRMs put into a quote.

use std::collections::HashSet;

use cpq_domain::Result;
use cpq_domain::id::LineKey;
use cpq_domain::limits::QUOTE_LINES;
use cpq_domain::quote::{Discount, Line, Quote};
use rust_decimal::Decimal;

use crate::limits::{AMOUNT_MAX, INPUT_BELOW, INPUT_SCALE};
use crate::refusal;

/// Refuses a quote with a value out of range, naming the line and the field.
pub(super) fn check(quote: &Quote) -> Result<()> {
    if quote.lines.len() > QUOTE_LINES {
        let why = format!("are {}; a quote has at most {QUOTE_LINES}", quote.lines.len());
        return Err(refusal::field("lines", &why));
    }
    if let Some(why) = quote.header_discount.as_ref().and_then(discount_fault) {
        return Err(refusal::field(header_field(&quote.header_discount), &why));
    }
    let mut seen = HashSet::new();
    for line in &quote.lines {
        check_line(line)?;
        if !seen.insert(&line.line_key) {
            return Err(refusal::line(&line.line_key, "line.key", "appears twice"));
        }
    }
    Ok(())
}

fn check_line(line: &Line) -> Result<()> {
    let fault = |field: &str, why: Option<String>| -> Result<()> { refuse(&line.line_key, field, why) };
    fault("line.quantity", quantity_fault(line.quantity))?;
    fault("line.list_unit", number_fault(line.list_unit))?;
    let field = match line.discount {
        Some(Discount::Amount(_)) => "line.discount_amount",
        _ => "line.discount_percent",
    };
    fault(field, line.discount.as_ref().and_then(discount_fault))
}

fn refuse(key: &LineKey, field: &str, why: Option<String>) -> Result<()> {
    why.map_or(Ok(()), |why| Err(refusal::line(key, field, &why)))
}

fn header_field(discount: &Option<Discount>) -> &'static str {
    match discount {
        Some(Discount::Amount(_)) => "quote.header_discount_amount",
        _ => "quote.header_discount_percent",
    }
}

fn quantity_fault(quantity: Decimal) -> Option<String> {
    if quantity.is_sign_negative() && !quantity.is_zero() {
        return Some(format!(
            "is {quantity}; it must be at least 0, a credit has a negative price"
        ));
    }
    number_fault(quantity)
}

fn number_fault(number: Decimal) -> Option<String> {
    if number.abs() >= INPUT_BELOW {
        return Some(format!(
            "is {number}; it must have at most twelve digits before the point"
        ));
    }
    scale_fault(number)
}

fn discount_fault(discount: &Discount) -> Option<String> {
    match discount {
        Discount::Percent(points) if *points < Decimal::ZERO || *points > Decimal::ONE_HUNDRED => {
            Some(format!("is {points}; it must be from 0 to 100"))
        }
        Discount::Percent(points) => scale_fault(*points),
        Discount::Amount(amount) if *amount < Decimal::ZERO || *amount > AMOUNT_MAX => {
            Some(format!("is {amount}; it must be from 0 to {AMOUNT_MAX}"))
        }
        Discount::Amount(_) => None,
    }
}

fn scale_fault(number: Decimal) -> Option<String> {
    (number.normalize().scale() > INPUT_SCALE)
        .then(|| format!("is {number}; it must have at most {INPUT_SCALE} digits after the point"))
}
