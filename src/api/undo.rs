//! Taking back what syncs wrote.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::error::Report;
use cpq_domain::id::{ConnectionName, CorrelationId, OpportunityKey};
use cpq_domain::run::SyncResult;
use cpq_domain::view::FieldName;
use cpq_orchestrator::{Undo, UndoItem, UndoWhich};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::input::{Json, Segment, detached, invalid};
use crate::plan::SyncPlan;
use crate::state::ApiState;
use crate::timeline::reached;
use crate::{answer, caller, sync};

/// Characters of a reason: a sentence or two.
const REASON_CHARS: usize = 500;

/// Characters of a field's name: those of the longest that a matrix may have.
const FIELD_CHARS: usize = 200;

/// How a sync is taken back.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UndoWish {
    /// Only this field, e.g. `opportunity.amount`.
    #[schema(value_type = Option<String>, max_length = 200, pattern = r"^[^.]+\.[^.]+$")]
    pub field: Option<String>,
    /// Whether the side that the values came from gets the old ones too. Else the rules in force say what becomes of it, and
    /// nothing is put back that they would only write again.
    pub both_sides: bool,
    /// Why, in words; it is kept with the sync.
    #[schema(max_length = 500)]
    pub reason: String,
}

/// Which syncs are taken back, and how.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoMany {
    /// Of this connection; of all when absent.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
    /// Of this opportunity; of all when absent.
    #[serde(default)]
    pub opportunity: Option<OpportunityKey>,
    /// Accepted at this moment or later.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Accepted before this moment.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Only this field.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200, pattern = r"^[^.]+\.[^.]+$")]
    pub field: Option<String>,
    /// Whether the side that the values came from gets the old ones too.
    #[serde(default)]
    pub both_sides: bool,
    /// Why, in words; it is kept with the syncs.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// What is, or would be, taken back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndoReport {
    /// One per opportunity.
    pub items: Vec<UndoEntry>,
    /// How many values were written, over all.
    pub values: u64,
}

/// What is, or would be, taken back of one opportunity.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndoEntry {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The opportunity.
    pub opportunity: OpportunityKey,
    /// The syncs, oldest first.
    pub syncs: Vec<CorrelationId>,
    /// How many values they wrote that could be put back.
    pub values: u64,
    /// The sync that puts them back; absent in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
}

impl UndoWish {
    fn of(self, which: UndoWhich, by: &Asked) -> Result<Undo, Failure> {
        if self.reason.chars().count() > REASON_CHARS {
            return Err(
                invalid(format!("`reason` is longer than {REASON_CHARS} characters"))
                    .field("reason")
                    .into(),
            );
        }
        if self.field.as_ref().is_some_and(|field| !is_field(field)) {
            return Err(
                invalid("`field` is no name of a field, such as opportunity.amount")
                    .field("field")
                    .next("`cpq ownership show` lists the fields")
                    .into(),
            );
        }
        Ok(Undo {
            which,
            field: self.field.as_deref().map(FieldName::new),
            both_sides: self.both_sides,
            by: by.client.as_str().to_owned(),
            reason: self.reason,
        })
    }
}

/// An object and a field of it, with a dot between.
fn is_field(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) && name.chars().count() <= FIELD_CHARS
}

impl UndoMany {
    fn undo(self, by: &Asked) -> Result<Undo, Failure> {
        if self.since >= self.until {
            return Err(invalid("`until` is not after `since`").field("until").into());
        }
        let which = UndoWhich::Between {
            connection: by.reach.part(self.connection)?,
            opportunity: self.opportunity,
            since: self.since,
            until: self.until,
        };
        let wish = UndoWish {
            field: self.field,
            both_sides: self.both_sides,
            reason: self.reason,
        };
        wish.of(which, by)
    }
}

/// See what taking back a sync would do
///
/// Reads both sides and writes nothing anywhere. `undone` says of every value that the sync wrote what would become of it.
#[utoipa::path(
    post,
    path = "/api/v1/sync/{correlationId}/undo/plan",
    operation_id = "planUndo",
    tag = "sync",
    params(("correlationId" = CorrelationId, Path, description = "Correlation id of a sync that has ended", example = "csync-001")),
    request_body = UndoWish,
    responses(
        (status = 200, description = "What would be done", body = SyncPlan),
        (status = 400, description = "The sync has not ended, or wrote nothing that could be put back", body = Report),
        (status = 404, description = "No such sync", body = Report),
    )
)]
pub(crate) async fn plan(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    Json { value: wish, .. }: Json<UndoWish>,
) -> Result<Response, Failure> {
    let item = one(&api, &asked, id, wish).await?;
    let plan = api.engine.plan_undo(&item).await?;
    Ok(answer::of(200, &SyncPlan::from(plan))?)
}

