//! What a sync decided, field by field.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::error::Report;
use cpq_domain::id::CorrelationId;
use cpq_domain::resolve::Decision;
use cpq_store::decisions;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::input::Segment;
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::known;

/// What a sync decided.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyncDecisions {
    /// In the order in which they were made. A decision that only repeats the last one about its field is not among them.
    pub decisions: Vec<SyncDecision>,
}

/// A decision of a sync.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncDecision {
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
    /// The matrix that was in force.
    pub matrix_version: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Show what a sync decided
#[utoipa::path(
    get,
    path = "/api/v1/sync/{correlationId}/decisions",
    operation_id = "getSyncDecisions",
    tag = "sync",
    params(("correlationId" = CorrelationId, Path, description = "Correlation id", example = "csync-001")),
    responses((status = 200, description = "Its decisions", body = SyncDecisions), (status = 404, description = "No such sync", body = Report))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let run = known(&api, &reach, &CorrelationId::new(id)?).await?.run.id;
    let read = api.store.read(move |tx| Box::pin(decisions::of_run(tx, run)));
    let decisions = read.await?.into_iter().map(|stored| SyncDecision {
        decision: stored.decision,
        matrix_version: stored.circumstances.matrix_version,
        at: stored.circumstances.at,
    });
    let decisions = decisions.collect();
    Ok(answer::of(200, &SyncDecisions { decisions })?)
}
