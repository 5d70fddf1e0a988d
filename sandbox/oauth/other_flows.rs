//! Client credentials and username-password.

use super::refusal::Refusal;
use super::scope;
use super::token::{Form, Handout, Request};
use crate::options::SECURITY_TOKEN;
use crate::state::Sandbox;

/// "OAuth 2.0 Client Credentials Flow": a session of the app's Run-As user.
pub fn client_credentials(request: &Request<'_>) -> Result<Handout, Refusal> {
    let client = request.client(true)?;
    if client.client_secret.is_none() {
        return Err(Refusal::wrong_secret());
    }
    let nobody = || Refusal::grant("no client credentials user enabled");
    let run_as = client.run_as.clone().ok_or_else(nobody)?;
    let user = request.user(|org| org.user_by_username(&run_as), nobody())?;
    let granted = scope::grant(request.params.get("scope"), &client.scopes).ok_or_else(Refusal::scope)?;
    let scopes = scope::without_person(&granted);
    if scopes.is_empty() {
        return Err(Refusal::scope());
    }
    Ok(Handout {
        user,
        client,
        scopes,
        grant: None,
        refresh_token: None,
        nonce: None,
        form: Form::Service,
    })
}

/// "OAuth 2.0 Username-Password Flow": on its way out, but clients still have it.
pub fn password(request: &Request<'_>) -> Result<Handout, Refusal> {
    let client = request.client(true)?;
    let username = request.params.need("username")?;
    let failure = || Refusal::grant("authentication failure");
    if !password_is_right(request.sandbox, request.params.need("password")?) {
        return Err(failure());
    }
    let user = request.user(|org| org.user_by_username(username), failure())?;
    let scopes = scope::grant(None, &client.scopes).ok_or_else(Refusal::scope)?;
    Ok(Handout {
        user,
        client,
        scopes,
        grant: None,
        refresh_token: None,
        nonce: None,
        form: Form::Password,
    })
}

/// Clients append the security token to the password, if the user has one.
pub fn password_is_right(sandbox: &Sandbox, given: &str) -> bool {
    let own = sandbox.options.password.as_str();
    given
        .strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || rest == SECURITY_TOKEN)
}
