//! Reconciles: starting one, looking at it, and the records that differ.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::error::Report;
use cpq_domain::id::{ConnectionName, RecordId};
use cpq_domain::reconcile::{
    AskedBy, Differing, Order, Phase, Reconciliation, State as ReconcileState, Told,
};
use cpq_store::{reconcile_records, reconciliations};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::failure::Failure;
use crate::input::{OptionalJson, Params, Segment, detached, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::{page_rows, run_id};
use crate::{answer, limits};

/// What a reconcile is asked with. May be left out: then the default connection is looked at as a whole, and nothing is
/// repaired.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileRequest {
    /// The CRM connection; when absent, the one that the token is for, or the default one.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
    /// Only what changed since then on either side, from the start of that hour (UTC) on.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Whether differing records are synced and looked at again.
    #[serde(default)]
    pub repair: bool,
    /// Takes up the last one of the connection where it stands; with nothing else but `connection`.
    #[serde(default)]
    pub resume: bool,
}

/// A reconcile as it is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconcileView {
    /// Id.
    pub id: String,
    /// The CRM connection.
    pub connection: String,
    /// Where it is.
    pub state: ReconcileState,
    /// While it runs: whether its process gave a sign of life within the last minute. If not, it died, and the reconcile
    /// can be resumed.
    pub alive: bool,
    /// What it does.
    pub phase: Phase,
    /// Start of its window; absent when everything is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Whether differing records are synced.
    pub repair: bool,
    /// What asked for it.
    pub asked_by: AskedBy,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it last wrote something down.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Version of the ownership matrix that it judges by.
    pub matrix_version: String,
    /// Records that differ now, as far as it has come.
    pub differing: u64,
    /// What it has to tell, as far as it has come.
    pub report: Told,
    /// Why it failed or stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Report>,
}

/// A page of reconciles, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReconcilePage {
    /// The reconciles.
    pub reconciliations: Vec<ReconcileView>,
    /// Hand this in as `before` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of records that a reconcile found to differ.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferingPage {
    /// The records, by the id of the opportunity.
    pub records: Vec<Differing>,
    /// Hand this in as `after` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which reconciles to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Of this CRM connection; of all when absent.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    before: Option<String>,
}

/// Which records to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(value_type = Option<RecordId>)]
    after: Option<String>,
}

/// Start a reconcile
///
/// Answers at once; the service works on it by itself. One of a connection runs at a time: a repeat of what runs is
/// answered with what runs. With `repair` every differing record is synced under the ownership matrix.
#[utoipa::path(
    post,
    path = "/api/v1/reconciliations",
    operation_id = "startReconcile",
    tag = "reconcile",
    request_body(content = Option<ReconcileRequest>, content_type = "application/json"),
    responses(
        (status = 202, description = "It runs; look at `Location`", body = ReconcileView,
            headers(("Location" = String, description = "Where to look"), ("Retry-After" = u64, description = "When to look, in seconds"))),
        (status = 400, description = "There is nothing to resume", body = Report),
        (status = 424, description = "There is no such connection", body = Report),
        (status = 429, description = "Another one of the connection runs", body = Report),
    )
)]
pub(crate) async fn start(
    State(api): State<ApiState>,
    reach: Reach,
    OptionalJson(body): OptionalJson<ReconcileRequest>,
) -> Result<Response, Failure> {
    let asked = body.value;
    let connection = reach.one(asked.connection, &api.settings.default_connection)?;
    if asked.resume && (asked.since.is_some() || asked.repair) {
        let message = "`resume` goes on with what was asked before, so it takes no `since` and no `repair`";
        return Err(invalid(message).field("resume").into());
    }
    if asked.since.is_some_and(|since| since > api.world.now()) {
        return Err(invalid("`since` lies in the future").field("since").into());
    }
    let order = Order {
        connection,
        since: asked.since,
        repair: asked.repair,
        asked_by: AskedBy::Request,
    };
    let (engine, resume) = (api.engine.clone(), asked.resume);
    let started = detached(async move {
        match resume {
            true => engine.resume_reconcile(&order.connection).await,
            false => engine.reconcile(order).await,
        }
    });
    let view = view(&api, started.await?);
    let mut response = answer::of(202, &view)?;
    let headers = response.headers_mut();
    answer::set(
        headers,
        "location",
        &format!("/api/v1/reconciliations/{}", view.id),
    );
    headers.insert(http::header::RETRY_AFTER, limits::LOOK_AGAIN_S.into());
    Ok(response)
}

