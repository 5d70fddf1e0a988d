//! Who has access: apps, authorization codes, grants with their refresh tokens, and sessions.

use super::attempts::Attempts;
use super::client::Client;
use super::code::{Code, Codes, Worthless};
use super::device::Devices;
use super::frontdoor::Tickets;
use super::grant::{Grant, Refreshed};
use super::random;
use super::refusal::Refusal;
use super::session::{Session, Sessions};
use crate::options::Settings;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::sync::watch;

/// Ids of assertions remembered against replay; beyond it the older half is forgotten.
const MAX_ASSERTIONS: usize = 10_000;

/// All access to one org.
#[derive(Default, Serialize, Deserialize)]
pub struct Access {
    clients: BTreeMap<String, Client>,
    grants: BTreeMap<u64, Grant>,
    next_grant: u64,
    sessions: Sessions,
    #[serde(default)]
    codes: Codes,
    #[serde(default)]
    assertions: HashMap<String, Timestamp>,
    /// Logins and wrong passwords of each user.
    #[serde(default)]
    pub attempts: Attempts,
    /// One-time tickets of the front door.
    #[serde(skip)]
    pub tickets: Tickets,
    /// Devices that wait for a person.
    #[serde(skip)]
    pub devices: Devices,
    #[serde(skip)]
    refreshing: HashSet<String>,
}

/// What a revocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The token is dead.
    Done,
    /// It is no token of this org, or was dead before.
    Unknown,
    /// It lives until it says itself that it ends: a token in JWT format.
    Impossible,
}

impl Access {
    /// Registers an app, or replaces it. Another secret revokes what the old one stood for, as applying a rotated
    /// consumer secret does.
    pub fn register(&mut self, client: Client) {
        let before = self.clients.insert(client.client_id.clone(), client.clone());
        if before.is_some_and(|old| old.client_secret != client.client_secret) {
            self.revoke_grants(None, Some(&client.client_id));
            let of_app = |session: &Session| session.client_id.as_deref() == Some(&client.client_id);
            self.sessions.end(of_app);
        }
    }

