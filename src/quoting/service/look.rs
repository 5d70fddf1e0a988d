//! Reading quotes, and trying a write out without doing it.

use cpq_domain::desk::{QuoteFilter, QuotePage};
use cpq_domain::id::{OpportunityKey, QuoteId, QuoteNumber};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::quote::{OpportunityRef, Quote};
use cpq_domain::view::Patch;
use cpq_domain::{Code, Error, Result};
use cpq_store::quote_events::{self, QuoteEvent};
use cpq_store::{counters, quotes};
use jiff::Timestamp;

use super::work::{self, not_found};
use super::{EmbeddedCpq, Moment, counter_name};
use crate::{patch, revision};

/// Rows of a page when nobody says how many.
const USUAL_ROWS: u32 = 50;
/// Store pages that one list reads at most while it looks for quotes of one system; a short page with a cursor is the
/// answer then.
const PAGES_PER_LIST: usize = 10;

impl EmbeddedCpq {
    /// A quote by its id, or by its number: then the newest revision.
    ///
    /// # Errors
    /// [`Code::QuoteNotFound`].
    pub async fn get(&self, id_or_number: &str) -> Result<Quote> {
        let (id, number) = (
            QuoteId::new(id_or_number).ok(),
            QuoteNumber::new(id_or_number).ok(),
        );
        let what = id_or_number.to_owned();
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    if let Some(id) = id
                        && let Some(quote) = quotes::by_id(tx, &id).await?
                    {
                        return Ok(quote);
                    }
                    let quote = match number {
                        Some(number) => quotes::by_number(tx, &number, None).await?,
                        None => None,
                    };
                    quote.ok_or_else(|| not_found(&what))
                })
            })
            .await
    }

    /// One revision of a quote by number, or its newest.
    ///
    /// # Errors
    /// [`Code::QuoteNotFound`].
    pub async fn by_number(&self, number: &QuoteNumber, revision: Option<u32>) -> Result<Quote> {
        let number = number.clone();
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let quote = quotes::by_number(tx, &number, revision).await?;
                    quote.ok_or_else(|| not_found(number.as_str()))
                })
            })
            .await
    }

    /// The newest revision of the opportunity's quote, if there is one. `system` names the CRM connection.
    pub async fn current(&self, system: &str, key: &OpportunityKey) -> Result<Option<Quote>> {
        let (system, key) = (system.to_owned(), key.clone());
        self.store
            .read(move |tx| Box::pin(async move { quotes::current(tx, &system, &key).await }))
            .await
    }

    /// All revisions of a quote, oldest first, by the id of the first one; empty when there is none.
    pub async fn revisions(&self, root_id: &QuoteId) -> Result<Vec<Quote>> {
        let root_id = root_id.clone();
        self.store
            .read(move |tx| Box::pin(async move { quotes::revisions(tx, &root_id).await }))
            .await
    }

    /// What happened to a quote over all its revisions, in order, by the id of the first one.
    pub async fn history(&self, root_id: &QuoteId) -> Result<Vec<QuoteEvent>> {
        let root_id = root_id.clone();
        self.store
            .read(move |tx| Box::pin(async move { quote_events::of_quote(tx, &root_id).await }))
            .await
    }

    /// What a write would lead to; changes nothing. For a new quote the number is the one it would get now.
    ///
    /// # Errors
    /// Those of the write itself; [`Code::RequestInvalid`] when it is not said which quote.
    pub async fn preview(
        &self,
        of: Option<&OpportunityRef>,
        id: Option<&QuoteId>,
        patch: &Patch,
    ) -> Result<Quote> {
        match (of, id) {
            (_, Some(id)) => self.preview_change(id, "*", patch).await,
            (Some(of), None) => self.preview_new(of, patch).await,
            (None, None) => Err(Error::new(
                Code::RequestInvalid,
                "a preview needs the id of a quote, or the opportunity of a new one",
            )),
        }
    }

    pub(crate) async fn preview_change(&self, id: &QuoteId, etag: &str, patch: &Patch) -> Result<Quote> {
        let (id, etag, patch, now) = (id.clone(), etag.to_owned(), patch.clone(), self.world.now());
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let quote = work::at_etag(tx, &id, &etag).await?;
                    Ok(patch::apply(&quote, &patch, now)?.unwrap_or(quote))
                })
            })
            .await
    }

    pub(crate) async fn preview_new(&self, of: &OpportunityRef, patch: &Patch) -> Result<Quote> {
        let (of, patch, moment) = (of.clone(), patch.clone(), Moment::of(self)?);
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let key = OpportunityKey::new(of.id.as_str())?;
                    if let Some(other) = quotes::current(tx, &of.system, &key).await? {
                        return Err(duplicate(&of, &other));
                    }
                    let last = counters::peek(tx, &counter_name(moment.year)).await?;
                    let birth = work::birth(&moment, last + 1)?;
                    revision::first(&birth, &of, &patch, &moment.settings)
                })
            })
            .await
    }

    /// A page of quotes, changed last first; all revisions.
    ///
    /// # Errors
    /// [`Code::RequestInvalid`] for a cursor that is none of ours.
    pub async fn list(&self, filter: &QuoteFilter) -> Result<QuotePage> {
        let limit = match filter.limit {
            0 => USUAL_ROWS,
            limit => limit.min(PAGE_ROWS),
        };
        let system = filter.system.clone();
        let mut wanted = quotes::Filter {
            opportunity: filter.opportunity.clone(),
            status: filter.status,
            updated_after: None,
            before: filter.cursor.as_deref().map(read_cursor).transpose()?,
            limit,
        };
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut found = Vec::new();
                    for _ in 0..PAGES_PER_LIST {
                        let rows = quotes::list(tx, &wanted).await?;
                        let full = rows.len() == limit as usize;
                        for quote in rows {
                            wanted.before = Some((quote.updated_at, quote.id.clone()));
                            if system
                                .as_ref()
                                .is_none_or(|system| *system == quote.opportunity.system)
                            {
                                found.push(quote);
                            }
                            if found.len() == limit as usize {
                                return Ok(page(found, wanted.before));
                            }
                        }
                        if !full {
                            return Ok(page(found, None));
                        }
                    }
                    Ok(page(found, wanted.before))
                })
            })
            .await
    }
}

fn page(quotes: Vec<Quote>, end: Option<(Timestamp, QuoteId)>) -> QuotePage {
    let cursor = end.map(|(moment, id)| format!("{}.{id}", moment.as_microsecond()));
    QuotePage { quotes, cursor }
}

fn read_cursor(text: &str) -> Result<(Timestamp, QuoteId)> {
    let parts = text.split_once('.').and_then(|(moment, id)| {
        let moment = Timestamp::from_microsecond(moment.parse().ok()?).ok()?;
        Some((moment, QuoteId::new(id).ok()?))
    });
    parts.ok_or_else(|| {
        Error::new(
            Code::RequestInvalid,
            "the cursor is not one that a list of quotes gave out",
        )
        .field("cursor")
    })
}

fn duplicate(of: &OpportunityRef, other: &Quote) -> Error {
    let message = format!("opportunity {} has a quote already: {}", of.id, other.number);
    Error::new(Code::QuoteDuplicate, message)
        .connection(&of.system)
        .record(of.id.as_str())
        .fact("quoteId", other.id.as_str())
        .fact("quoteNumber", other.number.as_str())
}
