//! Quotes of the embedded CPQ.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use cpq_domain::desk::{DeskAnswer, QuoteDesk, QuoteFilter};
use cpq_domain::error::Report;
use cpq_domain::id::{LineKey, OpportunityKey, QuoteId};
use cpq_domain::quote::{OpportunityRef, Quote, Status, Transition};
use cpq_domain::value::Value as FieldValue;
use cpq_domain::view::{Fields, LineChange, Patch};
use cpq_domain::{Code, Error, Result};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::input::{Json, Params, Segment, detached, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::page_rows;

/// What to change on a quote.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotePatch {
    /// Header fields by canonical name; `"null"` clears.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, FieldValue>)]
    pub fields: Fields,
    /// Lines by their key: `put` adds the line or changes the named fields, `remove` takes it away.
    #[serde(default)]
    #[schema(value_type = BTreeMap<LineKey, LineChange>)]
    pub lines: BTreeMap<LineKey, LineChange>,
}

impl From<QuotePatch> for Patch {
    fn from(patch: QuotePatch) -> Self {
        Patch {
            fields: patch.fields,
            lines: patch.lines,
        }
    }
}

/// A quote to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuote {
    /// Of this opportunity.
    pub opportunity: OpportunityRef,
    /// With these fields and lines.
    #[serde(default)]
    pub patch: QuotePatch,
}

/// A write to try out: on a new quote of `opportunity`, or on the quote `quoteId`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuotePreview {
    /// For a new quote.
    #[serde(default)]
    pub opportunity: Option<OpportunityRef>,
    /// For a change.
    #[serde(default)]
    pub quote_id: Option<QuoteId>,
    /// The change.
    #[serde(default)]
    pub patch: QuotePatch,
}

/// A step in the life of a quote.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteTransitionRequest {
    /// The step.
    pub transition: Transition,
    /// Why; required to reject, decline or cancel.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A page of quotes, newest change first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuoteList {
    /// The quotes.
    pub quotes: Vec<Quote>,
    /// Hand this in to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which quotes to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Name of the CRM connection.
    system: Option<String>,
    /// Number or id of the opportunity.
    #[param(value_type = Option<OpportunityKey>)]
    opportunity: Option<OpportunityKey>,
    /// In this state.
    status: Option<Status>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `cursor` of the page before.
    #[param(pattern = r"^[0-9]{1,17}\.[A-Za-z0-9_-]{1,80}$")]
    cursor: Option<String>,
}

/// Make a quote
#[utoipa::path(
    post,
    path = "/api/v1/quotes",
    operation_id = "createQuote",
    tag = "quotes",
    params(("Idempotency-Key" = String, Header, pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#, description = "Required; 1 to 255 visible ASCII characters, bare or as a quoted string")),
    request_body(content = NewQuote, content_type = "application/json"),
    responses(
        (status = 201, description = "Made", body = Quote, headers(("ETag" = String, description = "Version of the quote"), ("Location" = String, description = "The quote"))),
        (status = 409, description = "There is one already, or the first request with this key is still running", body = Report),
        (status = 422, description = "A value was refused, or the key belongs to another request", body = Report),
    )
)]
pub(crate) async fn create(
    State(api): State<ApiState>,
    asked: Asked,
    body: Json<NewQuote>,
) -> Result<Response, Failure> {
    let (desk, keyed) = (desk(&api)?, asked.must_be_keyed(&body.canonical)?);
    let NewQuote { opportunity, patch } = body.value;
    asked.reach.check(&opportunity.system)?;
    let by = asked.caller.request;
    let made = detached(async move { desk.create(&keyed, &by, &opportunity, &patch.into()).await }).await?;
    Ok(answered(made))
}

/// List quotes
#[utoipa::path(
    get,
    path = "/api/v1/quotes",
    operation_id = "listQuotes",
    tag = "quotes",
    params(Which),
    responses((status = 200, description = "A page", body = QuoteList))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let Which {
        system,
        opportunity,
        status,
        limit,
        cursor,
    } = which;
    if let Some(system) = &system {
        reach.check(system)?;
    }
    let filter = QuoteFilter {
        system: system.or_else(|| reach.own().map(ToString::to_string)),
        opportunity,
        status,
        limit: page_rows(limit)?,
        cursor,
    };
    let page = desk(&api)?.list(&filter).await?;
    Ok(answer::of(
        200,
        &QuoteList {
            quotes: page.quotes,
            cursor: page.cursor,
        },
    )?)
}

/// Show a quote
///
/// By id, or by number; then its newest revision.
#[utoipa::path(
    get,
    path = "/api/v1/quotes/{id}",
    operation_id = "getQuote",
    tag = "quotes",
    params(
        ("id" = String, Path, description = "Id or number", example = "Q-2026-0137"),
        ("If-None-Match" = Option<String>, Header, description = "ETag of the version at hand"),
    ),
    responses(
        (status = 200, description = "The quote", body = Quote, headers(("ETag" = String, description = "Version of the quote"))),
        (status = 304, description = "Not changed"),
        (status = 404, description = "No such quote", body = Report),
    )
)]
pub(crate) async fn get(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let quote = known(&*desk(&api)?, &asked.reach, &id).await?;
    let etag = quote.etag();
    let mut response = if asked.has(&etag) {
        not_modified()
    } else {
        answer::of(200, &quote)?
    };
    answer::set(response.headers_mut(), "etag", &etag);
    Ok(response)
}

