//! An app that proves itself with a signed assertion instead of its secret: `private_key_jwt`
//! (RFC 7523 §2.2; "OAuth 2.0 Web Server Flow", `client_assertion`).

use super::assertion::Assertion;
use super::client::Client;
use super::refusal::Refusal;
use super::token::Request;

/// The only type of assertion that RFC 7523 knows.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The app that signed `client_assertion`: issuer and subject are its consumer key.
///
/// # Errors
/// `invalid_client_id` for an unknown app, `invalid_client` for everything else that is wrong.
pub fn client(request: &Request<'_>) -> Result<Client, Refusal> {
    if request.params.get("client_assertion_type") != Some(TYPE) {
        return Err(Refusal::wrong_secret());
    }
    let text = request.params.need("client_assertion")?;
    let assertion = Assertion::verified(request, text).map_err(as_client)?;
    let own = assertion.client.client_id.as_str();
    let named = request.client_id.as_deref().is_none_or(|id| id == own);
    if assertion.claims["sub"].as_str() != Some(own) || !named {
        return Err(Refusal::wrong_secret());
    }
    assertion.use_up(request).map_err(as_client)?;
    Ok(assertion.client)
}

fn as_client(refusal: Refusal) -> Refusal {
    match refusal.error {
        "invalid_client_id" => refusal,
        _ => Refusal::wrong_secret(),
    }
}
