//! Who has access: apps, authorization codes, grants with their refresh tokens, and sessions.

use super::client::Client;
use super::random;
use super::refusal::Refusal;
use crate::options::Settings;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Life of an authorization code ("OAuth 2.0 Web Server Flow": fifteen minutes).
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Sessions, codes and assertion ids kept; beyond that the dead ones are swept out. Bounds memory under token loops.
const SWEEP_AT: usize = 10_000;
/// Spent refresh tokens remembered per grant for reuse detection.
const MAX_SPENT: usize = 1_000;

/// All access to one org. Codes do not outlive the process, grants and sessions do.
#[derive(Default, Serialize, Deserialize)]
pub struct Access {
    clients: BTreeMap<String, Client>,
    grants: BTreeMap<u64, Grant>,
    next_grant: u64,
    sessions: HashMap<String, Session>,
    #[serde(skip)]
    codes: HashMap<String, Code>,
    #[serde(skip)]
    refreshing: HashSet<String>,
    #[serde(skip)]
    assertions: HashSet<String>,
}

/// A user's lasting consent to an app, with the refresh token that stands for it.
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
    /// Refresh tokens that rotation has replaced.
    spent: Vec<String>,
}

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
    grant: Option<u64>,
}

/// An authorization code and what the token request must repeat.
#[derive(Clone, Debug)]
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

/// What a refresh found.
pub struct Refreshed {
    /// Whose session it is going to be.
    pub user_id: String,
    /// With what.
    pub scopes: Vec<String>,
    /// The new refresh token, if rotation replaced it.
    pub rotated: Option<String>,
    grant: u64,
}

impl Access {
    /// Registers an app, or replaces it.
    pub fn register(&mut self, client: Client) {
        self.clients.insert(client.client_id.clone(), client);
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
        if self.codes.len() >= SWEEP_AT {
            self.codes
                .retain(|_, old| code.issued_at.duration_since(old.issued_at) < CODE_LIFE);
        }
        let text = random::code();
        self.codes.insert(text.clone(), code);
        text
    }

    /// Uses up a code.
    ///
    /// # Errors
    /// `invalid_grant` for a code that was never given or already used, or is too old.
    pub fn take_code(&mut self, text: &str, now: Timestamp) -> Result<Code, Refusal> {
        let code = self
            .codes
            .remove(text)
            .ok_or_else(|| Refusal::grant("invalid authorization code"))?;
        if now.duration_since(code.issued_at) >= CODE_LIFE {
            return Err(Refusal::grant("expired authorization code"));
        }
        Ok(code)
    }

    /// Records a consent with a new refresh token; beyond `max_grants` of this user and app the oldest is revoked.
    pub fn add_grant(
        &mut self,
        user_id: &str,
        client_id: &str,
        scopes: &[String],
        max_grants: usize,
    ) -> (u64, String) {
        let same = |grant: &Grant| grant.user_id == user_id && grant.client_id == client_id;
        let earlier: Vec<u64> = self
            .grants
            .iter()
            .filter(|(_, grant)| same(grant))
            .map(|(id, _)| *id)
            .collect();
        let surplus = (earlier.len() + 1).saturating_sub(max_grants.max(1));
        for oldest in &earlier[..surplus.min(earlier.len())] {
            self.revoke_grant(*oldest);
        }
        self.next_grant += 1;
        let refresh_token = random::refresh_token();
        let grant = Grant {
            user_id: user_id.to_owned(),
            client_id: client_id.to_owned(),
            scopes: scopes.to_vec(),
            refresh_token: refresh_token.clone(),
            spent: Vec::new(),
        };
        self.grants.insert(self.next_grant, grant);
        (self.next_grant, refresh_token)
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

    /// Exchanges a refresh token. A spent one revokes the whole grant when reuse is detected.
    ///
    /// # Errors
    /// `expired access/refresh token` for everything that is not the present refresh token of a grant to this app.
    pub fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        settings: &Settings,
    ) -> Result<Refreshed, Refusal> {
        let expired = || Refusal::grant("expired access/refresh token");
        let spent = |grant: &Grant| grant.spent.iter().any(|old| old == token);
        if let Some(id) = self
            .grants
            .iter()
            .find(|(_, grant)| spent(grant))
            .map(|(id, _)| *id)
        {
            if settings.reuse_detection {
                self.revoke_grant(id);
            }
            return Err(expired());
        }
        let rotation = self
            .client(client_id)
            .and_then(|client| client.rotation)
            .unwrap_or(settings.rotation);
        let present = |grant: &Grant| grant.refresh_token == token && grant.client_id == client_id;
        let (id, grant) = self
            .grants
            .iter_mut()
            .find(|(_, grant)| present(grant))
            .ok_or_else(expired)?;
        let rotated = rotation.then(|| grant.rotate());
        Ok(Refreshed {
            user_id: grant.user_id.clone(),
            scopes: grant.scopes.clone(),
            rotated,
            grant: *id,
        })
    }

