//! The way in: one broker per process, with its sessions and logins.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::connection::Flow;
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::TokenVault;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};

use crate::authorize::PendingLogins;
use crate::connect::{Connected, Kept};
use crate::context::Context;
use crate::grant::Grant;
use crate::login::{self, App};
use crate::reach::Reach;
use crate::seal::Keyring;
use crate::session::{Access, Session, access_of};

/// Settings of a [`Broker`] that have a usual value.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Certificate authorities to trust besides those of the system, each a PEM bundle.
    pub ca_certificates_pem: Vec<Vec<u8>>,
    /// Where requests may go.
    pub reach: Reach,
    /// How long to wait where waiting is all that helps.
    pub waits: Waits,
}

/// Waits in milliseconds, each from the first to the second number, evenly spread.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// After the vendor said that it works on the same request. Salesforce needs one to three seconds.
    pub busy_ms: (u64, u64),
    /// Between two looks at a lease that another process holds.
    pub held_ms: (u64, u64),
    /// Before an answer that could not be stored is stored again.
    pub save_ms: (u64, u64),
}

impl Default for Waits {
    fn default() -> Self {
        Waits {
            busy_ms: (1_000, 3_000),
            held_ms: (50, 150),
            save_ms: (100, 400),
        }
    }
}

/// Logs connections in and hands out their sessions. One per process; share it in an `Arc`.
pub struct Broker {
    pub(crate) context: Arc<Context>,
    pub(crate) pending: PendingLogins,
    sessions: Mutex<HashMap<ConnectionName, Arc<Session>>>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("holder", &self.context.holder)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker over this vault, world and keys.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when a certificate authority is not PEM or the HTTP client cannot be set up.
    pub fn new(
        vault: Arc<dyn TokenVault>,
        world: Arc<dyn World>,
        keyring: Keyring,
        options: Options,
    ) -> Result<Self> {
        let context = Arc::new(Context::new(vault, world, keyring, options)?);
        Ok(Broker {
            context,
            pending: PendingLogins::default(),
            sessions: Mutex::default(),
        })
    }

    /// The session of a connection; always the same one for the same name. Asks nobody: whether the connection exists
    /// shows when it is used.
    pub fn session(&self, name: &ConnectionName) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Session::new(name.clone(), Arc::clone(&self.context)));
        Arc::clone(sessions.entry(name.clone()).or_insert_with(fresh))
    }

    /// Renews the access token now, whether it has expired or not.
    ///
    /// # Errors
    /// Those of [`Session::renew`].
    pub async fn refresh(&self, name: &ConnectionName) -> Result<Access> {
        let session = self.session(name);
        let current = access_of(&self.context.live_grant(name).await?)?;
        session.remember(current.clone());
        session.renew(current.generation).await
    }

    /// Logs in with a signed assertion (RFC 7523). The key is read once and sealed with the grant.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for a bad login URL or key, [`Code::LoginFailed`] with the vendor's reason,
    /// [`Code::ScopeMissing`], [`Code::CrmUnavailable`], or those of the vault.
    pub async fn login_jwt(
        &self,
        app: &App,
        username: &str,
        audience: Option<&str>,
        private_key_pem: &Path,
    ) -> Result<Connected> {
        let mut settings = app.settings(Flow::Jwt, self.context.world.now())?;
        settings.username = Some(username.to_owned());
        settings.audience = audience.map(str::to_owned);
        let private_key = Some(login::read_private_key(private_key_pem)?);
        let answer = login::jwt_bearer(&self.context, &settings, private_key.as_ref()).await;
        let tokens = answer.map_err(|refused| refused.error)?;
        let kept = Kept {
            private_key,
            client_secret: app.client_secret.clone(),
        };
        self.keep(self.context.connect(settings, tokens, kept).await?)
    }

    /// Logs in as the app itself (RFC 6749 §4.4). Salesforce allows it on My Domain hosts only.
    ///
    /// # Errors
    /// As [`Broker::login_jwt`]; [`Code::ConfigInvalid`] without a client secret.
    pub async fn login_client_credentials(&self, app: &App) -> Result<Connected> {
        let settings = app.settings(Flow::ClientCredentials, self.context.world.now())?;
        if app.client_secret.is_none() {
            let message = "the client credentials flow needs the app's consumer secret";
            return Err(Error::new(Code::ConfigInvalid, message).connection(app.name.as_str()));
        }
        let answer = login::client_credentials(&self.context, &settings, app.client_secret.as_ref()).await;
        let tokens = answer.map_err(|refused| refused.error)?;
        let kept = Kept {
            client_secret: app.client_secret.clone(),
            ..Kept::default()
        };
        self.keep(self.context.connect(settings, tokens, kept).await?)
    }

    /// Makes a fresh grant the one that this process uses.
    pub(crate) fn keep(&self, (connected, grant): (Connected, Grant)) -> Result<Connected> {
        self.session(&connected.settings.name).install(access_of(&grant)?);
        Ok(connected)
    }
}
