//! Quote line items: price book entry, prices and totals (Object Reference, QuoteLineItem).

use super::{Draft, Hand, Id, Org, Value, discounted, price, quote, quote_sync, related};
use crate::org::ApiError;

const OTHER_BOOK: &str =
    "PricebookEntryId (pricebook entry is in a different pricebook than the one assigned to the quote)";

pub(super) fn before(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    if draft.creating() {
        settle_entry(org, draft)?;
    }
    let quantity = draft.number("Quantity").unwrap_or_default();
    let discount = draft.number("Discount").unwrap_or_default();
    let subtotal = draft
        .number("UnitPrice")
        .unwrap_or_default()
        .checked_mul(quantity);
    draft.set_computed("Subtotal", subtotal)?;
    draft.set_computed("TotalPrice", subtotal.map(|s| discounted(s, discount)))
}

fn settle_entry(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    let quote = draft.reference("QuoteId");
    let book = related(org, "Quote", quote, "Pricebook2Id").as_id();
    let currency = related(org, "Quote", quote, "CurrencyIsoCode");
    let by_product = || {
        let product = draft.reference("Product2Id")?;
        price::entry(
            org,
            product,
            book.unwrap_or_else(|| org.standard_pricebook()),
            &currency,
        )
    };
    let entry = draft.reference("PricebookEntryId").or_else(by_product);
    let Some(entry) = entry else {
        let message = "Required fields are missing: [PricebookEntryId]";
        return Err(ApiError::data(
            "REQUIRED_FIELD_MISSING",
            message,
            &["PricebookEntryId"],
        ));
    };
    let of_entry = |name: &str| related(org, "PricebookEntry", Some(entry), name);
    if !of_entry("IsActive").is_true() {
        return Err(ApiError::integrity(
            "unknown (pricebook entry is inactive)",
            &["PricebookEntryId"],
        ));
    }
    let entry_book = of_entry("Pricebook2Id");
    if book.is_some_and(|book| entry_book != Value::Id(book)) {
        return Err(ApiError::integrity(OTHER_BOOK, &["PricebookEntryId"]));
    }
    draft.set("ListPrice", of_entry("UnitPrice"));
    draft.set("Product2Id", of_entry("Product2Id"));
    draft.set("PricebookEntryId", Value::Id(entry));
    draft.set("CurrencyIsoCode", currency);
    if let (None, Some(quote), Some(at)) = (book, quote, org.schema().position("Quote")) {
        org.touch(draft.hand, at, quote, &[("Pricebook2Id", entry_book)]);
    }
    Ok(())
}

pub(super) fn after(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    if let Some(parent) = org.peek(at, id, "QuoteId").as_id() {
        quote::total(org, hand, parent);
        quote_sync::line_to_opportunity(org, hand, at, id);
    }
}

pub(super) fn deleted(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    let schema = org.schema();
    let gone = |name: &str| {
        let field = schema.at(at).position(name)?;
        org.table(at).row(id).and_then(|row| row.values[field].as_id())
    };
    let (parent, twin) = (gone("QuoteId"), gone("OpportunityLineItemId"));
    if let Some(parent) = parent {
        quote::total(org, hand, parent);
        quote_sync::line_gone(org, hand, parent, twin);
    }
}
