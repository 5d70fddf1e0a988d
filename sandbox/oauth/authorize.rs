//! `/services/oauth2/authorize`: a person logs in and consents, or a test says who does.

use super::admission::admit;
use super::authorize_request::{Answer, Asked, Problem, read};
use super::code::Code;
use super::handout::{Form, Handout};
use super::page;
use super::params::Params;
use super::password::{Rejected, authenticate};
use crate::door::Visit;
use crate::org::User;
use crate::state::{Sandbox, Shared, default_user, lock};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

/// `GET`: the login page, or the redirect at once if nobody has to be asked.
pub async fn ask(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    answered(&sandbox, &visit, &params).unwrap_or_else(IntoResponse::into_response)
}

fn answered(sandbox: &Sandbox, visit: &Visit, params: &Params) -> Result<Response, Problem> {
    let asked = read(sandbox, params)?;
    if let Some(user) = person(sandbox, params) {
        let user = user.map_err(|why| Problem::Page("invalid_request", why))?;
        return approve(sandbox, visit, asked, &user);
    }
    // Nobody is ever logged in here, so who may not be asked cannot be answered for (OpenID Connect Core §3.1.2.6).
    if params.get("immediate") == Some("true") || params.get("prompt") == Some("none") {
        return Err(asked.refused("immediate_unsuccessful", "immediate unsuccessful"));
    }
    Ok(page::login(params, &asked.client.client_id, &asked.scopes, None))
}

/// `POST`: what the person entered on the page; without a decision, a request like the one of `GET`.
pub async fn answer(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &body);
    let answer = match params.get("decision") {
        None => answered(&sandbox, &visit, &params),
        Some(decision) => decided(&sandbox, &visit, &params, decision == "allow"),
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn decided(sandbox: &Sandbox, visit: &Visit, params: &Params, allowed: bool) -> Result<Response, Problem> {
    let asked = read(sandbox, params)?;
    if !allowed {
        return Err(asked.refused("access_denied", "end-user denied authorization"));
    }
    let username = params.get("username").unwrap_or_default();
    let password = params.get("password").unwrap_or_default();
    let again = |complaint| {
        let shown = page::login(params, &asked.client.client_id, &asked.scopes, Some(complaint));
        Ok(shown)
    };
    let now = visit.now(sandbox);
    match authenticate(sandbox, username, password, now) {
        Ok(user) => match admit(sandbox, &user.id, now) {
            Ok(()) => approve(sandbox, visit, asked, &user),
            Err(barrier) => again(barrier.on_page()),
        },
        Err(Rejected::Wrong | Rejected::Inactive) => again("Please check your username and password."),
        Err(Rejected::TokenMissing) => again("Please append your security token to the password."),
    }
}

/// Who consents without being asked: `sandbox_user` of the request, or under `autoApprove` the `login_hint`
/// or the org's first user.
fn person(sandbox: &Sandbox, params: &Params) -> Option<Result<User, &'static str>> {
    let auto_approve = sandbox.settings().auto_approve;
    let org = lock(&sandbox.org);
    let named = |name: &str| org.user_by_username(name).filter(|user| user.active);
    if let Some(name) = params.get("sandbox_user") {
        return Some(named(name).ok_or("sandbox_user names no active user of this org"));
    }
    if !auto_approve {
        return None;
    }
    let user = params
        .get("login_hint")
        .and_then(named)
        .or_else(|| default_user(&org));
    Some(user.ok_or("this org has no active user"))
}

/// Sends the person back to the app with a code, or with the tokens themselves.
fn approve(sandbox: &Sandbox, visit: &Visit, asked: Asked, user: &User) -> Result<Response, Problem> {
    if asked.client.check_approved(user).is_err() {
        let why = "user is not admin approved to access this app";
        return Err(asked.refused("OAUTH_APP_ACCESS_DENIED", why));
    }
    if !asked.client.installed {
        let why = "the app is not installed in this org";
        return Err(Problem::Page("OAUTH_APPROVAL_ERROR_GENERIC", why));
    }
    if asked.answer == Answer::Tokens {
        return hand_out(sandbox, visit, asked, user);
    }
    let code = Code {
        client_id: asked.client.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        user_id: user.id.clone(),
        scopes: asked.scopes.clone(),
        challenge: asked.challenge.clone(),
        nonce: asked.nonce.clone(),
        issued_at: visit.now(sandbox),
    };
    let code = lock(&sandbox.access).add_code(code);
    sandbox.touch();
    Ok(asked.redirect(&[("code", code)]))
}

/// "OAuth 2.0 User-Agent Flow": the tokens come in the fragment, where no server sees them; never a refresh token, as
/// the callback is no app of a device.
fn hand_out(sandbox: &Sandbox, visit: &Visit, asked: Asked, user: &User) -> Result<Response, Problem> {
    let handout = Handout {
        nonce: asked.nonce.clone(),
        ..Handout::of_session(
            user.clone(),
            asked.client.clone(),
            asked.scopes.clone(),
            Form::Full,
        )
    };
    match handout.begin(sandbox, visit) {
        Ok(pairs) => Ok(asked.redirect(&pairs)),
        Err(refusal) => Err(asked.refused(refusal.error, "the tokens cannot be signed")),
    }
}
