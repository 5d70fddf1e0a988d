//! Questions of supervisors: alive, and ready?

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use cpq_domain::breaker::Breaker;
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::{GrantState, StoredGrant};
use cpq_domain::{Code, Error};
use cpq_store::{Store, circuits, grants, runs, settings};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::state::ApiState;

/// How long the store may take to answer before it counts as not there.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Setting that is written to see whether the store takes writes again, and its size.
const PROBE: &str = "health.probe";
const PROBE_BYTES: usize = 64 * 1024;

/// Whether the service works.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or `not_ready`.
    pub status: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What does not work although the service does: CRMs that are not called just now, or not before somebody has logged
    /// in. A restart would not help.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Alive?
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "service",
    responses((status = 200, description = "The process answers", body = Health)))]
pub(crate) async fn alive() -> Result<Response, Failure> {
    Ok(answer::of(
        200,
        &Health {
            status: "ok",
            reasons: Vec::new(),
            notes: Vec::new(),
        },
    )?)
}

/// Ready?
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "service",
    responses(
        (status = 200, description = "Requests can be served", body = Health),
        (status = 503, description = "They cannot, for these reasons", body = Health)))]
pub(crate) async fn ready(State(api): State<ApiState>) -> Result<Response, Failure> {
    let asked = tokio::time::timeout(
        STORE_ANSWERS_WITHIN,
        api.store.read(|tx| {
            Box::pin(async move {
                runs::next_due(tx).await?;
                Ok((circuits::list(tx).await?, grants::list(tx).await?))
            })
        }),
    );
    let mut notes = Vec::new();
    let (store, mut reasons) = futures_util::join!(asked, (api.readiness)());
    match store {
        Ok(Ok((circuits, grants))) => {
            notes.extend(circuits.iter().map(note));
            notes.extend(grants.iter().filter_map(dead));
        }
        Ok(Err(error)) => reasons.insert(0, format!("store: {error}")),
        Err(_) => reasons.insert(
            0,
            format!("store: no answer within {} s", STORE_ANSWERS_WITHIN.as_secs()),
        ),
    }
    if let Some(error) = still_refuses(&api.store).await {
        reasons.push(format!("store: {error}"));
    }
    let (code, status) = if reasons.is_empty() {
        (200, "ok")
    } else {
        (503, "not_ready")
    };
    Ok(answer::of(
        code,
        &Health {
            status,
            reasons,
            notes,
        },
    )?)
}

fn dead(grant: &StoredGrant) -> Option<String> {
    let name = &grant.settings.name;
    let told = || format!("{name}: its grant is dead, connect it again with `cpq auth connect-crm`");
    matches!(grant.state, GrantState::Dead { .. }).then(told)
}

fn note((connection, breaker): &(ConnectionName, Breaker)) -> String {
    let (why, due) = (breaker.hold.as_str(), breaker.due_at);
    format!("{connection}: not called ({why}), tried again at {due:.0}")
}

/// Whether the store still refuses to write, after it did: asked with a write as large as a few syncs, as a full disk
/// often takes a small one. A store that took the last write is not asked.
async fn still_refuses(store: &Store) -> Option<Error> {
    store.trouble()?;
    let attempt =
        store.write(|tx| Box::pin(async move { settings::put(tx, PROBE, &"x".repeat(PROBE_BYTES)).await }));
    let attempt = tokio::time::timeout(STORE_ANSWERS_WITHIN, attempt).await;
    match attempt {
        Ok(Err(error)) => Some(error),
        Ok(Ok(())) => {
            let cleared = store.write(|tx| Box::pin(async move { settings::remove(tx, PROBE).await }));
            cleared.await.err()
        }
        Err(_) => Some(Error::new(Code::StoreUnavailable, "it took no write in time")),
    }
}
