//! The login of a person: authorization code with PKCE (RFC 6749 §4.1, RFC 7636), on a loopback redirect (RFC 8252)
//! or through a callback of our own server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use cpq_domain::connection::{ConnectionSettings, Flow};
use cpq_domain::{Code, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::broker::Broker;
use crate::connect::{Connected, Kept};
use crate::context::Context;
use crate::limits::{LOGIN_DEADLINE, PENDING_LOGINS, PENDING_US};
use crate::login::App;
use crate::loopback::{Listener, Loopback};
use crate::refusal::{Asked, classify};
use crate::secrets::quote;
use crate::{endpoint_url, page, pkce, token_endpoint};

/// A login that was begun: send the person to `url`.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// The vendor's login page, with everything it needs.
    pub url: Url,
    /// The `state` in it. Bind it to the browser (a cookie), so that nobody finishes another person's login.
    pub state: SecretString,
}

/// What the vendor sends the browser back with. Make it from the query of the redirect.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    state: String,
    code: Option<SecretString>,
    error: String,
    error_description: String,
    issuer: Option<String>,
}

impl Callback {
    /// Reads the query of the redirect (without `?`). Of a repeated member the last one counts.
    pub fn parse(query: &str) -> Self {
        let mut callback = Callback::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "state" => callback.state = value.into_owned(),
                "code" => callback.code = Some(SecretString::from(value.into_owned())),
                "error" => callback.error = value.into_owned(),
                "error_description" => callback.error_description = value.into_owned(),
                "iss" => callback.issuer = Some(value.into_owned()),
                _ => {}
            }
        }
        callback
    }
}

/// One login between its two halves. Finishing takes it: it serves once.
pub(crate) struct PendingLogin {
    settings: ConnectionSettings,
    client_secret: Option<SecretString>,
    redirect_uri: String,
    verifier: SecretString,
    state: SecretString,
}

impl Broker {
    /// Logs a person in on this machine. `open` gets the vendor's login page to show it in a browser; then this waits
    /// for the browser to come back, at most five minutes.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for a bad login URL, [`Code::PortInUse`], [`Code::LoginFailed`] with the vendor's reason
    /// or when nobody logs in, [`Code::ScopeMissing`], [`Code::CrmUnavailable`], those of `open`, or those of the vault.
    pub async fn login_web(
        &self,
        app: &App,
        loopback: &Loopback,
        open: impl FnOnce(&Url) -> Result<()> + Send,
    ) -> Result<Connected> {
        let listener = Listener::bind(loopback).await?;
        let pending = PendingLogin::new(&self.context, app, listener.redirect_uri())?;
        open(&pending.authorize_url()?)?;
        let waiting = tokio::time::timeout(LOGIN_DEADLINE, listener.wait(pending.state.expose_secret()));
        let (callback, browser) = waiting.await.map_err(|_| {
            Error::new(
                Code::LoginFailed,
                format!("nobody logged `{}` in within five minutes", app.name),
            )
            .connection(app.name.as_str())
        })??;
        drop(listener);
        let connected = self.finish(pending, callback).await;
        let shown = if connected.is_ok() {
            page::CONNECTED
        } else {
            page::NOT_CONNECTED
        };
        page::answer(browser, "200 OK", shown).await;
        connected
    }

    /// First half of a login through our own server. `redirect_uri` is its callback, registered with the app.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for a bad login URL.
    pub fn begin_web(&self, app: &App, redirect_uri: &str) -> Result<Authorize> {
        let pending = PendingLogin::new(&self.context, app, redirect_uri.to_owned())?;
        let authorize = Authorize {
            url: pending.authorize_url()?,
            state: pending.state.clone(),
        };
        self.pending.put(pending, self.context.world.monotonic_us());
        Ok(authorize)
    }

    /// Second half: what the browser brought back. A state serves once, within ten minutes, in the process that began.
    ///
    /// # Errors
    /// [`Code::LoginFailed`] for a state that we do not know or a login that the vendor refused, else as
    /// [`Broker::login_web`].
    pub async fn finish_web(&self, callback: Callback) -> Result<Connected> {
        let pending = self
            .pending
            .take(&callback.state, self.context.world.monotonic_us());
        let pending = pending.ok_or_else(|| {
            Error::new(
                Code::LoginFailed,
                "this login was not begun here, is finished, or took longer than ten minutes",
            )
            .next("begin the login again")
        })?;
        self.finish(pending, callback).await
    }

