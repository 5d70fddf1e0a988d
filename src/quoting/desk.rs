//! The embedded CPQ as the public API sees it: answers in bytes, refusals kept under their key.

use async_trait::async_trait;
use cpq_domain::desk::{DeskAnswer, QuoteDesk, QuoteFilter, QuotePage};
use cpq_domain::id::{CorrelationId, QuoteId};
use cpq_domain::keyed::Keyed;
use cpq_domain::quote::{OpportunityRef, Quote, Transition};
use cpq_domain::view::Patch;
use cpq_domain::{Code, Error, Result};

use crate::service::{EmbeddedCpq, Work};

#[async_trait]
impl QuoteDesk for EmbeddedCpq {
    async fn create(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        of: &OpportunityRef,
        patch: &Patch,
    ) -> Result<DeskAnswer> {
        let work = Work::Create {
            of: of.clone(),
            patch: patch.clone(),
        };
        self.answer(keyed, by, work).await
    }

    async fn change(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        patch: &Patch,
    ) -> Result<DeskAnswer> {
        let work = Work::Change {
            id: id.clone(),
            etag: etag.to_owned(),
            patch: patch.clone(),
        };
        self.answer(keyed, by, work).await
    }

    async fn transition(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<DeskAnswer> {
        let work = Work::move_along(id, etag, transition, reason);
        self.answer(keyed, by, work).await
    }

    async fn preview(
        &self,
        of: Option<&OpportunityRef>,
        id: Option<&QuoteId>,
        patch: &Patch,
    ) -> Result<Quote> {
        EmbeddedCpq::preview(self, of, id, patch).await
    }

    async fn get(&self, id_or_number: &str) -> Result<Quote> {
        EmbeddedCpq::get(self, id_or_number).await
    }

    async fn list(&self, filter: &QuoteFilter) -> Result<QuotePage> {
        EmbeddedCpq::list(self, filter).await
    }
}

impl EmbeddedCpq {
    /// A definite refusal consumes the key as a success does: its repeat gets the same bytes. It is stored in a
    /// transaction of its own, because the one it happened in was undone as a whole.
    async fn answer(&self, keyed: &Keyed, by: &CorrelationId, work: Work) -> Result<DeskAnswer> {
        match self.perform(Some(keyed), by, work).await {
            Ok(done) => Ok(done.answer),
            Err(error) if consumes_key(&error) => self.remember_refusal(keyed, by, &error).await,
            Err(error) => Err(error),
        }
    }
}

/// Whether sending the same request again would be refused again. What the ledger itself says is never stored in it.
fn consumes_key(error: &Error) -> bool {
    let of_ledger = matches!(
        error.code,
        Code::IdempotencyInProgress | Code::IdempotencyKeyReused | Code::IdempotencyKeyExpired
    );
    !of_ledger && !matches!(error.code.http_status(), 400 | 401 | 403 | 429 | 500..)
}
