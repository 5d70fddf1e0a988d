//! Opportunity line items: price book, price and total (Object Reference, OpportunityLineItem).

use super::{Draft, Hand, Id, Org, Value, discounted, opportunity, price, quote_sync, related};
use crate::org::ApiError;
use rust_decimal::Decimal;

const UNKNOWN_ENTRY: &str =
    "PricebookEntryId, unknown (versions 3.0 and higher must specify pricebook entry id; others must not)";
const OTHER_BOOK: &str =
    "PricebookEntryId (pricebook entry is in a different pricebook than the one assigned to the opportunity)";

pub(super) fn before(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    if draft.creating() {
        settle_entry(org, draft)?;
    }
    settle_price(draft)
}

fn settle_entry(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    let opportunity = draft.reference("OpportunityId");
    let book = related(org, "Opportunity", opportunity, "Pricebook2Id").as_id();
    let currency = related(org, "Opportunity", opportunity, "CurrencyIsoCode");
    let entry = resolve(org, draft, book, &currency)?;
    let of_entry = |name: &str| related(org, "PricebookEntry", Some(entry), name);
    let entry_book = of_entry("Pricebook2Id").as_id();
    if !of_entry("IsActive").is_true() {
        return Err(ApiError::integrity(
            "unknown (pricebook entry is inactive)",
            &["PricebookEntryId"],
        ));
    }
    if book.is_some() && book != entry_book {
        return Err(ApiError::integrity(OTHER_BOOK, &["PricebookEntryId"]));
    }
    if of_entry("CurrencyIsoCode") != currency {
        let detail = "PricebookEntryId (currency of pricebook entry does not match the opportunity)";
        return Err(ApiError::integrity(detail, &["PricebookEntryId"]));
    }
    let product = of_entry("Product2Id").as_id();
    let names = [related(org, "Opportunity", opportunity, "Name"), of_entry("Name")];
    let name = names
        .iter()
        .filter_map(Value::as_text)
        .collect::<Vec<_>>()
        .join(" ");
    draft.set("ListPrice", of_entry("UnitPrice"));
    draft.set("ProductCode", of_entry("ProductCode"));
    draft.set("Product2Id", product.map_or(Value::Null, Value::Id));
    draft.set("PricebookEntryId", Value::Id(entry));
    draft.set("CurrencyIsoCode", currency);
    draft.set("Name", Value::text(&name));
    if let (None, Some(opportunity), Some(book)) = (book, opportunity, entry_book) {
        adopt_book(org, draft.hand, opportunity, book)?;
    }
    Ok(())
}

/// The entry that was named, or the one of the named product in the opportunity's book.
fn resolve(org: &Org, draft: &Draft<'_>, book: Option<Id>, currency: &Value) -> Result<Id, ApiError> {
    let by_product = || {
        let product = draft.reference("Product2Id")?;
        price::entry(
            org,
            product,
            book.unwrap_or_else(|| org.standard_pricebook()),
            currency,
        )
    };
    draft
        .reference("PricebookEntryId")
        .or_else(by_product)
        .ok_or_else(|| ApiError::integrity(UNKNOWN_ENTRY, &["PricebookEntryId"]))
}

/// An opportunity without a price book takes the one of its first line, if that book is active.
fn adopt_book(org: &mut Org, hand: &Hand, opportunity: Id, book: Id) -> Result<(), ApiError> {
    if !related(org, "Pricebook2", Some(book), "IsActive").is_true() {
        return Err(ApiError::integrity(
            "unknown (pricebook is inactive)",
            &["PricebookEntryId"],
        ));
    }
    if let Some(at) = org.schema().position("Opportunity") {
        org.touch(hand, at, opportunity, &[("Pricebook2Id", Value::Id(book))]);
    }
    Ok(())
}

fn settle_price(draft: &mut Draft<'_>) -> Result<(), ApiError> {
    let (unit, total) = (draft.gave_value("UnitPrice"), draft.gave_value("TotalPrice"));
    if unit && total {
        let detail = "TotalPrice (specify either UnitPrice or TotalPrice, not both)";
        return Err(ApiError::integrity(detail, &["UnitPrice", "TotalPrice"]));
    }
    if draft.creating() && !unit && !total {
        let message = "Required fields are missing: [UnitPrice]";
        return Err(ApiError::data("REQUIRED_FIELD_MISSING", message, &["UnitPrice"]));
    }
    if !draft.creating() && !unit && !total && draft.changed("Discount") && draft.changed("Quantity") {
        let detail = "UnitPrice (changing Discount and Quantity together needs UnitPrice or TotalPrice)";
        return Err(ApiError::integrity(detail, &["UnitPrice", "TotalPrice"]));
    }
    let quantity = draft.number("Quantity").unwrap_or_default();
    let discount = draft.number("Discount").unwrap_or_default();
    if total {
        unit_from_total(draft, quantity, discount)?;
    }
    let subtotal = draft
        .number("UnitPrice")
        .unwrap_or_default()
        .checked_mul(quantity);
    draft.set_computed("Subtotal", subtotal)?;
    if !total {
        draft.set_computed("TotalPrice", subtotal.map(|s| discounted(s, discount)))?;
    }
    Ok(())
}

fn unit_from_total(draft: &mut Draft<'_>, quantity: Decimal, discount: Decimal) -> Result<(), ApiError> {
    let total = draft.number("TotalPrice").unwrap_or_default();
    match total.checked_div(discounted(quantity, discount)) {
        Some(unit) => draft.set_computed("UnitPrice", Some(unit))?,
        None if draft.creating() && total.is_zero() => draft.set_number("UnitPrice", Decimal::ZERO),
        None if total.is_zero() => {}
        None => {
            let detail = "TotalPrice (cannot be reached with this Quantity and Discount)";
            return Err(ApiError::integrity(detail, &["TotalPrice"]));
        }
    }
    Ok(())
}

pub(super) fn after(org: &mut Org, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
    match org.peek(at, id, "OpportunityId").as_id() {
        Some(parent) => {
            opportunity::total(org, hand, parent);
            quote_sync::line_to_quote(org, hand, at, id)
        }
        None => Ok(()),
    }
}

pub(super) fn deleted(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    let parent = org.schema().at(at).position("OpportunityId");
    let parent = parent.and_then(|f| org.table(at).row(id).and_then(|row| row.values[f].as_id()));
    if let Some(parent) = parent {
        opportunity::total(org, hand, parent);
    }
    quote_sync::line_left(org, hand, at, id);
}
