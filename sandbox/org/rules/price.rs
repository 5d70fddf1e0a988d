//! Price book entries: the standard price comes first, one entry per book, product and currency.

use super::{Draft, Hand, Id, Org, Value, children, related};
use crate::org::ApiError;

pub(super) fn before(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    let (Some(book), Some(product)) = (draft.reference("Pricebook2Id"), draft.reference("Product2Id")) else {
        return Ok(());
    };
    let standard_price = entry(
        org,
        product,
        org.standard_pricebook(),
        draft.get("CurrencyIsoCode"),
    );
    let standard = book == org.standard_pricebook();
    if draft.get("UseStandardPrice").is_true() {
        if draft.gave_value("UnitPrice") && draft.gave("UseStandardPrice") {
            return Err(ApiError::integrity(
                "UnitPrice (UseStandardPrice is set)",
                &["UnitPrice"],
            ));
        }
        let price = standard_price.map_or(Value::Null, |id| {
            related(org, "PricebookEntry", Some(id), "UnitPrice")
        });
        draft.set("UnitPrice", price);
    }
    if draft.creating() {
        if !standard && standard_price.is_none() {
            let message = "No standard price defined for this product";
            return Err(ApiError::data("STANDARD_PRICE_NOT_DEFINED", message, &[]));
        }
        if entry(org, product, book, draft.get("CurrencyIsoCode")).is_some() {
            let message = "This price definition already exists in this price book";
            return Err(ApiError::data(
                "DUPLICATE_VALUE",
                message,
                &["Pricebook2Id", "Product2Id"],
            ));
        }
        draft.set("Name", related(org, "Product2", Some(product), "Name"));
        draft.set(
            "ProductCode",
            related(org, "Product2", Some(product), "ProductCode"),
        );
    }
    Ok(())
}

/// The entry of a product in a book and currency.
pub(super) fn entry(org: &Org, product: Id, book: Id, currency: &Value) -> Option<Id> {
    let (at, entries) = children(org, "PricebookEntry", "Product2Id", product);
    let fits = |id: &Id| {
        org.peek(at, *id, "Pricebook2Id") == Value::Id(book)
            && org.peek(at, *id, "CurrencyIsoCode") == *currency
    };
    entries.into_iter().find(fits)
}

/// A changed standard price reaches the entries that use it.
pub(super) fn after(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    if org.peek(at, id, "Pricebook2Id") != Value::Id(org.standard_pricebook()) {
        return;
    }
    let Some(product) = org.peek(at, id, "Product2Id").as_id() else {
        return;
    };
    let (price, currency) = (org.peek(at, id, "UnitPrice"), org.peek(at, id, "CurrencyIsoCode"));
    for other in children(org, "PricebookEntry", "Product2Id", product).1 {
        let follows = org.peek(at, other, "UseStandardPrice").is_true();
        if follows && org.peek(at, other, "CurrencyIsoCode") == currency {
            org.touch(hand, at, other, &[("UnitPrice", price.clone())]);
        }
    }
}

/// Entries carry the product's name and code.
pub(super) fn product_renamed(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    let (name, code) = (org.peek(at, id, "Name"), org.peek(at, id, "ProductCode"));
    let (entries, ids) = children(org, "PricebookEntry", "Product2Id", id);
    for entry in ids {
        org.touch(
            hand,
            entries,
            entry,
            &[("Name", name.clone()), ("ProductCode", code.clone())],
        );
    }
}
