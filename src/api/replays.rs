//! Replays: plans over many dead letters, carrying them out, and the replay of a single sync.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::error::Report;
use cpq_domain::id::CorrelationId;
use cpq_domain::replay::{Content, ItemNow, ItemState, Plan, PlanId, PlanState, Progress, Wanted};
use cpq_domain::run::SyncResult;
use cpq_orchestrator::ReplayStart;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::asked::Asked;
use crate::dead_letters::{LetterSelection, person};
use crate::failure::Failure;
use crate::input::{OptionalJson, Params, Segment, detached};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::{self, page_rows};
use crate::{answer, caller, limits, sync};

/// What a plan is asked with.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// Which open letters; all when absent.
    #[serde(default)]
    pub which: LetterSelection,
    /// Who asks, where the caller speaks for a person; else the name of the token's client.
    #[serde(default)]
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub by: Option<String>,
}

/// How a plan is carried out; what is absent is as configured.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRequest {
    /// The digest of the plan that was looked at; another plan is refused.
    #[serde(default)]
    pub digest: Option<String>,
    /// Opportunities that go first.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4294967295_i64)]
    pub canary: Option<u32>,
    /// Share of failed syncs above which it stops, in percent.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    pub error_percent: Option<u32>,
    /// Syncs under way at once while there is no live traffic.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 512)]
    pub at_once: Option<u32>,
}

/// A plan as it is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayPlan {
    /// Its name.
    pub id: String,
    /// Where it is.
    pub state: PlanState,
    /// SHA-256 over its content and items; empty while it is being made.
    pub digest: String,
    /// While it is made or carried out: whether its process gave a sign of life within the last seconds.
    pub alive: bool,
    /// Whether it is to pause or to end, and has not yet.
    pub stopping: bool,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last wrote something down.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// What it takes in, and what it will do.
    #[serde(flatten)]
    pub content: Content,
    /// How far it has come.
    pub progress: Progress,
}

/// A page of plans, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplayPlanPage {
    /// The plans.
    pub plans: Vec<ReplayPlan>,
    /// Hand this in as `before` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of the opportunities of a plan, in the order in which they are synced.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplayItemPage {
    /// The opportunities.
    pub items: Vec<ItemNow>,
    /// Hand this in as `after` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Which plans to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(pattern = "^rp-[0-9]{1,18}$")]
    before: Option<String>,
}

/// Which opportunities of a plan to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// In this state; all when absent.
    state: Option<ItemState>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<i64>,
}

/// Plan a replay
///
/// Freezes a selection of open dead letters, folds those of an opportunity into one sync, looks at both sides, and
/// foretells what the replay will do. Nothing is written to either side. Answers at once; look until it is `planned`.
#[utoipa::path(
    post,
    path = "/api/v1/replays",
    operation_id = "planReplay",
    tag = "dead letters",
    request_body(content = Option<PlanRequest>, content_type = "application/json"),
    responses(
        (status = 202, description = "It is being made; look at `Location`", body = ReplayPlan,
            headers(("Location" = String, description = "Where to look"))),
        (status = 400, description = "No open letter fits", body = Report),
    )
)]
pub(crate) async fn plan(
    State(api): State<ApiState>,
    asked: Asked,
    OptionalJson(body): OptionalJson<PlanRequest>,
) -> Result<Response, Failure> {
    let selection = body.value.which.selection(&asked.reach)?;
    let by = person(&asked, &body.value.by)?;
    let engine = api.engine.clone();
    let plan = detached(async move { engine.plan_replay(selection, by).await }).await?;
    accepted(&api, plan)
}

