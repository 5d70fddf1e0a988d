//! JWT bearer ("OAuth 2.0 JWT Bearer Flow"; RFC 7523), with the liberties that real clients take.

use super::Client;
use super::refusal::Refusal;
use super::scope;
use super::token::{Form, Handout, Request};
use crate::state::lock;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use std::collections::HashSet;

/// Seconds by which an assertion may be stale: Salesforce allows for clocks three minutes apart.
const LEEWAY_SECONDS: i64 = 180;

/// Exchanges a signed assertion for a session; never for a refresh token.
pub fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let assertion = request.params.need("assertion")?;
    let issuer = unverified_issuer(assertion).ok_or_else(invalid)?;
    let client = lock(&request.sandbox.access)
        .client(&issuer)
        .cloned()
        .ok_or_else(Refusal::unknown_client)?;
    let claims = verified_claims(assertion, &client)?;
    check_audience(&claims, request)?;
    check_time(&claims, request)?;
    check_first_use(&claims, request)?;
    // `prn` is the older name, and wins.
    let username = claims["prn"]
        .as_str()
        .or_else(|| claims["sub"].as_str())
        .ok_or_else(invalid)?;
    let not_approved = || Refusal::grant("user hasn't approved this consumer");
    let user = request.user(|org| org.user_by_username(username), not_approved())?;
    if !client.preauthorized && !lock(&request.sandbox.access).has_grant(&user.id, &client.client_id) {
        return Err(not_approved());
    }
    let scopes = scope::grant(request.params.get("scope"), &client.scopes).ok_or_else(Refusal::scope)?;
    Ok(Handout {
        user,
        client,
        scopes,
        grant: None,
        refresh_token: None,
        nonce: None,
        form: Form::Bare,
    })
}

fn invalid() -> Refusal {
    Refusal::grant("invalid assertion")
}

/// The issuer is needed to find the key that proves it.
fn unverified_issuer(assertion: &str) -> Option<String> {
    use base64::Engine;
    let payload = assertion.split('.').nth(1)?;
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    serde_json::from_slice::<Value>(&bytes).ok()?["iss"]
        .as_str()
        .map(str::to_owned)
}

fn verified_claims(assertion: &str, client: &Client) -> Result<Value, Refusal> {
    let pem = client.jwt_public_key.as_deref().ok_or_else(invalid)?;
    let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| invalid())?;
    // Time and audience are checked here by hand, because the library holds clients to the letter of the RFC.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<Value>(assertion, &key, &validation)
        .map(|token| token.claims)
        .map_err(|_| invalid())
}

/// Login hosts, any Salesforce My Domain, and this server under any of its names.
fn check_audience(claims: &Value, request: &Request<'_>) -> Result<(), Refusal> {
    let own = |audience: &str| {
        let salesforce = audience
            .strip_prefix("https://")
            .is_some_and(|host| host.ends_with(".salesforce.com"));
        salesforce || audience == request.visit.base_url || request.sandbox.is_own_url(audience)
    };
    let fits = |value: &Value| value.as_str().is_some_and(|text| own(text.trim_end_matches('/')));
    let fine = match &claims["aud"] {
        Value::Array(several) => several.iter().any(fits),
        one => fits(one),
    };
    if fine {
        Ok(())
    } else {
        Err(Refusal::grant("audience is invalid"))
    }
}

/// Salesforce's CLI puts milliseconds into `exp`, simple-salesforce a string; both are accepted by Salesforce,
/// and no upper bound is enforced.
fn check_time(claims: &Value, request: &Request<'_>) -> Result<(), Refusal> {
    let expires = match &claims["exp"] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let now = request.visit.now(request.sandbox).as_second();
    match expires {
        Some(seconds) if seconds >= (now - LEEWAY_SECONDS) as f64 => Ok(()),
        Some(_) => Err(Refusal::grant("expired authorization code")),
        None => Err(invalid()),
    }
}

fn check_first_use(claims: &Value, request: &Request<'_>) -> Result<(), Refusal> {
    let fresh = claims["jti"]
        .as_str()
        .is_none_or(|jti| lock(&request.sandbox.access).first_use_of_assertion(jti));
    if fresh { Ok(()) } else { Err(invalid()) }
}
