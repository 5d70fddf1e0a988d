//! Opportunity: the stage decides probability and forecast; line items own the amount (Object Reference, Opportunity).

use super::{Draft, Hand, Org, Row, Value, children, quote_sync, related};
use crate::org::{ApiError, Id};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// Forecast categories: stored code and the name people choose (Object Reference, Opportunity.ForecastCategory).
const FORECASTS: [(&str, &str); 5] = [
    ("Omitted", "Omitted"),
    ("Pipeline", "Pipeline"),
    ("BestCase", "Best Case"),
    ("Forecast", "Commit"),
    ("Closed", "Closed"),
];

pub(super) fn before(org: &mut Org, draft: &mut Draft<'_>) -> Result<(), ApiError> {
    keep_what_lines_own(draft);
    check_price_book(draft)?;
    check_synced_quote(org, draft)?;
    if draft.changed("StageName") {
        apply_stage(org, draft);
    } else if draft.changed("ForecastCategoryName") {
        set_forecast_code(draft);
    }
    let amount = draft.number("Amount");
    let probability = draft.number("Probability").unwrap_or_default();
    let expected = amount.map(|a| a * probability / Decimal::ONE_HUNDRED);
    match expected {
        Some(expected) => draft.set_number("ExpectedRevenue", expected),
        None => draft.set("ExpectedRevenue", Value::Null),
    }
    set_fiscal_period(draft);
    count_push(draft);
    Ok(())
}

/// How often the close date moved into a later month (Object Reference, Opportunity.PushCount).
fn count_push(draft: &mut Draft<'_>) {
    let month = |value: &Value| match value {
        Value::Date(date) => Some((date.year(), date.month())),
        _ => None,
    };
    let Some(at) = draft.object.position("CloseDate") else {
        return;
    };
    let before = draft.before.as_ref().map(|row| month(&row.values[at]));
    let pushed = match before {
        None => 0,
        Some(before) => u8::from(before < month(&draft.row.values[at])),
    };
    let count = draft.number("PushCount").unwrap_or_default() + Decimal::from(pushed);
    draft.set_number("PushCount", count);
}

/// With lines present the amount and the quantity are computed; writing them is ignored without a word.
fn keep_what_lines_own(draft: &mut Draft<'_>) {
    if draft.get("HasOpportunityLineItem").is_true() && !draft.creating() {
        draft.restore("Amount");
        draft.restore("TotalOpportunityQuantity");
    }
}

fn check_price_book(draft: &Draft<'_>) -> Result<(), ApiError> {
    let has_lines = draft.get("HasOpportunityLineItem").is_true();
    for name in ["Pricebook2Id", "CurrencyIsoCode"] {
        if has_lines && !draft.creating() && draft.changed(name) {
            let detail = format!("{name} (cannot be changed while the opportunity has line items)");
            return Err(ApiError::integrity(detail, &[name]));
        }
    }
    Ok(())
}

fn check_synced_quote(org: &Org, draft: &Draft<'_>) -> Result<(), ApiError> {
    let Some(quote) = draft
        .reference("SyncedQuoteId")
        .filter(|_| draft.changed("SyncedQuoteId"))
    else {
        return Ok(());
    };
    if related(org, "Quote", Some(quote), "OpportunityId") == Value::Id(draft.id) {
        return Ok(());
    }
    Err(ApiError::integrity(
        "SyncedQuoteId (the quote belongs to another opportunity)",
        &["SyncedQuoteId"],
    ))
}

fn apply_stage(org: &Org, draft: &mut Draft<'_>) {
    let stage = draft
        .get("StageName")
        .as_text()
        .and_then(|name| stage_named(org, name));
    let known = |field: &str| {
        stage.map_or(Value::Null, |id| {
            related(org, "OpportunityStage", Some(id), field)
        })
    };
    let flag = |field: &str| Value::Bool(known(field).is_true());
    draft.set("IsClosed", flag("IsClosed"));
    draft.set("IsWon", flag("IsWon"));
    if !draft.gave_value("Probability") {
        let probability = known("DefaultProbability").as_number().unwrap_or_default();
        draft.set_number("Probability", probability);
    }
    if draft.gave_value("ForecastCategoryName") {
        set_forecast_code(draft);
    } else {
        let or_pipeline = |v: Value| if v.is_null() { Value::text("Pipeline") } else { v };
        draft.set("ForecastCategory", or_pipeline(known("ForecastCategory")));
        draft.set("ForecastCategoryName", or_pipeline(known("ForecastCategoryName")));
    }
    if !draft.creating() {
        draft.set("LastStageChangeDate", Value::instant(draft.hand.now));
    }
}

