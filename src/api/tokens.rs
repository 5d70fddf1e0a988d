//! Bearer tokens of our API: made once, shown once, kept as a hash.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cpq_domain::id::{ClientId, ConnectionName};
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use cpq_store::Store;
use cpq_store::tokens::{self, ApiToken};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::access::SCOPES;
use crate::fingerprint::sha256;
use crate::limits;

/// Every token starts so; scanners for leaked secrets look for it.
const PREFIX: &str = "cpq_";
/// Characters of 256 random bits in base64url.
const RANDOM_CHARS: usize = 43;
/// Characters of the checksum: 32 bits in base64url.
const CHECK_CHARS: usize = 6;
/// Clients of this prefix are the senders of webhooks; a token must not share their idempotency keys.
pub(crate) const WEBHOOK_CLIENT: &str = "webhook:";

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whom it stands for. Idempotency keys belong to the client, so a token can be replaced without losing them.
    pub client: ClientId,
    /// What a person calls it.
    pub name: String,
    /// What it may do; each one of [`SCOPES`].
    pub scopes: Vec<String>,
    /// The only connection whose records it reaches; `None` for all.
    pub connection: Option<ConnectionName>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A token that was just made.
#[derive(Debug)]
pub struct Issued {
    /// Id, to revoke it by.
    pub id: String,
    /// The token itself. It is told once and stored nowhere.
    pub secret: SecretString,
}

/// Whom a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grantee {
    /// The client.
    pub client: ClientId,
    /// Id of the token.
    pub token_id: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The only connection whose records it reaches; `None` for all.
    pub connection: Option<ConnectionName>,
}

/// Makes a token: `cpq_`, 256 random bits in base64url, and a checksum that tells a mistyped token from a revoked one.
pub async fn create(store: &Store, world: &dyn World, new: NewToken) -> Result<Issued> {
    check(&new, world.now())?;
    let mut random = [0; 32];
    world.fill_random(&mut random);
    let body = URL_SAFE_NO_PAD.encode(random);
    let secret = format!("{PREFIX}{body}{}", checksum(&body));
    let id = world.uuid().to_string();
    let token = ApiToken {
        id: id.clone(),
        client: new.client,
        name: new.name,
        hash: sha256(secret.as_bytes()).to_vec(),
        scopes: new.scopes,
        connection: new.connection,
        created_at: world.now(),
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    store
        .write(move |tx| Box::pin(async move { tokens::insert(tx, &token).await }))
        .await?;
    Ok(Issued {
        id,
        secret: secret.into(),
    })
}

/// Whom the presented token stands for; [`Code::Unauthenticated`] if it is none of ours, has ended or was revoked.
///
/// The token is found by its hash, so how long a refusal takes tells nothing about any token.
pub async fn authenticate(store: &Store, world: &Arc<dyn World>, presented: &str) -> Result<Grantee> {
    if !is_well_formed(presented) {
        return Err(refuse(
            "the bearer token is malformed: some of it is missing or mistyped",
        ));
    }
    let hash = sha256(presented.as_bytes());
    let found = store
        .read(move |tx| Box::pin(async move { tokens::by_hash(tx, &hash).await }))
        .await?;
    let token = found.ok_or_else(|| refuse("the bearer token is unknown"))?;
    take(store, world.now(), token)
}

/// Whom a token of ours stands for; [`Code::Unauthenticated`] if it has ended or was revoked. Notes its use.
pub(crate) fn take(store: &Store, now: Timestamp, token: ApiToken) -> Result<Grantee> {
    if token.revoked_at.is_some() {
        return Err(refuse("the bearer token was revoked"));
    }
    if !token.is_good(now) {
        return Err(refuse("the bearer token has ended"));
    }
    if is_due(token.last_used_at, now) {
        note_use(store, &token.id, now);
    }
    Ok(Grantee {
        client: token.client,
        token_id: token.id,
        scopes: token.scopes,
        connection: token.connection,
    })
}

/// All tokens, oldest first, ended and revoked ones too. None of them can be told again.
pub async fn list(store: &Store) -> Result<Vec<ApiToken>> {
    store.read(|tx| Box::pin(tokens::list(tx))).await
}

/// Ends a token at once. `false` when there is none of that id, or it was revoked before.
pub async fn revoke(store: &Store, world: &dyn World, id: &str) -> Result<bool> {
    let (id, now) = (id.to_owned(), world.now());
    store
        .write(move |tx| Box::pin(async move { tokens::revoke(tx, &id, now).await }))
        .await
}

fn check(new: &NewToken, now: Timestamp) -> Result<()> {
    let wrong = |message: String| Err(Error::new(Code::RequestInvalid, message));
    if let Some(unknown) = new.scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return wrong(format!(
            "there is no scope {unknown:?}; the scopes are {}",
            SCOPES.join(", ")
        ));
    }
    if new.scopes.is_empty() {
        return wrong(format!(
            "a token needs at least one scope of {}",
            SCOPES.join(", ")
        ));
    }
    if new.client.as_str().starts_with(WEBHOOK_CLIENT) {
        return wrong(format!(
            "a client must not be called `{WEBHOOK_CLIENT}…`: those are the senders of webhooks"
        ));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return wrong("a token must end in the future".into());
    }
    Ok(())
}

fn is_well_formed(presented: &str) -> bool {
    let Some(rest) = presented
        .strip_prefix(PREFIX)
        .filter(|rest| rest.len() <= limits::TOKEN_CHARS)
    else {
        return false;
    };
    if rest.len() != RANDOM_CHARS + CHECK_CHARS || !rest.is_ascii() {
        return false;
    }
    let (body, check) = rest.split_at(RANDOM_CHARS);
    checksum(body) == check
}

fn checksum(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(format!("cpq token checksum\n{body}").as_bytes())[..4])
}

fn refuse(message: &str) -> Error {
    Error::new(Code::Unauthenticated, message)
}

/// Whether a use is to be noted that was last noted then.
pub(crate) fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
    let every = SignedDuration::try_from(limits::LAST_USE_EVERY).unwrap_or(SignedDuration::MAX);
    last.is_none_or(|last| now.duration_since(last) >= every)
}

/// Notes the use beside the request: it must neither slow it down nor make it fail.
fn note_use(store: &Store, id: &str, now: Timestamp) {
    let (store, id) = (store.clone(), id.to_owned());
    tokio::spawn(async move {
        let noted = store
            .write(move |tx| Box::pin(async move { tokens::touch(tx, &id, now).await }))
            .await;
        if let Err(error) = noted {
            tracing::warn!(code = %error.code, error = %error, "cannot note the use of a token");
        }
    });
}

impl Issued {
    /// The token, to be shown to whoever asked for it.
    pub fn tell(&self) -> &str {
        self.secret.expose_secret()
    }
}
