//! OpenID Connect: discovery document, keys, identity tokens.

use super::handout::Handout;
use super::identity::{Person, rfc3339};
use super::keys::{SIGNING_KEY_ID, access_key_id};
use super::scope::KNOWN;
use crate::door::Visit;
use crate::state::{Sandbox, Shared, lock};
use aws_lc_rs::digest;
use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Map, Value, json};

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
        "response_types_supported": ["code", "token", "token id_token"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "client_credentials",
            "password", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["active", "address", "email", "email_verified", "family_name", "given_name",
            "is_app_installed", "language", "locale", "name", "nickname", "organization_id", "photos", "picture",
            "preferred_username", "profile", "sub", "updated_at", "urls", "user_id", "user_type", "zoneinfo"],
    }))
}

/// `GET /id/keys`: a JSON Web Key Set with the key of identity tokens and the one of access tokens.
pub async fn keys(State(sandbox): State<Shared>) -> Result<Json<Value>, (StatusCode, String)> {
    let organization = lock(&sandbox.org).organization_id().to_owned();
    let ids = [SIGNING_KEY_ID.to_owned(), access_key_id(&organization)];
    let keys = ids.iter().map(|id| sandbox.keys.jwk(id));
    let keys: std::io::Result<Vec<Value>> = keys.collect();
    let keys = keys.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({"keys": keys})))
}

/// An identity token (OpenID Connect Core §2), or why there is none. Which claims it has is up to the scopes (§5.4).
pub fn id_token(
    sandbox: &Sandbox,
    visit: &Visit,
    handout: &Handout,
    subject: &str,
    access_token: &str,
) -> Result<String, String> {
    let now = visit.now(sandbox).as_second();
    let mut claims = json!({
        "iss": visit.base_url, "sub": subject, "aud": handout.client.client_id, "iat": now,
        "exp": now + ID_TOKEN_SECONDS, "at_hash": at_hash(access_token),
    });
    if let Some(nonce) = &handout.nonce {
        claims["nonce"] = nonce.as_str().into();
    }
    let has = |scope: &str| handout.scopes.iter().any(|own| own == scope || own == "full");
    if let Some(claims) = claims.as_object_mut() {
        claims.extend(about(&Person::of(sandbox, &handout.user), visit, has));
    }
    let header = Header {
        kid: Some(SIGNING_KEY_ID.to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    let key = sandbox.keys.signing().map_err(|error| error.to_string())?;
    jsonwebtoken::encode(&header, &claims, key).map_err(|error| error.to_string())
}

/// Claims about the person that these scopes open.
fn about(person: &Person, visit: &Visit, has: impl Fn(&str) -> bool) -> Map<String, Value> {
    let user = &person.user;
    let groups = [
        (
            "profile",
            json!({
                "preferred_username": user.username, "name": user.name, "given_name": user.first_name,
                "family_name": user.last_name, "nickname": user.nickname, "zoneinfo": user.time_zone,
                "locale": user.locale, "updated_at": rfc3339(person.modified),
                "profile": format!("{}/{}", visit.base_url, user.id),
                "picture": format!("{}/profilephoto/005/F", visit.base_url),
            }),
        ),
        ("email", json!({"email": user.email, "email_verified": true})),
        ("address", json!({"address": person.address()})),
        ("phone", json!({"phone_number": person.mobile_phone})),
    ];
    let open = groups.into_iter().filter(|(scope, _)| has(scope));
    open.filter_map(|(_, claims)| claims.as_object().cloned())
        .flatten()
        .collect()
}

/// Left half of the digest of the access token (OpenID Connect Core §3.1.3.6).
fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}
