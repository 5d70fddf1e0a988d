//! A person's answer about a record that is gone on one side.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::deletion::{Answer, Gone};
use cpq_domain::error::Report;
use cpq_domain::id::{ConnectionName, OpportunityKey};
use cpq_domain::run::{SyncResult, Trigger};
use cpq_orchestrator::{Submission, Submitted};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::input::{Json, Segment, detached};
use crate::state::ApiState;
use crate::{caller, sync};

/// What to do about a record that is gone.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletedAnswer {
    /// The CRM connection; the default one when absent.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
    /// Which record is gone.
    pub record: Gone,
    /// `archive` or `unlink` for an opportunity, `unlink` or `recreate` for the others.
    pub answer: Answer,
}

/// Answer about a deleted record
///
/// Says what is to be done about an opportunity that was deleted in the CRM, a quote's own record that was deleted there,
/// or a quote that is gone from the CPQ. Syncs that wait for the answer go on, and the opportunity is looked at again; the
/// answer is remembered until the record is there again. Waits for the end as long as `Prefer: wait=N` says.
#[utoipa::path(
    post,
    path = "/api/v1/sync/opportunities/{id}/deleted",
    operation_id = "answerDeleted",
    tag = "sync",
    params(
        ("id" = OpportunityKey, Path, description = "Business number or CRM id of the opportunity", example = "OPP-4482"),
        ("Prefer" = Option<String>, Header, description = "RFC 7240: `wait=N` in seconds, at most 25, usually 10"),
    ),
    request_body(content = DeletedAnswer, content_type = "application/json"),
    responses(
        (status = 200, description = "Done as answered, or there was nothing to be done", body = SyncResult),
        (status = 202, description = "It goes on; look at `Location`", body = SyncResult),
        (status = 400, description = "The record cannot have this answer", body = Report),
        (status = 404, description = "The opportunity was never synced", body = Report),
    )
)]
pub(crate) async fn answer(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    Json { value, .. }: Json<DeletedAnswer>,
) -> Result<Response, Failure> {
    let wait = caller::wait(&asked.headers, &api.settings);
    let connection = value.connection;
    let lane = sync::lane(&api, &asked.reach, id, sync::SyncRequest { connection })?;
    let submission = Submission {
        caller_correlation: asked.caller.correlation,
        traceparent: asked.caller.trace,
        ..Submission::of(lane, Trigger::Decision)
    };
    let engine = api.engine.clone();
    let answered = async move {
        engine
            .answer_deleted(submission, value.record, value.answer)
            .await
    };
    match detached(answered).await? {
        Submitted::Accepted(run) | Submitted::Joined(run) | Submitted::Running { run, .. } => {
            sync::follow(&api, run, wait, None).await
        }
        Submitted::Replayed { status, body } => Ok(crate::answer::replayed(status, body)),
    }
}
