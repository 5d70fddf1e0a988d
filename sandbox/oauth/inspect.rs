//! Revocation (RFC 7009) and introspection (RFC 7662).

use super::params::{Params, credentials};
use super::refusal::Refusal;
use super::token::Request;
use crate::door::Visit;
use crate::state::{Sandbox, Shared, lock};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

/// `POST /services/oauth2/revoke`.
pub async fn revoke(State(sandbox): State<Shared>, body: Bytes) -> Response {
    revoked(&sandbox, &Params::parse(&body))
}

/// `GET /services/oauth2/revoke?token=…`.
pub async fn revoke_by_query(State(sandbox): State<Shared>, RawQuery(query): RawQuery) -> Response {
    revoked(&sandbox, &Params::parse(query.unwrap_or_default().as_bytes()))
}

/// 200 with nothing; unlike RFC 7009 §2.2, an unknown token is an error.
fn revoked(sandbox: &Sandbox, params: &Params) -> Response {
    match params.need("token") {
        Ok(token) if lock(&sandbox.access).revoke(token) => {
            sandbox.touch();
            StatusCode::OK.into_response()
        }
        Ok(_) => Refusal::new("invalid_token", "token is invalid or already revoked").into_response(),
        Err(missing) => missing.into_response(),
    }
}

/// `POST /services/oauth2/introspect`. An app sees only its own tokens; others are inactive to it.
pub async fn introspect(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let params = Params::parse(&body);
    let (client_id, client_secret) = credentials(&headers, &params);
    let request = Request {
        sandbox: &sandbox,
        visit: &visit,
        params,
        client_id,
        client_secret,
    };
    let client = request.client(true)?;
    let token = request.params.need("token")?;
    let now = visit.now(&sandbox);
    let lifetime = sandbox.session_lifetime();
    let found = {
        let access = lock(&sandbox.access);
        let session = access.session(token, now, lifetime).cloned();
        let session =
            session.filter(|session| session.client_id.as_deref() == Some(client.client_id.as_str()));
        let grant = access
            .grant_of(token)
            .filter(|grant| grant.client_id == client.client_id)
            .cloned();
        session
            .map(|one| (one.user_id, one.scopes, Some((one.issued_at, one.last_used))))
            .or_else(|| grant.map(|one| (one.user_id, one.scopes, None)))
    };
    let Some((user_id, scopes, times)) = found else {
        return Ok(Json(json!({"active": false})));
    };
    let (organization, username) = {
        let org = lock(&sandbox.org);
        (
            org.organization_id().to_owned(),
            org.user(&user_id).map(|user| user.username).unwrap_or_default(),
        )
    };
    let kind = if times.is_some() {
        "access_token"
    } else {
        "refresh_token"
    };
    let mut answer = json!({
        "active": true, "scope": scopes.join(" "), "client_id": client.client_id, "username": username,
        "sub": format!("{}/id/{organization}/{user_id}", visit.base_url), "token_type": kind,
    });
    if let Some((issued_at, last_used)) = times {
        answer["iat"] = issued_at.as_second().into();
        answer["nbf"] = issued_at.as_second().into();
        answer["exp"] = (last_used + lifetime).as_second().into();
    }
    Ok(Json(answer))
}
