//! All quotes of a CRM connection, and many at once.
//!
//! The contract lists quotes with the last change first. A quote that changes while we turn the pages moves to the front,
//! where we have been already: a reconcile meets it at its next look. There is no route for many opportunities, so they
//! are asked for one by one, a few at the same time.

use cpq_domain::Result;
use cpq_domain::adapter::{Call, CpqAdapter};
use cpq_domain::id::{OpportunityKey, RecordId};
use cpq_domain::paging::{QuoteMark, QuoteMarkPage};
use cpq_domain::quote::{Quote, Status};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::{Page, Request, RestCpqAdapter, list_path, read};

/// Lookups under way at once; a CPQ elsewhere has other callers too.
const LOOKUPS: usize = 8;

pub(super) async fn page(
    cpq: &RestCpqAdapter,
    call: &Call,
    system: &str,
    since: Option<Timestamp>,
    after: Option<&str>,
    limit: u32,
) -> Result<QuoteMarkPage> {
    let path = list_path(system, None, limit, after);
    let request = Request {
        operation: "list",
        ..read(&path, format!("list the quotes of {system}"))
    };
    let page: Page = cpq.http.send(call, &request).await?;
    let is_old = |quote: &Quote| since.is_some_and(|since| quote.updated_at < since);
    let past = page.quotes.iter().any(is_old);
    let current = page.quotes.into_iter().filter(|quote| {
        quote.status != Status::Superseded && quote.superseded_by_id.is_none() && !is_old(quote)
    });
    let mark = |quote: Quote| QuoteMark {
        opportunity: quote.opportunity,
        updated_at: quote.updated_at,
    };
    Ok(QuoteMarkPage {
        quotes: current.map(mark).collect(),
        next: page.cursor.filter(|_| !past),
    })
}

pub(super) async fn find_many(
    cpq: &RestCpqAdapter,
    call: &Call,
    system: &str,
    ids: &[RecordId],
) -> Result<Vec<Quote>> {
    let one = |id: &RecordId| {
        let key = OpportunityKey::new(id.as_str());
        async move { cpq.find(call, system, &key?).await }
    };
    let lookups: Vec<_> = ids.iter().map(one).collect();
    let found: Vec<Option<Quote>> = stream::iter(lookups)
        .buffer_unordered(LOOKUPS)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}
