//! Offers whose last day is over.

use cpq_domain::id::{CorrelationId, QuoteId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::quote::{Quote, Status, Transition};
use cpq_domain::{Code, Result};
use cpq_store::quotes;
use jiff::Timestamp;

use super::EmbeddedCpq;
use super::work::Work;
use crate::lifecycle::is_due_to_expire;

/// The states from which an offer can expire.
const LIVE: [Status; 2] = [Status::Approved, Status::Sent];

impl EmbeddedCpq {
    /// Expires every offer whose last day (in UTC) is over, each in a transaction of its own, and gives back those it
    /// expired. Calling it again, or from two places at once, does nothing more.
    pub async fn expire_due(&self, by: &CorrelationId) -> Result<Vec<Quote>> {
        let mut expired = Vec::new();
        for status in LIVE {
            for (id, etag) in self.due(status).await? {
                let work = Work::move_along(&id, &etag, Transition::Expire, None);
                match self.perform(None, by, work).await {
                    Ok(done) => expired.push(done.quote()?),
                    // Somebody was faster: the next call looks at it again, if there is anything left to do.
                    Err(error) if error.code == Code::QuoteConflict => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(expired)
    }

    async fn due(&self, status: Status) -> Result<Vec<(QuoteId, String)>> {
        let now = self.world.now();
        let mut filter = quotes::Filter {
            status: Some(status),
            limit: PAGE_ROWS,
            ..quotes::Filter::default()
        };
        let mut due = Vec::new();
        loop {
            let rows = self.page_of(filter.clone()).await?;
            let full = rows.len() == PAGE_ROWS as usize;
            filter.before = rows
                .last()
                .map(|quote| -> (Timestamp, QuoteId) { (quote.updated_at, quote.id.clone()) });
            let past = rows.into_iter().filter(|quote| is_due_to_expire(quote, now));
            due.extend(past.map(|quote| (quote.id.clone(), quote.etag())));
            if !full {
                return Ok(due);
            }
        }
    }

    async fn page_of(&self, filter: quotes::Filter) -> Result<Vec<Quote>> {
        self.store
            .read(move |tx| Box::pin(async move { quotes::list(tx, &filter).await }))
            .await
    }
}
