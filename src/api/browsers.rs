//! Browsers that are logged in: shown to whom they belong, and ended by them.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use cpq_domain::Result;
use cpq_domain::id::ClientId;
use cpq_store::browser_sessions::{self, Open};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::fingerprint::hex;
use crate::input::{OptionalJson, Segment};
use crate::limits::SESSION_IDLE;
use crate::sessions::{Sessions, whole};
use crate::state::ApiState;
use crate::tokens::Grantee;

/// Bytes of the hash of a secret that name its session: enough to tell it from all others.
const ID_BYTES: usize = 16;

/// A browser that is logged in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Browser {
    /// Name of the session, to end it by. It is no secret.
    pub id: String,
    /// Whom it is logged in as.
    pub client: String,
    /// Id of the token that it was logged in with.
    pub token_id: String,
    /// Network address from which it was logged in, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When it was logged in.
    #[schema(value_type = String, format = DateTime)]
    pub logged_in_at: Timestamp,
    /// When it last asked for something; noted every five minutes.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

/// Browsers that are logged in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Browsers {
    /// Latest login first, at most 1,000.
    pub sessions: Vec<Browser>,
}

/// How many browsers were logged out.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoggedOut {
    /// Sessions that ended by this.
    #[schema(value_type = i64, minimum = 0)]
    pub ended: usize,
}

/// Which sessions are to stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRequest {
    /// One that stays: that of the browser that asks.
    #[serde(default)]
    pub but: Option<String>,
}

impl Sessions {
    /// Who is logged in: browsers of this client, or of all.
    pub async fn open(&self, client: Option<&ClientId>) -> Result<Vec<Browser>> {
        let found = self.found(client).await?;
        Ok(found.into_iter().map(Browser::from).collect())
    }

    /// Ends those sessions of this client, or of all, that are meant. Returns how many there were.
    pub async fn end(&self, client: Option<&ClientId>, meant: impl Fn(&str) -> bool) -> Result<usize> {
        let mut total = 0;
        // A list has an end; what was behind it comes to the front.
        loop {
            match self.end_listed(client, &meant).await? {
                0 => return Ok(total),
                ended => total += ended,
            }
        }
    }

    async fn end_listed(&self, client: Option<&ClientId>, meant: impl Fn(&str) -> bool) -> Result<usize> {
        let mut found = self.found(client).await?;
        found.retain(|open| meant(&id(&open.hash)));
        let hashes: Vec<Vec<u8>> = found.into_iter().map(|open| open.hash).collect();
        self.store
            .write(move |tx| {
                let hashes = hashes.clone();
                Box::pin(async move {
                    let mut ended = 0;
                    for hash in &hashes {
                        ended += usize::from(browser_sessions::remove(tx, hash).await?);
                    }
                    Ok(ended)
                })
            })
            .await
    }

    async fn found(&self, client: Option<&ClientId>) -> Result<Vec<Open>> {
        let now = self.world.now();
        let (client, active) = (client.cloned(), now - whole(SESSION_IDLE));
        self.store
            .read(move |tx| {
                Box::pin(async move { browser_sessions::open(tx, client.as_ref(), now, active).await })
            })
            .await
    }
}

impl From<Open> for Browser {
    fn from(
        Open {
            hash,
            client,
            session,
        }: Open,
    ) -> Browser {
        Browser {
            id: id(&hash),
            client: client.to_string(),
            token_id: session.token_id,
            address: session.address,
            logged_in_at: session.created_at,
            seen_at: session.seen_at,
            ends_at: session.ends_at,
        }
    }
}

/// Name of the session of this hash. From it nobody comes back to the secret, nor to the whole hash.
pub(crate) fn id(hash: &[u8]) -> String {
    hex(&hash[..hash.len().min(ID_BYTES)])
}

/// Show the browsers that are logged in as you
///
/// Those that were logged in with any token of the client that asks.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "listSessions",
    tag = "service",
    responses((status = 200, description = "The sessions, latest login first", body = Browsers))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    Extension(grantee): Extension<Grantee>,
) -> std::result::Result<Response, Failure> {
    let sessions = Sessions::new(api.store, api.world);
    let sessions = sessions.open(Some(&grantee.client)).await?;
    Ok(answer::of(200, &Browsers { sessions })?)
}

/// Log a browser out
///
/// One of those that are logged in as you. That there is none of this name is no failure: then it is logged out.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/end",
    operation_id = "endSession",
    tag = "service",
    params(("id" = String, Path, description = "Name of the session")),
    responses((status = 200, description = "It is logged out", body = LoggedOut))
)]
pub(crate) async fn end(
    State(api): State<ApiState>,
    Extension(grantee): Extension<Grantee>,
    Segment(which): Segment,
) -> std::result::Result<Response, Failure> {
    let sessions = Sessions::new(api.store, api.world);
    let ended = sessions.end(Some(&grantee.client), |id| id == which).await?;
    Ok(answer::of(200, &LoggedOut { ended })?)
}

/// Log all browsers out that are logged in as you
///
/// But for one, where the request names it.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/end",
    operation_id = "endSessions",
    tag = "service",
    request_body(content = Option<EndRequest>),
    responses((status = 200, description = "They are logged out", body = LoggedOut))
)]
pub(crate) async fn end_all(
    State(api): State<ApiState>,
    Extension(grantee): Extension<Grantee>,
    OptionalJson(request): OptionalJson<EndRequest>,
) -> std::result::Result<Response, Failure> {
    let stays = request.value.but;
    let sessions = Sessions::new(api.store, api.world);
    let meant = |id: &str| Some(id) != stays.as_deref();
    let ended = sessions.end(Some(&grantee.client), meant).await?;
    Ok(answer::of(200, &LoggedOut { ended })?)
}
