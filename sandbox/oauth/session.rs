//! Login sessions: what an access token stands for, and how long.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tokio::sync::watch;

/// Sessions kept. Beyond it the dead are swept out, and if there are none, those that were idle longest: memory is
/// bounded even for a client that asks for a token before each call.
const CAPACITY: usize = 50_000;
/// Share of the sessions that goes when all are alive; a tenth at a time, so that sweeping stays rare.
const SWEPT_SHARE: usize = 10;

/// A login session; its key is the access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Whose.
    pub user_id: String,
    /// Through which app; none for SOAP login.
    pub client_id: Option<String>,
    /// With what.
    pub scopes: Vec<String>,
    /// When it began.
    pub issued_at: Timestamp,
    /// When it was last used; it lives on from there.
    pub last_used: Timestamp,
    /// The grant it ends with.
    #[serde(default)]
    pub grant: Option<u64>,
    /// The authorization code it came from.
    #[serde(default)]
    pub code: Option<String>,
    /// When it ends whatever its use; only tokens in JWT format, which say so themselves.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
}

/// Sessions by access token.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sessions {
    alive: HashMap<String, Session>,
    #[serde(skip)]
    ended: watch::Sender<()>,
}

impl Session {
    /// A session that begins now.
    pub fn new(user_id: &str, client_id: Option<&str>, scopes: Vec<String>, now: Timestamp) -> Self {
        Self {
            user_id: user_id.to_owned(),
            client_id: client_id.map(str::to_owned),
            scopes,
            issued_at: now,
            last_used: now,
            grant: None,
            code: None,
            ends_at: None,
        }
    }

    /// When it ends unless it is used before; `lifetime` is the time it lives after its last use.
    pub fn ends(&self, lifetime: SignedDuration) -> Timestamp {
        let idle = self.last_used.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        self.ends_at.unwrap_or(idle)
    }

    /// Whether its scopes open the data APIs. Others are for identity only ("OAuth Tokens and Scopes").
    pub fn reaches_api(&self) -> bool {
        self.scopes
            .iter()
            .any(|scope| matches!(scope.as_str(), "api" | "full"))
    }

    /// Whether its token is in JWT format, which SOAP does not take and nobody can revoke.
    pub fn is_jwt(&self) -> bool {
        self.ends_at.is_some()
    }
}

impl Sessions {
    /// Keeps a session under its token.
    pub fn add(&mut self, token: String, session: Session, lifetime: SignedDuration) {
        if self.alive.len() >= CAPACITY {
            self.sweep(session.issued_at, lifetime);
        }
        self.alive.insert(token, session);
    }

    /// The session of a token, which this use prolongs; `None` when it has ended.
    pub fn touch(&mut self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Option<Session> {
        let session = self.alive.get_mut(token)?;
        if now >= session.ends(lifetime) {
            self.alive.remove(token);
            return None;
        }
        session.last_used = now.max(session.last_used);
        Some(session.clone())
    }

    /// The session of a token, not prolonged.
    pub fn peek(&self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Option<&Session> {
        self.alive
            .get(token)
            .filter(|session| now < session.ends(lifetime))
    }

    /// Ends the sessions that fit and returns how many there were.
    pub fn end(&mut self, fits: impl Fn(&Session) -> bool) -> usize {
        let before = self.alive.len();
        self.alive.retain(|_, session| !fits(session));
        self.ended.send_replace(());
        before - self.alive.len()
    }

    /// Ends the session of a token; `false` when there is none.
    pub fn remove(&mut self, token: &str) -> bool {
        let found = self.alive.remove(token).is_some();
        self.ended.send_replace(());
        found
    }

    /// Told whenever sessions were ended by somebody; closed with the sessions themselves.
    pub fn endings(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }

    /// How many there are, dead ones that nobody asked for included.
    pub fn len(&self) -> usize {
        self.alive.len()
    }

    fn sweep(&mut self, now: Timestamp, lifetime: SignedDuration) {
        self.alive.retain(|_, session| now < session.ends(lifetime));
        if self.alive.len() < CAPACITY {
            return;
        }
        let mut uses: Vec<Timestamp> = self.alive.values().map(|session| session.last_used).collect();
        uses.sort_unstable();
        let limit = uses[uses.len() / SWEPT_SHARE];
        self.alive.retain(|_, session| session.last_used > limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idle_ones_make_room_for_new_ones() {
        let lifetime = SignedDuration::from_hours(2);
        let mut sessions = Sessions::default();
        for number in 0..CAPACITY + 1 {
            let now = Timestamp::from_millisecond(number as i64).expect("within range");
            sessions.add(
                number.to_string(),
                Session::new("005", None, Vec::new(), now),
                lifetime,
            );
        }
        assert!(sessions.len() < CAPACITY);
        let now = Timestamp::from_second(60).expect("within range");
        assert!(sessions.peek("0", now, lifetime).is_none());
        assert!(sessions.peek(&CAPACITY.to_string(), now, lifetime).is_some());
    }

    #[test]
    fn a_jwt_ends_when_it_says_however_often_it_is_used() {
        let at = |second| Timestamp::from_second(second).expect("within range");
        let lifetime = SignedDuration::from_secs(100);
        let mut sessions = Sessions::default();
        let plain = Session::new("005", None, Vec::new(), at(0));
        let jwt = Session {
            ends_at: Some(at(100)),
            ..plain.clone()
        };
        sessions.add("plain".into(), plain, lifetime);
        sessions.add("jwt".into(), jwt, lifetime);
        for token in ["plain", "jwt"] {
            assert!(sessions.touch(token, at(99), lifetime).is_some());
        }
        assert!(sessions.touch("plain", at(198), lifetime).is_some());
        assert!(sessions.touch("jwt", at(100), lifetime).is_none());
    }
}
