//! What can be told about the connections without telling a secret.

use cpq_domain::Result;
use cpq_domain::connection::{ConnectionSettings, Identity};
use cpq_domain::vault::{GrantState, StoredGrant};
use jiff::Timestamp;
use serde::Serialize;

use crate::broker::Broker;
use crate::scopes;
use crate::seal::Keyring;

/// One connection, for people and monitors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// Name, flow, login URL, client id and asked scopes.
    pub settings: ConnectionSettings,
    /// Instance URL, organisation, user and granted scopes.
    pub identity: Identity,
    /// Counts the changes of the secrets.
    pub generation: u64,
    /// When the secrets changed last.
    pub refreshed_at: Timestamp,
    /// Usable or dead, with the vendor's reason.
    pub state: GrantState,
    /// Name of the key that the secrets are sealed with; empty when they are malformed.
    pub sealing_key: String,
    /// Whether that key is here.
    pub opens: bool,
}

impl ConnectionStatus {
    /// Granted scopes that nobody asked for.
    ///
    /// # Errors
    /// [`cpq_domain::Code::ScopeMissing`] when one that a sync needs was not granted.
    pub fn excess_scopes(&self) -> Result<Vec<String>> {
        scopes::check(&self.settings, &self.identity.scopes)
    }
}

impl Broker {
    /// All connections, by name. Asks nobody but the vault.
    ///
    /// # Errors
    /// Those of the vault.
    pub async fn status(&self) -> Result<Vec<ConnectionStatus>> {
        let stored = self.context.vault.list().await?;
        Ok(stored.into_iter().map(|grant| self.describe(grant)).collect())
    }

    fn describe(&self, stored: StoredGrant) -> ConnectionStatus {
        let key = Keyring::sealed_with(&stored.sealed);
        let opens = self.context.open(stored.clone()).is_ok();
        ConnectionStatus {
            settings: stored.settings,
            identity: stored.identity,
            generation: stored.generation,
            refreshed_at: stored.refreshed_at,
            state: stored.state,
            sealing_key: key.map(|key| key.to_string()).unwrap_or_default(),
            opens,
        }
    }
}
