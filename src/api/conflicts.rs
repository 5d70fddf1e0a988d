//! Conflicts: looking at them, and deciding them.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::conflict::{Choice, Conflict, ConflictState, Take};
use cpq_domain::error::Report;
use cpq_domain::id::{ConflictId, ConnectionName, OpportunityKey};
use cpq_domain::run::SyncResult;
use cpq_orchestrator::Ruled;
use cpq_store::conflicts::Filter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::asked::Asked;
use crate::failure::Failure;
use crate::input::{Json, Params, Segment, detached, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::page_rows;
use crate::{answer, caller, limits};

/// A page of conflicts, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConflictPage {
    /// The conflicts.
    pub conflicts: Vec<Conflict>,
    /// Hand this in as `before` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ConflictId>,
}

/// Which conflicts to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// In this state.
    state: Option<ConflictState>,
    /// Of this field, by its canonical name.
    field: Option<String>,
    /// Of the opportunity with this number or id.
    #[param(value_type = Option<OpportunityKey>)]
    opportunity: Option<OpportunityKey>,
    /// Of this connection.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(value_type = Option<ConflictId>)]
    before: Option<ConflictId>,
}

/// A decision about a conflict.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConflictDecision {
    /// Which value counts.
    pub take: Take,
    /// The text of another value, with `take: value`; read as the kind of value that is in conflict, e.g.
    /// `12.50 USD`, `12.5`, `2026-12-31`. Empty: no value.
    #[serde(default)]
    pub value: Option<String>,
    /// Decide all open conflicts of the same connection, field and policy in the same way, at most 200 at a time.
    #[serde(default)]
    pub all_like: bool,
    /// Why; kept with the decision.
    #[serde(default)]
    #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub reason: Option<String>,
    /// Who decides, where the caller speaks for a person; else the name of the token's client.
    #[serde(default)]
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub by: Option<String>,
    /// The version of the conflict that was looked at; refused when it has changed since.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4294967295_i64)]
    pub version: Option<u32>,
}

/// What became of a decision.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictDecided {
    /// The conflict as it is now: `resolved` once the sync that carries the decision out has ended.
    pub conflict: Conflict,
    /// All conflicts that were decided.
    pub decided: Vec<ConflictId>,
    /// The syncs that carry it out, one per opportunity.
    pub syncs: Vec<SyncResult>,
    /// Whether there may be more like it: repeat the request for one of them.
    pub more: bool,
}

/// List conflicts
#[utoipa::path(
    get,
    path = "/api/v1/conflicts",
    operation_id = "listConflicts",
    tag = "conflicts",
    params(Which),
    responses((status = 200, description = "A page, newest first", body = ConflictPage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let limit = page_rows(which.limit)?;
    let filter = Filter {
        connection: reach.part(which.connection)?,
        opportunity: which.opportunity,
        field: which.field.as_deref().map(Into::into),
        state: which.state,
        before: which.before,
        limit,
    };
    let conflicts = api.engine.conflicts(filter).await?;
    let full = u32::try_from(conflicts.len()).is_ok_and(|rows| rows == limit);
    let next = conflicts.last().filter(|_| full).map(|last| last.id.clone());
    Ok(answer::of(200, &ConflictPage { conflicts, next })?)
}

/// Show a conflict
#[utoipa::path(
    get,
    path = "/api/v1/conflicts/{id}",
    operation_id = "getConflict",
    tag = "conflicts",
    params(("id" = ConflictId, Path, description = "Its name", example = "cf-001")),
    responses(
        (status = 200, description = "The conflict", body = Conflict),
        (status = 404, description = "No such conflict", body = Report),
    )
)]
pub(crate) async fn get(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let conflict = known(&api, &reach, &ConflictId::new(id)?).await?;
    Ok(answer::of(200, &conflict)?)
}

/// Decide a conflict
///
/// The decision is kept, and a sync of the opportunity carries it out while both sides still hold what was decided
/// about; if a value changed meanwhile, the conflict stays open with the new values and says so. Waits for the end as
/// long as `Prefer: wait=N` says. Deciding anew before the sync has begun replaces the decision.
#[utoipa::path(
    post,
    path = "/api/v1/conflicts/{id}/resolve",
    operation_id = "resolveConflict",
    tag = "conflicts",
    params(
        ("id" = ConflictId, Path, description = "Its name", example = "cf-001"),
        ("Prefer" = Option<String>, Header, description = "RFC 7240: `wait=N` in seconds, at most 25, usually 10; `wait=0` or `respond-async` answers at once"),
    ),
    request_body(content = ConflictDecision, content_type = "application/json"),
    responses(
        (status = 200, description = "Decided; `syncs` tells how far it is carried out", body = ConflictDecided),
        (status = 400, description = "The value does not read as one of the kind in conflict", body = Report),
        (status = 404, description = "No such conflict", body = Report),
        (status = 409, description = "It is closed, or has changed since it was looked at", body = Report),
    )
)]
pub(crate) async fn resolve(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    body: Json<ConflictDecision>,
) -> Result<Response, Failure> {
    let id = ConflictId::new(id)?;
    if asked.reach.is_narrow() {
        known(&api, &asked.reach, &id).await?;
    }
    let decision = body.value;
    let choice = choice(&decision, asked.client.as_str())?;
    let wait = caller::wait(&asked.headers, &api.settings);
    let (engine, named) = (api.engine.clone(), id.clone());
    let ruled = detached(async move {
        engine
            .rule(&named, decision.version, &choice, decision.all_like)
            .await
    })
    .await?;
    let syncs = follow(&api, &ruled, wait).await?;
    let decided = ConflictDecided {
        conflict: api.engine.conflict(&id).await?,
        decided: ruled.conflicts,
        syncs,
        more: ruled.more,
    };
    Ok(answer::of(200, &decided)?)
}

/// The conflict of that name, if the caller reaches it.
async fn known(api: &ApiState, reach: &Reach, id: &ConflictId) -> cpq_domain::Result<Conflict> {
    let conflict = api.engine.conflict(id).await?;
    reach.check(conflict.connection.as_str())?;
    Ok(conflict)
}

fn choice(decision: &ConflictDecision, client: &str) -> cpq_domain::Result<Choice> {
    let short = |name: &str, text: &Option<String>, most: usize| match text {
        Some(text) if text.chars().count() > most || text.chars().any(char::is_control) => {
            let message = format!("{name} must be at most {most} characters on one line");
            Err(invalid(message).field(name))
        }
        text => Ok(text.clone().filter(|text| !text.trim().is_empty())),
    };
    let by = short("by", &decision.by, limits::PERSON_CHARS)?;
    Ok(Choice {
        take: decision.take,
        value: decision.value.clone(),
        by: by.map_or_else(|| client.to_owned(), |by| format!("{by} ({client})")),
        reason: short("reason", &decision.reason, limits::REASON_CHARS)?,
    })
}

/// Waits for the syncs, all together as long as the caller will.
async fn follow(
    api: &ApiState,
    ruled: &Ruled,
    wait: std::time::Duration,
) -> cpq_domain::Result<Vec<SyncResult>> {
    let runs = ruled.runs.iter().map(|run| async {
        match wait.is_zero() {
            true => Ok(run.result()),
            false => Ok(api.engine.wait(run.id, wait).await?.result()),
        }
    });
    futures_util::future::try_join_all(runs).await
}
