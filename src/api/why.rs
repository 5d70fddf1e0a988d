//! Why a field has its value.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::change::Hint;
use cpq_domain::error::Report;
use cpq_domain::id::{
    ConflictId, ConnectionName, CorrelationId, LineKey, OpportunityKey, QuoteNumber, RecordId,
};
use cpq_domain::ownership::{Policy, Side};
use cpq_domain::resolve::{Origin, Verdict};
use cpq_domain::subject::Subject;
use cpq_domain::value::Value as FieldValue;
use cpq_domain::view::FieldName;
use cpq_orchestrator::Passage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer;
use crate::failure::Failure;
use crate::input::{Params, Segments, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::page_rows;

/// The history of a field, or its last part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldHistory {
    /// What was asked about, in full: `opportunity/OPP-4482/quote.status`.
    pub subject: String,
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The CRM's id of the opportunity.
    pub opportunity_id: RecordId,
    /// Its business number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity_number: Option<OpportunityKey>,
    /// Number of its quote.
    pub quote_number: QuoteNumber,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// The field.
    #[schema(value_type = String)]
    pub field: FieldName,
    /// What happened to it, oldest first.
    pub passages: Vec<FieldPassage>,
    /// Hand this in as `before` for what came earlier; absent when `passages` begins at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<i64>,
}

/// What happened to a field in one sync.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldPassage {
    /// What both sides hold since; absent where each keeps its own, see `crm` and `cpq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<FieldValue>,
    /// Where the news came from.
    pub origin: Origin,
    /// What was done.
    pub verdict: Verdict,
    /// Owner under the rule that was in force.
    pub owner: Side,
    /// Its policy.
    pub policy: Policy,
    /// Why.
    pub reason: String,
    /// What the CRM held when the sync looked.
    pub crm: FieldValue,
    /// What the CPQ held when the sync looked.
    pub cpq: FieldValue,
    /// The edit that lost, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<FieldValue>,
    /// The conflict that was opened, settled or decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<ConflictId>,
    /// Correlation id of the sync.
    pub correlation_id: CorrelationId,
    /// The matrix that was in force.
    pub matrix_version: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The event that told of the change, where one named the field: who changed it in the CRM, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Hint>,
}

/// How much to tell.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HowMuch {
    /// The CRM connection; when absent, the one that the token is for, or the default one.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// Passages, at most 200, usually 50; the newest ones.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `earlier` of the answer before.
    before: Option<i64>,
}

/// Tell why a field has its value
///
/// The chain of its values, oldest first, from the log of syncs alone: neither system is asked.
#[utoipa::path(
    get,
    path = "/api/v1/why/{object}/{id}/{field}",
    operation_id = "whyField",
    tag = "conflicts",
    params(
        ("object" = String, Path, pattern = "^(opportunity|quote)$", description = "`opportunity` or `quote`", example = "opportunity"),
        ("id" = String, Path, pattern = "^[A-Za-z0-9_./-]{1,40}$", description = "Number or CRM id of the opportunity, or number of the quote", example = "OPP-4482"),
        ("field" = String, Path, pattern = "^(?!line[.])[A-Za-z0-9_]+[.][A-Za-z0-9_]+$", description = "Canonical name of the field", example = "quote.status"),
        HowMuch,
    ),
    responses(
        (status = 200, description = "Its history", body = FieldHistory),
        (status = 404, description = "Never synced", body = Report),
    )
)]
pub(crate) async fn field(
    State(api): State<ApiState>,
    reach: Reach,
    Segments((object, id, field)): Segments<(String, String, String)>,
    Params(how_much): Params<HowMuch>,
) -> Result<Response, Failure> {
    tell(&api, &reach, Subject::of(&object, &id, None, &field)?, how_much).await
}

/// Tell why a field of a line has its value
#[utoipa::path(
    get,
    path = "/api/v1/why/line/{id}/{line}/{field}",
    operation_id = "whyLineField",
    tag = "conflicts",
    params(
        ("id" = OpportunityKey, Path, description = "Number or CRM id of the opportunity", example = "OPP-4482"),
        ("line" = LineKey, Path, description = "Key of the line", example = "line-1"),
        ("field" = String, Path, pattern = "^line[.][A-Za-z0-9_]+$", description = "Canonical name of the field", example = "line.quantity"),
        HowMuch,
    ),
    responses(
        (status = 200, description = "Its history", body = FieldHistory),
        (status = 404, description = "Never synced", body = Report),
    )
)]
pub(crate) async fn line_field(
    State(api): State<ApiState>,
    reach: Reach,
    Segments((id, line, field)): Segments<(String, String, String)>,
    Params(how_much): Params<HowMuch>,
) -> Result<Response, Failure> {
    tell(
        &api,
        &reach,
        Subject::of("line", &id, Some(&line), &field)?,
        how_much,
    )
    .await
}

async fn tell(
    api: &ApiState,
    reach: &Reach,
    subject: Subject,
    how_much: HowMuch,
) -> Result<Response, Failure> {
    let limit = page_rows(how_much.limit)?;
    let connection = reach.one(how_much.connection, &api.settings.default_connection)?;
    let history = api
        .engine
        .why(&connection, &subject, how_much.before, limit)
        .await?;
    if history.passages.is_empty() {
        known(api, &subject)?;
    }
    let told = FieldHistory {
        subject: subject.to_string(),
        connection,
        opportunity_id: history.link.opportunity_id,
        opportunity_number: history.link.opportunity_number,
        quote_number: history.link.quote_number,
        line: subject.line,
        field: subject.field,
        passages: history.passages.into_iter().map(FieldPassage::from).collect(),
        earlier: history.earlier,
    };
    Ok(answer::of(200, &told)?)
}

/// A field without history that no rule names is most likely mistyped.
fn known(api: &ApiState, subject: &Subject) -> cpq_domain::Result<()> {
    let matrix = (api.matrix)().matrix;
    if matrix.fields().any(|field| field == &subject.field) {
        return Ok(());
    }
    let message = format!(
        "no rule names the field {}, and it was never synced",
        subject.field
    );
    let error = invalid(message).field(subject.field.as_str());
    Err(error.next("see `cpq ownership show` for the fields"))
}

impl From<Passage> for FieldPassage {
    fn from(passage: Passage) -> Self {
        let decision = passage.decision;
        FieldPassage {
            value: passage.value,
            origin: decision.origin,
            verdict: decision.verdict,
            owner: decision.owner,
            policy: decision.policy,
            reason: decision.reason,
            crm: decision.crm,
            cpq: decision.cpq,
            lost: decision.lost,
            conflict: passage.conflict,
            correlation_id: passage.correlation,
            matrix_version: passage.matrix_version,
            at: passage.at,
            event: passage.hint,
        }
    }
}
