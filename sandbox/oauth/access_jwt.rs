//! Access tokens in JWT format, an option of the app ("Enable JWT-Based Access Tokens"). They are for REST only, end
//! when they say, and cannot be revoked before.

use super::keys::access_key_id;
use super::random;
use super::session::Session;
use crate::door::Visit;
use crate::state::Sandbox;
use jsonwebtoken::Algorithm;
use serde::Serialize;
use serde_json::json;

/// Seconds before its issue from which a token is valid, for clocks that are behind.
const NOT_BEFORE_LEEWAY: i64 = 15;
/// Letters of the fingerprint that ties the token to its login.
const FINGERPRINT: usize = 64;

/// The header of Salesforce's tokens, which has more than RFC 7515 knows.
#[derive(Serialize)]
struct Head<'a> {
    tnk: String,
    ver: &'static str,
    kid: &'a str,
    tty: &'static str,
    typ: &'static str,
    alg: &'static str,
}

/// A signed token for a session that knows when it ends; or why there is none.
pub fn token(
    sandbox: &Sandbox,
    visit: &Visit,
    organization: &str,
    session: &Session,
) -> Result<String, String> {
    let issued_at = session.issued_at.as_second();
    let claims = json!({
        "scp": session.scopes.join(" "), "aud": [visit.base_url], "sub": format!("uid:{}", session.user_id),
        "nbf": issued_at - NOT_BEFORE_LEEWAY, "mty": "oauth", "sfi": random::hex(FINGERPRINT), "roles": [],
        "iss": visit.base_url, "hsc": false,
        "exp": session.ends_at.map_or(issued_at, |at| at.as_second()), "iat": issued_at,
        "client_id": session.client_id,
    });
    let key_id = access_key_id(organization);
    let head = Head {
        tnk: format!("core/sandbox/{organization}"),
        ver: "1.0",
        kid: &key_id,
        tty: "sfdc-core-token",
        typ: "JWT",
        alg: "RS256",
    };
    signed(sandbox, &head, &claims)
}

/// RFC 7515 §5.1, by hand because the header has members of Salesforce's own.
fn signed(sandbox: &Sandbox, head: &Head<'_>, claims: &serde_json::Value) -> Result<String, String> {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let head = serde_json::to_vec(head).map_err(|error| error.to_string())?;
    let message = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(head),
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = sandbox.keys.signing().map_err(|error| error.to_string())?;
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::RS256);
    let signature = signature.map_err(|error| error.to_string())?;
    Ok(format!("{message}.{signature}"))
}
