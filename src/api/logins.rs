//! Connecting a CRM from a browser, and giving a connection up.
//!
//! A login has two halves: the first gives the vendor's page to send the person to, the second takes what the vendor sent
//! the browser back with. Both happen in the same process. Whoever calls these routes for a browser binds the state to it,
//! e.g. by a cookie, so that nobody ends another person's login there (RFC 9700 §4.7).

use axum::extract::State;
use axum::response::Response;
use cpq_auth::{App, Broker, Callback, Connected};
use cpq_domain::connection::Vendor;
use cpq_domain::error::Report;
use cpq_domain::id::ConnectionName;
use cpq_domain::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::input::{Json, Segment, invalid};
use crate::reach::Reach;
use crate::state::ApiState;

/// A login to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginWish {
    /// Name of the connection; the configured one if left out. One of that name is replaced once the login has ended well.
    #[serde(default)]
    #[schema(value_type = Option<ConnectionName>)]
    pub connection: Option<String>,
    /// Origin of the login host, e.g. `https://login.salesforce.com`. Left out: that of the connection as it is.
    #[serde(default)]
    pub login_url: Option<String>,
    /// Consumer key of the app. Left out: that of the connection as it is.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Consumer secret of the app. Left out: none, or that of the connection if host and key are the same.
    #[serde(default, deserialize_with = "perhaps_hidden")]
    #[schema(value_type = Option<String>)]
    pub client_secret: Option<SecretString>,
    /// Where the vendor sends the browser back to; registered with the app. Over https, or on this machine.
    #[schema(example = "https://cpq.example.com/oauth/callback")]
    pub redirect_uri: String,
}

/// A login that was begun.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginBegun {
    /// The vendor's page: send the person there.
    pub authorize_url: String,
    /// The `state` in it. Bind it to the browser. It serves once, within ten minutes.
    pub state: String,
}

/// What the vendor sent the browser back with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginEnd {
    /// The query of the redirect, without `?`.
    #[serde(deserialize_with = "hidden")]
    #[schema(value_type = String)]
    pub query: SecretString,
}

fn hidden<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

fn perhaps_hidden<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

/// A connection that was just made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectedReport {
    /// Its name.
    pub connection: String,
    /// User that we are there.
    pub username: String,
    /// The organization.
    pub organization_id: String,
    /// Where its data is.
    pub instance_url: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// Those among them that nobody asked for: take them away from the app.
    pub excess_scopes: Vec<String>,
    /// What cannot be synced there, each with its reason.
    pub warnings: Vec<String>,
    /// Waiting syncs that go on.
    pub resumed: usize,
}

/// How a disconnect went. The secrets are gone here in any case.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisconnectReport {
    /// Its name.
    pub connection: String,
    /// Whether the vendor confirmed that the grant is revoked.
    pub revoked: bool,
    /// Why not. The grant may still be open at the vendor: end it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Report>,
}

/// Begin a login
///
/// Authorization code with PKCE (RFC 6749 §4.1, RFC 7636).
#[utoipa::path(
    post,
    path = "/api/v1/connections/logins",
    operation_id = "beginLogin",
    tag = "connections",
    request_body = LoginWish,
    responses((status = 201, description = "Send the person to the page; nothing is changed yet", body = LoginBegun))
)]
pub(crate) async fn begin(
    State(api): State<ApiState>,
    Json { value: wish, .. }: Json<LoginWish>,
) -> std::result::Result<Response, Failure> {
    redirect(&wish.redirect_uri)?;
    let name = match &wish.connection {
        Some(name) => ConnectionName::new(name.as_str())?,
        None => api.settings.default_connection.clone(),
    };
    let app = app(&api.broker, name, &wish).await?;
    let begun = api.broker.begin_web(&app, &wish.redirect_uri)?;
    let told = LoginBegun {
        authorize_url: begun.url.to_string(),
        state: begun.state.expose_secret().to_owned(),
    };
    Ok(answer::of(201, &told)?)
}

