//! Reading a grant from the vault, and the errors that say why there is none.

use cpq_domain::id::ConnectionName;
use cpq_domain::vault::{GrantState, StoredGrant};
use cpq_domain::{Code, Error, Result};

use crate::context::Context;
use crate::secrets::Secrets;

/// A grant with its secrets open.
pub(crate) struct Grant {
    pub(crate) stored: StoredGrant,
    pub(crate) secrets: Secrets,
}

impl Context {
    /// Reads the grant of a connection.
    ///
    /// # Errors
    /// [`Code::NotConnected`] without one, [`Code::TokenExpired`] when it is dead, [`Code::SealingKeyWrong`] when it
    /// does not open.
    pub(crate) async fn live_grant(&self, name: &ConnectionName) -> Result<Grant> {
        let stored = self.vault.load(name).await?.ok_or_else(|| not_connected(name))?;
        if let GrantState::Dead { reason, .. } = &stored.state {
            return Err(reconnect(name, reason));
        }
        self.open(stored)
    }

    /// Opens the secrets of a grant, whether it is alive or not.
    pub(crate) fn open(&self, stored: StoredGrant) -> Result<Grant> {
        let secrets = Secrets::open(&self.keyring, &stored.settings, &stored.sealed)?;
        Ok(Grant { stored, secrets })
    }
}

/// No connection of that name.
pub(crate) fn not_connected(name: &ConnectionName) -> Error {
    Error::new(Code::NotConnected, format!("`{name}` is not connected")).connection(name.as_str())
}

/// The grant is dead: what the vendor said when it died.
pub(crate) fn reconnect(name: &ConnectionName, reason: &str) -> Error {
    let (code, words) = reason.split_once(": ").unwrap_or(("", reason));
    let words = if words.is_empty() { code } else { words };
    Error::new(Code::TokenExpired, "Reconnect CRM integration")
        .connection(name.as_str())
        .upstream(400, code, words)
}

#[cfg(test)]
pub(crate) mod tests {
    use cpq_domain::connection::{ConnectionSettings, Flow, Vendor};

    use super::*;

    pub(crate) fn settings(login_url: &str) -> ConnectionSettings {
        ConnectionSettings {
            name: ConnectionName::new("crm").unwrap(),
            vendor: Vendor::Salesforce,
            flow: Flow::Web,
            login_url: login_url.to_owned(),
            client_id: "3MVG9".to_owned(),
            username: None,
            audience: None,
            scopes: Vec::new(),
            connected_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }
}
