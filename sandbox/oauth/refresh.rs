//! Refresh tokens: exchange, rotation, reuse, and two refreshes at once.

use super::refusal::Refusal;
use super::token::{Form, Handout, Request};
use crate::state::{Sandbox, lock};
use std::time::Duration;

/// Exchanges a refresh token for a new session and, under rotation, a new refresh token.
pub async fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let token = request.params.need("refresh_token")?.to_owned();
    let client = request.client(false)?;
    if client.secret_for_refresh && request.client_secret.is_none() {
        return Err(Refusal::wrong_secret());
    }
    let under_way = UnderWay::begin(request.sandbox, &token)?;
    let settings = request.sandbox.settings();
    tokio::time::sleep(Duration::from_millis(settings.refresh_window_millis)).await;
    let refreshed = lock(&request.sandbox.access).refresh(&token, &client.client_id, &settings);
    request.sandbox.touch();
    let refreshed = refreshed?;
    drop(under_way);
    let gone = Refusal::grant("expired access/refresh token");
    let user = request.user(|org| org.user(&refreshed.user_id), gone)?;
    let grant = Some(refreshed.grant());
    let (scopes, refresh_token) = (refreshed.scopes, refreshed.rotated);
    Ok(Handout {
        user,
        client,
        scopes,
        grant,
        refresh_token,
        nonce: None,
        form: Form::Full,
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
