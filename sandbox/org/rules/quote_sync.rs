//! Quote sync: the lines of one quote and those of its opportunity mirror each other while `SyncedQuoteId` is set.
//! Starting a sync replaces all lines of the opportunity (Salesforce Help, How Quotes and Opportunities Sync).

use super::{Hand, Id, Org, Value, children, opportunity, quote};
use crate::org::ApiError;

/// Fields that both kinds of lines carry and that follow each other.
const MIRRORED: [&str; 6] = [
    "Quantity",
    "UnitPrice",
    "Discount",
    "Description",
    "ServiceDate",
    "SortOrder",
];

/// Starts syncing with this quote, or stops when there is none.
pub(super) fn switch(org: &mut Org, hand: &Hand, opp: Id, quote: Option<Id>) -> Result<(), ApiError> {
    let (quotes, ids) = children(org, "Quote", "OpportunityId", opp);
    for id in ids {
        org.touch(hand, quotes, id, &[("IsSyncing", Value::Bool(Some(id) == quote))]);
    }
    let Some(quote) = quote else { return Ok(()) };
    let (old_lines, ids) = children(org, "OpportunityLineItem", "OpportunityId", opp);
    for id in ids {
        org.delete(hand, old_lines, id)?;
    }
    let (at, book) = (
        org.schema().position("Opportunity"),
        org.peek(quotes, quote, "Pricebook2Id"),
    );
    if let Some(at) = at {
        org.touch(hand, at, opp, &[("Pricebook2Id", book)]);
    }
    let (lines, ids) = children(org, "QuoteLineItem", "QuoteId", quote);
    for id in ids {
        copy_line(org, hand, lines, id, opp)?;
    }
    Ok(())
}

/// Makes the opportunity line of a quote line and ties the two together.
fn copy_line(org: &mut Org, hand: &Hand, lines: usize, id: Id, opp: Id) -> Result<(), ApiError> {
    // The new line must not be carried back as if somebody had added it.
    let outer = std::mem::replace(&mut org.copying_lines, true);
    let copied = copied_line(org, hand, lines, id, opp);
    org.copying_lines = outer;
    copied
}

fn copied_line(org: &mut Org, hand: &Hand, lines: usize, id: Id, opp: Id) -> Result<(), ApiError> {
    let schema = org.schema();
    let Some(target) = schema.position("OpportunityLineItem") else {
        return Ok(());
    };
    let mut given = Vec::new();
    for name in MIRRORED.iter().copied().chain(["PricebookEntryId"]) {
        given.extend(
            schema
                .at(target)
                .position(name)
                .map(|f| (f, org.peek(lines, id, name))),
        );
    }
    given.extend(
        schema
            .at(target)
            .position("OpportunityId")
            .map(|f| (f, Value::Id(opp))),
    );
    let made = org.insert(hand, target, given)?;
    org.touch(hand, lines, id, &[("OpportunityLineItemId", Value::Id(made))]);
    Ok(())
}

/// A written quote line reaches the opportunity.
pub(super) fn line_to_opportunity(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    let Some((_, opp)) = synced(org, org.peek(at, id, "QuoteId").as_id()) else {
        return;
    };
    if org.copying_lines {
        return;
    }
    let twin = org.peek(at, id, "OpportunityLineItemId").as_id();
    let Some(lines) = org.schema().position("OpportunityLineItem") else {
        return;
    };
    match twin.filter(|t| org.table(lines).live(*t).is_some()) {
        Some(twin) => {
            mirror(org, hand, (at, id), (lines, twin));
            opportunity::total(org, hand, opp);
        }
        // A line that the opportunity refuses stays on the quote alone; the quote's own write must not fail by it.
        None => drop(copy_line(org, hand, at, id, opp)),
    }
}

/// A written opportunity line reaches the synced quote; one that has no twin there gets one.
pub(super) fn line_to_quote(org: &mut Org, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
    let (lines, twins) = children(org, "QuoteLineItem", "OpportunityLineItemId", id);
    for twin in &twins {
        if let Some((quote, _)) = synced(org, org.peek(lines, *twin, "QuoteId").as_id()) {
            mirror(org, hand, (at, id), (lines, *twin));
            quote::total(org, hand, quote);
        }
    }
    match twins.is_empty() && !org.copying_lines {
        true => add_to_quote(org, hand, at, id),
        false => Ok(()),
    }
}

/// A line that is new on a syncing opportunity is made on its quote too.
fn add_to_quote(org: &mut Org, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
    let schema = org.schema();
    let opportunity = org.peek(at, id, "OpportunityId").as_id();
    let quote = super::related(org, "Opportunity", opportunity, "SyncedQuoteId").as_id();
    let (Some(quote), Some(target)) = (quote, schema.position("QuoteLineItem")) else {
        return Ok(());
    };
    let object = schema.at(target);
    let mut given: Vec<(usize, Value)> = MIRRORED
        .iter()
        .copied()
        .chain(["PricebookEntryId"])
        .filter_map(|name| object.position(name).map(|f| (f, org.peek(at, id, name))))
        .collect();
    let named = [
        ("QuoteId", Value::Id(quote)),
        ("OpportunityLineItemId", Value::Id(id)),
    ];
    given.extend(
        named
            .into_iter()
            .filter_map(|(name, value)| object.position(name).map(|f| (f, value))),
    );
    let outer = std::mem::replace(&mut org.copying_lines, true);
    let made = org.insert(hand, target, given);
    org.copying_lines = outer;
    made.map(drop)
}

/// A deleted opportunity line takes the lines of the synced quote along that were tied to it.
pub(super) fn line_left(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    let Some(lines) = org.schema().position("QuoteLineItem") else {
        return;
    };
    let prefix = org.schema().at(lines).prefix;
    let bin = org.table(at).row(id).and_then(|row| row.bin.clone());
    let tied = bin.iter().flat_map(|bin| &bin.unlinked);
    let twins: Vec<Id> = tied
        .map(|(twin, _)| *twin)
        .filter(|t| t.prefix() == prefix)
        .collect();
    for twin in twins {
        let syncing = synced(org, org.peek(lines, twin, "QuoteId").as_id()).is_some();
        if syncing && org.table(lines).live(twin).is_some() {
            // The twin exists and may be deleted, so this cannot fail.
            drop(org.delete(hand, lines, twin));
        }
    }
}

/// A deleted quote line takes its opportunity line along.
pub(super) fn line_gone(org: &mut Org, hand: &Hand, quote: Id, twin: Option<Id>) {
    let (Some(twin), Some(lines)) = (twin, org.schema().position("OpportunityLineItem")) else {
        return;
    };
    if synced(org, Some(quote)).is_some() && org.table(lines).live(twin).is_some() {
        // The twin exists and may be deleted, so this cannot fail.
        drop(org.delete(hand, lines, twin));
    }
}

fn mirror(org: &mut Org, hand: &Hand, from: (usize, Id), to: (usize, Id)) {
    let names = MIRRORED.iter().copied().chain(["Subtotal", "TotalPrice"]);
    let set: Vec<(&str, Value)> = names.map(|n| (n, org.peek(from.0, from.1, n))).collect();
    org.touch(hand, to.0, to.1, &set);
}

/// The quote and its opportunity when they are syncing.
fn synced(org: &Org, quote: Option<Id>) -> Option<(Id, Id)> {
    let (quote, at) = (quote?, org.schema().position("Quote")?);
    let syncing = org.peek(at, quote, "IsSyncing").is_true();
    let opportunity = org.peek(at, quote, "OpportunityId").as_id()?;
    syncing.then_some((quote, opportunity))
}
