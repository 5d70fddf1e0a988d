//! The token endpoint: which flow, who asks, and the form of the answer.

use super::format::Format;
use super::handout::Handout;
use super::params::{Params, credentials};
use super::refusal::Refusal;
use super::{Client, client_assertion, code_flow, device, jwt_bearer, other_flows, refresh, secret};
use crate::door::Visit;
use crate::org::User;
use crate::state::{Sandbox, Shared, lock};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

/// One token request, read.
pub struct Request<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// Base URL, time and the like of this request.
    pub visit: &'a Visit,
    /// Parameters of body and query.
    pub params: Params,
    /// Consumer key, from Basic or body.
    pub client_id: Option<String>,
    /// Consumer secret, from Basic or body.
    pub client_secret: Option<String>,
}

/// `POST /services/oauth2/token`.
pub async fn issue(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request::read(&sandbox, &visit, &headers, query.as_deref(), &body);
    let format = Format::asked(&request.params, &headers, Format::Json);
    if request.params.get("response_type") == Some("device_code") {
        return match device::begin(&request) {
            Ok(answer) => format.written(StatusCode::OK, &answer),
            Err(refusal) => refusal.written(format),
        };
    }
    match by_flow(&request)
        .await
        .and_then(|handout| handout.begin(&sandbox, &visit))
    {
        Ok(answer) => format.written(StatusCode::OK, &answer),
        Err(refusal) => refusal.written(format),
    }
}

/// Any other method.
pub async fn must_post() -> Refusal {
    Refusal::new("invalid_request", "must use HTTP POST")
}

/// A missing grant type is an unsupported one: so it is when a client sends JSON instead of a form.
async fn by_flow(request: &Request<'_>) -> Result<Handout, Refusal> {
    match request.params.get("grant_type").unwrap_or_default() {
        "authorization_code" => code_flow::exchange(request),
        "refresh_token" => refresh::exchange(request).await,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => jwt_bearer::exchange(request),
        "client_credentials" => other_flows::client_credentials(request),
        "device" => device::exchange(request),
        "password" => other_flows::password(request),
        _ => Err(Refusal::new("unsupported_grant_type", "grant type not supported")),
    }
}

impl<'a> Request<'a> {
    /// Takes parameters and credentials out of a request.
    pub fn read(
        sandbox: &'a Sandbox,
        visit: &'a Visit,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Self {
        let params = Params::posted(headers, query, body);
        let (client_id, client_secret) = credentials(headers, &params);
        Self {
            sandbox,
            visit,
            params,
            client_id,
            client_secret,
        }
    }

    /// The app, if the given secret or assertion is right. A public app has none to give; `proof_needed` is false
    /// where a confidential app may leave it out, but a wrong one is wrong anywhere.
    ///
    /// # Errors
    /// `invalid_client_id`, `invalid_client`.
    pub fn client(&self, proof_needed: bool) -> Result<Client, Refusal> {
        if self.params.get("client_assertion").is_some() {
            return client_assertion::client(self);
        }
        let id = self.client_id.as_deref().ok_or_else(Refusal::unknown_client)?;
        let client = lock(&self.sandbox.access)
            .client(id)
            .cloned()
            .ok_or_else(Refusal::unknown_client)?;
        let right = match (&client.client_secret, &self.client_secret) {
            (Some(own), Some(given)) => secret::same(own, given),
            (Some(_), None) => !proof_needed,
            (None, _) => true,
        };
        if right {
            Ok(client)
        } else {
            Err(Refusal::wrong_secret())
        }
    }

    /// A user who may log in.
    ///
    /// # Errors
    /// The given refusal when there is no such user, `inactive_user` when the user is switched off.
    pub fn user(
        &self,
        find: impl FnOnce(&crate::org::Org) -> Option<User>,
        unknown: Refusal,
    ) -> Result<User, Refusal> {
        let user = find(&lock(&self.sandbox.org)).ok_or(unknown)?;
        if user.active {
            Ok(user)
        } else {
            Err(Refusal::inactive_user())
        }
    }
}
