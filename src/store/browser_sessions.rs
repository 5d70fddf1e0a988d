//! Browsers that are logged in to the dashboard. Only hashes of what they hold are here.

use cpq_domain::Result;
use cpq_domain::id::ClientId;
use jiff::Timestamp;

use crate::limits::{SESSIONS_ENDED, SESSIONS_LISTED};
use crate::row::Row;
use crate::tx::{Tx, params};

const INSERT: &str = "INSERT INTO browser_sessions (hash, token_id, created_at, seen_at, ends_at, address)
  VALUES ($1, $2, $3, $4, $5, $6)";
const FIND: &str =
    "SELECT token_id, created_at, seen_at, ends_at, address FROM browser_sessions WHERE hash = $1";
/// Those that are open, from one of the two tables on.
macro_rules! open {
    ($from:literal) => {
        concat!(
            "SELECT s.hash, t.client, s.token_id, s.created_at, s.seen_at, s.ends_at, s.address FROM ",
            $from,
            " AND s.ends_at > $1 AND s.seen_at > $2
  AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $1)
  ORDER BY s.created_at DESC, s.hash LIMIT $3"
        )
    };
}
const OF_ALL: &str = open!("browser_sessions s JOIN api_tokens t ON t.id = s.token_id WHERE TRUE");
const OF_CLIENT: &str =
    open!("api_tokens t JOIN browser_sessions s ON s.token_id = t.id WHERE t.client = $4");
const SEE: &str = "UPDATE browser_sessions SET seen_at = $2 WHERE hash = $1 AND seen_at < $2";
const REMOVE: &str = "DELETE FROM browser_sessions WHERE hash = $1";
pub(crate) const PURGE: &str = "DELETE FROM browser_sessions WHERE hash IN
  (SELECT hash FROM browser_sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, FIND, OF_CLIENT, OF_ALL, SEE, REMOVE, PURGE];

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
    /// Network address from which it was logged in, where that is known.
    pub address: Option<String>,
}

/// One of those that are logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Hash of the secret that the browser holds.
    pub hash: Vec<u8>,
    /// Whom its token stands for.
    pub client: ClientId,
    /// The session.
    pub session: BrowserSession,
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
        session.address.as_deref(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The session of this hash, ended ones too: whoever asks decides.
pub async fn find(tx: &mut dyn Tx, hash: &[u8]) -> Result<Option<BrowserSession>> {
    tx.first(FIND, params![hash]).await?.map(read).transpose()
}

/// Those that are logged in at this moment with good tokens and have asked for something since `active`, latest first: of
/// a client, or of all.
pub async fn open(
    tx: &mut dyn Tx,
    client: Option<&ClientId>,
    now: Timestamp,
    active: Timestamp,
) -> Result<Vec<Open>> {
    let rows = match client {
        Some(client) => {
            tx.query(OF_CLIENT, params![now, active, SESSIONS_LISTED, client])
                .await
        }
        None => tx.query(OF_ALL, params![now, active, SESSIONS_LISTED]).await,
    };
    let one = |mut row: Row| {
        Ok(Open {
            hash: row.take()?,
            client: row.take()?,
            session: read(row)?,
        })
    };
    rows?.into_iter().map(one).collect()
}

/// Remembers that a session asked for something. Meant for now and then, not for each request.
pub async fn see(tx: &mut dyn Tx, hash: &[u8], now: Timestamp) -> Result<()> {
    tx.execute(SEE, params![hash, now]).await.map(drop)
}

/// Ends a session. `false` when there is none.
pub async fn remove(tx: &mut dyn Tx, hash: &[u8]) -> Result<bool> {
    Ok(tx.execute(REMOVE, params![hash]).await? == 1)
}

fn read(mut row: Row) -> Result<BrowserSession> {
    Ok(BrowserSession {
        token_id: row.take()?,
        created_at: row.take()?,
        seen_at: row.take()?,
        ends_at: row.take()?,
        address: row.take()?,
    })
}
