//! What happened to a quote: the stored event, and the hint that goes out once it is durable.

use cpq_domain::id::{ClientId, CorrelationId};
use cpq_domain::quote::{OpportunityRef, Quote, Transition};
pub use cpq_store::quote_events::QuoteEvent;
use serde_json::{Value as Json, json};

/// Changed fields that an event names; the rest is only counted, so that an event stays small however large the quote.
pub const CHANGED_NAMES: usize = 200;

/// Told to subscribers after the commit. A hint: look at the quote, do not trust the order of hints.
///
/// Events of one quote are ordered by `event.sequence`, and [`cpq_store::quote_events::after`] reads them again for
/// whoever missed some.
#[derive(Clone, Debug, PartialEq)]
pub struct QuoteChange {
    /// The stored event.
    pub event: QuoteEvent,
    /// The opportunity of the quote.
    pub opportunity: OpportunityRef,
    /// Whose request it was; `None` for our own housekeeping. [`crate::EmbeddedCpq::SYNC_CLIENT`] is a sync, which
    /// knows already.
    pub client: Option<ClientId>,
}

/// On whose behalf a quote changes.
pub(crate) struct By {
    /// Correlation id of the request or sync.
    pub(crate) correlation: CorrelationId,
    /// Whose request it is; `None` for our own housekeeping.
    pub(crate) client: Option<ClientId>,
}

/// An event about `quote` as it is now, not yet numbered.
pub(crate) fn event(
    kind: &str,
    quote: &Quote,
    changed: Vec<String>,
    reason: Option<&str>,
    by: &By,
) -> QuoteEvent {
    QuoteEvent {
        position: 0,
        root_id: quote.root_id.clone(),
        sequence: 0,
        quote_id: quote.id.clone(),
        kind: kind.to_owned(),
        at: quote.updated_at,
        correlation: Some(by.correlation.clone()),
        data: data(quote, changed, reason, by.client.as_ref()),
    }
}

fn data(quote: &Quote, mut changed: Vec<String>, reason: Option<&str>, client: Option<&ClientId>) -> Json {
    let count = changed.len();
    changed.truncate(CHANGED_NAMES);
    json!({
        "number": quote.number,
        "revision": quote.revision,
        "version": quote.version,
        "status": quote.status,
        "isPrimary": quote.is_primary,
        "opportunity": quote.opportunity,
        "net": quote.totals.net,
        "changed": changed,
        "changedCount": count,
        "reason": reason,
        "client": client,
    })
}

/// The name of the event that a transition leaves behind.
pub fn kind_of(transition: Transition) -> &'static str {
    match transition {
        Transition::Submit => "quote.submitted",
        Transition::Approve => "quote.approved",
        Transition::Reject => "quote.rejected",
        Transition::Recall => "quote.recalled",
        Transition::Reopen => "quote.reopened",
        Transition::Send => "quote.sent",
        Transition::Unlock => "quote.unlocked",
        Transition::Withdraw => "quote.withdrawn",
        Transition::Accept => "quote.accepted",
        Transition::Decline => "quote.declined",
        Transition::Expire => "quote.expired",
        Transition::Convert => "quote.converted",
        Transition::Revise => "quote.revised",
        Transition::Cancel => "quote.cancelled",
    }
}
