//! The promises of the room, tried against a real token endpoint on a real socket.
#![allow(clippy::unwrap_used)]

mod canary;
mod disconnecting;
mod endpoint;
mod key_rotation;
mod live;
mod logins;
mod machine_logins;
mod reach;
mod refusals;
mod renewal;
mod sealing;
mod storing;
mod vault;
mod web_server_logins;
mod world;

use std::sync::Arc;

use cpq_auth::{App, Broker, Keyring, Loopback, Options, Waits};
use cpq_domain::connection::Vendor;
use cpq_domain::id::ConnectionName;
use secrecy::SecretString;

use endpoint::Endpoint;
use vault::MemoryVault;
use world::TestWorld;

pub(crate) const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A vendor, a vault and a clock that several brokers share.
pub(crate) struct Street {
    pub(crate) endpoint: Endpoint,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) world: Arc<TestWorld>,
}

pub(crate) fn crm() -> ConnectionName {
    ConnectionName::new("crm").unwrap()
}

impl Street {
    pub(crate) async fn new() -> Self {
        let endpoint = Endpoint::start().await;
        Street {
            endpoint,
            vault: Arc::default(),
            world: Arc::default(),
        }
    }

    pub(crate) fn broker(&self) -> Broker {
        self.broker_with(Keyring::from_base64(&SecretString::from(SEALING_KEY)).unwrap())
    }

    pub(crate) fn broker_with(&self, keyring: Keyring) -> Broker {
        let waits = Waits {
            busy_ms: (1, 3),
            held_ms: (1, 3),
            save_ms: (1, 3),
        };
        let options = Options {
            waits,
            ..Options::default()
        };
        Broker::new(self.vault.clone(), self.world.clone(), keyring, options).unwrap()
    }

    pub(crate) fn app(&self) -> App {
        App {
            name: crm(),
            vendor: Vendor::Salesforce,
            login_url: self.endpoint.url.clone(),
            client_id: endpoint::CLIENT_ID.to_owned(),
            client_secret: Some(SecretString::from(endpoint::CLIENT_SECRET)),
            scopes: Vec::new(),
        }
    }

    /// A broker that a person has just logged in.
    pub(crate) async fn connected(&self) -> Broker {
        let broker = self.broker();
        self.log_in(&broker).await;
        broker
    }

    pub(crate) async fn log_in(&self, broker: &Broker) {
        let open = |url: &url::Url| {
            tokio::spawn(endpoint::browse(url.clone()));
            Ok(())
        };
        broker
            .login_web(&self.app(), &Loopback::default(), open)
            .await
            .unwrap();
    }
}
