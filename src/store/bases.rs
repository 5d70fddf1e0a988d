//! What both sides last agreed on, per opportunity.

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, OpportunityKey, RecordId};
use cpq_domain::resolve::Base;
use jiff::Timestamp;

use crate::encode::json;
use crate::limits::DOCUMENT_BYTES;
use crate::many::{self, keys};
use crate::row::Row;
use crate::tx::{Tx, params};

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT connection, opportunity_id, opportunity_number, body, matrix_version, agreed_at FROM bases ",
            $($rest),+
        )
    };
}

const PUT: &str =
    "INSERT INTO bases (connection, opportunity_id, opportunity_number, body, matrix_version, agreed_at,
  looked_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
  ON CONFLICT (connection, opportunity_id) DO UPDATE SET opportunity_number = excluded.opportunity_number,
    body = excluded.body, matrix_version = excluded.matrix_version, agreed_at = excluded.agreed_at,
    looked_at = excluded.looked_at";
const BY_ID: &str = select!("WHERE connection = $1 AND opportunity_id = $2");
const BY_NUMBER: &str =
    select!("WHERE connection = $1 AND opportunity_number = $2 ORDER BY agreed_at DESC LIMIT 1");
pub(crate) const LOOK: &str = "UPDATE bases SET looked_at = $3 WHERE connection = $1 AND opportunity_id IN
  (SELECT b.opportunity_id FROM bases b WHERE b.connection = $1 AND b.looked_at <= $2 ORDER BY b.looked_at LIMIT $4)
  RETURNING opportunity_id, opportunity_number";
const OF_MANY: &str = select!("WHERE connection = $1 AND opportunity_id IN (", keys!(), ")");
const REMOVE: &str = "DELETE FROM bases WHERE connection = $1 AND opportunity_id = $2";

pub(crate) const STATEMENTS: &[&str] = &[PUT, BY_ID, BY_NUMBER, OF_MANY, LOOK, REMOVE];

/// The last agreement about an opportunity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The CRM's id of the opportunity.
    pub opportunity_id: RecordId,
    /// Its business number, if it has one.
    pub opportunity_number: Option<OpportunityKey>,
    /// What both sides held.
    pub base: Base,
    /// The matrix under which they agreed.
    pub matrix_version: String,
    /// When.
    pub agreed_at: Timestamp,
}

/// Stores an agreement in place of the one before.
pub async fn put(tx: &mut dyn Tx, agreement: &Agreement) -> Result<()> {
    let values = params![
        &agreement.connection,
        &agreement.opportunity_id,
        agreement.opportunity_number.as_ref(),
        json("what both sides agreed on", &agreement.base, DOCUMENT_BYTES)?,
        &agreement.matrix_version,
        agreement.agreed_at,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// The last agreement about an opportunity, by its CRM id or its business number; the id counts first.
pub async fn get(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    key: &OpportunityKey,
) -> Result<Option<Agreement>> {
    let row = match tx.first(BY_ID, params![connection, key]).await? {
        Some(row) => Some(row),
        None => tx.first(BY_NUMBER, params![connection, key]).await?,
    };
    row.map(read).transpose()
}

/// The last agreements about these opportunities, by the CRM's ids.
pub async fn of_many(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    ids: &[RecordId],
) -> Result<Vec<Agreement>> {
    let keys: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
    let rows = many::rows(tx, OF_MANY, connection.as_str(), &keys, &[]).await?;
    rows.into_iter().map(read).collect()
}

/// Opportunities of the connection that nobody looked at since `before`, those longest ago first, at most `limit`. They
/// count as looked at from `now` on, so that one whose look fails does not come up at once again. Gives the name of
/// each: the business number, or the id.
pub async fn look_again(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    before: Timestamp,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OpportunityKey>> {
    let rows = tx.query(LOOK, params![connection, before, now, limit]).await?;
    let name = |mut row: Row| {
        let (id, number): (OpportunityKey, Option<OpportunityKey>) = (row.take()?, row.take()?);
        Ok(number.unwrap_or(id))
    };
    rows.into_iter().map(name).collect()
}

/// Forgets the agreement: the next sync of the opportunity is a first one. Returns whether there was one.
pub async fn remove(tx: &mut dyn Tx, connection: &ConnectionName, opportunity: &RecordId) -> Result<bool> {
    Ok(tx.execute(REMOVE, params![connection, opportunity]).await? == 1)
}

fn read(mut row: Row) -> Result<Agreement> {
    Ok(Agreement {
        connection: row.take()?,
        opportunity_id: row.take()?,
        opportunity_number: row.take()?,
        base: row.json()?,
        matrix_version: row.take()?,
        agreed_at: row.take()?,
    })
}
