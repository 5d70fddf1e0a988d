//! What every part of this room works with: the vault, the world, the keys and one HTTP client.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::connection::ConnectionSettings;
use cpq_domain::vault::TokenVault;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};

use url::Url;

use crate::broker::{Options, Waits};
use crate::endpoint_url;
use crate::limits::REQUEST_TIMEOUT;
use crate::reach::Reach;
use crate::seal::Keyring;

pub(crate) struct Context {
    pub(crate) vault: Arc<dyn TokenVault>,
    pub(crate) world: Arc<dyn World>,
    pub(crate) keyring: Keyring,
    pub(crate) http: reqwest::Client,
    pub(crate) reach: Reach,
    pub(crate) waits: Waits,
    /// Names this process in leases.
    pub(crate) holder: String,
}

impl Context {
    pub(crate) fn new(
        vault: Arc<dyn TokenVault>,
        world: Arc<dyn World>,
        keyring: Keyring,
        options: Options,
    ) -> Result<Self> {
        let http = options
            .reach
            .client(&options.ca_certificates_pem, REQUEST_TIMEOUT)?;
        let holder = format!("cpq-{}", world.uuid());
        Ok(Context {
            vault,
            world,
            keyring,
            http,
            reach: options.reach,
            waits: options.waits,
            holder,
        })
    }

    /// One of the vendor's OAuth endpoints, if requests may go there.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for a login URL that is none, or is out of reach.
    pub(crate) fn endpoint(&self, settings: &ConnectionSettings, name: &str) -> Result<Url> {
        let url = endpoint_url::oauth(settings, name)?;
        match self.reach.fault(&url) {
            None => Ok(url),
            Some(why) => {
                let message = format!("the login URL {:?} cannot be used: {why}", settings.login_url);
                Err(Error::new(Code::ConfigInvalid, message)
                    .connection(settings.name.as_str())
                    .next("name the host of the CRM; for one in a private network set crm.private_network"))
            }
        }
    }

    /// Waits somewhere between the two bounds, in milliseconds. Spread out, so that waiting nodes do not meet again.
    pub(crate) async fn pause(&self, (least, most): (u64, u64)) {
        let wait = least + self.world.random_below(most.saturating_sub(least) + 1);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}
