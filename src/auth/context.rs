//! What every part of this room works with: the vault, the world, the keys and one HTTP client.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::vault::TokenVault;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};

use crate::broker::{Options, Waits};
use crate::limits::{CONNECT_TIMEOUT, REQUEST_TIMEOUT};
use crate::seal::Keyring;

pub(crate) struct Context {
    pub(crate) vault: Arc<dyn TokenVault>,
    pub(crate) world: Arc<dyn World>,
    pub(crate) keyring: Keyring,
    pub(crate) http: reqwest::Client,
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
        let http = client(&options.ca_certificates_pem)?;
        let holder = format!("cpq-{}", world.uuid());
        Ok(Context {
            vault,
            world,
            keyring,
            http,
            waits: options.waits,
            holder,
        })
    }

    /// Waits somewhere between the two bounds, in milliseconds. Spread out, so that waiting nodes do not meet again.
    pub(crate) async fn pause(&self, (least, most): (u64, u64)) {
        let wait = least + self.world.random_below(most.saturating_sub(least) + 1);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// Redirects are off: a token must never follow one to another host.
fn client(ca_certificates_pem: &[Vec<u8>]) -> Result<reqwest::Client> {
    let wrong = |what: &str, cause: reqwest::Error| Error::new(Code::ConfigInvalid, what).cause(cause);
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cpq/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    for pem in ca_certificates_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|cause| wrong("a certificate authority file is not PEM", cause))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder
        .build()
        .map_err(|cause| wrong("the HTTP client cannot be set up", cause))
}
