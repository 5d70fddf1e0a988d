//! JWT bearer ("OAuth 2.0 JWT Bearer Flow"; RFC 7523 §2.1).

use super::admission::admit;
use super::assertion::{Assertion, invalid};
use super::handout::{Form, Handout};
use super::refusal::Refusal;
use super::scope;
use super::token::Request;
use crate::state::lock;

/// Exchanges a signed assertion for a session; never for a refresh token.
pub fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let assertion = Assertion::verified(request, request.params.need("assertion")?)?;
    let (client, claims) = (&assertion.client, &assertion.claims);
    // `prn` is the older name, and wins.
    let username = claims["prn"]
        .as_str()
        .or_else(|| claims["sub"].as_str())
        .ok_or_else(invalid)?;
    let stranger = || Refusal::grant("user hasn't approved this consumer");
    let user = request.user(|org| org.user_by_username(username), stranger())?;
    client.check_approved(&user)?;
    if !client.preauthorized && !lock(&request.sandbox.access).has_grant(&user.id, &client.client_id) {
        return Err(stranger());
    }
    let scopes = scope::grant(request.params.get("scope"), &client.scopes).ok_or_else(Refusal::scope)?;
    assertion.use_up(request)?;
    admit(request.sandbox, &user.id, request.visit.now(request.sandbox))?;
    Ok(Handout::of_session(user, assertion.client, scopes, Form::Bare))
}
