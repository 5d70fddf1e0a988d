//! The secrets of a grant, and their sealed form.

use cpq_domain::connection::ConnectionSettings;
use cpq_domain::limits::UPSTREAM_MESSAGE_CHARS;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::seal::Keyring;

/// Binds a sealed value to its use.
const PURPOSE: &str = "grant";

/// What a grant keeps secret.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    pub(crate) access_token: SecretString,
    /// Absent in flows that log in anew instead of refreshing.
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) client_secret: Option<SecretString>,
    /// The signing key of the JWT flow, PEM. Sealed with the rest, so that every node can log in.
    pub(crate) private_key: Option<SecretString>,
}

/// The sealed text. The login URL and the client id are in it although they are no secrets: whoever can write to the
/// database must not be able to make us send the tokens to another host.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    login_url: String,
    client_id: String,
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
        self.client_secret.zeroize();
        self.private_key.zeroize();
    }
}

impl Secrets {
    /// Seals for the connection of these settings.
    pub(crate) fn seal(
        &self,
        ring: &Keyring,
        settings: &ConnectionSettings,
        world: &dyn World,
    ) -> Result<Vec<u8>> {
        let plain =
            |secret: &Option<SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
        let wire = Wire {
            login_url: settings.login_url.clone(),
            client_id: settings.client_id.clone(),
            access_token: self.access_token.expose_secret().to_owned(),
            refresh_token: plain(&self.refresh_token),
            client_secret: plain(&self.client_secret),
            private_key: plain(&self.private_key),
        };
        let text = Zeroizing::new(serde_json::to_vec(&wire).expect("strings always serialize"));
        ring.seal(PURPOSE, &settings.name, &text, world)
    }

    /// Opens what [`Secrets::seal`] sealed for the same connection, login URL and client.
    pub(crate) fn open(ring: &Keyring, settings: &ConnectionSettings, sealed: &[u8]) -> Result<Self> {
        let name = &settings.name;
        let wrong = |why: &str| {
            Error::new(
                Code::SealingKeyWrong,
                format!("the stored secrets of `{name}` cannot be used: {why}"),
            )
            .connection(name.as_str())
            .next(format!("disconnect `{name}` and connect it again"))
        };
        let text = ring.open(PURPOSE, name, sealed)?;
        // The cause would quote the text; the text is secret.
        let mut wire: Wire = serde_json::from_slice(&text).map_err(|_| wrong("their format is unknown"))?;
        if wire.login_url != settings.login_url || wire.client_id != settings.client_id {
            return Err(wrong(
                "the login URL or client id was changed since they were sealed",
            ));
        }
        Ok(Secrets {
            access_token: SecretString::from(std::mem::take(&mut wire.access_token)),
            refresh_token: wire.refresh_token.take().map(SecretString::from),
            client_secret: wire.client_secret.take().map(SecretString::from),
            private_key: wire.private_key.take().map(SecretString::from),
        })
    }
}

/// Makes a foreign text fit to be shown: without the secrets that we sent (a peer may quote them), without control
/// characters (it may be printed on a terminal), and short.
pub(crate) fn quote(text: &str, secrets: &[&str]) -> String {
    let long = secrets.iter().filter(|secret| secret.len() >= 8);
    let text = long.fold(text.to_owned(), |text, secret| text.replace(secret, "[secret]"));
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(UPSTREAM_MESSAGE_CHARS)
        .collect()
}