/// List replay plans
#[utoipa::path(
    get,
    path = "/api/v1/replays",
    operation_id = "listReplays",
    tag = "dead letters",
    params(Which),
    responses((status = 200, description = "A page, newest first", body = ReplayPlanPage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let limit = page_rows(which.limit)?;
    let before = which.before.as_deref().map(PlanId::parse).transpose()?;
    let plans = api.engine.replay_plans(before, limit).await?;
    let full = u32::try_from(plans.len()).is_ok_and(|rows| rows == limit);
    let next = plans.last().filter(|_| full).map(|last| last.id.to_string());
    let plans = plans.into_iter().filter(|plan| check(&reach, plan).is_ok());
    let plans = plans.map(|plan| view(&api, plan)).collect();
    Ok(answer::of(200, &ReplayPlanPage { plans, next })?)
}

/// Look at a replay
#[utoipa::path(
    get,
    path = "/api/v1/replays/{id}",
    operation_id = "getReplay",
    tag = "dead letters",
    params(("id" = String, Path, description = "Name of the plan", pattern = "^rp-[0-9]{1,18}$", example = "rp-001")),
    responses((status = 200, description = "The plan", body = ReplayPlan), (status = 404, description = "No such plan", body = Report))
)]
pub(crate) async fn get(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let plan = known(&api, &reach, &id).await?;
    Ok(answer::of(200, &view(&api, plan))?)
}

/// List the opportunities of a replay
///
/// With what was foretold, and what became of them. Kept for the last plans only.
#[utoipa::path(
    get,
    path = "/api/v1/replays/{id}/items",
    operation_id = "listReplayItems",
    tag = "dead letters",
    params(("id" = String, Path, description = "Name of the plan", pattern = "^rp-[0-9]{1,18}$", example = "rp-001"), Part),
    responses((status = 200, description = "A page, in order", body = ReplayItemPage), (status = 404, description = "No such plan", body = Report))
)]
pub(crate) async fn items(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
    Params(part): Params<Part>,
) -> Result<Response, Failure> {
    let limit = page_rows(part.limit)?;
    let id = known(&api, &reach, &id).await?.id;
    let after = part.after.unwrap_or(0);
    let items = api.engine.replay_items(id, part.state, after, limit).await?;
    let full = u32::try_from(items.len()).is_ok_and(|rows| rows == limit);
    let next = items.last().filter(|_| full).map(|last| last.item.position);
    Ok(answer::of(200, &ReplayItemPage { items, next })?)
}

/// Carry a replay out
///
/// Or go on with one that rests or whose process died. A plan that is done stays as it is, and nothing is written. A few
/// opportunities go first; it stops by itself on an error that was not among the letters, or when too many fail.
#[utoipa::path(
    post,
    path = "/api/v1/replays/{id}/start",
    operation_id = "startReplay",
    tag = "dead letters",
    params(("id" = String, Path, description = "Name of the plan", pattern = "^rp-[0-9]{1,18}$", example = "rp-001")),
    request_body(content = Option<StartRequest>, content_type = "application/json"),
    responses(
        (status = 202, description = "It runs, or is done; look at `Location`", body = ReplayPlan,
            headers(("Location" = String, description = "Where to look"))),
        (status = 400, description = "The plan is too old, was aborted, or is not what its digest says", body = Report),
        (status = 404, description = "No such plan", body = Report),
    )
)]
pub(crate) async fn start(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
    OptionalJson(body): OptionalJson<StartRequest>,
) -> Result<Response, Failure> {
    let id = reached(&api, &reach, &id).await?;
    let asked = body.value;
    let start = ReplayStart {
        digest: asked.digest,
        canary: asked.canary,
        error_percent: asked.error_percent,
        at_once: asked.at_once,
    };
    let engine = api.engine.clone();
    let plan = detached(async move { engine.start_replay(id, start).await }).await?;
    accepted(&api, plan)
}

/// Pause a replay
///
/// Begins no more syncs; those under way end. Start it again to go on.
#[utoipa::path(
    post,
    path = "/api/v1/replays/{id}/pause",
    operation_id = "pauseReplay",
    tag = "dead letters",
    params(("id" = String, Path, description = "Name of the plan", pattern = "^rp-[0-9]{1,18}$", example = "rp-001")),
    responses(
        (status = 202, description = "It pauses", body = ReplayPlan),
        (status = 400, description = "It has ended", body = Report),
        (status = 404, description = "No such plan", body = Report),
    )
)]
pub(crate) async fn pause(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    halt(&api, &reach, &id, Wanted::Pause).await
}

