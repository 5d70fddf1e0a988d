//! `/services/oauth2/authorize`: a person logs in and consents, or a test says who does.

use super::access::Code;
use super::client::Client;
use super::params::Params;
use super::{other_flows, page, scope};
use crate::door::Visit;
use crate::org::User;
use crate::state::{Sandbox, Shared, default_user, lock};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use url::Url;

/// A request that may be answered with a code.
struct Asked {
    client: Client,
    redirect_uri: String,
    scopes: Vec<String>,
    challenge: Option<String>,
    nonce: Option<String>,
    state: Option<String>,
}

/// Why it may not.
enum Problem {
    /// The callback cannot be trusted with anything, so the person is told (RFC 6749 §4.1.2.1).
    Page(&'static str, &'static str),
    /// The app is told.
    Redirect {
        to: String,
        state: Option<String>,
        error: &'static str,
        description: &'static str,
    },
}

/// `GET`: the login page, or the redirect at once if nobody has to be asked.
pub async fn ask(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let asked = match read(&sandbox, &params) {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    match person(&sandbox, &params) {
        Some(Ok(user)) => approve(&sandbox, &visit, asked, &user),
        Some(Err(unknown)) => Problem::Page("invalid_request", unknown).into_response(),
        None if params.get("immediate") == Some("true") || params.get("prompt") == Some("none") => asked
            .refused("immediate_unsuccessful", "immediate unsuccessful")
            .into_response(),
        None => page::login(&params, &asked.client.client_id, &asked.scopes, None),
    }
}

/// `POST`: what the person entered on the page.
pub async fn answer(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let asked = match read(&sandbox, &params) {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    if params.get("decision") != Some("allow") {
        return asked
            .refused("access_denied", "end-user denied authorization")
            .into_response();
    }
    let user = params
        .get("username")
        .and_then(|name| lock(&sandbox.org).user_by_username(name));
    let right = other_flows::password_is_right(&sandbox, params.get("password").unwrap_or_default());
    match user.filter(|user| right && user.active) {
        Some(user) => approve(&sandbox, &visit, asked, &user),
        None => {
            let complaint = "Please check your username and password.";
            page::login(&params, &asked.client.client_id, &asked.scopes, Some(complaint))
        }
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

fn read(sandbox: &Sandbox, params: &Params) -> Result<Asked, Problem> {
    let client = params
        .get("client_id")
        .and_then(|id| lock(&sandbox.access).client(id).cloned());
    let client = client.ok_or(Problem::Page("invalid_client_id", "client identifier invalid"))?;
    let redirect_uri = params.get("redirect_uri").unwrap_or_default().to_owned();
    if redirect_uri.is_empty() {
        return Err(Problem::Page(
            "redirect_uri_missing",
            "redirect_uri must be provided",
        ));
    }
    if Url::parse(&redirect_uri).is_err() || !client.allows_callback(&redirect_uri) {
        return Err(Problem::Page(
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ));
    }
    let state = params.get("state").map(str::to_owned);
    let refuse = |error, description| Problem::Redirect {
        to: redirect_uri.clone(),
        state: state.clone(),
        error,
        description,
    };
    if params.get("response_type") != Some("code") {
        return Err(refuse("unsupported_response_type", "response type not supported"));
    }
    // Salesforce knows S256 only and takes it for granted.
    if params
        .get("code_challenge_method")
        .is_some_and(|method| method != "S256")
    {
        return Err(refuse("invalid_request", "code challenge method not supported"));
    }
    let challenge = params.get("code_challenge").map(str::to_owned);
    if challenge.is_none() && client.pkce_required {
        return Err(refuse("invalid_request", "missing required code challenge"));
    }
    let scopes = scope::grant(params.get("scope"), &client.scopes);
    let unknown_scope = || {
        refuse(
            "invalid_scope",
            "the requested scope is invalid, unknown, or malformed",
        )
    };
    let scopes = scopes.ok_or_else(unknown_scope)?;
    let nonce = params.get("nonce").map(str::to_owned);
    Ok(Asked {
        client,
        redirect_uri,
        scopes,
        challenge,
        nonce,
        state,
    })
}

fn approve(sandbox: &Sandbox, visit: &Visit, asked: Asked, user: &User) -> Response {
    let code = Code {
        client_id: asked.client.client_id,
        redirect_uri: asked.redirect_uri.clone(),
        user_id: user.id.clone(),
        scopes: asked.scopes,
        challenge: asked.challenge,
        nonce: asked.nonce,
        issued_at: visit.now(sandbox),
    };
    let code = lock(&sandbox.access).add_code(code);
    redirect(&asked.redirect_uri, &[("code", &code)], asked.state.as_deref())
}

impl Asked {
    fn refused(self, error: &'static str, description: &'static str) -> Problem {
        Problem::Redirect {
            to: self.redirect_uri,
            state: self.state,
            error,
            description,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Page(error, description) => page::error(error, description),
            Self::Redirect {
                to,
                state,
                error,
                description,
            } => redirect(
                &to,
                &[("error", error), ("error_description", description)],
                state.as_deref(),
            ),
        }
    }
}

fn redirect(to: &str, pairs: &[(&str, &str)], state: Option<&str>) -> Response {
    let Ok(mut url) = Url::parse(to) else {
        return page::error("redirect_uri_mismatch", "redirect_uri must match configuration");
    };
    url.query_pairs_mut()
        .extend_pairs(pairs)
        .extend_pairs(state.map(|state| ("state", state)));
    let head = [
        (header::LOCATION, url.as_str()),
        (
            header::CACHE_CONTROL,
            "no-cache,must-revalidate,max-age=0,no-store,private",
        ),
    ];
    (StatusCode::FOUND, head).into_response()
}
