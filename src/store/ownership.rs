//! Every ownership matrix that was ever in force, so that an old decision can be explained by its own rules.

use cpq_domain::Result;
use jiff::Timestamp;

use crate::encode::bounded;
use crate::limits::TEXT_BYTES;
use crate::row::Row;
use crate::settings;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO ownership (version, body, created_at) VALUES ($1, $2, $3)
  ON CONFLICT (version) DO NOTHING";
const BY_VERSION: &str = "SELECT version, body, created_at FROM ownership WHERE version = $1";
const NEWEST: &str =
    "SELECT version, body, created_at FROM ownership ORDER BY created_at DESC, version LIMIT $1";

pub(crate) const STATEMENTS: &[&str] = &[PUT, BY_VERSION, NEWEST];

/// Setting that names the version in force: an older text may come into force again.
const IN_FORCE: &str = "ownership.version";

/// A matrix as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMatrix {
    /// Names the text.
    pub version: String,
    /// The text.
    pub body: String,
    /// When it was first stored.
    pub created_at: Timestamp,
}

/// Keeps a text, so that decisions made under it can be explained. A version that is kept already keeps its text.
pub async fn keep(tx: &mut dyn Tx, version: &str, body: &str, now: Timestamp) -> Result<()> {
    bounded("an ownership matrix", body.len(), TEXT_BYTES)?;
    tx.execute(PUT, params![version, body, now]).await.map(drop)
}

/// Keeps a text and makes it the latest.
pub async fn put(tx: &mut dyn Tx, version: &str, body: &str, now: Timestamp) -> Result<()> {
    keep(tx, version, body, now).await?;
    settings::put(tx, IN_FORCE, version).await
}

/// Takes back that a text came into force; all of them stay. Returns whether one had.
pub async fn withdraw(tx: &mut dyn Tx) -> Result<bool> {
    settings::remove(tx, IN_FORCE).await
}

/// The texts that were kept, the newest first.
pub async fn newest(tx: &mut dyn Tx, limit: i64) -> Result<Vec<StoredMatrix>> {
    let rows = tx.query(NEWEST, params![limit]).await?;
    rows.into_iter().map(read).collect()
}

/// The text that came into force last.
pub async fn latest(tx: &mut dyn Tx) -> Result<Option<StoredMatrix>> {
    match settings::get(tx, IN_FORCE).await? {
        Some(version) => by_version(tx, &version).await,
        None => Ok(None),
    }
}

/// The text of a version.
pub async fn by_version(tx: &mut dyn Tx, version: &str) -> Result<Option<StoredMatrix>> {
    tx.first(BY_VERSION, params![version])
        .await?
        .map(read)
        .transpose()
}

fn read(mut row: Row) -> Result<StoredMatrix> {
    Ok(StoredMatrix {
        version: row.take()?,
        body: row.take()?,
        created_at: row.take()?,
    })
}
