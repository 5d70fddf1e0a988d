//! What a quote costs. Pure, exact, and independent of the order in which lines were added.
//!
//! Amounts are rounded once, at the total of a line, half away from zero. Everything after that is whole numbers of
//! the currency's minor unit, so the lines always add up to the quote.

use cpq_domain::Result;
use cpq_domain::id::LineKey;
use cpq_domain::quote::{Discount, Line, LineTotals, Quote, Totals};
use cpq_domain::value::{Money, minor_unit, round};
use rust_decimal::Decimal;

use crate::limits::AMOUNT_MAX;
use crate::refusal;

mod allocation;
mod ranges;

use allocation::{Share, half_away, spread};

/// Puts the lines in order and computes every amount of the quote.
///
/// A discount moves what it stands on towards zero and never past it: a charge never becomes a credit, and a credit
/// (negative price) shrinks in the same proportion as a charge would. Optional lines are priced on their own and stay
/// out of the totals and of the header discount.
///
/// # Errors
/// [`cpq_domain::Code::CpqRejected`] naming the line and field that is out of range, that appears twice, or that makes
/// an amount too large. The quote's amounts mean nothing then.
pub fn price(quote: &mut Quote) -> Result<()> {
    ranges::check(quote)?;
    let digits = minor_unit(&quote.currency);
    quote.lines.sort_by(|a, b| place(a).cmp(&place(b)));
    for line in &mut quote.lines {
        line.totals = line_totals(line, digits)?;
    }
    check_sums(quote)?;
    share_header_discount(quote, digits);
    quote.totals = totals(quote, digits);
    Ok(())
}

/// Percent of the list price that is given away, two decimals; 0 when there is no list price.
///
/// Unlike [`Totals::discount_percent`] it counts each line by its size, so that a credit line cannot hide a discount
/// from the approver. For quotes without credit lines both are the same.
pub fn discount_given(quote: &Quote) -> Decimal {
    let counted = || quote.lines.iter().filter(|line| !line.optional);
    let list: Decimal = counted().map(|line| line.totals.list.abs()).sum();
    let net: Decimal = counted().map(|line| line.totals.net.abs()).sum();
    percent_of(list - net, list)
}

fn place(line: &Line) -> (i32, &LineKey) {
    (line.sequence, &line.line_key)
}

fn line_totals(line: &Line, digits: u32) -> Result<LineTotals> {
    let list = line
        .quantity
        .normalize()
        .checked_mul(line.list_unit.normalize())
        .filter(|product| product.abs() <= AMOUNT_MAX)
        .map(|product| fixed(round(product, digits), digits))
        .ok_or_else(|| {
            let why = format!("times quantity exceeds {AMOUNT_MAX}, the largest amount of a line");
            refusal::line(&line.line_key, "line.list_unit", &why)
        })?;
    let discount = discount_on(units(list, digits), line.discount.as_ref(), digits);
    let discount = amount(discount, digits);
    Ok(LineTotals {
        list,
        discount,
        header_share: amount(0, digits),
        net: list - discount,
    })
}

/// The discount on a base, both in minor units: of the base's sign and at most its size.
fn discount_on(base: i128, discount: Option<&Discount>, digits: u32) -> i128 {
    let size = match discount {
        None => 0,
        Some(Discount::Percent(points)) => {
            half_away(base.abs() * allocation::parts(*points), allocation::WHOLE)
        }
        Some(Discount::Amount(off)) => units(round(*off, digits), digits).min(base.abs()),
    };
    size * base.signum()
}

/// A quote whose sums no CRM field could hold is refused before anything is shared out.
fn check_sums(quote: &Quote) -> Result<()> {
    let size = |of: fn(&LineTotals) -> Decimal| -> Decimal {
        quote.lines.iter().map(|line| of(&line.totals).abs()).sum()
    };
    if size(|totals| totals.list) <= AMOUNT_MAX {
        return Ok(());
    }
    let largest = quote
        .lines
        .iter()
        .max_by_key(|line| (line.totals.list.abs(), &line.line_key));
    let why = format!("takes the quote past {AMOUNT_MAX}, the largest total; it is the largest line");
    Err(largest.map_or_else(
        || refusal::field("quote.list_total", "is too large"),
        |line| refusal::line(&line.line_key, "line.list_unit", &why),
    ))
}

fn share_header_discount(quote: &mut Quote, digits: u32) {
    let counted = || quote.lines.iter().enumerate().filter(|(_, line)| !line.optional);
    let base: i128 = counted().map(|(_, line)| units(line.totals.net, digits)).sum();
    let discount = discount_on(base, quote.header_discount.as_ref(), digits);
    let (numerator, denominator) = match &quote.header_discount {
        None => return,
        Some(Discount::Percent(points)) => (allocation::parts(*points), allocation::WHOLE),
        Some(Discount::Amount(_)) if base == 0 => return,
        Some(Discount::Amount(_)) => (discount.abs(), base.abs()),
    };
    let shares: Vec<Share> = counted()
        .map(|(at, line)| Share::new(at, units(line.totals.net, digits), numerator, denominator))
        .collect();
    let spread = spread(shares, discount, |at| &quote.lines[at].line_key);
    for (at, share) in spread {
        let totals = &mut quote.lines[at].totals;
        totals.header_share = amount(share, digits);
        totals.net -= totals.header_share;
    }
}

fn totals(quote: &Quote, digits: u32) -> Totals {
    let sum = |optional: bool, of: fn(&LineTotals) -> Decimal| -> Decimal {
        let lines = quote.lines.iter().filter(|line| line.optional == optional);
        fixed(lines.map(|line| of(&line.totals)).sum(), digits)
    };
    let money = |amount: Decimal| Money::new(amount, &quote.currency);
    let (list, net) = (sum(false, |t| t.list), sum(false, |t| t.net));
    Totals {
        list: money(list),
        line_discount: money(sum(false, |t| t.discount)),
        header_discount: money(sum(false, |t| t.header_share)),
        net: money(net),
        discount_percent: percent_of(list - net, list),
        optional_net: money(sum(true, |t| t.net)),
    }
}

/// `part` in percent of `whole`, two decimals, 0 when there is no whole.
fn percent_of(part: Decimal, whole: Decimal) -> Decimal {
    let percent = (part * Decimal::ONE_HUNDRED).checked_div(whole);
    fixed(round(percent.unwrap_or_default(), 2), 2)
}

/// The amount with exactly `digits` digits after the point, as people expect to read it; zero has no sign.
fn fixed(mut amount: Decimal, digits: u32) -> Decimal {
    amount.rescale(digits);
    if amount.is_zero() {
        amount.set_sign_positive(true);
    }
    amount
}

/// A rounded amount in minor units. Amounts are checked against [`AMOUNT_MAX`] first, so they fit.
fn units(amount: Decimal, digits: u32) -> i128 {
    fixed(amount, digits).mantissa()
}

fn amount(units: i128, digits: u32) -> Decimal {
    Decimal::from_i128_with_scale(units, digits)
}

#[cfg(test)]
mod tests;
