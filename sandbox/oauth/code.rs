//! Authorization codes: good once, for fifteen minutes (RFC 6749 §4.1.2; "OAuth 2.0 Web Server Flow").

use super::random;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Life of an authorization code.
const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Codes kept; beyond it the expired are swept out, and then the oldest go.
const CAPACITY: usize = 10_000;

/// An authorization code and what the token request must repeat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// App it was given to.
    pub client_id: String,
    /// Callback it was sent to.
    pub redirect_uri: String,
    /// Who consented.
    pub user_id: String,
    /// To what.
    pub scopes: Vec<String>,
    /// PKCE challenge, S256.
    pub challenge: Option<String>,
    /// OpenID nonce.
    pub nonce: Option<String>,
    /// When.
    pub issued_at: Timestamp,
}

/// Why a code is worth nothing.
pub enum Worthless {
    /// It was never given, or so long ago that it is forgotten.
    Unknown,
    /// It is too old.
    Expired,
    /// It was used before; what came of it is to be revoked (RFC 6749 §4.1.2).
    Used {
        /// The grant that came of it.
        grant: Option<u64>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    code: Code,
    used: bool,
    grant: Option<u64>,
}

/// Codes by their text.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Codes(HashMap<String, Kept>);

impl Codes {
    /// Keeps a code and returns its text.
    pub fn add(&mut self, code: Code) -> String {
        if self.0.len() >= CAPACITY {
            self.sweep(code.issued_at);
        }
        let text = random::code();
        let kept = Kept {
            code,
            used: false,
            grant: None,
        };
        self.0.insert(text.clone(), kept);
        text
    }

    /// Uses up a code.
    ///
    /// # Errors
    /// See [`Worthless`].
    pub fn take(&mut self, text: &str, now: Timestamp) -> Result<Code, Worthless> {
        let kept = self.0.get_mut(text).ok_or(Worthless::Unknown)?;
        if kept.used {
            return Err(Worthless::Used { grant: kept.grant });
        }
        kept.used = true;
        if now.duration_since(kept.code.issued_at) >= LIFE {
            return Err(Worthless::Expired);
        }
        Ok(kept.code.clone())
    }

    /// Notes which grant came of a code.
    pub fn note_grant(&mut self, text: &str, grant: u64) {
        if let Some(kept) = self.0.get_mut(text) {
            kept.grant = Some(grant);
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        self.0
            .retain(|_, kept| now.duration_since(kept.code.issued_at) < LIFE);
        if self.0.len() < CAPACITY {
            return;
        }
        let mut ages: Vec<Timestamp> = self.0.values().map(|kept| kept.code.issued_at).collect();
        ages.sort_unstable();
        let limit = ages[CAPACITY / 2];
        self.0.retain(|_, kept| kept.code.issued_at > limit);
    }
}
