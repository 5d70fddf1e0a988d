//! Client credentials and username-password.

use super::admission::admit;
use super::handout::{Form, Handout};
use super::password::{Rejected, authenticate};
use super::refusal::Refusal;
use super::scope;
use super::token::Request;

/// "OAuth 2.0 Client Credentials Flow": a session of the app's Run-As user.
pub fn client_credentials(request: &Request<'_>) -> Result<Handout, Refusal> {
    let client = request.client(true)?;
    if client.client_secret.is_none() && request.params.get("client_assertion").is_none() {
        return Err(Refusal::wrong_secret());
    }
    let nobody = || Refusal::grant("no client credentials user enabled");
    let run_as = client.run_as.clone().ok_or_else(nobody)?;
    let user = request.user(|org| org.user_by_username(&run_as), nobody())?;
    client.check_approved(&user)?;
    let granted = scope::grant(request.params.get("scope"), &client.scopes).ok_or_else(Refusal::scope)?;
    let scopes = scope::without_person(&granted);
    if scopes.is_empty() {
        return Err(Refusal::scope());
    }
    admit(request.sandbox, &user.id, request.visit.now(request.sandbox))?;
    Ok(Handout::of_session(user, client, scopes, Form::Service))
}

/// "OAuth 2.0 Username-Password Flow": on its way out, but clients still have it.
pub fn password(request: &Request<'_>) -> Result<Handout, Refusal> {
    let client = request.client(true)?;
    let (username, password) = (request.params.need("username")?, request.params.need("password")?);
    let now = request.visit.now(request.sandbox);
    let user = authenticate(request.sandbox, username, password, now).map_err(|why| match why {
        Rejected::Wrong | Rejected::TokenMissing => Refusal::grant("authentication failure"),
        Rejected::Inactive => Refusal::inactive_user(),
    })?;
    client.check_approved(&user)?;
    let scopes = scope::grant(None, &client.scopes).ok_or_else(Refusal::scope)?;
    admit(request.sandbox, &user.id, now)?;
    Ok(Handout::of_session(user, client, scopes, Form::Password))
}
