//! Tokens of our own API. Only their hashes are here.

use std::fmt;

use cpq_domain::Result;
use cpq_domain::id::{ClientId, ConnectionName};
use jiff::Timestamp;

use crate::encode::json;
use crate::limits::{CREDENTIALS, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, client, name, hash, scopes, created_at, expires_at, revoked_at, last_used_at,
  connection FROM api_tokens ",
            $rest
        )
    };
}

const INSERT: &str =
    "INSERT INTO api_tokens (id, client, name, hash, scopes, created_at, expires_at, revoked_at,
  last_used_at, connection) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const BY_HASH: &str = select!("WHERE hash = $1");
const BY_ID: &str = select!("WHERE id = $1");
const LIST: &str = select!("ORDER BY created_at, id LIMIT $1");
const REVOKE: &str = "UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
const TOUCH: &str = "UPDATE api_tokens SET last_used_at = $2
  WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_HASH, BY_ID, LIST, REVOKE, TOUCH];

/// A token of our API.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Id, to revoke it by.
    pub id: String,
    /// Whom it stands for; idempotency keys belong to this, not to the token.
    pub client: ClientId,
    /// What a person called it.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The only connection that it reaches; all when absent.
    pub connection: Option<ConnectionName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, as far as [`touch`] was told.
    pub last_used_at: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it opens anything at this moment.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ApiToken");
        shown
            .field("id", &self.id)
            .field("client", &self.client)
            .field("name", &self.name);
        shown.field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// Adds a token. Its id and hash must be new.
pub async fn insert(tx: &mut dyn Tx, token: &ApiToken) -> Result<()> {
    let values = params![
        &token.id,
        &token.client,
        &token.name,
        token.hash.as_slice(),
        json("the scopes of a token", &token.scopes, TEXT_BYTES)?,
        token.created_at,
        token.expires_at,
        token.revoked_at,
        token.last_used_at,
        token.connection.as_ref(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The token with this hash, revoked and ended ones too: whoever asks decides.
pub async fn by_hash(tx: &mut dyn Tx, hash: &[u8]) -> Result<Option<ApiToken>> {
    tx.first(BY_HASH, params![hash]).await?.map(read).transpose()
}

/// The token with this id.
pub async fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<ApiToken>> {
    tx.first(BY_ID, params![id]).await?.map(read).transpose()
}

/// All tokens, oldest first, revoked and ended ones too.
pub async fn list(tx: &mut dyn Tx) -> Result<Vec<ApiToken>> {
    tx.query(LIST, params![CREDENTIALS])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

/// Revokes a token. `false` when there is none, or it was revoked before; the first moment stays.
pub async fn revoke(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(REVOKE, params![id, now]).await? == 1)
}

/// Remembers that a token was used. Meant for now and then, not for each request.
pub async fn touch(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    tx.execute(TOUCH, params![id, now]).await.map(drop)
}

fn read(mut row: Row) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.take()?,
        client: row.take()?,
        name: row.take()?,
        hash: row.take()?,
        scopes: row.json()?,
        created_at: row.take()?,
        expires_at: row.take()?,
        revoked_at: row.take()?,
        last_used_at: row.take()?,
        connection: row.take()?,
    })
}
