//! What each CRM said last about its objects.

use cpq_domain::Result;
use cpq_domain::id::ConnectionName;
use cpq_domain::schema::CrmSchema;
use jiff::Timestamp;

use crate::encode::json;
use crate::limits::DOCUMENT_BYTES;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO crm_schemas (connection, body, fetched_at) VALUES ($1, $2, $3)
  ON CONFLICT (connection) DO UPDATE SET body = excluded.body, fetched_at = excluded.fetched_at";
const GET: &str = "SELECT body, fetched_at FROM crm_schemas WHERE connection = $1";
const REMOVE: &str = "DELETE FROM crm_schemas WHERE connection = $1";

pub(crate) const STATEMENTS: &[&str] = &[PUT, GET, REMOVE];

/// Stores a schema in place of the one before.
pub async fn put(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    schema: &CrmSchema,
    fetched_at: Timestamp,
) -> Result<()> {
    let body = json("the schema of a CRM", schema, DOCUMENT_BYTES)?;
    tx.execute(PUT, params![connection, body, fetched_at])
        .await
        .map(drop)
}

/// The schema of a connection, and when it was fetched.
pub async fn get(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<Option<(CrmSchema, Timestamp)>> {
    let row = tx.first(GET, params![connection]).await?;
    row.map(|mut row| Ok((row.json()?, row.take()?))).transpose()
}

/// Forgets the schema of a connection. Returns whether there was one.
pub async fn remove(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<bool> {
    Ok(tx.execute(REMOVE, params![connection]).await? == 1)
}