    async fn finish(&self, pending: PendingLogin, callback: Callback) -> Result<Connected> {
        let code = pending.code_of(callback)?;
        let PendingLogin {
            settings,
            client_secret,
            redirect_uri,
            verifier,
            ..
        } = pending;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", verifier.expose_secret()),
        ];
        let (context, secret) = (&self.context, client_secret.as_ref());
        let answer = token_endpoint::request(context, &settings, secret, Asked::Code, &form).await;
        let tokens = answer.map_err(|refused| refused.error)?;
        let kept = Kept {
            client_secret,
            ..Kept::default()
        };
        self.keep(self.context.connect(settings, tokens, kept).await?)
    }
}

impl PendingLogin {
    fn new(context: &Context, app: &App, redirect_uri: String) -> Result<Self> {
        let settings = app.settings(Flow::Web, context.world.now())?;
        // A person is sent to no page whose answer we would not fetch.
        context.endpoint(&settings, "authorize")?;
        Ok(PendingLogin {
            settings,
            client_secret: app.client_secret.clone(),
            redirect_uri,
            verifier: pkce::unguessable(context.world.as_ref()),
            state: pkce::unguessable(context.world.as_ref()),
        })
    }

    fn authorize_url(&self) -> Result<Url> {
        let mut url = endpoint_url::oauth(&self.settings, "authorize")?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", self.state.expose_secret())
            .append_pair("code_challenge", &pkce::challenge(self.verifier.expose_secret()))
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// The code of a callback that belongs to this login and brings one.
    fn code_of(&self, callback: Callback) -> Result<SecretString> {
        let failed = |message: String| {
            Error::new(Code::LoginFailed, message)
                .connection(self.settings.name.as_str())
                .next("begin the login again")
        };
        if !same_state(&callback.state, self.state.expose_secret()) {
            return Err(failed(
                "the browser came back with another login's state".to_owned(),
            ));
        }
        if let Some(issuer) = &callback.issuer
            && endpoint_url::instance_url(&self.settings, issuer).is_err()
        {
            return Err(failed(format!(
                "the answer comes from another login service: {}",
                quote(issuer, &[])
            )));
        }
        if !callback.error.is_empty() {
            let (code, words) = (
                quote(&callback.error, &[]),
                quote(&callback.error_description, &[]),
            );
            let meaning = classify(Asked::Code, 400, &callback.error, &callback.error_description);
            let error =
                token_endpoint::explain(meaning, &self.settings.login_url, &format!("{code}: {words}"));
            return Err(error
                .connection(self.settings.name.as_str())
                .upstream(0, code, words));
        }
        callback
            .code
            .ok_or_else(|| failed("the browser came back without a code".to_owned()))
    }
}

/// Compares in a time that does not tell how much was right.
pub(crate) fn same_state(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

impl Callback {
    /// Whether it carries this state.
    pub(crate) fn is_for(&self, state: &str) -> bool {
        same_state(&self.state, state)
    }
}

/// Logins that were begun and not finished, by state.
#[derive(Default)]
pub(crate) struct PendingLogins(Mutex<HashMap<String, (u64, PendingLogin)>>);

impl PendingLogins {
    fn put(&self, login: PendingLogin, now_us: u64) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logins.retain(|_, (since, _)| now_us.saturating_sub(*since) < PENDING_US);
        if logins.len() >= PENDING_LOGINS
            && let Some(oldest) = logins
                .iter()
                .min_by_key(|(_, (since, _))| *since)
                .map(|(state, _)| state.clone())
        {
            logins.remove(&oldest);
        }
        logins.insert(login.state.expose_secret().to_owned(), (now_us, login));
    }

    fn take(&self, state: &str, now_us: u64) -> Option<PendingLogin> {
        let taken = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(state);
        taken
            .filter(|(since, _)| now_us.saturating_sub(*since) < PENDING_US)
            .map(|(_, login)| login)
    }
}
