//! Browsers that are logged in: a person presents an API token once, and the browser holds a secret of its own from then on.
//!
//! What a browser may do is asked of its token at each request, so revoking the token ends the session. The secret is
//! 256 random bits and is kept as a hash; what its forms carry against forged requests is told from it, so that nobody
//! who does not hold it can make one up.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cpq_domain::error::Written;
use cpq_domain::id::ConnectionName;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use cpq_store::Store;
use cpq_store::browser_sessions::{self, BrowserSession};
use cpq_store::tokens as rows;
use http::Extensions;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::audit::{Act, Audit};
use crate::browsers;
use crate::fingerprint::sha256;
use crate::frame::Origin;
use crate::limits::{SESSION_IDLE, SESSION_LIFE};
use crate::tokens::{self, Grantee};

/// Characters of a secret: 256 bits in base64url.
const SECRET_CHARS: usize = 43;

/// Where browsers log in and out. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    pub(crate) store: Store,
    pub(crate) world: Arc<dyn World>,
}

/// A person at a browser that is logged in.
#[derive(Clone, Debug)]
pub struct Visitor {
    grantee: Grantee,
    session: String,
    forms: String,
    origin: Option<Origin>,
}

impl Sessions {
    /// Sessions in this store.
    pub fn new(store: Store, world: Arc<dyn World>) -> Sessions {
        Sessions { store, world }
    }

    /// Logs a browser in. Returns the secret that it is to hold.
    ///
    /// [`Code::Unauthenticated`] when the token is none of ours, has ended or was revoked.
    pub async fn enter(&self, token: &SecretString, origin: Option<Origin>) -> Result<SecretString> {
        let presented = token.expose_secret().trim();
        let grantee = tokens::authenticate(&self.store, &self.world, presented).await;
        self.tell("login", &grantee, origin).await?;
        let grantee = grantee?;
        let mut random = [0; 32];
        self.world.fill_random(&mut random);
        let secret = URL_SAFE_NO_PAD.encode(random);
        let (hash, now) = (sha256(secret.as_bytes()), self.world.now());
        let session = BrowserSession {
            token_id: grantee.token_id,
            created_at: now,
            seen_at: now,
            ends_at: now + whole(SESSION_LIFE),
            address: origin.map(|origin| origin.address.to_string()),
        };
        self.store
            .write(move |tx| Box::pin(async move { browser_sessions::insert(tx, &hash, &session).await }))
            .await?;
        Ok(secret.into())
    }

    /// Who is at the browser that holds this secret; `None` when its session has ended, or never was.
    pub async fn who(&self, secret: &str) -> Result<Option<Visitor>> {
        if secret.len() != SECRET_CHARS {
            return Ok(None);
        }
        let hash = sha256(secret.as_bytes());
        let found = self
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let Some(session) = browser_sessions::find(tx, &hash).await? else {
                        return Ok(None);
                    };
                    let token = rows::by_id(tx, &session.token_id).await?;
                    Ok(token.map(|token| (session, token)))
                })
            })
            .await?;
        let now = self.world.now();
        let Some((session, token)) = found.filter(|(session, _)| is_alive(session, now)) else {
            return Ok(None);
        };
        // One that has ended or was revoked ends its sessions.
        let Ok(grantee) = tokens::take(&self.store, now, token) else {
            return Ok(None);
        };
        if tokens::is_due(Some(session.seen_at), now) {
            self.note(hash, now);
        }
        Ok(Some(Visitor {
            grantee,
            session: browsers::id(&hash),
            forms: forms(secret),
            origin: None,
        }))
    }

    /// Logs the browser that holds this secret out.
    pub async fn leave(&self, secret: &str) -> Result<()> {
        let hash = sha256(secret.as_bytes());
        self.store
            .write(move |tx| Box::pin(async move { browser_sessions::remove(tx, &hash).await }))
            .await
            .map(drop)
    }

    /// [`Code::Unauthenticated`] unless this is a good token of the same client: whoever ends what others of this name hold
    /// shows anew that it is theirs.
    pub async fn confirm(&self, visitor: &Visitor, token: &SecretString) -> Result<()> {
        let presented = token.expose_secret().trim();
        let grantee = tokens::authenticate(&self.store, &self.world, presented).await?;
        if grantee.client == visitor.grantee.client {
            return Ok(());
        }
        let message = "the token is one of somebody else";
        Err(Error::new(Code::Unauthenticated, message).next("give a token of your own"))
    }

    /// Tells of a login, or that one was refused, in the audit log. Without that nobody gets in.
    async fn tell(&self, what: &str, grantee: &Result<Grantee>, origin: Option<Origin>) -> Result<()> {
        let act = Act {
            client: grantee
                .as_ref()
                .map(|grantee| grantee.client.to_string())
                .unwrap_or_default(),
            origin: origin.map(|origin| origin.address.to_string()),
            act: what.to_owned(),
            subject: grantee
                .as_ref()
                .map(|grantee| grantee.token_id.clone())
                .unwrap_or_default(),
            ..Act::default()
        };
        let result = grantee
            .as_ref()
            .map_or_else(|error| error.code.as_str(), |_| "done");
        Audit::new(self.store.clone(), self.world.clone())
            .tell(&act, result)
            .await
    }

    /// Notes that it is in use, beside the request.
    fn note(&self, hash: [u8; 32], now: Timestamp) {
        let store = self.store.clone();
        tokio::spawn(async move {
            let noted = store
                .write(move |tx| Box::pin(async move { browser_sessions::see(tx, &hash, now).await }))
                .await;
            if let Err(error) = noted {
                tracing::warn!(code = %error.code, error = %error, "cannot note the use of a session");
            }
        });
    }
}

impl Visitor {
    /// Whom the token of the session stands for.
    pub fn name(&self) -> &str {
        self.grantee.client.as_str()
    }

    /// The only connection that the token reaches; all when absent.
    pub fn connection(&self) -> Option<&ConnectionName> {
        self.grantee.connection.as_ref()
    }

    /// Name of the session, as [`crate::browsers`] tells it.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The same, and where the browser is.
    pub fn at(self, origin: Option<Origin>) -> Visitor {
        Visitor { origin, ..self }
    }

    /// What the forms of this browser carry.
    pub fn forms(&self) -> &str {
        &self.forms
    }

    /// [`Code::FormForged`] for a form that did not come from a page that we gave this browser.
    pub fn check_form(&self, carried: &str) -> Result<()> {
        verify_slices_are_equal(carried.as_bytes(), self.forms.as_bytes()).map_err(|_| {
            let message = "the form did not come from a page of this session; nothing was done";
            Error::new(Code::FormForged, message).written(Written::No)
        })
    }

    /// Lets a request of our own pass the door of the API as this person. Nothing that comes over the network carries
    /// such a mark.
    pub fn vouch(&self, extensions: &mut Extensions) {
        extensions.insert(Vouched(self.grantee.clone()));
        if let Some(origin) = self.origin {
            extensions.insert(origin);
        }
    }
}

/// The mark of a request that was made within this process for a person who is logged in.
#[derive(Clone)]
pub(crate) struct Vouched(pub(crate) Grantee);

fn is_alive(session: &BrowserSession, now: Timestamp) -> bool {
    now < session.ends_at && now.duration_since(session.seen_at) < whole(SESSION_IDLE)
}

fn forms(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(format!("cpq forms\n{secret}").as_bytes()))
}

pub(crate) fn whole(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
