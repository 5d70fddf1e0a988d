//! Quotes of the embedded CPQ: one row per revision, the whole document with the columns to find it by.

use cpq_domain::id::{OpportunityKey, QuoteId, QuoteNumber, RecordId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::paging::QuoteMark;
use cpq_domain::quote::{OpportunityRef, Quote, Status};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::encode::{count, json};
use crate::limits::{DOCUMENT_BYTES, REVISIONS};
use crate::many::{self, keys};
use crate::row::Row;
use crate::tx::{Tx, params};

const INSERT: &str =
    "INSERT INTO quotes (id, root_id, number, revision, system, opportunity_id, opportunity_number,
  status, version, is_primary, superseded, updated_at, body)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING";
const REPLACE: &str = "UPDATE quotes SET opportunity_number = $3, status = $4, version = $5, is_primary = $6,
  superseded = $7, updated_at = $8, body = $9 WHERE id = $1 AND version = $2";
const BY_ID: &str = "SELECT body FROM quotes WHERE id = $1";
const BY_REVISION: &str =
    "SELECT body FROM quotes WHERE system = $1 AND opportunity_id = $2 AND revision = $3";
const BY_NUMBER: &str = "SELECT body FROM quotes WHERE number = $1 AND revision = COALESCE($2, revision)
  ORDER BY revision DESC LIMIT 1";
const REVISIONS_OF: &str = "SELECT body FROM quotes WHERE root_id = $1 ORDER BY revision LIMIT $2";
const CURRENT_BY_ID: &str = "SELECT body FROM quotes WHERE system = $1 AND opportunity_id = $2
  ORDER BY revision DESC LIMIT 1";
const CURRENT_BY_NUMBER: &str = "SELECT body FROM quotes WHERE system = $1 AND opportunity_number = $2
  ORDER BY revision DESC LIMIT 1";

/// `$1` opportunity, `$2` status, `$3` updated after, `$4` and `$5` the last row of the page before.
macro_rules! page {
    ($narrowest:literal) => {
        concat!(
            "SELECT body FROM quotes WHERE ",
            $narrowest,
            " AND (CAST($1 AS TEXT) IS NULL OR opportunity_id = $1 OR opportunity_number = $1)
  AND (CAST($2 AS TEXT) IS NULL OR status = $2)
  AND updated_at > $3 AND (updated_at, id) < ($4, $5) ORDER BY updated_at DESC, id DESC LIMIT $6"
        )
    };
}

const LIST: &str = page!("TRUE");
const LIST_OF_STATUS: &str = page!("status = $2");

/// Only the newest revision of each.
macro_rules! newest {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM quotes n WHERE n.system = q.system AND n.opportunity_id = q.opportunity_id
    AND n.revision > q.revision)"
    };
}

const CURRENT_OF_MANY: &str = concat!(
    "SELECT q.body FROM quotes q WHERE q.system = $1 AND q.opportunity_id IN (",
    keys!(),
    ")",
    newest!()
);
const MARKS: &str = concat!(
    "SELECT q.opportunity_id, q.opportunity_number, q.updated_at FROM quotes q
  WHERE q.system = $1 AND q.opportunity_id > $2",
    newest!(),
    " ORDER BY q.opportunity_id LIMIT $3"
);
const MARKS_SINCE: &str = concat!(
    "SELECT q.opportunity_id, q.opportunity_number, q.updated_at, q.id FROM quotes q
  WHERE q.system = $1 AND (q.updated_at, q.id) > ($2, $3)",
    newest!(),
    " ORDER BY q.updated_at, q.id LIMIT $4"
);

pub(crate) const STATEMENTS: &[&str] = &[
    CURRENT_OF_MANY,
    MARKS,
    MARKS_SINCE,
    INSERT,
    REPLACE,
    BY_ID,
    BY_REVISION,
    BY_NUMBER,
    REVISIONS_OF,
    CURRENT_BY_ID,
    CURRENT_BY_NUMBER,
    LIST,
    LIST_OF_STATUS,
];

/// Adds a revision. [`Code::QuoteDuplicate`] when its opportunity already has this revision; the facts `quoteId` and
/// `quoteNumber` name it.
pub async fn insert(tx: &mut dyn Tx, quote: &Quote) -> Result<()> {
    let values = params![
        &quote.id,
        &quote.root_id,
        &quote.number,
        quote.revision,
        &quote.opportunity.system,
        &quote.opportunity.id,
        quote.opportunity.number.as_ref(),
        quote.status.as_str(),
        count("a version", quote.version)?,
        quote.is_primary,
        quote.superseded_by_id.is_some(),
        quote.updated_at,
        body(quote)?,
    ];
    match tx.execute(INSERT, values).await? {
        1 => Ok(()),
        _ => Err(taken(tx, quote).await?),
    }
}

async fn taken(tx: &mut dyn Tx, quote: &Quote) -> Result<Error> {
    let opportunity = &quote.opportunity;
    let key = params![&opportunity.system, &opportunity.id, quote.revision];
    let Some(other) = tx.first(BY_REVISION, key).await?.map(read).transpose()? else {
        let message = format!(
            "quote {} revision {} cannot be added twice",
            quote.number, quote.revision
        );
        return Ok(Error::new(Code::Internal, message).record(quote.id.as_str()));
    };
    let message = format!(
        "opportunity {} has revision {} of its quote already: {}",
        opportunity
            .number
            .as_ref()
            .map_or(opportunity.id.as_str(), OpportunityKey::as_str),
        quote.revision,
        other.number
    );
    Ok(Error::new(Code::QuoteDuplicate, message)
        .connection(opportunity.system.as_str())
        .record(opportunity.id.as_str())
        .fact("quoteId", other.id.as_str())
        .fact("quoteNumber", other.number.as_str()))
}

