//! The embedded CPQ behind the door that every CPQ stands behind.

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use cpq_domain::adapter::{Call, CpqAdapter, CpqCapabilities, CpqWrite, QuoteTarget};
use cpq_domain::id::{ClientId, IdempotencyKey, OpportunityKey, QuoteId, RecordId};
use cpq_domain::keyed::Keyed;
use cpq_domain::paging::QuoteMarkPage;
use cpq_domain::quote::{Quote, Transition};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::Serialize;

use crate::service::{EmbeddedCpq, Work, pack};

#[async_trait]
impl CpqAdapter for EmbeddedCpq {
    fn capabilities(&self) -> CpqCapabilities {
        CpqCapabilities {
            idempotency_keys: true,
            preview: true,
        }
    }

    async fn find(&self, _call: &Call, system: &str, key: &OpportunityKey) -> Result<Option<Quote>> {
        self.current(system, key).await
    }

    async fn page(
        &self,
        _call: &Call,
        system: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<QuoteMarkPage> {
        self.marks(system, since, after, limit).await
    }

    async fn find_many(&self, _call: &Call, system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
        self.current_of_many(system, ids).await
    }

    async fn get(&self, _call: &Call, id: &QuoteId) -> Result<Quote> {
        EmbeddedCpq::get(self, id.as_str()).await
    }

    async fn preview(&self, _call: &Call, write: &CpqWrite) -> Result<Option<Quote>> {
        let quote = match &write.target {
            QuoteTarget::New(of) => self.preview_new(of, &write.patch).await?,
            QuoteTarget::Existing { id, etag } => self.preview_change(id, etag, &write.patch).await?,
        };
        Ok(Some(quote))
    }

    async fn write(&self, call: &Call, key: &IdempotencyKey, write: &CpqWrite) -> Result<Quote> {
        let keyed = keyed(key, &("write", write))?;
        let patch = write.patch.clone();
        let work = match write.target.clone() {
            QuoteTarget::New(of) => Work::Create { of, patch },
            QuoteTarget::Existing { id, etag } => Work::Change { id, etag, patch },
        };
        self.perform(Some(&keyed), &call.correlation, work).await?.quote()
    }

    async fn transition(
        &self,
        call: &Call,
        key: &IdempotencyKey,
        target: &QuoteTarget,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<Quote> {
        let QuoteTarget::Existing { id, etag } = target else {
            return Err(Error::new(
                Code::RequestInvalid,
                format!("a new quote cannot {transition}: a transition needs a quote that exists"),
            ));
        };
        let keyed = keyed(key, &("transition", target, transition, reason))?;
        let work = Work::move_along(id, etag, transition, reason);
        self.perform(Some(&keyed), &call.correlation, work).await?.quote()
    }
}

/// A sync's key. Only what was done is kept under it: a refused write has no effect, and is judged anew each time.
fn keyed<T: Serialize>(key: &IdempotencyKey, request: &T) -> Result<Keyed> {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, pack(request)?.as_bytes()).as_ref());
    Ok(Keyed {
        client: ClientId::new(EmbeddedCpq::SYNC_CLIENT)?,
        key: key.clone(),
        fingerprint,
    })
}
