//! Conflicts, and what people decided about them.

use cpq_domain::conflict::{Conflict, ConflictState};
use cpq_domain::id::{ConflictId, ConnectionName, LineKey, OpportunityKey, RecordId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::ownership::Policy;
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};

use crate::counters;
use crate::encode::json;
use crate::limits::{OPEN_CONFLICTS, TEXT_BYTES};
use crate::many::{self, keys};
use crate::row::Row;
use crate::tx::{Param, Tx, params};

/// Counter that numbers conflicts.
const COUNTER: &str = "conflict";

/// `$1` connection, `$2` opportunity, `$3` field, `$4` state, `$5` before; each may be NULL.
macro_rules! page {
    ($narrowest:literal) => {
        concat!(
            "SELECT body FROM conflicts WHERE ",
            $narrowest,
            " AND (CAST($1 AS TEXT) IS NULL OR connection = $1)
  AND (CAST($2 AS TEXT) IS NULL OR opportunity_id = $2 OR opportunity_number = $2)
  AND (CAST($3 AS TEXT) IS NULL OR field = $3)
  AND (CAST($4 AS TEXT) IS NULL OR state = $4)
  AND (CAST($5 AS BIGINT) IS NULL OR number < $5) ORDER BY number DESC LIMIT $6"
        )
    };
}

const INSERT: &str =
    "INSERT INTO conflicts (number, state, connection, opportunity_id, opportunity_number, field, line, policy, body)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const UPDATE: &str =
    "UPDATE conflicts SET state = $2, opportunity_number = $3, policy = $4, body = $5 WHERE number = $1";
const BY_NUMBER: &str = "SELECT body FROM conflicts WHERE number = $1 FOR UPDATE";
const OPEN: &str = "SELECT body FROM conflicts
  WHERE connection = $1 AND opportunity_id = $2 AND state = 'open' ORDER BY number LIMIT $3 FOR UPDATE";
const OPEN_OF_MANY: &str = concat!(
    "SELECT body FROM conflicts WHERE connection = $1 AND opportunity_id IN (",
    keys!(),
    ") AND state = 'open'"
);
const OPEN_LIKE: &str = "SELECT body FROM conflicts
  WHERE state = 'open' AND field = $1 AND policy = $2 AND connection = $3 ORDER BY number LIMIT $4";
const ALL: &str = page!("TRUE");
const OF_OPPORTUNITY: &str = page!("(opportunity_id = $2 OR opportunity_number = $2)");
const OF_FIELD: &str = page!("field = $3");
const OF_STATE: &str = page!("state = $4");

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_NUMBER,
    OPEN,
    OPEN_OF_MANY,
    OPEN_LIKE,
    ALL,
    OF_OPPORTUNITY,
    OF_FIELD,
    OF_STATE,
];

/// Which conflicts to list. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this connection.
    pub connection: Option<ConnectionName>,
    /// Of the opportunity with this number or id.
    pub opportunity: Option<OpportunityKey>,
    /// Of this field.
    pub field: Option<FieldName>,
    /// In this state.
    pub state: Option<ConflictState>,
    /// Older than this one: the last one of the page before.
    pub before: Option<ConflictId>,
    /// Rows of the page, at most [`PAGE_ROWS`].
    pub limit: u32,
}

/// The name for the next conflict.
pub async fn next_id(tx: &mut dyn Tx) -> Result<ConflictId> {
    Ok(ConflictId::numbered(counters::next(tx, COUNTER).await?))
}

/// Stores a new conflict. There is at most one open one per connection, opportunity, line and field; a second one fails.
pub async fn insert(tx: &mut dyn Tx, conflict: &Conflict) -> Result<()> {
    let values = params![
        conflict.id.number(),
        conflict.state.as_str(),
        &conflict.connection,
        &conflict.opportunity_id,
        conflict.opportunity_number.as_ref(),
        conflict.field.as_str(),
        conflict.line.as_ref().map(LineKey::as_str),
        conflict.policy.as_str(),
        json("a conflict", conflict, TEXT_BYTES)?,
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Stores what became of a conflict.
pub async fn update(tx: &mut dyn Tx, conflict: &Conflict) -> Result<()> {
    let values = params![
        conflict.id.number(),
        conflict.state.as_str(),
        conflict.opportunity_number.as_ref(),
        conflict.policy.as_str(),
        json("a conflict", conflict, TEXT_BYTES)?,
    ];
    tx.execute(UPDATE, values).await.map(drop)
}

/// One conflict. [`Code::NotFound`] if there is none of that name.
pub async fn by_id(tx: &mut dyn Tx, id: &ConflictId) -> Result<Conflict> {
    let row = tx.first(BY_NUMBER, params![id.number()]).await?;
    row.map(read).transpose()?.ok_or_else(|| {
        Error::new(Code::NotFound, format!("there is no conflict {id}"))
            .record(id.as_str())
            .next("see `cpq conflicts list`")
    })
}

/// The open conflicts of an opportunity, oldest first.
pub async fn open(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    opportunity: &RecordId,
) -> Result<Vec<Conflict>> {
    conflicts(tx, OPEN, params![connection, opportunity, OPEN_CONFLICTS]).await
}

/// The open conflicts of these opportunities, by the CRM's ids, in no order.
pub async fn open_of_many(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    ids: &[RecordId],
) -> Result<Vec<Conflict>> {
    let keys: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
    let rows = many::rows(tx, OPEN_OF_MANY, connection.as_str(), &keys, &[]).await?;
    rows.into_iter().map(read).collect()
}

/// The open conflicts of a connection over the same field under the same policy, oldest first; at most
/// [`PAGE_ROWS`].
pub async fn open_like(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    field: &FieldName,
    policy: Policy,
) -> Result<Vec<Conflict>> {
    let values = params![field.as_str(), policy.as_str(), connection, PAGE_ROWS];
    conflicts(tx, OPEN_LIKE, values).await
}

/// A page of conflicts, newest first.
pub async fn list(tx: &mut dyn Tx, filter: &Filter) -> Result<Vec<Conflict>> {
    let sql = match filter {
        Filter {
            opportunity: Some(_), ..
        } => OF_OPPORTUNITY,
        Filter { state: Some(_), .. } => OF_STATE,
        Filter { field: Some(_), .. } => OF_FIELD,
        _ => ALL,
    };
    let values = params![
        filter.connection.as_ref(),
        filter.opportunity.as_ref(),
        filter.field.as_ref().map(FieldName::as_str),
        filter.state.map(ConflictState::as_str),
        filter.before.as_ref().map(ConflictId::number),
        filter.limit.min(PAGE_ROWS),
    ];
    conflicts(tx, sql, values).await
}

async fn conflicts(tx: &mut dyn Tx, sql: &'static str, values: &[Param<'_>]) -> Result<Vec<Conflict>> {
    tx.query(sql, values).await?.into_iter().map(read).collect()
}

fn read(mut row: Row) -> Result<Conflict> {
    row.json()
}
