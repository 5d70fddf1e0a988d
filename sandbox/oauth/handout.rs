//! What a flow hands out: a new session, and the answer that tells of it.

use super::access_jwt;
use super::client::Client;
use super::discovery;
use super::refusal::Refusal;
use super::session::Session;
use crate::door::Visit;
use crate::org::User;
use crate::state::{Sandbox, lock};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

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
    /// The authorization code it came from.
    pub code: Option<String>,
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
    /// Everything: web server, user agent and refresh.
    Full,
    /// Neither signature nor time: JWT bearer.
    Bare,
    /// No scope: username and password.
    Password,
    /// Everything and `api_instance_url`: client credentials.
    Service,
}

impl Handout {
    /// A session alone, without code and grant.
    pub fn of_session(user: User, client: Client, scopes: Vec<String>, form: Form) -> Self {
        Self {
            user,
            client,
            scopes,
            grant: None,
            code: None,
            refresh_token: None,
            nonce: None,
            form,
        }
    }

    /// Begins the session and returns the keys and values of the answer, all of them text.
    ///
    /// # Errors
    /// `unknown_error` when nothing can be signed.
    pub fn begin(self, sandbox: &Sandbox, visit: &Visit) -> Result<Vec<(&'static str, String)>, Refusal> {
        let now = visit.now(sandbox);
        let organization = lock(&sandbox.org).organization_id().to_owned();
        let base = &visit.base_url;
        let id = format!("{base}/id/{organization}/{}", self.user.id);
        let issued_at = now.as_millisecond().to_string();
        let access_token = self.begin_session(sandbox, visit, &organization, now)?;
        let id_token = self.id_token(sandbox, visit, &id, &access_token)?;
        let (form, jwt) = (self.form, self.client.jwt_access_tokens);
        let signature = signature(&self.client, &id, &issued_at);
        let parts = [
            ("access_token", Some(access_token)),
            ("refresh_token", self.refresh_token),
            ("signature", (form != Form::Bare).then_some(signature)),
            ("scope", (form != Form::Password).then(|| self.scopes.join(" "))),
            ("id_token", id_token),
            ("instance_url", Some(base.clone())),
            ("id", Some(id)),
            ("token_type", Some("Bearer".to_owned())),
            ("issued_at", (form != Form::Bare).then_some(issued_at)),
            ("token_format", jwt.then(|| "jwt".to_owned())),
            (
                "api_instance_url",
                (form == Form::Service || jwt).then(|| base.clone()),
            ),
        ];
        let given = parts.into_iter().filter_map(|(key, value)| Some((key, value?)));
        Ok(given.collect())
    }

    fn begin_session(
        &self,
        sandbox: &Sandbox,
        visit: &Visit,
        organization: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let mut session = Session::new(
            &self.user.id,
            Some(&self.client.client_id),
            self.scopes.clone(),
            now,
        );
        session.grant = self.grant;
        session.code.clone_from(&self.code);
        let lifetime = sandbox.session_lifetime();
        let token = if self.client.jwt_access_tokens {
            session.ends_at = now.checked_add(lifetime).ok();
            let token = access_jwt::token(sandbox, visit, organization, &session);
            let token = token.map_err(|why| Refusal::new("unknown_error", why))?;
            lock(&sandbox.access).add_session_of(token.clone(), session, lifetime);
            token
        } else {
            lock(&sandbox.access).add_session(organization, session, lifetime)
        };
        sandbox.touch();
        Ok(token)
    }

    fn id_token(
        &self,
        sandbox: &Sandbox,
        visit: &Visit,
        id: &str,
        access_token: &str,
    ) -> Result<Option<String>, Refusal> {
        if self.form != Form::Full || !self.scopes.iter().any(|scope| scope == "openid") {
            return Ok(None);
        }
        discovery::id_token(sandbox, visit, self, id, access_token)
            .map(Some)
            .map_err(|why| Refusal::new("unknown_error", why))
    }
}

/// Lets a client check that `id` came from Salesforce: HMAC-SHA256 over `id` and `issued_at` under the consumer secret.
fn signature(client: &Client, id: &str, issued_at: &str) -> String {
    let secret = client.client_secret.as_deref().unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()))
}