/// Stores a changed quote in place of version `expected_version` of the same revision. Returns whether that was still
/// the stored one; otherwise nothing was changed.
pub async fn replace(tx: &mut dyn Tx, quote: &Quote, expected_version: u64) -> Result<bool> {
    let values = params![
        &quote.id,
        count("a version", expected_version)?,
        quote.opportunity.number.as_ref(),
        quote.status.as_str(),
        count("a version", quote.version)?,
        quote.is_primary,
        quote.superseded_by_id.is_some(),
        quote.updated_at,
        body(quote)?,
    ];
    Ok(tx.execute(REPLACE, values).await? == 1)
}

/// A revision by its id.
pub async fn by_id(tx: &mut dyn Tx, id: &QuoteId) -> Result<Option<Quote>> {
    tx.first(BY_ID, params![id]).await?.map(read).transpose()
}

/// A revision by the quote's number: this one, or the newest.
pub async fn by_number(
    tx: &mut dyn Tx,
    number: &QuoteNumber,
    revision: Option<u32>,
) -> Result<Option<Quote>> {
    tx.first(BY_NUMBER, params![number, revision])
        .await?
        .map(read)
        .transpose()
}

/// All revisions of a quote, oldest first, by the id of its first one.
pub async fn revisions(tx: &mut dyn Tx, root_id: &QuoteId) -> Result<Vec<Quote>> {
    tx.query(REVISIONS_OF, params![root_id, REVISIONS])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

/// The newest revision of an opportunity's quote, by the opportunity's CRM id or business number; the id counts first.
pub async fn current(tx: &mut dyn Tx, system: &str, key: &OpportunityKey) -> Result<Option<Quote>> {
    let row = match tx.first(CURRENT_BY_ID, params![system, key]).await? {
        Some(row) => Some(row),
        None => tx.first(CURRENT_BY_NUMBER, params![system, key]).await?,
    };
    row.map(read).transpose()
}

/// The newest revisions of the quotes of these opportunities, by the CRM's ids.
pub async fn current_of_many(tx: &mut dyn Tx, system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
    let keys: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
    let rows = many::rows(tx, CURRENT_OF_MANY, system, &keys, &[]).await?;
    rows.into_iter().map(read).collect()
}

/// A page of the quotes of one system, each once, without their documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The quotes.
    pub quotes: Vec<QuoteMark>,
    /// Where the next page begins, if this one was full.
    pub next: Option<Behind>,
}

/// Behind which quote a page of marks begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// All quotes, by opportunity: behind this id; empty for the start.
    Opportunity(String),
    /// Quotes by their last change: behind this moment (microseconds since 1970) and quote id.
    Change(i64, String),
}

/// A page of marks, at most [`PAGE_ROWS`].
pub async fn marks(tx: &mut dyn Tx, system: &str, behind: &Behind, limit: u32) -> Result<Marks> {
    let limit = limit.min(PAGE_ROWS);
    let rows = match behind {
        Behind::Opportunity(id) => tx.query(MARKS, params![system, id, limit]).await?,
        Behind::Change(at, id) => tx.query(MARKS_SINCE, params![system, *at, id, limit]).await?,
    };
    let full = rows.len() == limit as usize;
    let mut marks = Marks::default();
    for mut row in rows {
        let opportunity = OpportunityRef {
            system: system.to_owned(),
            id: row.take()?,
            number: row.take()?,
        };
        let updated_at: Timestamp = row.take()?;
        marks.next = full
            .then(|| match behind {
                Behind::Opportunity(_) => Ok(Behind::Opportunity(opportunity.id.to_string())),
                Behind::Change(..) => row
                    .take()
                    .map(|id| Behind::Change(updated_at.as_microsecond(), id)),
            })
            .transpose()?;
        marks.quotes.push(QuoteMark {
            opportunity,
            updated_at,
        });
    }
    Ok(marks)
}

/// Which quotes to list; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the opportunity with this CRM id or business number.
    pub opportunity: Option<OpportunityKey>,
    /// In this state.
    pub status: Option<Status>,
    /// Changed after this moment.
    pub updated_after: Option<Timestamp>,
    /// Behind this quote: `updated_at` and id of the last one of the page before.
    pub before: Option<(Timestamp, QuoteId)>,
    /// Rows of the page, at most [`PAGE_ROWS`].
    pub limit: u32,
}

/// A page of quotes, all revisions, changed last first.
pub async fn list(tx: &mut dyn Tx, filter: &Filter) -> Result<Vec<Quote>> {
    let sql = if filter.status.is_some() {
        LIST_OF_STATUS
    } else {
        LIST
    };
    let (before, id) = match &filter.before {
        Some((moment, id)) => (moment.as_microsecond(), id.as_str()),
        None => (i64::MAX, ""),
    };
    let values = params![
        filter.opportunity.as_ref(),
        filter.status.map(Status::as_str),
        filter.updated_after.map_or(i64::MIN, Timestamp::as_microsecond),
        before,
        id,
        filter.limit.min(PAGE_ROWS),
    ];
    tx.query(sql, values).await?.into_iter().map(read).collect()
}

fn body(quote: &Quote) -> Result<String> {
    json("a quote", quote, DOCUMENT_BYTES)
}

fn read(mut row: Row) -> Result<Quote> {
    row.json()
}
