//! The app of a connection that is there, so that a person who reconnects it need not type its secret again.

use cpq_domain::Result;
use cpq_domain::id::ConnectionName;

use crate::broker::Broker;
use crate::login::App;

impl Broker {
    /// The app through which a connection logged in, with its consumer secret if it has one; `None` for a connection that
    /// never was. Its grant may be dead.
    ///
    /// # Errors
    /// [`cpq_domain::Code::SealingKeyWrong`] when the secrets do not open, or those of the vault.
    pub async fn app(&self, name: &ConnectionName) -> Result<Option<App>> {
        let Some(stored) = self.context.vault.load(name).await? else {
            return Ok(None);
        };
        let grant = self.context.open(stored)?;
        let settings = grant.stored.settings;
        Ok(Some(App {
            name: settings.name,
            vendor: settings.vendor,
            login_url: settings.login_url,
            client_id: settings.client_id,
            client_secret: grant.secrets.client_secret,
            scopes: settings.scopes,
        }))
    }
}
