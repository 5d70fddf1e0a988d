//! Grants: a user's lasting consent to an app, with the refresh token that stands for it.

use super::client::Client;
use super::{random, secret};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Spent refresh tokens remembered per grant for reuse detection.
const MAX_SPENT: usize = 1_000;

/// A user's lasting consent to an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// Who gave it.
    pub user_id: String,
    /// To which app.
    pub client_id: String,
    /// For what.
    pub scopes: Vec<String>,
    /// The refresh token that is valid now.
    pub refresh_token: String,
    /// When it was given.
    #[serde(default)]
    pub issued_at: Timestamp,
    /// When its refresh token was last used.
    #[serde(default)]
    pub last_used: Timestamp,
    /// Refresh tokens that rotation has replaced.
    spent: Vec<String>,
}

/// What a refresh found.
pub struct Refreshed {
    /// Whose session it is going to be.
    pub user_id: String,
    /// With what.
    pub scopes: Vec<String>,
    /// The new refresh token, if rotation replaced it.
    pub rotated: Option<String>,
    /// The grant that was refreshed.
    pub grant: u64,
}

impl Grant {
    /// A consent given now.
    pub fn new(user_id: &str, client_id: &str, scopes: &[String], now: Timestamp) -> Self {
        Self {
            user_id: user_id.to_owned(),
            client_id: client_id.to_owned(),
            scopes: scopes.to_vec(),
            refresh_token: random::refresh_token(),
            issued_at: now,
            last_used: now,
            spent: Vec::new(),
        }
    }

    /// Whether this is its refresh token.
    pub fn has(&self, refresh_token: &str) -> bool {
        secret::same(&self.refresh_token, refresh_token)
    }

    /// Whether this was its refresh token before rotation replaced it.
    pub fn had(&self, refresh_token: &str) -> bool {
        self.spent.iter().any(|old| secret::same(old, refresh_token))
    }

    /// Whether the refresh-token policy of the app has ended it ("Manage OAuth Access Policies", Refresh Token Policy).
    pub fn has_expired(&self, client: &Client, now: Timestamp) -> bool {
        let over = |since: Timestamp, seconds: Option<u32>| {
            seconds
                .is_some_and(|seconds| now.duration_since(since) >= SignedDuration::from_secs(seconds.into()))
        };
        over(self.issued_at, client.refresh_lifetime_seconds)
            || over(self.last_used, client.refresh_idle_seconds)
    }

    /// Replaces the refresh token and returns the new one.
    pub fn rotate(&mut self) -> String {
        let next = random::refresh_token();
        if self.spent.len() == MAX_SPENT {
            self.spent.remove(0);
        }
        self.spent
            .push(std::mem::replace(&mut self.refresh_token, next.clone()));
        next
    }
}
