//! Who we are at the vendor: from the identity URL of the token answer, and from what that URL answers.

use cpq_domain::connection::{ConnectionSettings, Identity};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

use crate::context::Context;
use crate::endpoint_url;
use crate::token_endpoint::{Tokens, capped_body};

/// Longest wait for the username: it is shown to people, nothing depends on it.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// Members that we read, under the names of the identity URL and of `userinfo` (OpenID Connect).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    username: Option<String>,
    preferred_username: Option<String>,
    organization_id: Option<String>,
    user_id: Option<String>,
}

/// The identity behind fresh tokens. What the vendor does not tell stays empty.
pub(crate) async fn look_up(context: &Context, settings: &ConnectionSettings, tokens: &Tokens) -> Identity {
    let (organization, user) = tokens.id.as_deref().and_then(parse_id_url).unwrap_or_default();
    let told = ask(context, settings, tokens).await;
    let told_id = |id: Option<String>| id.as_deref().and_then(id18).unwrap_or_default();
    let or = |known: String, told: String| if known.is_empty() { told } else { known };
    let username = told
        .username
        .or(told.preferred_username)
        .or_else(|| settings.username.clone());
    Identity {
        instance_url: tokens.instance_url.clone(),
        organization_id: or(organization, told_id(told.organization_id)),
        user_id: or(user, told_id(told.user_id)),
        username: username.unwrap_or_default(),
        scopes: tokens.scopes.clone().unwrap_or_else(|| settings.scopes.clone()),
    }
}

/// Asks the identity URL, then `userinfo` at the data host. Both need scopes that we may not have; both may fail.
async fn ask(context: &Context, settings: &ConnectionSettings, tokens: &Tokens) -> Wire {
    let id_url = tokens.id.as_deref().and_then(|id| Url::parse(id).ok());
    let userinfo = Url::parse(&format!("{}/services/oauth2/userinfo", tokens.instance_url)).ok();
    let login = endpoint_url::login_url(&settings.login_url).ok();
    for url in [id_url, userinfo].into_iter().flatten() {
        if login
            .as_ref()
            .is_some_and(|login| endpoint_url::trusted(login, &url))
            && let Some(told) = ask_one(context, url, tokens).await
        {
            return told;
        }
    }
    Wire::default()
}

async fn ask_one(context: &Context, url: Url, tokens: &Tokens) -> Option<Wire> {
    let request = context
        .http
        .get(url)
        .bearer_auth(tokens.access_token.expose_secret())
        .timeout(LOOK_UP_TIMEOUT);
    let response = request.header("accept", "application/json").send().await.ok()?;
    if response.status().as_u16() != 200 {
        tracing::debug!(status = response.status().as_u16(), "identity not told");
        return None;
    }
    serde_json::from_slice(&capped_body(response).await.ok()?).ok()
}

/// Organisation and user of `https://<host>/id/<organization>/<user>`.
fn parse_id_url(text: &str) -> Option<(String, String)> {
    let url = Url::parse(text).ok()?;
    let mut parts = url.path_segments()?;
    if parts.next() != Some("id") {
        return None;
    }
    let (organization, user) = (id18(parts.next()?)?, id18(parts.next()?)?);
    parts.next().is_none().then_some((organization, user))
}

/// The 18-character form of a Salesforce id. The last three characters tell, five bits each, which of the first
/// fifteen are upper case (Salesforce Help "Record ID").
fn id18(id: &str) -> Option<String> {
    if !matches!(id.len(), 15 | 18) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let suffix = id.as_bytes()[..15].chunks(5).map(|five| {
        let upper = |bit: &(usize, &u8)| bit.1.is_ascii_uppercase();
        let bits: usize = five
            .iter()
            .enumerate()
            .filter(upper)
            .map(|(bit, _)| 1 << bit)
            .sum();
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits])
    });
    Some(id[..15].chars().chain(suffix).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_url_names_organisation_and_user() {
        let parsed =
            parse_id_url("https://login.salesforce.com/id/00D50000000IZ3ZEAW/00550000001fg5OAAQ").unwrap();
        assert_eq!(
            parsed,
            ("00D50000000IZ3ZEAW".to_owned(), "00550000001fg5OAAQ".to_owned())
        );
        assert_eq!(
            parse_id_url("https://x/id/00D50000000IZ3Z/00550000001fg5O").unwrap(),
            parsed
        );
        for bad in [
            "https://x/id/00D50000000IZ3Z",
            "https://x/id/a/b",
            "https://x/user/00D50000000IZ3Z/00550000001fg5O",
            "",
        ] {
            assert!(parse_id_url(bad).is_none(), "{bad}");
        }
    }
}
