//! Sealed grants, and the right to refresh them: the store as a [`TokenVault`].

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::{GrantState, Lease, StoredGrant, TokenVault};
use jiff::{SignedDuration, Timestamp};

use crate::encode::{bounded, count, json};
use crate::limits::{CREDENTIALS, TEXT_BYTES};
use crate::row::Row;
use crate::store::Store;
use crate::tx::{Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT settings, identity, generation, sealed, refreshed_at, dead_reason, dead_since FROM grants ",
            $rest
        )
    };
}

const LOAD: &str = select!("WHERE connection = $1 AND removed = 0");
const LIST: &str = select!("WHERE removed = 0 ORDER BY connection LIMIT $1");
// The fence grows with a new login too, so that a refresh of the replaced grant can never be saved over it.
const CONNECT: &str = "INSERT INTO grants (connection, removed, settings, identity, generation, sealed, dead_reason,
  dead_since, refreshed_at, lease_fence) VALUES ($1, 0, $2, $3, 1, $4, $5, $6, $7, 0)
  ON CONFLICT (connection) DO UPDATE SET removed = 0, settings = excluded.settings, identity = excluded.identity,
    generation = grants.generation + 1, sealed = excluded.sealed, dead_reason = excluded.dead_reason,
    dead_since = excluded.dead_since, refreshed_at = excluded.refreshed_at, lease_fence = grants.lease_fence + 1,
    lease_holder = NULL, lease_until = NULL
  RETURNING generation";
const SAVE: &str = "UPDATE grants SET settings = $4, identity = $5, generation = generation + 1, sealed = $6,
  dead_reason = $7, dead_since = $8, refreshed_at = $9
  WHERE connection = $1 AND generation = $2 AND lease_fence = $3 AND removed = 0";
const BURY: &str = "UPDATE grants SET dead_reason = $3, dead_since = $4
  WHERE connection = $1 AND generation = $2 AND removed = 0 AND dead_since IS NULL";
const REMOVE: &str =
    "UPDATE grants SET removed = 1, settings = '{}', identity = '{}', generation = generation + 1,
  sealed = $2, dead_reason = NULL, dead_since = NULL, lease_fence = lease_fence + 1, lease_holder = NULL,
  lease_until = NULL WHERE connection = $1 AND removed = 0";
const LEASE: &str = "UPDATE grants SET lease_fence = lease_fence + 1, lease_holder = $3, lease_until = $5
  WHERE connection = $1 AND generation = $2 AND removed = 0 AND (lease_until IS NULL OR lease_until <= $4)
  RETURNING lease_fence";
const HELD: &str = "SELECT lease_until FROM grants WHERE connection = $1 AND generation = $2 AND removed = 0
  AND lease_until IS NOT NULL";
const RELEASE: &str = "UPDATE grants SET lease_holder = NULL, lease_until = NULL
  WHERE connection = $1 AND lease_fence = $2";

pub(crate) const STATEMENTS: &[&str] = &[LOAD, LIST, CONNECT, SAVE, BURY, REMOVE, LEASE, HELD, RELEASE];

/// Bytes of the sealed secrets of one grant: tokens, client secret and a private key take a few KiB.
const SEALED_BYTES: usize = 64 * 1024;
/// Characters of a vendor's reason for refusing a grant.
const REASON_CHARS: usize = 500;