/// Abort a replay
///
/// Begins no more syncs; those under way end. What was not begun stays an open dead letter.
#[utoipa::path(
    post,
    path = "/api/v1/replays/{id}/abort",
    operation_id = "abortReplay",
    tag = "dead letters",
    params(("id" = String, Path, description = "Name of the plan", pattern = "^rp-[0-9]{1,18}$", example = "rp-001")),
    responses(
        (status = 202, description = "It ends", body = ReplayPlan),
        (status = 400, description = "It has ended", body = Report),
        (status = 404, description = "No such plan", body = Report),
    )
)]
pub(crate) async fn abort(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    halt(&api, &reach, &id, Wanted::Abort).await
}

/// Replay a sync
///
/// A fresh sync of the same opportunity, whatever came of the first one; both timelines name each other. If both sides
/// agree, nothing is written. Waits for the end as long as `Prefer: wait=N` says.
#[utoipa::path(
    post,
    path = "/api/v1/sync/{correlationId}/replay",
    operation_id = "replaySync",
    tag = "sync",
    params(
        ("correlationId" = CorrelationId, Path, description = "Correlation id of a sync that has ended", example = "csync-001"),
        ("Prefer" = Option<String>, Header, description = "RFC 7240: `wait=N` in seconds, at most 25, usually 10"),
    ),
    responses(
        (status = 200, description = "Both sides agree", body = SyncResult),
        (status = 202, description = "It goes on; look at `Location`", body = SyncResult),
        (status = 400, description = "The sync has not ended yet", body = Report),
        (status = 404, description = "No such sync", body = Report),
    )
)]
pub(crate) async fn sync(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let id = CorrelationId::new(id)?;
    timeline::reached(&api, &asked.reach, &id).await?;
    let wait = caller::wait(&asked.headers, &api.settings);
    let (engine, by) = (api.engine.clone(), asked.client.as_str().to_owned());
    let run = detached(async move { engine.replay_sync(&id, by).await }).await?;
    sync::follow(&api, run, wait, None).await
}

async fn halt(api: &ApiState, reach: &Reach, id: &str, wanted: Wanted) -> Result<Response, Failure> {
    let id = reached(api, reach, id).await?;
    let engine = api.engine.clone();
    let plan = detached(async move { engine.stop_replay(id, wanted).await }).await?;
    accepted(api, plan)
}

/// The plan of that name, if the caller reaches it.
async fn known(api: &ApiState, reach: &Reach, id: &str) -> cpq_domain::Result<Plan> {
    let plan = api.engine.replay_plan(PlanId::parse(id)?).await?;
    check(reach, &plan)?;
    Ok(plan)
}

/// Its id, where the caller reaches it. Whoever reaches all is told by the engine that there is none.
async fn reached(api: &ApiState, reach: &Reach, id: &str) -> cpq_domain::Result<PlanId> {
    match reach.is_narrow() {
        true => Ok(known(api, reach, id).await?.id),
        false => PlanId::parse(id),
    }
}

/// A plan over all connections belongs to none.
fn check(reach: &Reach, plan: &Plan) -> cpq_domain::Result<()> {
    let of = plan.content.selection.connection.as_ref();
    reach.check(of.map_or("", |connection| connection.as_str()))
}

fn accepted(api: &ApiState, plan: Plan) -> Result<Response, Failure> {
    let view = view(api, plan);
    let mut response = answer::of(202, &view)?;
    let headers = response.headers_mut();
    answer::set(headers, "location", &format!("/api/v1/replays/{}", view.id));
    headers.insert(http::header::RETRY_AFTER, limits::LOOK_AGAIN_S.into());
    Ok(response)
}

fn view(api: &ApiState, plan: Plan) -> ReplayPlan {
    let works = matches!(plan.state, PlanState::Planning | PlanState::Running);
    ReplayPlan {
        id: plan.id.to_string(),
        state: plan.state,
        digest: plan.digest,
        alive: works && plan.lease_until > api.world.now(),
        stopping: plan.wanted.is_some(),
        created_at: plan.created_at,
        updated_at: plan.updated_at,
        content: plan.content,
        progress: plan.progress,
    }
}