/// Take back a sync
///
/// A sync of its own puts back what the named one wrote, where it still stands: a value that somebody changed since is left
/// alone, and so is one that the rules in force would only write again. Both timelines name each other; `outcome.undone`
/// says what became of every value. Doing it twice writes nothing more. Waits for the end as long as `Prefer: wait=N` says.
#[utoipa::path(
    post,
    path = "/api/v1/sync/{correlationId}/undo",
    operation_id = "undoSync",
    tag = "sync",
    params(
        ("correlationId" = CorrelationId, Path, description = "Correlation id of a sync that has ended", example = "csync-001"),
        ("Prefer" = Option<String>, Header, description = "RFC 7240: `wait=N` in seconds, at most 25, usually 10"),
    ),
    request_body = UndoWish,
    responses(
        (status = 200, description = "Done", body = SyncResult),
        (status = 202, description = "It goes on; look at `Location`", body = SyncResult),
        (status = 400, description = "The sync has not ended, or wrote nothing that could be put back", body = Report),
        (status = 404, description = "No such sync", body = Report),
    )
)]
pub(crate) async fn sync(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    Json { value: wish, .. }: Json<UndoWish>,
) -> Result<Response, Failure> {
    let wait = caller::wait(&asked.headers, &api.settings);
    let item = one(&api, &asked, id, wish).await?;
    let engine = api.engine.clone();
    let run = detached(async move { engine.undo(item).await }).await?;
    sync::follow(&api, run, wait, None).await
}

/// See what there is to take back of a time
///
/// Counts from the decisions that are kept; neither side is asked. At most 1,000 opportunities.
#[utoipa::path(
    post,
    path = "/api/v1/undo/plan",
    operation_id = "planUndoMany",
    tag = "sync",
    request_body = UndoMany,
    responses(
        (status = 200, description = "What there is", body = UndoReport),
        (status = 400, description = "Too much of it", body = Report),
    )
)]
pub(crate) async fn plan_many(
    State(api): State<ApiState>,
    asked: Asked,
    Json { value: wish, .. }: Json<UndoMany>,
) -> Result<Response, Failure> {
    let items = api.engine.to_undo(wish.undo(&asked)?).await?;
    Ok(answer::of(
        200,
        &report(items.iter().map(|item| entry(item, None)).collect()),
    )?)
}

/// Take back all syncs of a time
///
/// One sync per opportunity is accepted and goes on by itself; look at each by its `correlationId`. At most 1,000
/// opportunities. Doing it twice writes nothing more.
#[utoipa::path(
    post,
    path = "/api/v1/undo",
    operation_id = "undoMany",
    tag = "sync",
    request_body = UndoMany,
    responses(
        (status = 202, description = "Accepted", body = UndoReport),
        (status = 400, description = "Too much of it; nothing was accepted", body = Report),
    )
)]
pub(crate) async fn many(
    State(api): State<ApiState>,
    asked: Asked,
    Json { value: wish, .. }: Json<UndoMany>,
) -> Result<Response, Failure> {
    let (undo, engine) = (wish.undo(&asked)?, api.engine.clone());
    let accepted = detached(async move {
        let mut entries = Vec::new();
        for item in engine.to_undo(undo).await? {
            let run = engine.undo(item.clone()).await?;
            entries.push(entry(&item, Some(run.correlation)));
        }
        Ok(entries)
    });
    Ok(answer::of(202, &report(accepted.await?))?)
}

async fn one(api: &ApiState, asked: &Asked, id: String, wish: UndoWish) -> Result<UndoItem, Failure> {
    let id = CorrelationId::new(id)?;
    reached(api, &asked.reach, &id).await?;
    let which = UndoWhich::Sync(id);
    let items = api.engine.to_undo(wish.of(which, asked)?).await?;
    let missing = || invalid("the sync wrote nothing that could be put back");
    Ok(items.into_iter().next().ok_or_else(missing)?)
}

fn entry(item: &UndoItem, run: Option<CorrelationId>) -> UndoEntry {
    UndoEntry {
        connection: item.lane.connection.clone(),
        opportunity: item.lane.opportunity.clone(),
        syncs: item.undoes.syncs.clone(),
        values: item.values as u64,
        correlation_id: run,
    }
}

fn report(items: Vec<UndoEntry>) -> UndoReport {
    let values = items.iter().map(|item| item.values).sum();
    UndoReport { items, values }
}
