//! The counter at which quotes of the embedded CPQ are asked for and changed, with every change done once per key.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{CorrelationId, OpportunityKey, QuoteId};
use crate::keyed::Keyed;
use crate::quote::{OpportunityRef, Quote, Status, Transition};
use crate::view::Patch;

/// An answer as it is stored under its key: a repeat gets the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskAnswer {
    /// HTTP status of the first answer.
    pub status: u16,
    /// JSON of the quote, or of the error report, to the byte.
    pub body: String,
    /// Entity tag of the quote in the answer.
    pub etag: Option<String>,
    /// Whether it is the stored answer of an earlier request.
    pub replayed: bool,
}

/// Which quotes to list. Newest change first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuoteFilter {
    /// Name of the CRM connection.
    pub system: Option<String>,
    /// Number or id of the opportunity.
    pub opportunity: Option<OpportunityKey>,
    /// State.
    pub status: Option<Status>,
    /// Rows of a page, at most [`crate::limits::PAGE_ROWS`].
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotePage {
    /// The quotes.
    pub quotes: Vec<Quote>,
    /// Hand this in to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The embedded CPQ as the public API sees it.
#[async_trait]
pub trait QuoteDesk: Send + Sync {
    /// Makes the first quote of an opportunity.
    async fn create(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        of: &OpportunityRef,
        patch: &Patch,
    ) -> Result<DeskAnswer>;

    /// Changes the quote if it is still at `etag`.
    async fn change(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        patch: &Patch,
    ) -> Result<DeskAnswer>;

    /// Moves the quote along its life if it is still at `etag`.
    async fn transition(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<DeskAnswer>;

    /// What a write would lead to; changes nothing. `id` is `None` for a new quote of `of`.
    async fn preview(
        &self,
        of: Option<&OpportunityRef>,
        id: Option<&QuoteId>,
        patch: &Patch,
    ) -> Result<Quote>;

    /// A quote by id, or by number (its newest revision).
    async fn get(&self, id_or_number: &str) -> Result<Quote>;

    /// A page of quotes.
    async fn list(&self, filter: &QuoteFilter) -> Result<QuotePage>;
}
