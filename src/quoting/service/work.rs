//! The effects: what a request does to the quotes, inside its transaction.

use cpq_domain::id::QuoteId;
use cpq_domain::quote::{OpportunityRef, Quote, Transition};
use cpq_domain::view::Patch;
use cpq_domain::{Code, Error, Result};
use cpq_store::quote_events::{self, QuoteEvent};
use cpq_store::{Tx, counters, quotes};

use super::{Moment, counter_name};
use crate::events::{By, event, kind_of};
use crate::lifecycle;
use crate::patch::{self, changed_fields};
use crate::revision::{self, Birth};

/// What to do.
#[derive(Clone)]
pub(crate) enum Work {
    /// Make the first quote of an opportunity.
    Create { of: OpportunityRef, patch: Patch },
    /// Apply a patch.
    Change { id: QuoteId, etag: String, patch: Patch },
    /// Move along.
    Move {
        id: QuoteId,
        etag: String,
        transition: Transition,
        reason: Option<String>,
    },
}

impl Work {
    pub(crate) fn move_along(id: &QuoteId, etag: &str, transition: Transition, reason: Option<&str>) -> Work {
        Work::Move {
            id: id.clone(),
            etag: etag.to_owned(),
            transition,
            reason: reason.map(str::to_owned),
        }
    }
}

/// What was done.
pub(super) struct Effect {
    /// The quote to answer with.
    pub(super) quote: Quote,
    /// HTTP status of the answer.
    pub(super) status: u16,
    /// Events, stored and numbered.
    pub(super) events: Vec<QuoteEvent>,
}

pub(super) async fn perform(tx: &mut dyn Tx, work: Work, by: &By, moment: &Moment) -> Result<Effect> {
    match work {
        Work::Create { of, patch } => create(tx, &of, &patch, by, moment).await,
        Work::Change { id, etag, patch } => {
            let quote = at_etag(tx, &id, &etag).await?;
            change(tx, quote, &patch, by, moment).await
        }
        Work::Move {
            id,
            etag,
            transition,
            reason,
        } => {
            let quote = at_etag(tx, &id, &etag).await?;
            match transition {
                Transition::Revise => revise(tx, quote, reason.as_deref(), by, moment).await,
                _ => step(tx, quote, transition, reason.as_deref(), by, moment).await,
            }
        }
    }
}

async fn create(
    tx: &mut dyn Tx,
    of: &OpportunityRef,
    patch: &Patch,
    by: &By,
    moment: &Moment,
) -> Result<Effect> {
    let sequence = counters::draw(tx, &counter_name(moment.year)).await?;
    let birth = birth(moment, sequence)?;
    let quote = revision::first(&birth, of, patch, &moment.settings)?;
    quotes::insert(tx, &quote).await?;
    let mut made = event("quote.created", &quote, vec![], None, by);
    quote_events::append(tx, &mut made).await?;
    Ok(Effect {
        quote,
        status: 201,
        events: vec![made],
    })
}

/// Identity of the `sequence`-th quote of the year.
pub(super) fn birth(moment: &Moment, sequence: i64) -> Result<Birth> {
    let sequence = u64::try_from(sequence).map_err(|error| {
        Error::new(Code::Internal, "the counter of quote numbers is negative").cause(error)
    })?;
    Ok(Birth {
        id: moment.fresh.clone(),
        number: moment.settings.number_format.number(moment.year, sequence)?,
        now: moment.now,
    })
}

async fn change(tx: &mut dyn Tx, quote: Quote, patch: &Patch, by: &By, moment: &Moment) -> Result<Effect> {
    let Some(changed) = patch::apply(&quote, patch, moment.now)? else {
        return Ok(Effect {
            quote,
            status: 200,
            events: vec![],
        });
    };
    let told = store(tx, &quote, &changed, "quote.updated", None, by).await?;
    Ok(Effect {
        quote: changed,
        status: 200,
        events: vec![told],
    })
}

async fn step(
    tx: &mut dyn Tx,
    quote: Quote,
    transition: Transition,
    reason: Option<&str>,
    by: &By,
    moment: &Moment,
) -> Result<Effect> {
    let moved = lifecycle::advance(&quote, transition, reason, moment.now, &moment.settings)?;
    let told = store(tx, &quote, &moved, kind_of(transition), reason, by).await?;
    Ok(Effect {
        quote: moved,
        status: 200,
        events: vec![told],
    })
}

/// Old and new revision change in one transaction: there is no moment with two live ones, or none.
async fn revise(
    tx: &mut dyn Tx,
    quote: Quote,
    reason: Option<&str>,
    by: &By,
    moment: &Moment,
) -> Result<Effect> {
    let (before, after) = revision::next(&quote, moment.fresh.clone(), reason, moment.now, &moment.settings)?;
    let gone = store(tx, &quote, &before, "quote.superseded", reason, by).await?;
    quotes::insert(tx, &after).await?;
    let mut made = event(kind_of(Transition::Revise), &after, vec![], reason, by);
    quote_events::append(tx, &mut made).await?;
    Ok(Effect {
        quote: after,
        status: 201,
        events: vec![gone, made],
    })
}

/// Puts a changed quote in the place of the one it was made from, with its event.
async fn store(
    tx: &mut dyn Tx,
    before: &Quote,
    after: &Quote,
    kind: &str,
    reason: Option<&str>,
    by: &By,
) -> Result<QuoteEvent> {
    if !quotes::replace(tx, after, before.version).await? {
        return Err(conflict(before));
    }
    let mut told = event(kind, after, changed_fields(before, after), reason, by);
    quote_events::append(tx, &mut told).await?;
    Ok(told)
}

/// The quote, if it is still as the caller read it. `*` stands for any version (RFC 9110 §13.1.1).
pub(super) async fn at_etag(tx: &mut dyn Tx, id: &QuoteId, etag: &str) -> Result<Quote> {
    let quote = quotes::by_id(tx, id)
        .await?
        .ok_or_else(|| not_found(id.as_str()))?;
    if etag == "*" || etag == quote.etag() {
        return Ok(quote);
    }
    Err(conflict(&quote))
}

fn conflict(quote: &Quote) -> Error {
    let newer = quote.superseded_by_id.as_ref().map(QuoteId::as_str);
    let error = Error::new(
        Code::QuoteConflict,
        format!(
            "quote {} was changed since it was read; nothing was written",
            quote.number
        ),
    )
    .object("quote")
    .record(quote.number.as_str())
    .fact("etag", quote.etag())
    .fact("version", quote.version)
    .fact("status", quote.status.as_str());
    match newer {
        Some(newer) => error.fact("supersededById", newer),
        None => error,
    }
}

pub(super) fn not_found(what: &str) -> Error {
    let shown: String = what.chars().take(80).collect();
    Error::new(Code::QuoteNotFound, format!("there is no quote {shown:?}"))
        .object("quote")
        .record(shown)
}
