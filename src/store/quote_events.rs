//! What happened to the quotes of the embedded CPQ, numbered per quote over all its revisions.

use cpq_domain::id::{CorrelationId, QuoteId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use crate::encode::json;
use crate::limits::JOURNAL_ROWS;
use crate::limits::TEXT_BYTES;
use crate::row::Row;
use crate::tx::{Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT position, root_id, sequence, quote_id, kind, at, correlation, data FROM quote_events ",
            $rest
        )
    };
}

const LAST: &str = "SELECT COALESCE(MAX(sequence), 0) FROM quote_events WHERE root_id = $1";
const APPEND: &str = "INSERT INTO quote_events (root_id, sequence, quote_id, kind, at, correlation, data)
  VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING position";
const OF_QUOTE: &str = select!("WHERE root_id = $1 ORDER BY sequence LIMIT $2");
pub(crate) const AFTER: &str = select!("WHERE position > $1 ORDER BY position LIMIT $2");

pub(crate) const STATEMENTS: &[&str] = &[LAST, APPEND, OF_QUOTE, AFTER];

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteEvent {
    /// Where a reader of all quotes stands after it; 0 until it is stored.
    pub position: i64,
    /// Id of the quote's first revision.
    pub root_id: QuoteId,
    /// Number within the quote: 1, 2, 3, … without gaps; 0 until it is stored.
    pub sequence: u32,
    /// The revision that it happened to.
    pub quote_id: QuoteId,
    /// What happened, e.g. `quote.sent`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Correlation id of the request or run behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationId>,
    /// Facts about it.
    pub data: Json,
}

/// Appends an event and fills in its number and position.
pub async fn append(tx: &mut dyn Tx, event: &mut QuoteEvent) -> Result<()> {
    let last: u32 = tx
        .first(LAST, params![&event.root_id])
        .await?
        .map_or(Ok(0), |mut row| row.take())?;
    event.sequence = last + 1;
    let values = params![
        &event.root_id,
        event.sequence,
        &event.quote_id,
        &event.kind,
        event.at,
        event.correlation.as_ref(),
        json("the data of a quote's event", &event.data, TEXT_BYTES)?,
    ];
    let row = tx.first(APPEND, values).await?;
    let missing = || Error::new(Code::Internal, "a stored event got no position");
    event.position = row.ok_or_else(missing)?.take()?;
    Ok(())
}

/// The events of a quote, in order.
pub async fn of_quote(tx: &mut dyn Tx, root_id: &QuoteId) -> Result<Vec<QuoteEvent>> {
    tx.query(OF_QUOTE, params![root_id, JOURNAL_ROWS])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

/// Events of all quotes behind `position` (0 for the start), in order; at most [`PAGE_ROWS`].
pub async fn after(tx: &mut dyn Tx, position: i64, limit: u32) -> Result<Vec<QuoteEvent>> {
    tx.query(AFTER, params![position, limit.min(PAGE_ROWS)])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

fn read(mut row: Row) -> Result<QuoteEvent> {
    Ok(QuoteEvent {
        position: row.take()?,
        root_id: row.take()?,
        sequence: row.take()?,
        quote_id: row.take()?,
        kind: row.take()?,
        at: row.take()?,
        correlation: row.take()?,
        data: row.json()?,
    })
}
