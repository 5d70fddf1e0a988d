//! Looking at syncs: one with its stages, or a list.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::error::Report;
use cpq_domain::event::{EventKind, SyncEvent};
use cpq_domain::id::{ConnectionName, CorrelationId, OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::run::{Run, RunState, SyncResult, Trigger};
use cpq_orchestrator::RunHistory;
use cpq_store::runs::Filter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::failure::Failure;
use crate::input::{Params, Segment, invalid};
use crate::links::Links;
use crate::reach::Reach;
use crate::state::ApiState;
use crate::{answer, limits, links};

/// A sync as it is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// What its caller was told, or would be told now.
    #[serde(flatten)]
    pub result: SyncResult,
    /// The CRM connection.
    pub connection: String,
    /// The opportunity, as it was named.
    pub opportunity: String,
    /// What asked for it.
    pub trigger: Trigger,
    /// How often a worker took it.
    pub attempt: u32,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Where its records can be looked at; only when one sync is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// Its steps, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<Stage>>,
    /// Its whole journal, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<SyncEvent>>,
}

/// One step of a sync, as it went in one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Name of the step, e.g. `write.crm`, or what happened to the whole sync, e.g. `accepted`.
    pub name: String,
    /// How it went.
    pub status: StageStatus,
    /// The attempt in which it went so.
    pub attempt: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Report>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// It ended well.
    Done,
    /// It failed.
    Failed,
    /// It began, and has not ended; if the sync is not running, its outcome is not known.
    Open,
}

/// A page of syncs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyncPage {
    /// The syncs, without their stages.
    pub syncs: Vec<SyncReport>,
    /// Hand this in as `before` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What to show of a sync.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shown {
    /// Whether to show the whole journal too.
    #[serde(default)]
    events: bool,
}

/// Which syncs to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Of this connection.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// In this state.
    state: Option<RunState>,
    /// Of the opportunity that was named so.
    #[param(value_type = Option<OpportunityKey>)]
    opportunity: Option<OpportunityKey>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    before: Option<String>,
}

/// Look at a sync
///
/// By our correlation id, or by the caller's own; then the newest sync of that id.
#[utoipa::path(
    get,
    path = "/api/v1/sync/{correlationId}",
    operation_id = "getSync",
    tag = "sync",
    params(("correlationId" = CorrelationId, Path, description = "Correlation id", example = "csync-001"), Shown),
    responses((status = 200, description = "The sync", body = SyncReport), (status = 404, description = "No such sync", body = Report))
)]
pub(crate) async fn get(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
    Params(shown): Params<Shown>,
) -> Result<Response, Failure> {
    let history = known(&api, &reach, &CorrelationId::new(id)?).await?;
    let correlation = history.run.correlation.clone();
    let links = links::of(&api, &history.run).await?;
    let report = SyncReport {
        links: Some(links),
        ..told(history, shown.events)
    };
    let mut response = answer::of(200, &report)?;
    answer::set(
        response.headers_mut(),
        crate::caller::CORRELATION,
        correlation.as_str(),
    );
    Ok(response)
}

