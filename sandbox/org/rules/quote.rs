//! Quotes: derived parents and totals (Object Reference, Quote).

use super::{Draft, Hand, Id, Org, Value, children, count, related};
use crate::org::ApiError;
use rust_decimal::Decimal;

pub(super) fn before(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    let opportunity = draft.reference("OpportunityId");
    if draft.creating() {
        draft.set("AccountId", related(org, "Opportunity", opportunity, "AccountId"));
        draft.set(
            "CurrencyIsoCode",
            related(org, "Opportunity", opportunity, "CurrencyIsoCode"),
        );
        draft.set("CanCreateQuoteLineItems", Value::Bool(true));
        if draft.get("Pricebook2Id").is_null() {
            draft.set(
                "Pricebook2Id",
                related(org, "Opportunity", opportunity, "Pricebook2Id"),
            );
        }
    }
    let has_lines = draft.number("LineItemCount").is_some_and(|n| !n.is_zero());
    if has_lines && draft.changed("Pricebook2Id") {
        let detail = "Pricebook2Id (cannot be changed while the quote has line items)";
        return Err(ApiError::integrity(detail, &["Pricebook2Id"]));
    }
    Ok(())
}

/// Totals from the lines. The discount is the one that the lines add up to.
pub(super) fn total(org: &mut Org, hand: &Hand, id: Id) {
    let Some(at) = org.schema().position("Quote") else {
        return;
    };
    let (lines, ids) = children(org, "QuoteLineItem", "QuoteId", id);
    let sum = |name: &str| {
        ids.iter()
            .map(|l| org.peek_number(lines, *l, name))
            .sum::<Decimal>()
    };
    let (subtotal, total) = (sum("Subtotal"), sum("TotalPrice"));
    let share = total.checked_div(subtotal).unwrap_or(Decimal::ONE);
    let discount = (Decimal::ONE - share) * Decimal::ONE_HUNDRED;
    let grand = total + org.peek_number(at, id, "Tax") + org.peek_number(at, id, "ShippingHandling");
    let set = [
        ("Subtotal", Value::Number(subtotal)),
        ("TotalPrice", Value::Number(total)),
        ("Discount", Value::Number(discount)),
        ("GrandTotal", Value::Number(grand)),
        ("LineItemCount", count(ids.len())),
    ];
    org.touch(hand, at, id, &set);
}