/// Change a quote
#[utoipa::path(
    patch,
    path = "/api/v1/quotes/{id}",
    operation_id = "changeQuote",
    tag = "quotes",
    params(
        ("id" = QuoteId, Path, description = "Id"),
        ("If-Match" = String, Header, pattern = r#"^"[!#-+\--~]+"$"#, description = "ETag of the version to change"),
        ("Idempotency-Key" = String, Header, pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#, description = "Required"),
    ),
    request_body(content = QuotePatch, content_type = "application/json"),
    responses(
        (status = 200, description = "Changed", body = Quote, headers(("ETag" = String, description = "Version of the quote"))),
        (status = 412, description = "Somebody changed it since", body = Report),
        (status = 428, description = "No If-Match", body = Report),
    )
)]
pub(crate) async fn change(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    body: Json<QuotePatch>,
) -> Result<Response, Failure> {
    let (desk, keyed, id) = (
        desk(&api)?,
        asked.must_be_keyed(&body.canonical)?,
        QuoteId::new(id)?,
    );
    reached(&*desk, &asked.reach, &id).await?;
    let (etag, by, patch) = (asked.must_match()?, asked.caller.request, Patch::from(body.value));
    let changed = detached(async move { desk.change(&keyed, &by, &id, &etag, &patch).await }).await?;
    Ok(answered(changed))
}

/// Try a write out
///
/// Tells what the quote would be, priced. Nothing is stored, so no key is needed.
#[utoipa::path(
    post,
    path = "/api/v1/quotes/preview",
    operation_id = "previewQuote",
    tag = "quotes",
    request_body(content = QuotePreview, content_type = "application/json"),
    responses((status = 200, description = "What the quote would be", body = Quote))
)]
pub(crate) async fn preview(
    State(api): State<ApiState>,
    reach: Reach,
    body: Json<QuotePreview>,
) -> Result<Response, Failure> {
    let QuotePreview {
        opportunity,
        quote_id,
        patch,
    } = body.value;
    if opportunity.is_some() == quote_id.is_some() {
        return Err(invalid("name either `opportunity`, for a new quote, or `quoteId`").into());
    }
    let desk = desk(&api)?;
    match (&opportunity, &quote_id) {
        (Some(opportunity), _) => reach.check(&opportunity.system)?,
        (None, Some(id)) => reached(&*desk, &reach, id).await?,
        (None, None) => {}
    }
    let quote = desk
        .preview(opportunity.as_ref(), quote_id.as_ref(), &patch.into())
        .await?;
    Ok(answer::of(200, &quote)?)
}

/// Move a quote along its life
#[utoipa::path(
    post,
    path = "/api/v1/quotes/{id}/transitions",
    operation_id = "moveQuote",
    tag = "quotes",
    params(
        ("id" = QuoteId, Path, description = "Id"),
        ("If-Match" = String, Header, pattern = r#"^"[!#-+\--~]+"$"#, description = "ETag of the version to move"),
        ("Idempotency-Key" = String, Header, pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#, description = "Required"),
    ),
    request_body(content = QuoteTransitionRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "Moved; for `revise`, the new revision", body = Quote, headers(("ETag" = String, description = "Version of the quote"))),
        (status = 409, description = "Its state does not allow this; `allowed` lists what it does", body = Report),
        (status = 412, description = "Somebody changed it since", body = Report),
    )
)]
pub(crate) async fn transition(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    body: Json<QuoteTransitionRequest>,
) -> Result<Response, Failure> {
    let (desk, keyed, id) = (
        desk(&api)?,
        asked.must_be_keyed(&body.canonical)?,
        QuoteId::new(id)?,
    );
    reached(&*desk, &asked.reach, &id).await?;
    let (etag, by) = (asked.must_match()?, asked.caller.request);
    let QuoteTransitionRequest { transition, reason } = body.value;
    let moved = detached(async move {
        desk.transition(&keyed, &by, &id, &etag, transition, reason.as_deref())
            .await
    })
    .await?;
    Ok(answered(moved))
}

/// The quote of that id or number, if the caller reaches it.
async fn known(desk: &dyn QuoteDesk, reach: &Reach, id: &str) -> Result<Quote> {
    let quote = desk.get(id).await?;
    reach.check(&quote.opportunity.system)?;
    Ok(quote)
}

/// Refuses a quote that the caller does not reach. Whoever reaches all is told by the desk that there is none.
async fn reached(desk: &dyn QuoteDesk, reach: &Reach, id: &QuoteId) -> Result<()> {
    if reach.is_narrow() {
        known(desk, reach, id.as_str()).await?;
    }
    Ok(())
}

fn desk(api: &ApiState) -> Result<Arc<dyn QuoteDesk>> {
    api.desk.clone().ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "quotes are kept by another CPQ here, so this service has none to show or change",
        )
        .next("use the API of that CPQ; `cpq sync run` brings its quotes and the CRM into agreement")
    })
}

fn answered(told: DeskAnswer) -> Response {
    let made = if told.status == 201 {
        id_of(&told.body)
    } else {
        None
    };
    let mut response = answer::json(told.status, told.body);
    let headers = response.headers_mut();
    if let Some(etag) = told.etag {
        answer::set(headers, "etag", &etag);
    }
    if let Some(id) = made {
        answer::set(headers, "location", &format!("/api/v1/quotes/{id}"));
    }
    if told.replayed {
        headers.insert(answer::REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn id_of(body: &str) -> Option<String> {
    let quote: serde_json::Value = serde_json::from_str(body).ok()?;
    quote["id"].as_str().map(str::to_owned)
}

fn not_modified() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}
