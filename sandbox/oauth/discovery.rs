//! OpenID Connect: discovery document, keys, identity tokens.

use super::client::Client;
use super::keys::SIGNING_KEY_ID;
use super::scope::KNOWN;
use super::token::Request;
use crate::door::Visit;
use crate::org::User;
use crate::state::Shared;
use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

/// Life of an identity token; Salesforce's default is two minutes.
const ID_TOKEN_SECONDS: i64 = 120;

/// `GET /.well-known/openid-configuration`.
pub async fn openid_configuration(Extension(visit): Extension<Visit>) -> Json<Value> {
    let base = &visit.base_url;
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/services/oauth2/authorize"),
        "token_endpoint": format!("{base}/services/oauth2/token"),
        "revocation_endpoint": format!("{base}/services/oauth2/revoke"),
        "userinfo_endpoint": format!("{base}/services/oauth2/userinfo"),
        "introspection_endpoint": format!("{base}/services/oauth2/introspect"),
        "jwks_uri": format!("{base}/id/keys"),
        "scopes_supported": KNOWN,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "password",
            "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["active", "address", "email", "email_verified", "family_name", "given_name",
            "is_app_installed", "language", "locale", "name", "nickname", "organization_id", "photos", "picture",
            "preferred_username", "profile", "sub", "updated_at", "urls", "user_id", "user_type", "zoneinfo"],
    }))
}

/// `GET /id/keys`: a JSON Web Key Set.
pub async fn keys(State(sandbox): State<Shared>) -> Result<Json<Value>, (StatusCode, String)> {
    let jwk = sandbox
        .keys
        .jwk()
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({"keys": [jwk]})))
}

/// An identity token (OpenID Connect Core §2), or why there is none.
pub fn id_token(
    request: &Request<'_>,
    subject: &str,
    user: &User,
    client: &Client,
    nonce: Option<&str>,
) -> Result<String, String> {
    let now = request.visit.now(request.sandbox).as_second();
    let mut claims = json!({
        "iss": request.visit.base_url, "sub": subject, "aud": client.client_id, "iat": now, "exp": now + ID_TOKEN_SECONDS,
        "preferred_username": user.username, "name": user.name, "email": user.email,
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    let header = Header {
        kid: Some(SIGNING_KEY_ID.to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    let key = request
        .sandbox
        .keys
        .signing()
        .map_err(|error| error.to_string())?;
    jsonwebtoken::encode(&header, &claims, key).map_err(|error| error.to_string())
}
