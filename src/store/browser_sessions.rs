//! Browsers that are logged in to the dashboard. Only hashes of what they hold are here.

use cpq_domain::Result;
use jiff::Timestamp;

use crate::limits::SESSIONS_ENDED;
use crate::row::Row;
use crate::tx::{Tx, params};

const INSERT: &str = "INSERT INTO browser_sessions (hash, token_id, created_at, seen_at, ends_at)
  VALUES ($1, $2, $3, $4, $5)";
const FIND: &str = "SELECT token_id, created_at, seen_at, ends_at FROM browser_sessions WHERE hash = $1";
const SEE: &str = "UPDATE browser_sessions SET seen_at = $2 WHERE hash = $1 AND seen_at < $2";
const REMOVE: &str = "DELETE FROM browser_sessions WHERE hash = $1";
pub(crate) const PURGE: &str = "DELETE FROM browser_sessions WHERE hash IN
  (SELECT hash FROM browser_sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, FIND, SEE, REMOVE, PURGE];

/// A browser that is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// Id of the API token that it was logged in with.
    pub token_id: String,
    /// When that was.
    pub created_at: Timestamp,
    /// When it last asked for something, as far as [`see`] was told.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// Adds a session under the hash of its secret, and takes away some that have ended.
pub async fn insert(tx: &mut dyn Tx, hash: &[u8], session: &BrowserSession) -> Result<()> {
    tx.execute(PURGE, params![session.created_at, SESSIONS_ENDED])
        .await?;
    let values = params![
        hash,
        &session.token_id,
        session.created_at,
        session.seen_at,
        session.ends_at,
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The session of this hash, ended ones too: whoever asks decides.
pub async fn find(tx: &mut dyn Tx, hash: &[u8]) -> Result<Option<BrowserSession>> {
    tx.first(FIND, params![hash]).await?.map(read).transpose()
}

/// Remembers that a session asked for something. Meant for now and then, not for each request.
pub async fn see(tx: &mut dyn Tx, hash: &[u8], now: Timestamp) -> Result<()> {
    tx.execute(SEE, params![hash, now]).await.map(drop)
}

/// Ends a session.
pub async fn remove(tx: &mut dyn Tx, hash: &[u8]) -> Result<()> {
    tx.execute(REMOVE, params![hash]).await.map(drop)
}

fn read(mut row: Row) -> Result<BrowserSession> {
    Ok(BrowserSession {
        token_id: row.take()?,
        created_at: row.take()?,
        seen_at: row.take()?,
        ends_at: row.take()?,
    })
}