    /// Begins a session and returns its access token.
    pub fn add_session(
        &mut self,
        organization_id: &str,
        session: Session,
        lifetime: SignedDuration,
    ) -> String {
        if self.sessions.len() >= SWEEP_AT {
            let now = session.issued_at;
            self.sessions
                .retain(|_, old| now.duration_since(old.last_used) < lifetime);
        }
        let token = random::access_token(organization_id);
        self.sessions.insert(token.clone(), session);
        token
    }

    /// The session of an access token, which this use prolongs; `None` when it has ended.
    pub fn use_session(&mut self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Option<Session> {
        let session = self.sessions.get_mut(token)?;
        if now.duration_since(session.last_used) >= lifetime {
            self.sessions.remove(token);
            return None;
        }
        session.last_used = now.max(session.last_used);
        Some(session.clone())
    }

    /// Looks at a session without prolonging it.
    pub fn session(&self, token: &str, now: Timestamp, lifetime: SignedDuration) -> Option<&Session> {
        self.sessions
            .get(token)
            .filter(|session| now.duration_since(session.last_used) < lifetime)
    }

    /// The grant of a refresh token that is valid now.
    pub fn grant_of(&self, refresh_token: &str) -> Option<&Grant> {
        self.grants
            .values()
            .find(|grant| grant.refresh_token == refresh_token)
    }

    /// Revokes an access token, or a refresh token with everything that came of it; `false` when it is neither.
    pub fn revoke(&mut self, token: &str) -> bool {
        let grant = self
            .grants
            .iter()
            .find(|(_, grant)| grant.refresh_token == token)
            .map(|(id, _)| *id);
        match grant {
            Some(id) => self.revoke_grant(id),
            None => return self.sessions.remove(token).is_some(),
        }
        true
    }

    /// Ends all sessions; grants stay, so that clients can refresh. Returns how many ended.
    pub fn expire_sessions(&mut self) -> usize {
        let count = self.sessions.len();
        self.sessions.clear();
        count
    }

    /// Revokes all grants that fit, with their sessions; `None` fits everything. Returns how many there were.
    pub fn revoke_grants(&mut self, user_id: Option<&str>, client_id: Option<&str>) -> usize {
        let fits = |grant: &Grant| {
            user_id.is_none_or(|id| id == grant.user_id) && client_id.is_none_or(|id| id == grant.client_id)
        };
        let ids: Vec<u64> = self
            .grants
            .iter()
            .filter(|(_, grant)| fits(grant))
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.revoke_grant(*id);
        }
        ids.len()
    }

    /// Remembers the `jti` of an assertion; `false` when it was seen before (RFC 7523 §3).
    pub fn first_use_of_assertion(&mut self, jti: &str) -> bool {
        if self.assertions.len() >= SWEEP_AT {
            self.assertions.clear();
        }
        self.assertions.insert(jti.to_owned())
    }

    /// Live grants and sessions, for the control plane.
    pub fn counts(&self) -> (usize, usize) {
        (self.grants.len(), self.sessions.len())
    }

    fn revoke_grant(&mut self, id: u64) {
        self.grants.remove(&id);
        self.sessions.retain(|_, session| session.grant != Some(id));
    }
}

impl Grant {
    fn rotate(&mut self) -> String {
        let next = random::refresh_token();
        if self.spent.len() == MAX_SPENT {
            self.spent.remove(0);
        }
        self.spent
            .push(std::mem::replace(&mut self.refresh_token, next.clone()));
        next
    }
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
        }
    }

    /// The same, ending with a grant.
    pub fn under(mut self, grant: u64) -> Self {
        self.grant = Some(grant);
        self
    }
}

impl Refreshed {
    /// The grant that was refreshed.
    pub fn grant(&self) -> u64 {
        self.grant
    }
}
