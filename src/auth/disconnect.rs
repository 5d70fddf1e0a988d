//! Ends a connection: the grant is revoked at the vendor (RFC 7009), and its secrets are forgotten here.

use cpq_domain::connection::ConnectionSettings;
use cpq_domain::error::Report;
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::StoredGrant;
use cpq_domain::{Code, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::broker::Broker;
use crate::context::Context;
use crate::grant::not_connected;

/// How a disconnect went. The secrets are gone here in any case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disconnected {
    /// Whether the vendor confirmed that the grant is revoked.
    pub revoked: bool,
    /// Why not. The grant may still be open at the vendor: end it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Report>,
}

impl Broker {
    /// Revokes the grant at the vendor and forgets it here.
    ///
    /// # Errors
    /// [`Code::NotConnected`] when there is none, or those of the vault. A failed revocation is no error; it is in the
    /// answer.
    pub async fn disconnect(&self, name: &ConnectionName) -> Result<Disconnected> {
        let stored = self
            .context
            .vault
            .load(name)
            .await?
            .ok_or_else(|| not_connected(name))?;
        let revoked = revoke_stored(&self.context, stored).await;
        self.context.vault.remove(name).await?;
        self.session(name).forget();
        tracing::info!(connection = %name, revoked = revoked.is_ok(), "disconnected");
        Ok(Disconnected {
            revoked: revoked.is_ok(),
            reason: revoked.err().map(|error| error.report(None)),
        })
    }
}

async fn revoke_stored(context: &Context, stored: StoredGrant) -> Result<()> {
    let grant = context.open(stored)?;
    // Revoking the refresh token ends its access tokens too.
    let token = grant
        .secrets
        .refresh_token
        .as_ref()
        .unwrap_or(&grant.secrets.access_token);
    revoke(context, &grant.stored.settings, token).await
}

/// Revokes one token.
pub(crate) async fn revoke(
    context: &Context,
    settings: &ConnectionSettings,
    token: &SecretString,
) -> Result<()> {
    let url = context.endpoint(settings, "revoke")?;
    let next = "end the session of the app in the CRM's setup (Connected Apps OAuth Usage)";
    let failed = |message: String| {
        Error::new(Code::CrmUnavailable, message)
            .connection(settings.name.as_str())
            .next(next)
    };
    let sent = context
        .http
        .post(url)
        .form(&[("token", token.expose_secret())])
        .send()
        .await;
    let response = sent.map_err(|cause| {
        failed(format!(
            "the grant could not be revoked at {}",
            settings.login_url
        ))
        .cause(cause.without_url())
    })?;
    match response.status().as_u16() {
        200 => Ok(()),
        status => Err(failed(format!(
            "the CRM did not revoke the grant (HTTP {status})"
        ))),
    }
}
