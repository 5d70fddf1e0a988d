//! What an app must tell to be logged in, and the token request of each flow.

use std::io::Read as _;
use std::path::Path;

use cpq_domain::connection::{ConnectionSettings, Flow, Vendor};
use cpq_domain::id::ConnectionName;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::context::Context;
use crate::limits::{ASSERTION_SECONDS, KEY_FILE_BYTES};
use crate::refusal::{Asked, Refusal};
use crate::scopes;
use crate::secrets::Secrets;
use crate::token_endpoint::{self, Refused, Tokens};

/// The app (Salesforce: external client app or connected app) through which a connection logs in.
#[derive(Clone, Debug)]
pub struct App {
    /// Name that the connection gets; an existing connection of that name is replaced.
    pub name: ConnectionName,
    /// Vendor behind the connection.
    pub vendor: Vendor,
    /// Origin of the login host, e.g. `https://login.salesforce.com`; the app's My Domain for client credentials.
    pub login_url: String,
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret, if the app has one.
    pub client_secret: Option<SecretString>,
    /// Scopes to ask for; when empty, `api refresh_token` (without `refresh_token` in flows that log in anew).
    pub scopes: Vec<String>,
}

impl App {
    pub(crate) fn settings(&self, flow: Flow, now: Timestamp) -> Result<ConnectionSettings> {
        let origin = crate::endpoint_url::login_url(&self.login_url)?
            .origin()
            .ascii_serialization();
        let asked = |scope: &&str| flow == Flow::Web || *scope != "refresh_token";
        let usual = || {
            scopes::DEFAULT
                .iter()
                .copied()
                .filter(asked)
                .map(str::to_owned)
                .collect()
        };
        Ok(ConnectionSettings {
            name: self.name.clone(),
            vendor: self.vendor,
            flow,
            login_url: origin,
            client_id: self.client_id.clone(),
            username: None,
            audience: None,
            scopes: if self.scopes.is_empty() {
                usual()
            } else {
                self.scopes.clone()
            },
            connected_at: now,
        })
    }
}

/// Gets new tokens without a person: by the refresh token, or by a new login where the flow has none.
pub(crate) async fn tokens(
    context: &Context,
    settings: &ConnectionSettings,
    secrets: &Secrets,
) -> Result<Tokens, Refused> {
    match settings.flow {
        Flow::Web => refresh(context, settings, secrets).await,
        Flow::Jwt => jwt_bearer(context, settings, secrets.private_key.as_ref()).await,
        Flow::ClientCredentials => {
            client_credentials(context, settings, secrets.client_secret.as_ref()).await
        }
    }
}

async fn refresh(
    context: &Context,
    settings: &ConnectionSettings,
    secrets: &Secrets,
) -> Result<Tokens, Refused> {
    let Some(token) = &secrets.refresh_token else {
        let error =
            Error::new(Code::TokenExpired, "Reconnect CRM integration").connection(settings.name.as_str());
        return Err(Refused {
            refusal: Refusal::Dead,
            error: error.upstream(0, "no_refresh_token", "none was granted"),
        });
    };
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose_secret()),
    ];
    let client_secret = secrets.client_secret.as_ref();
    token_endpoint::request(context, settings, client_secret, Asked::Refresh, &form).await
}

/// Client credentials (RFC 6749 §4.4).
pub(crate) async fn client_credentials(
    context: &Context,
    settings: &ConnectionSettings,
    client_secret: Option<&SecretString>,
) -> Result<Tokens, Refused> {
    let form = [("grant_type", "client_credentials")];
    token_endpoint::request(context, settings, client_secret, Asked::ClientCredentials, &form).await
}

/// Claims of the assertion (RFC 7523 §3; Salesforce Help "OAuth 2.0 JWT Bearer Flow").
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

/// JWT bearer (RFC 7523), signed with RS256.
pub(crate) async fn jwt_bearer(
    context: &Context,
    settings: &ConnectionSettings,
    private_key: Option<&SecretString>,
) -> Result<Tokens, Refused> {
    let signed = assertion(settings, private_key, context.world.now());
    let assertion = signed.map_err(|error| Refused {
        refusal: Refusal::Setup,
        error,
    })?;
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.expose_secret()),
    ];
    token_endpoint::request(context, settings, None, Asked::Jwt, &form).await
}

fn assertion(
    settings: &ConnectionSettings,
    private_key: Option<&SecretString>,
    now: Timestamp,
) -> Result<SecretString> {
    let claims = Claims {
        iss: &settings.client_id,
        sub: settings.username.as_deref().unwrap_or_default(),
        aud: settings.audience.as_deref().unwrap_or(&settings.login_url),
        exp: now.as_second() + ASSERTION_SECONDS,
    };
    let wrong = || {
        let message = format!("the private key of `{}` is not an RSA key in PEM", settings.name);
        Error::new(Code::ConfigInvalid, message)
            .connection(settings.name.as_str())
            .next("use the key that belongs to the app's certificate, as PKCS#8 or PKCS#1 PEM without a passphrase")
    };
    let pem = private_key
        .map(|pem| pem.expose_secret().as_bytes())
        .unwrap_or_default();
    let key = EncodingKey::from_rsa_pem(pem).map_err(|_| wrong())?;
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(|_| wrong())?;
    Ok(SecretString::from(token))
}

/// Reads a private key, PEM.
pub(crate) fn read_private_key(path: &Path) -> Result<SecretString> {
    let mut text = String::with_capacity(8192);
    let read = std::fs::File::open(path).and_then(|file| file.take(KEY_FILE_BYTES).read_to_string(&mut text));
    let pem = SecretString::from(text);
    read.map_err(|cause| {
        let message = format!("the private key {} cannot be read: {cause}", path.display());
        Error::new(Code::ConfigInvalid, message).cause(cause)
    })?;
    Ok(pem)
}