/// List syncs
#[utoipa::path(
    get,
    path = "/api/v1/sync",
    operation_id = "listSyncs",
    tag = "sync",
    params(Which),
    responses((status = 200, description = "A page, newest first", body = SyncPage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let limit = page_rows(which.limit)?;
    let before = which
        .before
        .as_deref()
        .map(|text| run_id(text, "before"))
        .transpose()?;
    let filter = Filter {
        connection: reach.part(which.connection)?,
        state: which.state,
        opportunity: which.opportunity,
        before,
        limit,
        ..Filter::default()
    };
    let runs = api.engine.list(filter).await?;
    let full = u32::try_from(runs.len()).is_ok_and(|rows| rows == limit);
    let next = runs.last().filter(|_| full).map(|run| run.id.to_string());
    let syncs = runs.into_iter().map(|run| brief(&run)).collect();
    Ok(answer::of(200, &SyncPage { syncs, next })?)
}

/// The sync of that id with its journal, if the caller reaches it.
pub(crate) async fn known(
    api: &ApiState,
    reach: &Reach,
    id: &CorrelationId,
) -> cpq_domain::Result<RunHistory> {
    let history = api.engine.history(id).await?;
    reach.check(history.run.lane.connection.as_str())?;
    Ok(history)
}

/// Refuses a sync that the caller does not reach. Whoever reaches all is told by the engine that there is none.
pub(crate) async fn reached(api: &ApiState, reach: &Reach, id: &CorrelationId) -> cpq_domain::Result<()> {
    if reach.is_narrow() {
        known(api, reach, id).await?;
    }
    Ok(())
}

/// Rows of a page, within our limit.
pub(crate) fn page_rows(asked: Option<u32>) -> cpq_domain::Result<u32> {
    match asked.unwrap_or(limits::PAGE_DEFAULT) {
        rows @ 1..=PAGE_ROWS => Ok(rows),
        rows => Err(invalid(format!("limit is {rows}; it must be 1 to {PAGE_ROWS}")).field("limit")),
    }
}

/// An id that we gave out earlier, e.g. as the `next` of a page.
pub(crate) fn run_id(text: &str, field: &str) -> cpq_domain::Result<RunId> {
    // Through serde, because the API needs nothing else of the UUID type.
    serde_json::from_value(text.into())
        .map_err(|_| invalid(format!("`{field}` must be an id that this API gave out")).field(field))
}

fn brief(run: &Run) -> SyncReport {
    SyncReport {
        result: run.result(),
        connection: run.lane.connection.to_string(),
        opportunity: run.lane.opportunity.to_string(),
        trigger: run.trigger,
        attempt: run.attempt,
        created_at: run.created_at,
        updated_at: run.updated_at,
        links: None,
        stages: None,
        events: None,
    }
}

fn told(history: RunHistory, events: bool) -> SyncReport {
    let mut report = brief(&history.run);
    report.stages = Some(stages(&history.events));
    report.events = events.then_some(history.events);
    report
}

/// The stages that a journal tells of, in the order in which they began: how the run was taken in, its steps, and how
/// it went on. An intent becomes a stage that is open until its outcome is written down.
pub(crate) fn stages(events: &[SyncEvent]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for event in events {
        let status = match event.kind {
            EventKind::Intent => StageStatus::Open,
            EventKind::Done => StageStatus::Done,
            EventKind::Failed => StageStatus::Failed,
            EventKind::Accepted | EventKind::Hint | EventKind::Requeued | EventKind::Restarted => {
                StageStatus::Done
            }
            EventKind::Succeeded | EventKind::Superseded | EventKind::Replayed => StageStatus::Done,
            EventKind::Parked | EventKind::Waiting | EventKind::Dead | EventKind::Cancelled => {
                StageStatus::Failed
            }
        };
        let stage = stage(event, status);
        let open = |old: &&mut Stage| old.name == stage.name && old.status == StageStatus::Open;
        match stages.iter_mut().rev().find(open) {
            Some(begun) if status != StageStatus::Open => *begun = stage,
            _ => stages.push(stage),
        }
    }
    // Reads that ran side by side are in the journal in the order of their ends.
    stages.sort_by_key(|stage| stage.started_at);
    stages
}

#[allow(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
fn stage(event: &SyncEvent, status: StageStatus) -> Stage {
    let failed = status == StageStatus::Failed;
    Stage {
        name: if event.step == "run" {
            event.kind.as_str().into()
        } else {
            event.step.clone()
        },
        status,
        attempt: event.attempt,
        started_at: event.at,
        duration_ms: event.duration_us.map(|us| us as f64 / 1000.0),
        error: if failed { event.data.read().ok() } else { None },
    }
}

#[cfg(test)]
mod tests {
    use cpq_domain::event::Data;

    use super::*;

    fn event(kind: EventKind, step: &str, attempt: u32, duration_us: Option<u64>) -> SyncEvent {
        let at = Timestamp::UNIX_EPOCH;
        SyncEvent {
            sequence: 0,
            kind,
            step: step.into(),
            attempt,
            at,
            duration_us,
            data: Data::NONE,
        }
    }

    #[test]
    fn an_intent_is_one_stage_with_its_outcome_and_open_without() {
        let journal = [
            event(EventKind::Accepted, "run", 0, None),
            event(EventKind::Done, "read.crm", 1, Some(1_250)),
            event(EventKind::Intent, "write.cpq", 1, None),
            event(EventKind::Failed, "write.cpq", 1, Some(10)),
            event(EventKind::Parked, "run", 1, None),
            event(EventKind::Intent, "write.cpq", 2, None),
        ];
        let stages: Vec<_> = stages(&journal)
            .into_iter()
            .map(|stage| (stage.name, stage.status, stage.attempt, stage.duration_ms))
            .collect();
        assert_eq!(
            stages,
            [
                ("accepted".into(), StageStatus::Done, 0, None),
                ("read.crm".into(), StageStatus::Done, 1, Some(1.25)),
                ("write.cpq".into(), StageStatus::Failed, 1, Some(0.01)),
                ("parked".into(), StageStatus::Failed, 1, None),
                ("write.cpq".into(), StageStatus::Open, 2, None),
            ]
        );
    }
}
