//! All quotes of one system, page by page, and many at once: for those who compare whole sides.

use cpq_domain::id::RecordId;
use cpq_domain::paging::QuoteMarkPage;
use cpq_domain::quote::Quote;
use cpq_domain::{Code, Error, Result};
use cpq_store::quotes::{self, Behind};
use jiff::Timestamp;

use super::EmbeddedCpq;

impl EmbeddedCpq {
    /// A page of current quotes: by opportunity, or with `since` those changed from then on, by their last change.
    ///
    /// # Errors
    /// [`Code::RequestInvalid`] for a mark that no page gave out.
    pub async fn marks(
        &self,
        system: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<QuoteMarkPage> {
        let (system, behind) = (system.to_owned(), behind(since, after)?);
        let page = self
            .store
            .read(move |tx| Box::pin(async move { quotes::marks(tx, &system, &behind, limit).await }))
            .await?;
        Ok(QuoteMarkPage {
            quotes: page.quotes,
            next: page.next.map(|next| match next {
                Behind::Opportunity(id) => id,
                Behind::Change(at, id) => format!("{at}.{id}"),
            }),
        })
    }

    /// The current quotes of these opportunities.
    pub async fn current_of_many(&self, system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
        let (system, ids) = (system.to_owned(), ids.to_vec());
        self.store
            .read(move |tx| Box::pin(async move { quotes::current_of_many(tx, &system, &ids).await }))
            .await
    }
}

fn behind(since: Option<Timestamp>, after: Option<&str>) -> Result<Behind> {
    let wrong = || {
        let message = "this mark is none that a page of quotes gave out";
        Error::new(Code::RequestInvalid, message)
    };
    match (since, after) {
        (None, after) => Ok(Behind::Opportunity(after.unwrap_or_default().to_owned())),
        (Some(since), None) => Ok(Behind::Change(since.as_microsecond(), String::new())),
        (Some(_), Some(after)) => {
            let (at, id) = after.split_once('.').ok_or_else(wrong)?;
            Ok(Behind::Change(at.parse().map_err(|_| wrong())?, id.to_owned()))
        }
    }
}
