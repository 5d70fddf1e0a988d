//! Signed assertions, of users and of apps: who signed, for whom, until when (RFC 7523 §3), with the liberties that
//! real clients take and Salesforce grants.

use super::client::Client;
use super::refusal::Refusal;
use super::token::Request;
use crate::state::lock;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use std::collections::HashSet;

/// Seconds by which an assertion may be stale: Salesforce allows for clocks three minutes apart.
const LEEWAY_SECONDS: i64 = 180;

/// An assertion whose signature, audience and time are right.
pub struct Assertion {
    /// The app that signed it.
    pub client: Client,
    /// What it says.
    pub claims: Value,
}

impl Assertion {
    /// Finds the app by `iss` and checks that it signed.
    ///
    /// # Errors
    /// `invalid_client_id`, or `invalid_grant` with the reason.
    pub fn verified(request: &Request<'_>, text: &str) -> Result<Self, Refusal> {
        let issuer = unverified_issuer(text).ok_or_else(invalid)?;
        let client = lock(&request.sandbox.access)
            .client(&issuer)
            .cloned()
            .ok_or_else(Refusal::unknown_client)?;
        let claims = claims_of(text, &client)?;
        let assertion = Self { client, claims };
        assertion.check_audience(request)?;
        assertion.check_time(request)?;
        Ok(assertion)
    }

    /// Notes its `jti`, if it has one; the last step, so that a refused assertion is not used up.
    ///
    /// # Errors
    /// `invalid_grant` when it was used before.
    pub fn use_up(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let now = request.visit.now(request.sandbox);
        let issuer = &self.client.client_id;
        let fresh = self.claims["jti"]
            .as_str()
            .is_none_or(|jti| lock(&request.sandbox.access).first_use_of_assertion(issuer, jti, now));
        if fresh { Ok(()) } else { Err(invalid()) }
    }

    /// Login hosts, any Salesforce My Domain, and this server under any of its names.
    fn check_audience(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let own = |audience: &str| {
            let audience = audience.trim_end_matches('/');
            let audience = audience
                .strip_suffix("/services/oauth2/token")
                .unwrap_or(audience);
            is_salesforce(audience)
                || audience == request.visit.base_url
                || request.sandbox.is_own_url(audience)
        };
        let fits = |value: &Value| value.as_str().is_some_and(own);
        let fine = match &self.claims["aud"] {
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
    fn check_time(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let expires = match &self.claims["exp"] {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let now = request.visit.now(request.sandbox).as_second();
        match expires.filter(|seconds| seconds.is_finite()) {
            Some(seconds) if seconds >= (now - LEEWAY_SECONDS) as f64 => Ok(()),
            Some(_) => Err(Refusal::grant("expired authorization code")),
            None => Err(invalid()),
        }
    }
}

/// What is said of every assertion that is none.
pub fn invalid() -> Refusal {
    Refusal::grant("invalid assertion")
}

/// Whether a public key, or a certificate, can verify assertions; the reason if it cannot.
///
/// # Errors
/// A sentence.
pub fn check_key(pem: &str) -> Result<(), String> {
    DecodingKey::from_rsa_pem(pem.as_bytes())
        .map(|_| ())
        .map_err(|error| {
            format!("jwtPublicKey is neither an RSA public key nor a certificate of one: {error}")
        })
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

fn claims_of(assertion: &str, client: &Client) -> Result<Value, Refusal> {
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

fn is_salesforce(audience: &str) -> bool {
    audience
        .strip_prefix("https://")
        .is_some_and(|host| host.ends_with(".salesforce.com") && !host.contains('/'))
}
