//! Registered apps: consumer key, secret, callbacks, scopes and policies.

use super::random;
use super::refusal::Refusal;
use crate::org::User;
use serde::{Deserialize, Serialize};
use url::Url;

/// The app that every sandbox has for services: the one in `GET /sandbox/info`.
pub struct DefaultApp {
    /// Consumer key.
    pub id: &'static str,
    /// Consumer secret.
    pub secret: &'static str,
}

/// Consumer key and secret of the confidential default app. Fixed, so that a configuration survives a reset; they
/// protect nothing, as the server is on loopback and tells them to anyone.
pub fn default_app() -> DefaultApp {
    DefaultApp {
        id: "3MVG9sandbox.default.confidential.app.consumer.key",
        secret: "5A1D0B0C5EC2E7F00D",
    }
}

/// The public app that Salesforce's own CLI uses; it has no secret.
pub const PLATFORM_CLI: &str = "PlatformCLI";

/// A registered app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Client {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret; an app without one is public.
    pub client_secret: Option<String>,
    /// Allowed callbacks. They match exactly, except that the port of a loopback callback is free (RFC 8252 §7.3)
    /// and that a last `*` of a loopback callback stands for any path, which is this sandbox's own convenience.
    pub callbacks: Vec<String>,
    /// Scopes that the app may hand out.
    pub scopes: Vec<String>,
    /// Login name of the Run-As user of the client-credentials flow; without one the flow is refused.
    pub run_as: Option<String>,
    /// Public key for signed assertions, PEM (`BEGIN PUBLIC KEY`), or the certificate (`BEGIN CERTIFICATE`) that one
    /// uploads to Salesforce; without one assertions are refused.
    pub jwt_public_key: Option<String>,
    /// Whether users are approved by an administrator; if not, JWT bearer needs an earlier grant of the user.
    pub preauthorized: bool,
    /// Login names of the users that an administrator has approved; nobody named is everybody. Counts only where
    /// users are approved by an administrator.
    pub approved_users: Vec<String>,
    /// Whether the org has installed the app. Users cannot authorize one that it has not ("Connected App Usage
    /// Restrictions", September 2025).
    pub installed: bool,
    /// Whether an authorization code needs a code challenge.
    pub pkce_required: bool,
    /// Whether exchanging a code needs the secret even with PKCE ("Require Secret for Web Server Flow").
    pub secret_for_code: bool,
    /// Whether a refresh needs the secret ("Require Secret for Refresh Token Flow").
    pub secret_for_refresh: bool,
    /// Refresh-token rotation of this app; without it the sandbox's setting holds.
    pub rotation: Option<bool>,
    /// Seconds after which a refresh token ends ("Expire refresh token after").
    pub refresh_lifetime_seconds: Option<u32>,
    /// Seconds without use after which a refresh token ends ("Expire refresh token if not used for").
    pub refresh_idle_seconds: Option<u32>,
    /// Whether access tokens are in JWT format.
    pub jwt_access_tokens: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            client_id: random::text(85),
            client_secret: None,
            callbacks: loopback_callbacks(),
            scopes: words("api id openid profile email address phone web full refresh_token offline_access"),
            run_as: None,
            jwt_public_key: None,
            preauthorized: true,
            approved_users: Vec::new(),
            installed: true,
            pkce_required: false,
            secret_for_code: false,
            secret_for_refresh: false,
            rotation: None,
            refresh_lifetime_seconds: None,
            refresh_idle_seconds: None,
            jwt_access_tokens: false,
        }
    }
}

impl Client {
    /// The confidential default app, run as this user, with this public key.
    pub fn confidential(run_as: Option<String>, jwt_public_key: Option<String>) -> Self {
        let DefaultApp { id, secret } = default_app();
        let (client_id, client_secret) = (id.to_owned(), Some(secret.to_owned()));
        Self {
            client_id,
            client_secret,
            run_as,
            jwt_public_key,
            secret_for_code: true,
            secret_for_refresh: true,
            ..Self::default()
        }
    }

    /// The public app of Salesforce's CLI; its JWT flow uses other apps.
    pub fn platform_cli() -> Self {
        Self {
            client_id: PLATFORM_CLI.to_owned(),
            preauthorized: false,
            ..Self::default()
        }
    }

    /// Whether an administrator lets this user in.
    ///
    /// # Errors
    /// `invalid_app_access` for a user whom nobody has approved.
    pub fn check_approved(&self, user: &User) -> Result<(), Refusal> {
        let named = |name: &String| name.eq_ignore_ascii_case(&user.username);
        let open = !self.preauthorized || self.approved_users.is_empty();
        if open || self.approved_users.iter().any(named) {
            Ok(())
        } else {
            Err(Refusal::not_approved())
        }
    }

    /// Whether a code may be sent to this address.
    pub fn allows_callback(&self, asked: &str) -> bool {
        self.callbacks
            .iter()
            .any(|registered| registered == asked || loopback_match(registered, asked))
    }
}

fn loopback_callbacks() -> Vec<String> {
    vec!["http://127.0.0.1/*".to_owned(), "http://localhost/*".to_owned()]
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// RFC 8252 §7.3: the port of a loopback redirect is chosen by the operating system at the time of the request.
fn loopback_match(registered: &str, asked: &str) -> bool {
    let (Ok(registered), Ok(asked)) = (Url::parse(registered), Url::parse(asked)) else {
        return false;
    };
    let loopback = matches!(registered.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let plain = asked.username().is_empty() && asked.password().is_none() && asked.fragment().is_none();
    let same_host = registered.host_str() == asked.host_str() && registered.scheme() == asked.scheme();
    let path = match registered.path().strip_suffix('*') {
        Some(prefix) => asked.path().starts_with(prefix),
        None => registered.path() == asked.path() && registered.query() == asked.query(),
    };
    loopback && plain && same_host && registered.scheme() == "http" && path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_match_exactly_but_for_the_port_of_loopback() {
        let callbacks = ["https://app.example/cb", "http://localhost/OauthRedirect"]
            .map(str::to_owned)
            .to_vec();
        let client = Client {
            callbacks,
            ..Client::default()
        };
        assert!(client.allows_callback("https://app.example/cb"));
        assert!(client.allows_callback("http://localhost:1717/OauthRedirect"));
        for wrong in [
            "https://app.example:444/cb",
            "https://app.example/cb/",
            "http://localhost:1717/other",
            "http://localhost.evil.example/OauthRedirect",
            "http://user@localhost:1/OauthRedirect",
            "http://127.0.0.1:1717/OauthRedirect",
            "not a url",
        ] {
            assert!(!client.allows_callback(wrong), "{wrong}");
        }
        assert!(Client::default().allows_callback("http://127.0.0.1:45123/any/path"));
        assert!(!Client::default().allows_callback("https://127.0.0.1:45123/any/path"));
    }
}
