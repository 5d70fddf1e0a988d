//! Where sealed grants are kept. The vault sees only sealed bytes; whoever holds the key is elsewhere.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::connection::{ConnectionSettings, Identity};
use crate::error::Result;
use crate::id::ConnectionName;

/// Whether a grant can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum GrantState {
    /// Usable, as far as we know.
    Active,
    /// The vendor refused it for good; a person must reconnect.
    Dead {
        /// The vendor's reason.
        reason: String,
        /// When we learnt it.
        since: Timestamp,
    },
}

/// A grant as the vault keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGrant {
    /// Settings of the connection.
    pub settings: ConnectionSettings,
    /// Who we are there.
    pub identity: Identity,
    /// Counts every change of the secrets; whoever writes must name the one it read.
    pub generation: u64,
    /// Tokens and client secret, sealed.
    pub sealed: Vec<u8>,
    /// Whether it can be used.
    pub state: GrantState,
    /// When the secrets changed last.
    pub refreshed_at: Timestamp,
}

/// Answer to a request for the right to refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The right is ours until `until`; name `fence` when saving.
    Acquired {
        /// Number that grows with each lease; a save with an older one is refused.
        fence: u64,
        /// End of the right.
        until: Timestamp,
    },
    /// Somebody else is refreshing until about then.
    Held {
        /// End of the other's right.
        until: Timestamp,
    },
    /// The grant has changed since the caller read it: read it again instead of refreshing.
    Newer,
}

/// Keeps grants, and the right to refresh them, across processes and nodes.
#[async_trait]
pub trait TokenVault: Send + Sync {
    /// The grant of a connection, or `None` when it was never connected or was disconnected.
    async fn load(&self, connection: &ConnectionName) -> Result<Option<StoredGrant>>;

    /// All grants, by name.
    async fn list(&self) -> Result<Vec<StoredGrant>>;

    /// Stores a new grant of a person's or machine's login, replacing any earlier one of that name. The stored
    /// generation is one more than the replaced one, whatever `grant.generation` says, and is returned.
    async fn connect(&self, grant: &StoredGrant) -> Result<u64>;

    /// Stores refreshed secrets if the lease `fence` is still the newest and the generation is `expected`. Durable
    /// when it returns `true`; `false` means that somebody newer was there and nothing was stored.
    async fn save(&self, grant: &StoredGrant, expected: u64, fence: u64) -> Result<bool>;

    /// Marks the grant dead if its generation is still `generation`.
    async fn bury(
        &self,
        connection: &ConnectionName,
        generation: u64,
        reason: &str,
        now: Timestamp,
    ) -> Result<()>;

    /// Forgets the connection and its secrets. Returns whether there was one.
    async fn remove(&self, connection: &ConnectionName) -> Result<bool>;

    /// Asks for the right to refresh the grant of this generation, for `ttl_ms` from `now`.
    async fn lease(
        &self,
        connection: &ConnectionName,
        generation: u64,
        holder: &str,
        now: Timestamp,
        ttl_ms: i64,
    ) -> Result<Lease>;

    /// Gives the right back early. Without it the lease runs out by itself.
    async fn release(&self, connection: &ConnectionName, fence: u64) -> Result<()>;
}
