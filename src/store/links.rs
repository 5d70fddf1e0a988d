//! Which quote belongs to which opportunity: the second guard against a second quote.

use cpq_domain::id::{ConnectionName, OpportunityKey, QuoteId, QuoteNumber, RecordId};
use cpq_domain::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::tx::{Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT connection, opportunity_id, opportunity_number, quote_root_id, quote_number, revision FROM links ",
            $rest
        )
    };
}

const PUT: &str =
    "INSERT INTO links (connection, opportunity_id, opportunity_number, quote_root_id, quote_number,
  revision) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (connection, opportunity_id, revision) DO UPDATE SET
    opportunity_number = excluded.opportunity_number, quote_number = excluded.quote_number
  WHERE links.quote_root_id = excluded.quote_root_id";
const BY_REVISION: &str = select!("WHERE connection = $1 AND opportunity_id = $2 AND revision = $3");
const BY_ID: &str = select!("WHERE connection = $1 AND opportunity_id = $2 ORDER BY revision DESC LIMIT 1");
// `connection || ''` keeps SQLite from the primary key, which begins with the connection and so holds all links there.
const BY_NUMBER: &str =
    select!("WHERE opportunity_number = $2 AND connection || '' = $1 ORDER BY revision DESC LIMIT 1");
const BY_QUOTE: &str = select!("WHERE quote_number = $1 ORDER BY revision DESC LIMIT 1");
const RELEASE: &str = "UPDATE links SET opportunity_number = NULL
  WHERE opportunity_number = $2 AND connection || '' = $1 AND opportunity_id <> $3";
const REMOVE: &str = "DELETE FROM links WHERE connection = $1 AND opportunity_id = $2";

pub(crate) const STATEMENTS: &[&str] = &[PUT, BY_REVISION, BY_ID, BY_NUMBER, BY_QUOTE, RELEASE, REMOVE];

/// One revision of an opportunity's quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The CRM's id of the opportunity.
    pub opportunity_id: RecordId,
    /// Its business number, if it has one.
    pub opportunity_number: Option<OpportunityKey>,
    /// Id of the quote's first revision in the CPQ.
    pub quote_root_id: QuoteId,
    /// Number of the quote.
    pub quote_number: QuoteNumber,
    /// The revision.
    pub revision: u32,
}

/// Stores a link, or the numbers of one that is there. [`Code::QuoteDuplicate`] when this opportunity and revision
/// belong to another quote already, which the facts `quoteId` and `quoteNumber` name.
pub async fn put(tx: &mut dyn Tx, link: &Link) -> Result<()> {
    let values = params![
        &link.connection,
        &link.opportunity_id,
        link.opportunity_number.as_ref(),
        &link.quote_root_id,
        &link.quote_number,
        link.revision,
    ];
    if tx.execute(PUT, values).await? == 1 {
        return Ok(());
    }
    let key = params![&link.connection, &link.opportunity_id, link.revision];
    let other = tx.first(BY_REVISION, key).await?.map(read).transpose()?;
    Err(taken(link, other))
}

fn taken(link: &Link, other: Option<Link>) -> Error {
    let message = format!(
        "revision {} of the quote for opportunity {} cannot be {}: it belongs to another quote",
        link.revision, link.opportunity_id, link.quote_number
    );
    let error = Error::new(Code::QuoteDuplicate, message)
        .connection(link.connection.as_str())
        .record(link.opportunity_id.as_str());
    match other {
        Some(other) => error
            .fact("quoteId", other.quote_root_id.as_str())
            .fact("quoteNumber", other.quote_number.as_str()),
        None => error,
    }
}

/// The newest revision's link of an opportunity by the CRM's id.
pub async fn by_id(tx: &mut dyn Tx, connection: &ConnectionName, id: &RecordId) -> Result<Option<Link>> {
    tx.first(BY_ID, params![connection, id])
        .await?
        .map(read)
        .transpose()
}

/// The newest revision's link of an opportunity, by its CRM id or its business number; the id counts first.
pub async fn by_opportunity(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    key: &OpportunityKey,
) -> Result<Option<Link>> {
    let row = match tx.first(BY_ID, params![connection, key]).await? {
        Some(row) => Some(row),
        None => tx.first(BY_NUMBER, params![connection, key]).await?,
    };
    row.map(read).transpose()
}

/// The newest revision's link of a quote.
pub async fn by_quote(tx: &mut dyn Tx, number: &QuoteNumber) -> Result<Option<Link>> {
    tx.first(BY_QUOTE, params![number]).await?.map(read).transpose()
}

/// Takes a business number from every other opportunity that had it: an event about one of those must not lead to this one.
/// They are known by their ids until they are synced again.
pub async fn release_number(tx: &mut dyn Tx, holder: &Link) -> Result<()> {
    let Some(number) = &holder.opportunity_number else {
        return Ok(());
    };
    let values = params![&holder.connection, number, &holder.opportunity_id];
    tx.execute(RELEASE, values).await.map(drop)
}

/// Forgets the links of an opportunity. Returns how many there were.
pub async fn remove(tx: &mut dyn Tx, connection: &ConnectionName, opportunity: &RecordId) -> Result<u64> {
    tx.execute(REMOVE, params![connection, opportunity]).await
}

fn read(mut row: Row) -> Result<Link> {
    Ok(Link {
        connection: row.take()?,
        opportunity_id: row.take()?,
        opportunity_number: row.take()?,
        quote_root_id: row.take()?,
        quote_number: row.take()?,
        revision: row.take()?,
    })
}