fn stage_named(org: &Org, name: &str) -> Option<Id> {
    let schema = org.schema();
    let at = schema.position("OpportunityStage")?;
    let label = schema.at(at).position("MasterLabel")?;
    let same = |row: &Row| {
        row.values[label]
            .as_text()
            .is_some_and(|l| l.eq_ignore_ascii_case(name))
    };
    org.table(at).rows().find(|(_, row)| same(row)).map(|(id, _)| id)
}

fn set_forecast_code(draft: &mut Draft<'_>) {
    let name = draft.get("ForecastCategoryName").as_text().unwrap_or("Pipeline");
    let code = FORECASTS
        .iter()
        .find(|(_, n)| *n == name)
        .map_or("Pipeline", |(code, _)| code);
    draft.set("ForecastCategory", Value::text(code));
}

/// Fiscal years start in January here, as in every new org.
fn set_fiscal_period(draft: &mut Draft<'_>) {
    let Value::Date(close) = *draft.get("CloseDate") else {
        return;
    };
    let quarter = (close.month() + 2) / 3;
    draft.set_number("FiscalQuarter", Decimal::from(quarter));
    draft.set_number("FiscalYear", Decimal::from(close.year()));
    draft.set("Fiscal", Value::text(&format!("{} {quarter}", close.year())));
}

pub(super) fn after(
    org: &mut Org,
    hand: &Hand,
    at: usize,
    id: Id,
    before: Option<&Row>,
) -> Result<(), ApiError> {
    let schema = org.schema();
    let was = |name: &str| {
        let field = schema.at(at).position(name)?;
        before.map(|row| row.values[field].clone())
    };
    if before.is_none() {
        first_contact(org, hand, at, id)?;
        return Ok(());
    }
    let account = org.peek(at, id, "AccountId");
    if was("AccountId") != Some(account.clone()) {
        let (quotes, ids) = children(org, "Quote", "OpportunityId", id);
        for quote in ids {
            org.touch(hand, quotes, quote, &[("AccountId", account.clone())]);
        }
    }
    let synced = org.peek(at, id, "SyncedQuoteId").as_id();
    if was("SyncedQuoteId").and_then(|v| v.as_id()) != synced {
        quote_sync::switch(org, hand, id, synced)?;
    }
    Ok(())
}

/// A create with `ContactId` brings a primary contact role along.
fn first_contact(org: &mut Org, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
    let schema = org.schema();
    let (contact, Some(roles)) = (
        org.peek(at, id, "ContactId"),
        schema.position("OpportunityContactRole"),
    ) else {
        return Ok(());
    };
    if contact.is_null() {
        return Ok(());
    }
    let object = schema.at(roles);
    let named = [
        ("OpportunityId", Value::Id(id)),
        ("ContactId", contact),
        ("IsPrimary", Value::Bool(true)),
    ];
    let given = named
        .into_iter()
        .filter_map(|(n, v)| object.position(n).map(|f| (f, v)))
        .collect();
    org.insert(hand, roles, given).map(|_| ())
}

impl Org {
    /// From here on opportunities are not summed up at each of their lines. A roll-up runs once for the records of a
    /// call, and a quote of thousands of lines would take a square of that.
    pub fn hold_totals(&mut self) {
        self.held_totals = Some(BTreeSet::new());
    }

    /// Sums up the opportunities whose lines were written since.
    pub fn settle_totals(&mut self, hand: &Hand) {
        for id in self.held_totals.take().unwrap_or_default() {
            total(self, hand, id);
        }
    }
}

/// Amount, quantity and the line flag from the lines. Without lines the amount is zero again.
pub(super) fn total(org: &mut Org, hand: &Hand, id: Id) {
    let Some(at) = org.schema().position("Opportunity") else {
        return;
    };
    if let Some(held) = &mut org.held_totals {
        held.insert(id);
        return;
    }
    let (lines, ids) = children(org, "OpportunityLineItem", "OpportunityId", id);
    let sum = |name: &str| {
        ids.iter()
            .map(|l| org.peek_number(lines, *l, name))
            .sum::<Decimal>()
    };
    let (amount, quantity) = (sum("TotalPrice"), sum("Quantity"));
    let expected = amount * org.peek_number(at, id, "Probability") / Decimal::ONE_HUNDRED;
    let set = [
        ("Amount", Value::Number(amount)),
        ("ExpectedRevenue", Value::Number(expected)),
        ("TotalOpportunityQuantity", Value::Number(quantity)),
        ("HasOpportunityLineItem", Value::Bool(!ids.is_empty())),
    ];
    org.touch(hand, at, id, &set);
}
