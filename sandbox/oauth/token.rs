//! The token endpoint: which flow, who asks, and the form of the answer.

use super::params::{Params, credentials};
use super::refusal::Refusal;
use super::{Client, Session, code_flow, discovery, jwt_bearer, other_flows, refresh};
use crate::door::Visit;
use crate::org::User;
use crate::state::{Sandbox, Shared, lock};
use aws_lc_rs::{constant_time, hmac};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// One token request, read.
pub struct Request<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// Base URL, time and the like of this request.
    pub visit: &'a Visit,
    /// Form parameters.
    pub params: Params,
    /// Consumer key, from Basic or body.
    pub client_id: Option<String>,
    /// Consumer secret, from Basic or body.
    pub client_secret: Option<String>,
}

/// What a flow decided to hand out.
pub struct Handout {
    /// Whose session begins.
    pub user: User,
    /// Through which app.
    pub client: Client,
    /// With what.
    pub scopes: Vec<String>,
    /// The grant that it ends with.
    pub grant: Option<u64>,
    /// A refresh token to hand out with it.
    pub refresh_token: Option<String>,
    /// OpenID nonce.
    pub nonce: Option<String>,
    /// Which keys the answer has.
    pub form: Form,
}

/// Flows differ in what they leave out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Everything: web server and refresh.
    Full,
    /// Neither signature nor time: JWT bearer.
    Bare,
    /// No scope: username and password.
    Password,
    /// Everything and `api_instance_url`: client credentials.
    Service,
}

/// `POST /services/oauth2/token`.
pub async fn issue(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let (client_id, client_secret) = credentials(&headers, &params);
    let format = params.get("format").map(str::to_owned);
    let request = Request {
        sandbox: &sandbox,
        visit: &visit,
        params,
        client_id,
        client_secret,
    };
    match by_flow(&request)
        .await
        .and_then(|handout| request.hand_out(handout))
    {
        Ok(answer) => written(&answer, format.as_deref()),
        Err(refusal) => refusal.into_response(),
    }
}

/// Any other method.
pub async fn must_post() -> Refusal {
    Refusal::new("invalid_request", "must use HTTP POST")
}

async fn by_flow(request: &Request<'_>) -> Result<Handout, Refusal> {
    match request.params.need("grant_type")? {
        "authorization_code" => code_flow::exchange(request),
        "refresh_token" => refresh::exchange(request).await,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => jwt_bearer::exchange(request),
        "client_credentials" => other_flows::client_credentials(request),
        "password" => other_flows::password(request),
        _ => Err(Refusal::new("unsupported_grant_type", "grant type not supported")),
    }
}

impl Request<'_> {
    /// The app, if the given secret is right. A public app has none to give; `secret_needed` is false where a
    /// confidential app may leave it out, but a wrong one is wrong anywhere.
    ///
    /// # Errors
    /// `invalid_client_id`, `invalid_client`, `invalid_request`.
    pub fn client(&self, secret_needed: bool) -> Result<Client, Refusal> {
        let id = self
            .client_id
            .as_deref()
            .ok_or_else(|| Refusal::missing("client_id"))?;
        let client = lock(&self.sandbox.access)
            .client(id)
            .cloned()
            .ok_or_else(Refusal::unknown_client)?;
        let right = match (&client.client_secret, &self.client_secret) {
            (Some(own), Some(given)) => {
                constant_time::verify_slices_are_equal(own.as_bytes(), given.as_bytes()).is_ok()
            }
            (Some(_), None) => !secret_needed,
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
            Err(Refusal::new("inactive_user", "user is inactive"))
        }
    }

    /// Begins the session and builds the answer; all its values are strings.
    fn hand_out(&self, handout: Handout) -> Result<Map<String, Value>, Refusal> {
        let now = self.visit.now(self.sandbox);
        let organization = lock(&self.sandbox.org).organization_id().to_owned();
        let access_token = self.begin_session(&handout, &organization, now);
        let base = &self.visit.base_url;
        let id = format!("{base}/id/{organization}/{}", handout.user.id);
        let issued_at = now.as_millisecond().to_string();
        let form = handout.form;
        let openid = form == Form::Full && handout.scopes.iter().any(|scope| scope == "openid");
        let token = || {
            discovery::id_token(
                self,
                &id,
                &handout.user,
                &handout.client,
                handout.nonce.as_deref(),
            )
        };
        let id_token = openid
            .then(token)
            .transpose()
            .map_err(|why| Refusal::new("unknown_error", why))?;
        let parts = [
            ("access_token", Some(access_token)),
            ("refresh_token", handout.refresh_token),
            (
                "signature",
                (form != Form::Bare).then(|| signature(&handout.client, &id, &issued_at)),
            ),
            (
                "scope",
                (form != Form::Password).then(|| handout.scopes.join(" ")),
            ),
            ("id_token", id_token),
            ("instance_url", Some(base.clone())),
            ("id", Some(id)),
            ("token_type", Some("Bearer".to_owned())),
            ("issued_at", (form != Form::Bare).then_some(issued_at)),
            ("api_instance_url", (form == Form::Service).then(|| base.clone())),
        ];
        let given = parts
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?))));
        Ok(given.collect())
    }

    fn begin_session(&self, handout: &Handout, organization: &str, now: Timestamp) -> String {
        let mut session = Session::new(
            &handout.user.id,
            Some(&handout.client.client_id),
            handout.scopes.clone(),
            now,
        );
        if let Some(grant) = handout.grant {
            session = session.under(grant);
        }
        self.sandbox.touch();
        let lifetime = self.sandbox.session_lifetime();
        lock(&self.sandbox.access).add_session(organization, session, lifetime)
    }
}

/// Lets a client check that `id` came from Salesforce: HMAC-SHA256 over `id` and `issued_at` under the consumer secret.
fn signature(client: &Client, id: &str, issued_at: &str) -> String {
    let secret = client.client_secret.as_deref().unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()))
}

/// The answer in the asked format: JSON, `urlencoded` or `xml`.
fn written(answer: &Map<String, Value>, format: Option<&str>) -> Response {
    let pairs = || {
        answer
            .iter()
            .map(|(key, value)| (key, value.as_str().unwrap_or_default()))
    };
    let (kind, body) = match format {
        Some("urlencoded") => {
            let body = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs())
                .finish();
            ("application/x-www-form-urlencoded;charset=UTF-8", body)
        }
        Some("xml") => {
            let elements =
                pairs().map(|(key, value)| format!("<{key}>{}</{key}>", crate::wire::escaped(value)));
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{}</OAuth>",
                elements.collect::<String>()
            );
            ("application/xml;charset=UTF-8", body)
        }
        _ => (
            "application/json;charset=UTF-8",
            Value::Object(answer.clone()).to_string(),
        ),
    };
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache, no-store"),
        (header::PRAGMA, "no-cache"),
    ];
    (head, body).into_response()
}
