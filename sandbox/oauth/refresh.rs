//! Refresh tokens: exchange, rotation, reuse, and two refreshes at once.

use super::admission::open;
use super::handout::{Form, Handout};
use super::refusal::Refusal;
use super::token::Request;
use crate::state::{Sandbox, lock};
use std::time::Duration;

/// Exchanges a refresh token for a new session and, under rotation, a new refresh token.
pub async fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let token = request.params.need("refresh_token")?.to_owned();
    let client = request.client(false)?;
    let proven = request.client_secret.is_some() || request.params.get("client_assertion").is_some();
    if client.secret_for_refresh && !proven {
        return Err(Refusal::wrong_secret());
    }
    open(request.sandbox)?;
    let under_way = UnderWay::begin(request.sandbox, &token)?;
    let settings = request.sandbox.settings();
    tokio::time::sleep(Duration::from_millis(settings.refresh_window_millis)).await;
    let now = request.visit.now(request.sandbox);
    let refreshed = lock(&request.sandbox.access).refresh(&token, &client.client_id, &settings, now);
    request.sandbox.touch();
    let refreshed = refreshed?;
    drop(under_way);
    let gone = Refusal::grant("expired access/refresh token");
    let user = request.user(|org| org.user(&refreshed.user_id), gone)?;
    client.check_approved(&user)?;
    Ok(Handout {
        grant: Some(refreshed.grant),
        refresh_token: refreshed.rotated,
        ..Handout::of_session(user, client, refreshed.scopes, Form::Full)
    })
}

/// The mark of a refresh under way; lifted even when the client hangs up in the middle.
struct UnderWay<'a> {
    sandbox: &'a Sandbox,
    token: &'a str,
}

impl<'a> UnderWay<'a> {
    fn begin(sandbox: &'a Sandbox, token: &'a str) -> Result<Self, Refusal> {
        lock(&sandbox.access).begin_refresh(token)?;
        Ok(Self { sandbox, token })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.sandbox.access).end_refresh(self.token);
    }
}
