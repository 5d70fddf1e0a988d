//! Replaces the sealing key while everything runs: a new key is added, every grant is sealed anew, old keys go.

use cpq_domain::id::ConnectionName;
use cpq_domain::vault::{Lease, StoredGrant};
use cpq_domain::{Code, Error, Result};

use crate::broker::Broker;
use crate::limits::{HELD_LOOKS, LEASE_MS};
use crate::seal::{KeyId, Keyring};

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    /// The key that seals now.
    pub newest: KeyId,
    /// Connections whose secrets were sealed anew.
    pub resealed: Vec<ConnectionName>,
    /// Connections whose secrets no key here opens. They must be connected again.
    pub unopened: Vec<ConnectionName>,
    /// Keys that nothing needs any more. They are gone from a key file; from a value that was handed in they can be
    /// taken out.
    pub retired: Vec<KeyId>,
}

impl Broker {
    /// Adds a new sealing key (if the keys are in a file), seals all grants with the newest one, then drops the others.
    /// A run that broke off is completed by the next one: an old key stays for as long as a grant needs it.
    ///
    /// # Errors
    /// Those of the vault and of the key file.
    pub async fn rotate_key(&self) -> Result<KeyRotation> {
        let context = &self.context;
        if context.keyring.is_file() {
            context.keyring.rotate(context.world.as_ref())?;
        }
        let ids = context.keyring.key_ids();
        let newest = *ids.last().expect("a keyring is never empty");
        let (mut resealed, mut unopened) = (Vec::new(), Vec::new());
        for grant in context.vault.list().await? {
            let name = grant.settings.name;
            match self.reseal(&name, newest).await {
                Ok(true) => resealed.push(name),
                Ok(false) => {}
                Err(error) if error.code == Code::SealingKeyWrong => unopened.push(name),
                Err(error) => return Err(error),
            }
        }
        // Read again: a login may have stored a grant meanwhile, under the old key.
        let used: Vec<KeyId> = context
            .vault
            .list()
            .await?
            .iter()
            .filter_map(|grant| Keyring::sealed_with(&grant.sealed))
            .collect();
        let retired = context.keyring.retire(&used)?;
        tracing::info!(%newest, resealed = resealed.len(), retired = retired.len(), "sealing key rotated");
        Ok(KeyRotation {
            newest,
            resealed,
            unopened,
            retired,
        })
    }

    /// Seals one grant anew, under the lease: a refresh must not overwrite it, nor be overwritten.
    async fn reseal(&self, name: &ConnectionName, newest: KeyId) -> Result<bool> {
        let context = &self.context;
        for _ in 0..HELD_LOOKS {
            let Some(stored) = context.vault.load(name).await? else {
                return Ok(false);
            };
            if Keyring::sealed_with(&stored.sealed) == Some(newest) {
                return Ok(false);
            }
            let now = context.world.now();
            match context
                .vault
                .lease(name, stored.generation, &context.holder, now, LEASE_MS)
                .await?
            {
                Lease::Newer => {}
                Lease::Held { .. } => context.pause(context.waits.held_ms).await,
                Lease::Acquired { fence, .. } => {
                    let saved = self.save_resealed(stored, fence).await;
                    context.vault.release(name, fence).await?;
                    if saved? {
                        return Ok(true);
                    }
                }
            }
        }
        let message =
            format!("another process holds the right to change the secrets of `{name}`, and does not end");
        Err(Error::new(Code::StoreUnavailable, message).connection(name.as_str()))
    }

    async fn save_resealed(&self, stored: StoredGrant, fence: u64) -> Result<bool> {
        let context = &self.context;
        let grant = context.open(stored)?;
        let (mut stored, expected) = (grant.stored.clone(), grant.stored.generation);
        stored.generation = expected + 1;
        stored.sealed = grant
            .secrets
            .seal(&context.keyring, &stored.settings, context.world.as_ref())?;
        context.vault.save(&stored, expected, fence).await
    }
}
