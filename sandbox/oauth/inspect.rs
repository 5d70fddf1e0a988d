//! Revocation (RFC 7009) and introspection (RFC 7662).

use super::access::Revocation;
use super::format::Format;
use super::params::Params;
use super::refusal::Refusal;
use super::token::Request;
use crate::door::Visit;
use crate::state::{Sandbox, Shared, lock};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// Longest name of a JSONP function.
const MAX_CALLBACK: usize = 100;

/// `POST /services/oauth2/revoke`, or `GET …?token=…`: 200 with nothing; unlike RFC 7009 §2.2, an unknown token is an
/// error. Errors are form-encoded unless asked for otherwise, as jsforce reads them.
pub async fn revoke(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &body);
    let outcome = revoked(&sandbox, &visit, &params);
    if let Some(function) = params.get("callback").filter(|name| is_function(name)) {
        return jsonp(function, &outcome);
    }
    match outcome {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.written(Format::asked(&params, &headers, Format::Urlencoded)),
    }
}

fn revoked(sandbox: &Sandbox, visit: &Visit, params: &Params) -> Result<(), Refusal> {
    let token = params.need("token")?;
    let (now, lifetime) = (visit.now(sandbox), sandbox.session_lifetime());
    let outcome = lock(&sandbox.access).revoke(token, now, lifetime);
    match outcome {
        Revocation::Done => {
            sandbox.touch();
            Ok(())
        }
        Revocation::Unknown => Err(Refusal::new(
            "invalid_token",
            "token is invalid or already revoked",
        )),
        Revocation::Impossible => Err(Refusal::new(
            "unsupported_token_type",
            "this token type cannot be revoked",
        )),
    }
}

/// For a script element of a web page ("Revoke OAuth Tokens", JSONP): an empty object, or the error.
fn jsonp(function: &str, outcome: &Result<(), Refusal>) -> Response {
    let said = match outcome {
        Ok(()) => json!({}),
        Err(refusal) => json!({"error": refusal.error}),
    };
    let head = [(header::CONTENT_TYPE, "text/javascript;charset=UTF-8")];
    (head, format!("{function}({said});")).into_response()
}

fn is_function(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$' | '.');
    name.len() <= MAX_CALLBACK && name.chars().all(plain)
}

/// `POST /services/oauth2/introspect`. An app sees only its own tokens; others are inactive to it.
pub async fn introspect(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let request = Request::read(&sandbox, &visit, &headers, query.as_deref(), &body);
    let client = request.client(true)?;
    let found = found(&request, &client.client_id, request.params.need("token")?);
    let Some(found) = found else {
        return Ok(Json(json!({"active": false})));
    };
    let (organization, username) = {
        let org = lock(&sandbox.org);
        let username = org.user(&found.user_id).map(|user| user.username);
        (org.organization_id().to_owned(), username.unwrap_or_default())
    };
    let kind = if found.times.is_some() {
        "access_token"
    } else {
        "refresh_token"
    };
    let mut answer = json!({
        "active": true, "scope": found.scopes.join(" "), "client_id": client.client_id, "username": username,
        "sub": format!("{}/id/{organization}/{}", visit.base_url, found.user_id), "token_type": kind,
    });
    if let Some((issued_at, ends)) = found.times {
        answer["iat"] = issued_at.as_second().into();
        answer["nbf"] = issued_at.as_second().into();
        answer["exp"] = ends.as_second().into();
    }
    Ok(Json(answer))
}

/// A live token of the app that asks.
struct Found {
    user_id: String,
    scopes: Vec<String>,
    /// Begin and end of an access token.
    times: Option<(jiff::Timestamp, jiff::Timestamp)>,
}

fn found(request: &Request<'_>, client_id: &str, token: &str) -> Option<Found> {
    let now = request.visit.now(request.sandbox);
    let lifetime = request.sandbox.session_lifetime();
    let access = lock(&request.sandbox.access);
    let session = access.session(token, now, lifetime);
    if let Some(session) = session.filter(|session| session.client_id.as_deref() == Some(client_id)) {
        return Some(Found {
            user_id: session.user_id.clone(),
            scopes: session.scopes.clone(),
            times: Some((session.issued_at, session.ends(lifetime))),
        });
    }
    let grant = access
        .grant_of(token, now)
        .filter(|grant| grant.client_id == client_id)?;
    Some(Found {
        user_id: grant.user_id.clone(),
        scopes: grant.scopes.clone(),
        times: None,
    })
}
