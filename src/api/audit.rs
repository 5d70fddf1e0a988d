//! Who did what, at the API, in the browser and at the command line: told before an act, and with its end.
//!
//! What cannot be told is not done. Syncs, webhooks and quotes that programs make are not acts in this sense: they come by
//! the thousand, and each has its own journal.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use cpq_domain::Result;
pub use cpq_domain::act::Act;
use cpq_domain::act::Told;
use cpq_domain::world::World;
use cpq_store::Store;
use cpq_store::audit::{self, Entry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Route;
use crate::caller::{Caller, single};
use crate::failure::{Failed, Failure};
pub use crate::fingerprint::hex;
use crate::frame::Origin;
use crate::input::Params;
use crate::state::ApiState;
use crate::timeline::page_rows;
use crate::tokens::Grantee;
use crate::{answer, limits};

/// Header in which a client names the person for whom it acts.
pub const PERSON: &str = "x-acting-person";
/// What an act that went well ends with.
const DONE: &str = "done";

/// Writes are no acts where they have a journal of their own, or where nothing is written.
const NO_ACTS: [&str; 7] = [
    "/api/v1/sync/opportunities/{id}",
    "/api/v1/sync/opportunities/{id}/plan",
    "/api/v1/quotes",
    "/api/v1/quotes/preview",
    "/api/v1/quotes/{id}",
    "/api/v1/webhooks/{source}",
    "/api/v1/outbound-messages/{source}/{secret}",
];

/// Where acts are told. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    store: Store,
    world: Arc<dyn World>,
}

/// An act that was told before it is done.
#[must_use = "its end is to be told"]
pub struct Begun {
    audit: Audit,
    position: i64,
    act: Act,
}

impl Audit {
    /// Acts are told in this store.
    pub fn new(store: Store, world: Arc<dyn World>) -> Audit {
        Audit { store, world }
    }

    /// Tells an act before it is done. If that fails, the act is not to be done.
    pub async fn begin(&self, act: Act) -> Result<Begun> {
        let entry = self.add(&act, None, None).await?;
        Ok(Begun {
            audit: self.clone(),
            position: entry.position,
            act,
        })
    }

    /// Tells what is over already, or was refused.
    pub async fn tell(&self, act: &Act, result: &str) -> Result<()> {
        self.add(act, None, Some(result)).await.map(drop)
    }

    async fn add(&self, act: &Act, begun: Option<i64>, result: Option<&str>) -> Result<Entry> {
        let told = Told {
            at: self.world.now(),
            act: act.clone(),
            begun,
            result: result.map(str::to_owned),
        };
        let entry = self
            .store
            .write(move |tx| {
                let told = told.clone();
                Box::pin(async move { audit::add(tx, &told).await })
            })
            .await?;
        let Told { act, result, .. } = &entry.told;
        // Kept elsewhere, this shows whether the end of the log was cut off.
        tracing::info!(
            position = entry.position,
            hash = hex(&entry.hash),
            client = act.client,
            act = act.act,
            subject = act.subject,
            result,
            correlation = act.correlation,
            "audit"
        );
        Ok(entry)
    }
}

impl Begun {
    /// Tells how the act ended. That it was begun is known in any case, so this cannot fail it any more.
    pub async fn end<T>(self, outcome: &Result<T>) {
        self.end_as(match outcome {
            Ok(_) => DONE,
            Err(error) => error.code.as_str(),
        })
        .await;
    }

    async fn end_as(self, result: &str) {
        let told = self.audit.add(&self.act, Some(self.position), Some(result)).await;
        if let Err(error) = told {
            tracing::error!(begun = self.position, code = %error.code, error = %error, "the end of an act cannot be told");
        }
    }
}

/// Hands an act on, told before and after. What is none is handed on.
pub(crate) async fn told(api: &ApiState, route: &Route, request: Request, next: Next) -> Result<Response> {
    if route.method == "GET" || NO_ACTS.contains(&route.path) {
        return Ok(next.run(request).await);
    }
    let begun = Audit::new(api.store.clone(), api.world.clone())
        .begin(act(route, &request))
        .await?;
    let answer = next.run(request).await;
    match answer.extensions().get::<Failed>() {
        Some(Failed(error)) => begun.end_as(error.code.as_str()).await,
        // A sync that an act led to may have failed by itself; its answer is then made of its report.
        None if !answer.status().is_success() => begun.end_as(answer.status().as_str()).await,
        None => begun.end_as(DONE).await,
    }
    Ok(answer)
}

fn act(route: &Route, request: &Request) -> Act {
    let found = request.extensions();
    let client = found.get::<Grantee>().map(|grantee| grantee.client.to_string());
    Act {
        client: client.unwrap_or_default(),
        person: single(request.headers(), PERSON)
            .map(|name| name.chars().take(limits::PERSON_CHARS).collect()),
        origin: found.get::<Origin>().map(|origin| origin.address.to_string()),
        act: format!("{} {}", route.method, route.path),
        subject: request.uri().path().to_owned(),
        correlation: found.get::<Caller>().map(|caller| caller.request.to_string()),
    }
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Hand this in as `before` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// An entry of the audit log: an act that is about to be done, or its end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// From 1, without gaps.
    pub position: i64,
    /// The act.
    #[serde(flatten)]
    pub told: Told,
    /// Hash of this entry, in hexadecimal: SHA-256 over the one before and all that is told.
    pub hash: String,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> AuditEntry {
        AuditEntry {
            position: entry.position,
            hash: hex(&entry.hash),
            told: entry.told,
        }
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(value_type = Option<i64>)]
    before: Option<i64>,
}

/// Show who did what
///
/// Two entries for each act: one before it, one with its end. `cpq audit verify` proves that none was changed or left out.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "listAudit",
    tag = "service",
    params(Which),
    responses((status = 200, description = "A page of entries, newest first", body = AuditPage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    Params(which): Params<Which>,
) -> std::result::Result<Response, Failure> {
    let rows = page_rows(which.limit)?;
    let before = which.before.unwrap_or(i64::MAX);
    let found = api
        .store
        .read(move |tx| Box::pin(async move { audit::before(tx, before, rows + 1).await }))
        .await?;
    let mut entries: Vec<AuditEntry> = found.into_iter().map(AuditEntry::from).collect();
    let more = entries.len() > rows as usize;
    entries.truncate(rows as usize);
    let next = entries.last().filter(|_| more).map(|last| last.position);
    Ok(answer::of(200, &AuditPage { entries, next })?)
}