/// The app of the wish, with what is left out of the connection as it is.
async fn app(broker: &Broker, name: ConnectionName, wish: &LoginWish) -> Result<App> {
    let known = broker.app(&name).await?;
    let given = |given: &Option<String>, known: Option<&String>, what: &str| {
        let found = given.as_ref().or(known).map(|text| text.trim().to_owned());
        found.filter(|text| !text.is_empty()).ok_or_else(|| {
            invalid(format!(
                "`{what}` is needed: there is no connection {name} to take it from"
            ))
            .field(what)
        })
    };
    let of_known = known.as_ref();
    let login_url = given(&wish.login_url, of_known.map(|app| &app.login_url), "loginUrl")?;
    let client_id = given(&wish.client_id, of_known.map(|app| &app.client_id), "clientId")?;
    // A secret goes to no other host than the one that it was given for.
    let same = known.filter(|app| app.client_id == client_id && same_origin(&app.login_url, &login_url));
    let typed = wish
        .client_secret
        .clone()
        .filter(|secret| !secret.expose_secret().is_empty());
    Ok(App {
        name,
        vendor: Vendor::Salesforce,
        client_secret: typed.or(same.and_then(|app| app.client_secret)),
        login_url,
        client_id,
        scopes: Vec::new(),
    })
}

fn same_origin(one: &str, other: &str) -> bool {
    let origin = |text: &str| Url::parse(text).map(|url| url.origin());
    matches!((origin(one), origin(other)), (Ok(one), Ok(other)) if one == other)
}

/// A code must not cross a network in clear (RFC 9700 §2.1.1); on this machine it does not (RFC 8252 §8.3).
fn redirect(text: &str) -> Result<()> {
    let wrong =
        || invalid("`redirectUri` must be an https URL, or an http URL of this machine").field("redirectUri");
    let url = Url::parse(text).map_err(|_| wrong())?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if cpq_auth::is_loopback(&url) => Ok(()),
        _ => Err(wrong()),
    }
}

/// End a login
///
/// Trades the code for tokens, seals them, and lets syncs go on that wait for the connection.
#[utoipa::path(
    post,
    path = "/api/v1/connections/logins/finish",
    operation_id = "finishLogin",
    tag = "connections",
    request_body = LoginEnd,
    responses(
        (status = 200, description = "Connected", body = ConnectedReport),
        (status = 424, description = "The vendor refused, or the login was not begun in this process, is finished, or too old", body = Report),
    )
)]
pub(crate) async fn finish(
    State(api): State<ApiState>,
    Json { value: end, .. }: Json<LoginEnd>,
) -> std::result::Result<Response, Failure> {
    let connected = api
        .broker
        .finish_web(Callback::parse(end.query.expose_secret()))
        .await?;
    let (warnings, resumed) = (api.welcome)(connected.settings.name.clone()).await?;
    Ok(answer::of(200, &report(connected, warnings, resumed))?)
}

fn report(connected: Connected, warnings: Vec<String>, resumed: usize) -> ConnectedReport {
    let identity = connected.identity;
    ConnectedReport {
        connection: connected.settings.name.to_string(),
        username: identity.username,
        organization_id: identity.organization_id,
        instance_url: identity.instance_url,
        scopes: identity.scopes,
        excess_scopes: connected.excess_scopes,
        warnings,
        resumed,
    }
}

/// Give a connection up
///
/// Revokes the grant at the vendor (RFC 7009) and forgets its tokens. Its syncs wait until it is connected again.
#[utoipa::path(
    post,
    path = "/api/v1/connections/{name}/disconnect",
    operation_id = "disconnect",
    tag = "connections",
    params(("name" = ConnectionName, Path, description = "Name of the connection")),
    responses(
        (status = 200, description = "The tokens are gone here", body = DisconnectReport),
        (status = 424, description = "There is no such connection", body = Report),
    )
)]
pub(crate) async fn disconnect(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(name): Segment,
) -> std::result::Result<Response, Failure> {
    let name = ConnectionName::new(name).map_err(|error: Error| error.field("name"))?;
    reach.check(name.as_str())?;
    let done = api.broker.disconnect(&name).await?;
    let told = DisconnectReport {
        connection: name.to_string(),
        revoked: done.revoked,
        reason: done.reason,
    };
    Ok(answer::of(200, &told)?)
}
