//! The end of every login: the granted scopes are checked, the grant is sealed and stored.

use cpq_domain::connection::{ConnectionSettings, Identity};
use cpq_domain::vault::{GrantState, StoredGrant};
use cpq_domain::{Code, Error, Result};
use secrecy::SecretString;
use serde::Serialize;

use crate::context::Context;
use crate::grant::Grant;
use crate::secrets::Secrets;
use crate::token_endpoint::Tokens;
use crate::{disconnect, identity, scopes};

/// A connection that was just made. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    /// The settings as stored.
    pub settings: ConnectionSettings,
    /// Who we are there.
    pub identity: Identity,
    /// Granted scopes that nobody asked for, e.g. `full`. They widen what a thief of the token could do: tell people.
    pub excess_scopes: Vec<String>,
    /// Generation of the stored grant.
    pub generation: u64,
}

/// What a login brought besides the tokens.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) private_key: Option<SecretString>,
}

impl Context {
    /// Checks and stores fresh tokens of a login.
    pub(crate) async fn connect(
        &self,
        settings: ConnectionSettings,
        tokens: Tokens,
        kept: Kept,
    ) -> Result<(Connected, Grant)> {
        let excess_scopes = match check(&settings, &tokens) {
            Ok(excess_scopes) => excess_scopes,
            Err(error) => {
                // A grant that we do not keep must not stay open at the vendor. If it cannot be revoked, it ends by itself.
                let token = tokens.refresh_token.as_ref().unwrap_or(&tokens.access_token);
                disconnect::revoke(self, &settings, token).await.ok();
                return Err(error);
            }
        };
        let identity = identity::look_up(self, &settings, &tokens).await;
        let refresh_token = tokens
            .refresh_token
            .filter(|_| settings.flow == cpq_domain::connection::Flow::Web);
        let secrets = Secrets {
            access_token: tokens.access_token,
            refresh_token,
            client_secret: kept.client_secret,
            private_key: kept.private_key,
        };
        let stored = self.store(settings, identity, &secrets).await?;
        let connected = Connected {
            settings: stored.settings.clone(),
            identity: stored.identity.clone(),
            excess_scopes,
            generation: stored.generation,
        };
        tracing::info!(connection = %connected.settings.name, generation = connected.generation, "connected");
        Ok((connected, Grant { stored, secrets }))
    }

    async fn store(
        &self,
        settings: ConnectionSettings,
        identity: Identity,
        secrets: &Secrets,
    ) -> Result<StoredGrant> {
        let mut stored = StoredGrant {
            sealed: secrets.seal(&self.keyring, &settings, self.world.as_ref())?,
            settings,
            identity,
            generation: 0,
            state: GrantState::Active,
            refreshed_at: self.world.now(),
        };
        stored.generation = self.vault.connect(&stored).await?;
        Ok(stored)
    }
}

fn check(settings: &ConnectionSettings, tokens: &Tokens) -> Result<Vec<String>> {
    let granted = tokens.scopes.as_deref().unwrap_or(&settings.scopes);
    let excess = scopes::check(settings, granted)?;
    if settings.flow == cpq_domain::connection::Flow::Web && tokens.refresh_token.is_none() {
        let message = format!("the app of `{}` was granted no refresh token", settings.name);
        return Err(Error::new(Code::ScopeMissing, message)
            .connection(settings.name.as_str())
            .fact("missing", "refresh_token")
            .next("allow the scope `refresh_token` and a refresh token policy other than immediate expiry"));
    }
    Ok(excess)
}
