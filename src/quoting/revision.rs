//! How quotes begin: the first one of an opportunity, and the revision that takes an older one's place. Pure.

use std::collections::BTreeMap;

use cpq_domain::id::{QuoteId, QuoteNumber};
use cpq_domain::limits::NAME_CHARS;
use cpq_domain::quote::{OpportunityRef, Quote, Status, Totals};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{LineChange, Patch};
use cpq_domain::{Code, Error, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;

use crate::lifecycle;
use crate::patch;
use crate::pricing::price;
use crate::settings::{QuotingSettings, is_currency};

/// The identity of a new quote, from the world and the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Id of the revision.
    pub id: QuoteId,
    /// Number of the quote.
    pub number: QuoteNumber,
    /// Now.
    pub now: Timestamp,
}

/// The first quote of an opportunity, a priced draft.
///
/// What the patch leaves open is filled in: the name from the opportunity, the last day from the settings, the
/// currency from the prices, the opportunity or the settings, in this order.
///
/// # Errors
/// [`Code::OpportunityIncomplete`] when no currency is known; else as [`patch::apply`].
pub fn first(
    birth: &Birth,
    opportunity: &OpportunityRef,
    patch: &Patch,
    settings: &QuotingSettings,
) -> Result<Quote> {
    let currency = currency(opportunity, patch, settings)?;
    let mut quote = blank(birth, opportunity, &currency);
    quote.name = name(opportunity, patch);
    quote.valid_until = Some(default_day(birth.now, settings)?);
    let mut patch = patch.clone();
    // "No last day" in the CRM of a quote that does not exist yet is not a wish for an endless offer.
    patch
        .fields
        .retain(|field, value| field.as_str() != "quote.valid_until" || !value.is_null());
    patch::write(&mut quote, &patch)?;
    price(&mut quote).map_err(|error| error.record(opportunity.id.as_str()))?;
    Ok(quote)
}

/// The old revision, superseded, and the new one in draft with the same number and line keys.
///
/// # Errors
/// [`Code::InvalidTransition`] or [`Code::QuoteSuperseded`] when the quote cannot be revised.
pub fn next(
    old: &Quote,
    id: QuoteId,
    reason: Option<&str>,
    now: Timestamp,
    settings: &QuotingSettings,
) -> Result<(Quote, Quote)> {
    let mut before = lifecycle::step(old, cpq_domain::quote::Transition::Revise, reason, now)?;
    before.superseded_by_id = Some(id.clone());
    before.is_primary = false;
    let mut after = Quote {
        id,
        revision: old.revision + 1,
        previous_revision_id: Some(old.id.clone()),
        superseded_by_id: None,
        status: Status::Draft,
        version: 1,
        is_primary: old.is_primary,
        reason: None,
        created_at: now,
        updated_at: now,
        ..old.clone()
    };
    if lifecycle::is_past(&after, now) {
        after.valid_until = Some(default_day(now, settings)?);
    }
    price(&mut after).map_err(|error| error.record(old.number.as_str()))?;
    Ok((before, after))
}

/// The calendar day in UTC.
pub(crate) fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

fn default_day(now: Timestamp, settings: &QuotingSettings) -> Result<Date> {
    let days = Span::new().try_days(settings.default_validity_days);
    days.and_then(|days| today(now).checked_add(days))
        .map_err(|error| {
            Error::new(
                Code::ConfigInvalid,
                format!(
                    "quoting.default_validity_days is {}; no calendar has that day",
                    settings.default_validity_days
                ),
            )
            .field("quoting.default_validity_days")
            .cause(error)
        })
}

fn blank(birth: &Birth, opportunity: &OpportunityRef, currency: &str) -> Quote {
    let zero = Money::zero(currency);
    Quote {
        id: birth.id.clone(),
        root_id: birth.id.clone(),
        number: birth.number.clone(),
        revision: 1,
        previous_revision_id: None,
        superseded_by_id: None,
        status: Status::Draft,
        version: 1,
        is_primary: true,
        name: String::new(),
        opportunity: opportunity.clone(),
        currency: currency.to_owned(),
        price_list: None,
        valid_until: None,
        payment_terms: None,
        header_discount: None,
        lines: Vec::new(),
        totals: Totals {
            list: zero.clone(),
            line_discount: zero.clone(),
            header_discount: zero.clone(),
            net: zero.clone(),
            discount_percent: Decimal::ZERO,
            optional_net: zero,
        },
        context: BTreeMap::new(),
        reason: None,
        created_at: birth.now,
        updated_at: birth.now,
    }
}

/// The opportunity's name, or what else people call it.
fn name(opportunity: &OpportunityRef, patch: &Patch) -> String {
    let told = patch.fields.get("opportunity.name").and_then(Value::as_text);
    let called = opportunity
        .number
        .as_ref()
        .map_or(opportunity.id.as_str(), |number| number.as_str());
    let name = told.map(str::trim).filter(|name| !name.is_empty());
    let name = name.map_or_else(|| format!("Quote for {called}"), str::to_owned);
    name.chars().take(NAME_CHARS).collect()
}

fn currency(opportunity: &OpportunityRef, patch: &Patch, settings: &QuotingSettings) -> Result<String> {
    let named = |field: &str| patch.fields.get(field).and_then(Value::as_text);
    let priced = patch.lines.values().find_map(|change| match change {
        LineChange::Put(fields) => money(fields.get("line.list_unit")),
        LineChange::Remove => None,
    });
    named("quote.currency")
        .or(priced)
        .or_else(|| named("opportunity.currency"))
        .or_else(|| money(patch.fields.get("opportunity.amount")))
        .or(settings.default_currency.as_deref())
        .filter(|code| is_currency(code))
        .map(str::to_owned)
        .ok_or_else(|| no_currency(opportunity))
}

fn money(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::Money(money)) => Some(&money.currency),
        _ => None,
    }
}

fn no_currency(opportunity: &OpportunityRef) -> Error {
    Error::new(
        Code::OpportunityIncomplete,
        format!(
            "opportunity {} names no usable currency, so no quote can be priced",
            opportunity.id
        ),
    )
    .connection(&opportunity.system)
    .record(opportunity.id.as_str())
    .field("quote.currency")
    .next("map the opportunity's currency, or set quoting.default_currency, then sync it again")
}
