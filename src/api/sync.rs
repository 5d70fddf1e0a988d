//! Starting a sync, and asking what one would do.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use cpq_domain::error::{Code, Error, Report};
use cpq_domain::id::{ConnectionName, Lane, OpportunityKey};
use cpq_domain::keyed::Keyed;
use cpq_domain::run::{Run, RunState, SyncResult, Trigger};
use cpq_orchestrator::{Engine, Submission, Submitted};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::input::{OptionalJson, Segment, detached};
use crate::plan::SyncPlan;
use crate::reach::Reach;
use crate::state::ApiState;
use crate::{answer, caller, limits, traced};

/// What a sync is asked with. May be left out.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncRequest {
    /// The CRM connection; when absent, the one that the token is for, or the default one.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
}

/// Sync an opportunity and its quote
///
/// Waits for the end as long as `Prefer: wait=N` says. A sync that has not ended by then goes on by itself, and so does
/// one whose caller hangs up. With an `Idempotency-Key` a repeat never starts a second sync.
#[utoipa::path(
    post,
    path = "/api/v1/sync/opportunities/{id}",
    operation_id = "startSync",
    tag = "sync",
    params(
        ("id" = OpportunityKey, Path, description = "Business number (`OPP-4482`) or CRM id of the opportunity", example = "OPP-4482"),
        ("Prefer" = Option<String>, Header, description = "RFC 7240: `wait=N` in seconds, at most 25, usually 10; `wait=0` or `respond-async` answers at once"),
        ("Idempotency-Key" = Option<String>, Header, pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#, description = "1 to 255 visible ASCII characters; belongs to the token's client for 30 days"),
        ("X-Correlation-Id" = Option<String>, Header, description = "The caller's own id; kept and searchable beside ours"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context"),
    ),
    request_body(content = Option<SyncRequest>, content_type = "application/json"),
    responses(
        (status = 200, description = "Both sides agree", body = SyncResult,
            headers(
                ("X-Correlation-Id" = String, description = "Our id of the sync"),
                ("Idempotent-Replayed" = Option<String>, description = "`true` on a stored answer, which has the bytes of the first one"))),
        (status = 202, description = "It goes on; look at `Location`", body = SyncResult,
            headers(("Location" = String, description = "Where to look"), ("Retry-After" = u64, description = "When to look, in seconds"))),
        (status = 404, description = "No such opportunity, or not visible to the integration user", body = Report),
        (status = 409, description = "The first request with this key is still running", body = Report),
        (status = 410, description = "The key was used long ago", body = Report),
        (status = 422, description = "The sync failed for good, or the key belongs to another request", body = Report),
        (status = 424, description = "The CRM connection needs a person; the sync waits and resumes by itself", body = Report),
    )
)]
pub(crate) async fn start(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    OptionalJson(body): OptionalJson<SyncRequest>,
) -> Result<Response, Failure> {
    let keyed = asked.keyed(&body.canonical)?;
    let wait = caller::wait(&asked.headers, &api.settings);
    let submission = Submission {
        lane: lane(&api, &asked.reach, id, body.value)?,
        trigger: Trigger::Request,
        caller_correlation: asked.caller.correlation,
        traceparent: asked.caller.trace,
        keyed: keyed.clone(),
        hints: Vec::new(),
    };
    match submit(&api.engine, submission).await? {
        Submitted::Accepted(run) | Submitted::Joined(run) => follow(&api, run, wait, keyed).await,
        Submitted::Running { run, answered } => again(&api, &run, answered),
        Submitted::Replayed { status, body } => Ok(answer::replayed(status, body)),
    }
}

/// Plan a sync
///
/// Tells field by field what a sync would do now and why. Nothing is written anywhere.
#[utoipa::path(
    post,
    path = "/api/v1/sync/opportunities/{id}/plan",
    operation_id = "planSync",
    tag = "sync",
    params(("id" = OpportunityKey, Path, description = "Business number or CRM id of the opportunity", example = "OPP-4482")),
    request_body(content = Option<SyncRequest>, content_type = "application/json"),
    responses(
        (status = 200, description = "What would be done", body = SyncPlan),
        (status = 404, description = "No such opportunity", body = Report),
    )
)]
pub(crate) async fn plan(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
    OptionalJson(body): OptionalJson<SyncRequest>,
) -> Result<Response, Failure> {
    let lane = lane(&api, &reach, id, body.value)?;
    let plan = api.engine.dry_run(&lane).await?;
    Ok(answer::of(200, &SyncPlan::from(plan))?)
}

/// Hands a wish to the engine. Between the commit and the start of the work the wish must not be dropped half-way, so
/// it runs apart from the request.
pub(crate) async fn submit(engine: &Engine, submission: Submission) -> cpq_domain::Result<Submitted> {
    let engine = engine.clone();
    let submitted = detached(async move { engine.submit(submission).await }).await?;
    if let Submitted::Accepted(run) | Submitted::Joined(run) | Submitted::Running { run, .. } = &submitted {
        traced::leads_to(run);
    }
    Ok(submitted)
}

pub(crate) fn lane(
    api: &ApiState,
    reach: &Reach,
    id: String,
    asked: SyncRequest,
) -> cpq_domain::Result<Lane> {
    let opportunity = OpportunityKey::new(id)?;
    Ok(Lane {
        connection: reach.one(asked.connection, &api.settings.default_connection)?,
        opportunity,
    })
}

/// Waits for the end of the run as long as the caller will.
pub(crate) async fn follow(
    api: &ApiState,
    run: Run,
    wait: Duration,
    keyed: Option<Keyed>,
) -> Result<Response, Failure> {
    let run = if wait.is_zero() {
        run
    } else {
        api.engine.wait(run.id, wait).await?
    };
    let response = answer::of_run(&run, api.world.now());
    if response.status() == http::StatusCode::ACCEPTED
        && let Some(keyed) = keyed
    {
        let engine = api.engine.clone();
        detached(async move { engine.answered_202(&keyed).await }).await?;
    }
    Ok(response)
}

/// The answer to a repeat while the run of the first request has not ended.
fn again(api: &ApiState, run: &Run, answered: bool) -> Result<Response, Failure> {
    let rests = matches!(run.state, RunState::Waiting | RunState::Parked);
    if answered || rests {
        return Ok(answer::of_run(run, api.world.now()));
    }
    let error = Error::new(
        Code::IdempotencyInProgress,
        "the first request with this idempotency key is still running",
    );
    Err(error
        .fact("sync", run.correlation.as_str())
        .retry_after_ms(limits::LOOK_AGAIN_S * 1000)
        .into())
}