/// A grant by the name of its connection.
pub async fn load(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<Option<StoredGrant>> {
    tx.first(LOAD, params![connection]).await?.map(read).transpose()
}

/// All grants, by name.
pub async fn list(tx: &mut dyn Tx) -> Result<Vec<StoredGrant>> {
    tx.query(LIST, params![CREDENTIALS])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

/// Stores the grant of a new login. Returns its generation.
pub async fn connect(tx: &mut dyn Tx, grant: &StoredGrant) -> Result<u64> {
    let columns = Columns::of(grant)?;
    let values = params![
        &grant.settings.name,
        columns.settings,
        columns.identity,
        grant.sealed.as_slice(),
        columns.dead_reason,
        columns.dead_since,
        grant.refreshed_at,
    ];
    tx.first(CONNECT, values)
        .await?
        .map_or(Ok(1), |mut row| row.take())
}

/// Stores refreshed secrets under a lease; see [`TokenVault::save`].
pub async fn save(tx: &mut dyn Tx, grant: &StoredGrant, expected: u64, fence: u64) -> Result<bool> {
    let columns = Columns::of(grant)?;
    let values = params![
        &grant.settings.name,
        count("a generation", expected)?,
        count("a fence", fence)?,
        columns.settings,
        columns.identity,
        grant.sealed.as_slice(),
        columns.dead_reason,
        columns.dead_since,
        grant.refreshed_at,
    ];
    Ok(tx.execute(SAVE, values).await? == 1)
}

/// Marks a grant dead; the first reason stays. See [`TokenVault::bury`].
pub async fn bury(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    generation: u64,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let reason: String = reason.chars().take(REASON_CHARS).collect();
    let values = params![connection, count("a generation", generation)?, reason, now];
    tx.execute(BURY, values).await.map(drop)
}

/// Takes the secrets away. Generation and fence stay, so that nothing old fits a later login of the same name.
pub async fn remove(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<bool> {
    let nothing: &[u8] = &[];
    Ok(tx.execute(REMOVE, params![connection, nothing]).await? == 1)
}

/// Gives the right to refresh, if nobody has it and the grant is still the one that was read.
pub async fn lease(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    generation: u64,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Lease> {
    let generation = count("a generation", generation)?;
    let values = params![connection, generation, holder, now, until];
    if let Some(mut row) = tx.first(LEASE, values).await? {
        return Ok(Lease::Acquired {
            fence: row.take()?,
            until,
        });
    }
    match tx.first(HELD, params![connection, generation]).await? {
        Some(mut row) => Ok(Lease::Held { until: row.take()? }),
        None => Ok(Lease::Newer),
    }
}

/// Gives the right back, if it is still this one.
pub async fn release(tx: &mut dyn Tx, connection: &ConnectionName, fence: u64) -> Result<()> {
    tx.execute(RELEASE, params![connection, count("a fence", fence)?])
        .await
        .map(drop)
}

struct Columns {
    settings: String,
    identity: String,
    dead_reason: Option<String>,
    dead_since: Option<Timestamp>,
}

impl Columns {
    fn of(grant: &StoredGrant) -> Result<Columns> {
        bounded("a sealed grant", grant.sealed.len(), SEALED_BYTES)?;
        let (dead_reason, dead_since) = match &grant.state {
            GrantState::Active => (None, None),
            GrantState::Dead { reason, since } => (Some(reason.clone()), Some(*since)),
        };
        Ok(Columns {
            settings: json("the settings of a connection", &grant.settings, TEXT_BYTES)?,
            identity: json("the identity of a connection", &grant.identity, TEXT_BYTES)?,
            dead_reason,
            dead_since,
        })
    }
}

fn read(mut row: Row) -> Result<StoredGrant> {
    Ok(StoredGrant {
        settings: row.json()?,
        identity: row.json()?,
        generation: row.take()?,
        sealed: row.take()?,
        refreshed_at: row.take()?,
        state: match (row.take::<Option<String>>()?, row.take::<Option<Timestamp>>()?) {
            (Some(reason), Some(since)) => GrantState::Dead { reason, since },
            _ => GrantState::Active,
        },
    })
}

/// The store, as those who hold tokens see it. Every change is durable when the call returns.
#[derive(Clone, Debug)]
pub struct Vault(pub Store);

#[async_trait]
impl TokenVault for Vault {
    async fn load(&self, connection: &ConnectionName) -> Result<Option<StoredGrant>> {
        let connection = connection.clone();
        self.0
            .read(move |tx| Box::pin(async move { load(tx, &connection).await }))
            .await
    }

    async fn list(&self) -> Result<Vec<StoredGrant>> {
        self.0.read(|tx| Box::pin(list(tx))).await
    }

    async fn connect(&self, grant: &StoredGrant) -> Result<u64> {
        let grant = grant.clone();
        self.0
            .write(move |tx| Box::pin(async move { connect(tx, &grant).await }))
            .await
    }

    async fn save(&self, grant: &StoredGrant, expected: u64, fence: u64) -> Result<bool> {
        let grant = grant.clone();
        self.0
            .write(move |tx| Box::pin(async move { save(tx, &grant, expected, fence).await }))
            .await
    }

    async fn bury(
        &self,
        connection: &ConnectionName,
        generation: u64,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let (connection, reason) = (connection.clone(), reason.to_owned());
        self.0
            .write(move |tx| Box::pin(async move { bury(tx, &connection, generation, &reason, now).await }))
            .await
    }

    async fn remove(&self, connection: &ConnectionName) -> Result<bool> {
        let connection = connection.clone();
        self.0
            .write(move |tx| Box::pin(async move { remove(tx, &connection).await }))
            .await
    }

    async fn lease(
        &self,
        connection: &ConnectionName,
        generation: u64,
        holder: &str,
        now: Timestamp,
        ttl_ms: i64,
    ) -> Result<Lease> {
        let (connection, holder) = (connection.clone(), holder.to_owned());
        let until = now
            .saturating_add(SignedDuration::from_millis(ttl_ms))
            .unwrap_or(Timestamp::MAX);
        self.0
            .write(move |tx| {
                Box::pin(async move { lease(tx, &connection, generation, &holder, now, until).await })
            })
            .await
    }

    async fn release(&self, connection: &ConnectionName, fence: u64) -> Result<()> {
        let connection = connection.clone();
        self.0
            .write(move |tx| Box::pin(async move { release(tx, &connection, fence).await }))
            .await
    }
}