    /// A registered app.
    pub fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.get(client_id)
    }

    /// All apps.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    /// Keeps a code until it is used.
    pub fn add_code(&mut self, code: Code) -> String {
        self.codes.add(code)
    }

    /// Uses up a code. One that comes a second time revokes what came of it the first time (RFC 6749 §4.1.2).
    ///
    /// # Errors
    /// `invalid_grant` for a code that was never given or already used, or is too old.
    pub fn take_code(&mut self, text: &str, now: Timestamp) -> Result<Code, Refusal> {
        self.codes.take(text, now).map_err(|why| match why {
            Worthless::Expired => Refusal::grant("expired authorization code"),
            Worthless::Unknown => Refusal::grant("invalid authorization code"),
            Worthless::Used { grant } => {
                grant.iter().for_each(|id| self.revoke_grant(*id));
                self.sessions.end(|session| session.code.as_deref() == Some(text));
                Refusal::grant("invalid authorization code")
            }
        })
    }

    /// Records a consent with a new refresh token; beyond `max_grants` of this user and app the oldest is revoked.
    pub fn add_grant(&mut self, grant: Grant, max_grants: usize) -> (u64, String) {
        let same = |other: &Grant| other.user_id == grant.user_id && other.client_id == grant.client_id;
        let earlier: Vec<u64> = self.ids_of(same);
        let surplus = (earlier.len() + 1).saturating_sub(max_grants.max(1));
        for oldest in earlier.iter().take(surplus) {
            self.revoke_grant(*oldest);
        }
        self.next_grant += 1;
        let refresh_token = grant.refresh_token.clone();
        self.grants.insert(self.next_grant, grant);
        (self.next_grant, refresh_token)
    }

    /// Records a consent that came of an authorization code, with which it is revoked should that be used again.
    pub fn add_grant_of_code(&mut self, code: &str, grant: Grant, max_grants: usize) -> (u64, String) {
        let (id, refresh_token) = self.add_grant(grant, max_grants);
        self.codes.note_grant(code, id);
        (id, refresh_token)
    }

    /// Whether the user has consented to the app before.
    pub fn has_grant(&self, user_id: &str, client_id: &str) -> bool {
        self.grants
            .values()
            .any(|grant| grant.user_id == user_id && grant.client_id == client_id)
    }

    /// Marks a refresh token as being refreshed; the mark is lifted by [`Access::end_refresh`].
    ///
    /// # Errors
    /// `token request is already being processed`, which is transient and no revocation.
    pub fn begin_refresh(&mut self, token: &str) -> Result<(), Refusal> {
        if self.refreshing.insert(token.to_owned()) {
            return Ok(());
        }
        Err(Refusal::grant("token request is already being processed"))
    }

    /// See [`Access::begin_refresh`].
    pub fn end_refresh(&mut self, token: &str) {
        self.refreshing.remove(token);
    }

    /// Exchanges a refresh token. A spent one revokes the whole grant when reuse is detected, and so does a policy of
    /// the app that has run out.
    ///
    /// # Errors
    /// `expired access/refresh token` for everything that is not the present refresh token of a grant to this app.
    pub fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Refreshed, Refusal> {
        let gone = || Refusal::grant("expired access/refresh token");
        if let Some(id) = self.ids_of(|grant| grant.had(token)).first() {
            if settings.reuse_detection {
                self.revoke_grant(*id);
            }
            return Err(gone());
        }
        let client = self.clients.get(client_id).ok_or_else(gone)?;
        let present = |grant: &Grant| grant.client_id == client_id && grant.has(token);
        let found = self.grants.iter_mut().find(|(_, grant)| present(grant));
        let (id, grant) = found.map(|(id, grant)| (*id, grant)).ok_or_else(gone)?;
        if grant.has_expired(client, now) {
            self.revoke_grant(id);
            return Err(gone());
        }
        grant.last_used = now;
        let rotation = client.rotation.unwrap_or(settings.rotation);
        Ok(Refreshed {
            rotated: rotation.then(|| grant.rotate()),
            user_id: grant.user_id.clone(),
            scopes: grant.scopes.clone(),
            grant: id,
        })
    }

    /// Begins a session and returns its access token.
    pub fn add_session(
        &mut self,
        organization_id: &str,
        session: Session,
        lifetime: SignedDuration,
    ) -> String {
        let token = random::access_token(organization_id);
        self.sessions.add(token.clone(), session, lifetime);
        token
    }

    /// Begins a session under a token that was made elsewhere.
    pub fn add_session_of(&mut self, token: String, session: Session, lifetime: SignedDuration) {
        self.sessions.add(token, session, lifetime);
    }

    /// The session of an access token, which this use prolongs; `None` when it has ended.
    pub fn use_session(&mut self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Option<Session> {
        self.sessions.touch(token, now, lifetime)
    }

    /// Told whenever sessions were ended by somebody: whoever lives on one has to look again. Closed when all access
    /// was replaced.
    pub fn endings(&self) -> watch::Receiver<()> {
        self.sessions.endings()
    }

    /// Looks at a session without prolonging it.
    pub fn session(&self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Option<&Session> {
        self.sessions.peek(token, now, lifetime)
    }

    /// The grant of a refresh token that is valid now.
    pub fn grant_of(&self, refresh_token: &str, now: Timestamp) -> Option<&Grant> {
        let expired = |grant: &Grant| {
            let client = self.clients.get(&grant.client_id);
            client.is_none_or(|client| grant.has_expired(client, now))
        };
        let found = self.grants.values().find(|grant| grant.has(refresh_token));
        found.filter(|grant| !expired(grant))
    }

    /// Revokes an access token, or a refresh token with everything that came of it.
    pub fn revoke(&mut self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Revocation {
        if let Some(id) = self.ids_of(|grant| grant.has(token)).first() {
            self.revoke_grant(*id);
            return Revocation::Done;
        }
        match self.sessions.peek(token, now, lifetime) {
            Some(session) if session.is_jwt() => Revocation::Impossible,
            Some(_) => {
                self.sessions.remove(token);
                Revocation::Done
            }
            None => Revocation::Unknown,
        }
    }

    /// Ends one session at once, of whatever kind; for faults.
    pub fn end_session(&mut self, token: &str) {
        self.sessions.remove(token);
    }

    /// Ends all sessions; grants stay, so that clients can refresh. Returns how many ended.
    pub fn expire_sessions(&mut self) -> usize {
        self.sessions.end(|_| true)
    }

    /// Revokes all grants that fit, with their sessions; `None` fits everything. Returns how many there were.
    pub fn revoke_grants(&mut self, user_id: Option<&str>, client_id: Option<&str>) -> usize {
        let ids = self.ids_of(|grant| {
            user_id.is_none_or(|id| id == grant.user_id) && client_id.is_none_or(|id| id == grant.client_id)
        });
        ids.iter().for_each(|id| self.revoke_grant(*id));
        ids.len()
    }

    /// Remembers the id of an assertion of this issuer; `false` when it was seen before (RFC 7523 §3).
    pub fn first_use_of_assertion(&mut self, issuer: &str, jti: &str, now: Timestamp) -> bool {
        if self.assertions.len() >= MAX_ASSERTIONS {
            let mut ages: Vec<Timestamp> = self.assertions.values().copied().collect();
            ages.sort_unstable();
            let limit = ages[MAX_ASSERTIONS / 2];
            self.assertions.retain(|_, seen| *seen > limit);
        }
        self.assertions.insert(format!("{issuer}\n{jti}"), now).is_none()
    }

    /// Grants and sessions, for the control plane.
    pub fn counts(&self) -> (usize, usize) {
        (self.grants.len(), self.sessions.len())
    }

    fn ids_of(&self, fits: impl Fn(&Grant) -> bool) -> Vec<u64> {
        let fitting = self.grants.iter().filter(|(_, grant)| fits(grant));
        fitting.map(|(id, _)| *id).collect()
    }

    /// Tokens in JWT format outlive their grant: nobody asks about them before they end.
    fn revoke_grant(&mut self, id: u64) {
        self.grants.remove(&id);
        self.sessions
            .end(|session| session.grant == Some(id) && !session.is_jwt());
    }
}