/// Look at a reconcile
#[utoipa::path(
    get,
    path = "/api/v1/reconciliations/{id}",
    operation_id = "getReconcile",
    tag = "reconcile",
    params(("id" = String, Path, pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description = "Id of the reconcile")),
    responses((status = 200, description = "The reconcile", body = ReconcileView), (status = 404, description = "No such reconcile", body = Report))
)]
pub(crate) async fn get(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let one = known(&api, &reach, &id).await?;
    Ok(answer::of(200, &view(&api, one))?)
}

/// List reconciles
#[utoipa::path(
    get,
    path = "/api/v1/reconciliations",
    operation_id = "listReconciles",
    tag = "reconcile",
    params(Which),
    responses((status = 200, description = "A page, newest first", body = ReconcilePage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let limit = page_rows(which.limit)?;
    let connection = reach.part(which.connection)?;
    let before = which
        .before
        .as_deref()
        .map(|text| run_id(text, "before"))
        .transpose()?;
    let found = api
        .store
        .read(move |tx| {
            Box::pin(async move { reconciliations::newest(tx, connection.as_ref(), before, limit).await })
        })
        .await?;
    let full = u32::try_from(found.len()).is_ok_and(|rows| rows == limit);
    let next = found.last().filter(|_| full).map(|one| one.id.to_string());
    let reconciliations = found.into_iter().map(|one| view(&api, one)).collect();
    Ok(answer::of(
        200,
        &ReconcilePage {
            reconciliations,
            next,
        },
    )?)
}

/// List the records that a reconcile found to differ
///
/// With what a repair would write, or what became of it. Kept for the last reconciles only.
#[utoipa::path(
    get,
    path = "/api/v1/reconciliations/{id}/records",
    operation_id = "listDifferingRecords",
    tag = "reconcile",
    params(("id" = String, Path, pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description = "Id of the reconcile"), Part),
    responses((status = 200, description = "A page, by opportunity", body = DifferingPage), (status = 404, description = "No such reconcile", body = Report))
)]
pub(crate) async fn records(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
    Params(part): Params<Part>,
) -> Result<Response, Failure> {
    let limit = page_rows(part.limit)?;
    let after = part.after.map(RecordId::new).transpose()?;
    let id = known(&api, &reach, &id).await?.id;
    let found = api
        .store
        .read(move |tx| {
            Box::pin(async move {
                let after = after.as_ref().map_or("", RecordId::as_str);
                reconcile_records::page(tx, id, after, limit).await
            })
        })
        .await?;
    let full = u32::try_from(found.len()).is_ok_and(|rows| rows == limit);
    let records: Vec<Differing> = found.into_iter().map(|(record, _)| record).collect();
    let next = records
        .last()
        .filter(|_| full)
        .map(|last| last.opportunity_id.to_string());
    Ok(answer::of(200, &DifferingPage { records, next })?)
}

/// The reconcile of that id, if the caller reaches it.
async fn known(api: &ApiState, reach: &Reach, id: &str) -> cpq_domain::Result<Reconciliation> {
    let one = api.engine.reconciliation(run_id(id, "id")?).await?;
    reach.check(one.order.connection.as_str())?;
    Ok(one)
}

fn view(api: &ApiState, one: Reconciliation) -> ReconcileView {
    ReconcileView {
        id: one.id.to_string(),
        connection: one.order.connection.to_string(),
        state: one.state,
        alive: one.state == ReconcileState::Running && one.lease_until > api.world.now(),
        phase: one.mark.phase,
        since: one.order.since,
        repair: one.order.repair,
        asked_by: one.order.asked_by,
        started_at: one.started_at,
        updated_at: one.updated_at,
        ended_at: one.ended_at,
        matrix_version: one.matrix_version,
        differing: one.told.remaining().records,
        report: one.told,
        error: one.error,
    }
}
