//! What the platform does on its own when certain records are written.

mod contact_role;
mod line_item;
mod opportunity;
mod price;
mod quote;
mod quote_line;
mod quote_sync;

use super::draft::Draft;
use super::{ApiError, Hand, Id, Org, Row, Value};
use rust_decimal::Decimal;

/// Derives and checks fields before a record is stored.
pub fn before(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    match draft.object.name.as_str() {
        "Contact" | "User" => person_name(draft),
        "Opportunity" => opportunity::before(org, draft)?,
        "OpportunityLineItem" => line_item::before(org, draft)?,
        "PricebookEntry" => price::before(org, draft)?,
        "Quote" => quote::before(org, draft)?,
        "QuoteLineItem" => quote_line::before(org, draft)?,
        "Task" => task(draft),
        _ => {}
    }
    Ok(())
}

/// Carries a stored change on to other records.
pub fn after(org: &mut Org, hand: &Hand, at: usize, id: Id, before: Option<&Row>) -> Result<(), ApiError> {
    let schema = org.schema();
    match schema.at(at).name.as_str() {
        "Opportunity" => opportunity::after(org, hand, at, id, before)?,
        "OpportunityContactRole" => contact_role::after(org, hand, at, id),
        "OpportunityLineItem" => line_item::after(org, hand, at, id)?,
        "PricebookEntry" => price::after(org, hand, at, id),
        "Product2" => price::product_renamed(org, hand, at, id),
        "Quote" => quote::total(org, hand, id),
        "QuoteLineItem" => quote_line::after(org, hand, at, id),
        _ => {}
    }
    Ok(())
}

/// What stands in the way of a delete beside the children.
///
/// # Errors
/// DELETE_FAILED for an account with opportunities that were won (Salesforce Help, Delete Accounts).
pub fn may_delete(org: &Org, at: usize, id: Id) -> Result<(), ApiError> {
    if org.schema().at(at).name != "Account" {
        return Ok(());
    }
    let (opportunities, ids) = children(org, "Opportunity", "AccountId", id);
    let won = |id: &&Id| org.peek(opportunities, **id, "IsWon").is_true();
    let Some(won) = ids.iter().find(won) else {
        return Ok(());
    };
    let name = org.peek(opportunities, *won, "Name");
    let message = format!(
        "Your attempt to delete {} could not be completed because some opportunities in that account were closed won. The opportunities that were closed won are shown below.: {}",
        org.peek(at, id, "Name").as_text().unwrap_or_default(),
        name.as_text().unwrap_or_default()
    );
    Err(ApiError::data("DELETE_FAILED", message, &[]))
}

/// Carries a delete on to the totals above.
pub fn deleted(org: &mut Org, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
    let schema = org.schema();
    match schema.at(at).name.as_str() {
        "OpportunityLineItem" => line_item::deleted(org, hand, at, id),
        "QuoteLineItem" => quote_line::deleted(org, hand, at, id),
        _ => {}
    }
    Ok(())
}

/// Carries an undelete on to the totals above.
pub fn restored(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    let schema = org.schema();
    let parent = |name: &str| org.peek(at, id, name).as_id();
    match schema.at(at).name.as_str() {
        "OpportunityLineItem" => {
            if let Some(opportunity) = parent("OpportunityId") {
                opportunity::total(org, hand, opportunity);
            }
        }
        "QuoteLineItem" => {
            if let Some(quote) = parent("QuoteId") {
                quote::total(org, hand, quote);
            }
        }
        _ => {}
    }
}

/// Whether a required field may be left out this time.
pub fn exempt(draft: &Draft<'_>, field: &str) -> bool {
    draft.object.name == "PricebookEntry" && field == "UnitPrice" && draft.get("UseStandardPrice").is_true()
}

fn person_name(draft: &mut Draft<'_>) {
    let parts = [draft.get("FirstName"), draft.get("LastName")];
    let name = parts
        .iter()
        .filter_map(|v| v.as_text())
        .collect::<Vec<_>>()
        .join(" ");
    draft.set("Name", Value::text(&name));
    if draft.creating() && draft.get("CommunityNickname").is_null() {
        let nickname = draft.get("Alias").clone();
        draft.set("CommunityNickname", nickname);
    }
}

fn task(draft: &mut Draft<'_>) {
    let done = draft.get("Status").as_text() == Some("Completed");
    let urgent = draft.get("Priority").as_text() == Some("High");
    draft.set("IsClosed", Value::Bool(done));
    draft.set("IsHighPriority", Value::Bool(urgent));
}

/// A value of a row behind a reference, by object name.
fn related(org: &Org, object: &str, id: Option<Id>, field: &str) -> Value {
    match (org.schema().position(object), id) {
        (Some(at), Some(id)) => org.peek(at, id, field),
        _ => Value::Null,
    }
}

/// Live children of a parent by object and reference names.
fn children(org: &Org, object: &str, field: &str, parent: Id) -> (usize, Vec<Id>) {
    let schema = org.schema();
    let Some(at) = schema.position(object) else {
        return (0, Vec::new());
    };
    let ids = schema
        .at(at)
        .position(field)
        .map(|f| org.table(at).children(f, parent));
    (at, ids.unwrap_or_default())
}

/// What is left of an amount after a discount in percent points.
fn discounted(amount: Decimal, discount: Decimal) -> Decimal {
    amount * (Decimal::ONE_HUNDRED - discount) / Decimal::ONE_HUNDRED
}

fn count(number: usize) -> Value {
    Value::Number(Decimal::from(number))
}
