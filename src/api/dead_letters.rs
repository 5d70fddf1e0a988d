//! Dead letters: looking at them, giving them up, correcting them.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::conflict::{Choice, Take};
use cpq_domain::dead_letter::{DeadLetter, LetterGroup, LetterState};
use cpq_domain::error::{Code, Report};
use cpq_domain::id::{ConnectionName, CorrelationId, OpportunityKey};
use cpq_domain::replay::Selection;
use cpq_domain::run::SyncResult;
use cpq_orchestrator::Correction;
use cpq_store::dead_letters::Filter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::asked::Asked;
use crate::failure::Failure;
use crate::input::{Json, Params, Segment, detached, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::{Stage, page_rows, reached, stages};
use crate::{answer, caller, limits, sync};

/// A page of dead letters, the last that died first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterPage {
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// Hand this in as `before` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Open dead letters by what they have in common, the most frequent first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterGroups {
    /// One for each signature, at most 200.
    pub groups: Vec<LetterGroup>,
}

/// A dead letter with its journal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterReport {
    /// The letter.
    pub letter: DeadLetter,
    /// The steps of its sync, in order.
    pub stages: Vec<Stage>,
}

/// Which letters to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Of this connection.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// In this state; all states when absent.
    state: Option<LetterState>,
    /// Of the opportunity that was named so.
    #[param(value_type = Option<OpportunityKey>)]
    opportunity: Option<OpportunityKey>,
    /// Of this signature.
    signature: Option<String>,
    /// With this error code.
    code: Option<Code>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<i64>,
}

/// Which letters to group.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Of this connection.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// With this error code.
    code: Option<Code>,
    /// That died at this moment or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

/// Which open letters are meant. What is absent does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterSelection {
    /// Of this CRM connection.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
    /// Of this signature.
    #[serde(default)]
    pub signature: Option<String>,
    /// With this error code.
    #[serde(default)]
    pub code: Option<Code>,
    /// That died at this moment or later.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// At most so many, the oldest first.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4294967295_i64)]
    pub limit: Option<u32>,
}

impl LetterSelection {
    /// As the engine takes it; refuses a limit of nothing.
    pub(crate) fn selection(self, reach: &Reach) -> cpq_domain::Result<Selection> {
        if self.limit == Some(0) {
            return Err(invalid("limit is 0; it must be at least 1").field("limit"));
        }
        Ok(Selection {
            connection: reach.part(self.connection)?,
            signature: self.signature,
            code: self.code,
            since: self.since,
            limit: self.limit,
            up_to: 0,
        })
    }
}

/// Why a dead letter is given up.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    /// Why; kept with the letter.
    #[schema(
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub reason: String,
    /// Who does it, where the caller speaks for a person; else the name of the token's client.
    #[serde(default)]
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub by: Option<String>,
}

/// Which dead letters are given up, and why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardMany {
    /// Which; it must narrow by something.
    pub which: LetterSelection,
    /// Why; kept with every letter.
    #[schema(
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub reason: String,
    /// Who does it, where the caller speaks for a person; else the name of the token's client.
    #[serde(default)]
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub by: Option<String>,
}

/// How many letters were given up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Discarded {
    /// The count.
    pub discarded: u64,
}

/// A correction: either another opportunity, or the decision of a field that waits for one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterCorrection {
    /// The opportunity that the event meant.
    #[serde(default)]
    pub opportunity: Option<OpportunityKey>,
    /// A field with an open conflict, by its canonical name.
    #[serde(default)]
    pub field: Option<String>,
    /// Which value counts, with `field`.
    #[serde(default)]
    pub take: Option<Take>,
    /// The text of another value, with `take: value`.
    #[serde(default)]
    pub value: Option<String>,
    /// Why; kept with the letter.
    #[schema(
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub reason: String,
    /// Who corrects, where the caller speaks for a person; else the name of the token's client.
    #[serde(default)]
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub by: Option<String>,
}

/// List dead letters
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    operation_id = "listDeadLetters",
    tag = "dead letters",
    params(Which),
    responses((status = 200, description = "A page, the last that died first", body = DeadLetterPage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let limit = page_rows(which.limit)?;
    let filter = Filter {
        connection: reach.part(which.connection)?,
        state: which.state,
        opportunity: which.opportunity,
        signature: which.signature,
        code: which.code,
        before: which.before,
        limit,
    };
    let letters = api.engine.dead_letters(filter).await?;
    let full = u32::try_from(letters.len()).is_ok_and(|rows| rows == limit);
    let next = letters.last().filter(|_| full).map(|last| last.number);
    Ok(answer::of(200, &DeadLetterPage { letters, next })?)
}

/// Group dead letters by what they have in common
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters/groups",
    operation_id = "groupDeadLetters",
    tag = "dead letters",
    params(Part),
    responses((status = 200, description = "One row for each signature", body = DeadLetterGroups))
)]
pub(crate) async fn groups(
    State(api): State<ApiState>,
    reach: Reach,
    Params(part): Params<Part>,
) -> Result<Response, Failure> {
    let selection = Selection {
        connection: reach.part(part.connection)?,
        code: part.code,
        since: part.since,
        ..Selection::default()
    };
    let groups = api.engine.dead_letter_groups(selection).await?;
    Ok(answer::of(200, &DeadLetterGroups { groups })?)
}

/// Look at a dead letter
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters/{id}",
    operation_id = "getDeadLetter",
    tag = "dead letters",
    params(("id" = CorrelationId, Path, description = "Correlation id of the sync that died", example = "csync-001")),
    responses((status = 200, description = "The letter", body = DeadLetterReport), (status = 404, description = "No such letter", body = Report))
)]
pub(crate) async fn get(
    State(api): State<ApiState>,
    reach: Reach,
    Segment(id): Segment,
) -> Result<Response, Failure> {
    let id = CorrelationId::new(id)?;
    reached(&api, &reach, &id).await?;
    let history = api.engine.dead_letter(&id).await?;
    let report = DeadLetterReport {
        letter: history.letter,
        stages: stages(&history.events),
    };
    Ok(answer::of(200, &report)?)
}

/// Give a dead letter up
///
/// Its sync ends cancelled. Who did it, when and why is kept with it.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/{id}/discard",
    operation_id = "discardDeadLetter",
    tag = "dead letters",
    params(("id" = CorrelationId, Path, description = "Correlation id of the sync that died", example = "csync-001")),
    request_body(content = Discard, content_type = "application/json"),
    responses(
        (status = 200, description = "Given up", body = DeadLetter),
        (status = 404, description = "No such letter", body = Report),
        (status = 409, description = "It was dealt with already", body = Report),
    )
)]
pub(crate) async fn discard(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    body: Json<Discard>,
) -> Result<Response, Failure> {
    let id = CorrelationId::new(id)?;
    reached(&api, &asked.reach, &id).await?;
    let reason = required_reason(&body.value.reason)?;
    let by = person(&asked, &body.value.by)?;
    let engine = api.engine.clone();
    let letter = detached(async move { engine.discard(&id, by, reason).await }).await?;
    Ok(answer::of(200, &letter)?)
}

/// Give many dead letters up
///
/// Every open letter of a selection, which must narrow by something.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/discard",
    operation_id = "discardDeadLetters",
    tag = "dead letters",
    request_body(content = DiscardMany, content_type = "application/json"),
    responses((status = 200, description = "Given up", body = Discarded))
)]
pub(crate) async fn discard_many(
    State(api): State<ApiState>,
    asked: Asked,
    body: Json<DiscardMany>,
) -> Result<Response, Failure> {
    let which = body.value.which;
    if which == LetterSelection::default() {
        let message = "`which` must narrow by something: nobody gives up everything by an empty form";
        return Err(invalid(message).field("which").into());
    }
    let selection = which.selection(&asked.reach)?;
    let reason = required_reason(&body.value.reason)?;
    let by = person(&asked, &body.value.by)?;
    let engine = api.engine.clone();
    let discarded = detached(async move { engine.discard_all(selection, by, reason).await }).await?;
    Ok(answer::of(200, &Discarded { discarded })?)
}

/// Correct a dead letter
///
/// Names the opportunity that the event meant, or decides a field of the opportunity that waits for a person; a fresh
/// sync does the letter's work. What is wrong in a record is corrected in the system that owns the field.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/{id}/correct",
    operation_id = "correctDeadLetter",
    tag = "dead letters",
    params(
        ("id" = CorrelationId, Path, description = "Correlation id of the sync that died", example = "csync-001"),
        ("Prefer" = Option<String>, Header, description = "RFC 7240: `wait=N` in seconds, at most 25, usually 10"),
    ),
    request_body(content = LetterCorrection, content_type = "application/json"),
    responses(
        (status = 200, description = "Corrected, and both sides agree", body = SyncResult),
        (status = 202, description = "It goes on; look at `Location`", body = SyncResult),
        (status = 400, description = "There is nothing of the kind to correct; the message says where to do it", body = Report),
        (status = 404, description = "No such letter", body = Report),
        (status = 409, description = "It was dealt with already", body = Report),
    )
)]
pub(crate) async fn correct(
    State(api): State<ApiState>,
    asked: Asked,
    Segment(id): Segment,
    body: Json<LetterCorrection>,
) -> Result<Response, Failure> {
    let id = CorrelationId::new(id)?;
    reached(&api, &asked.reach, &id).await?;
    let reason = required_reason(&body.value.reason)?;
    let by = person(&asked, &body.value.by)?;
    let correction = correction(body.value, &by, &reason)?;
    let wait = caller::wait(&asked.headers, &api.settings);
    let engine = api.engine.clone();
    let run = detached(async move { engine.correct(&id, correction, by, reason).await }).await?;
    sync::follow(&api, run, wait, None).await
}

fn correction(asked: LetterCorrection, by: &str, reason: &str) -> cpq_domain::Result<Correction> {
    match (asked.opportunity, asked.field, asked.take) {
        (Some(opportunity), None, None) if asked.value.is_none() => Ok(Correction::Opportunity(opportunity)),
        (None, Some(field), Some(take)) => {
            let choice = Choice {
                take,
                value: asked.value,
                by: by.to_owned(),
                reason: Some(reason.to_owned()),
            };
            Ok(Correction::Field(field.as_str().into(), choice))
        }
        _ => Err(invalid("name either `opportunity`, or `field` with `take`")),
    }
}

/// A reason that somebody gave, on one line.
pub(crate) fn required_reason(text: &str) -> cpq_domain::Result<String> {
    let most = limits::REASON_CHARS;
    let text = text.trim();
    match text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        true => Err(invalid(format!(
            "a reason of 1 to {most} characters on one line is needed"
        ))
        .field("reason")),
        false => Ok(text.to_owned()),
    }
}

/// Who does it: the person that the caller speaks for, and the caller.
pub(crate) fn person(asked: &Asked, by: &Option<String>) -> cpq_domain::Result<String> {
    let client = asked.client.as_str();
    let most = limits::PERSON_CHARS;
    match by.as_deref().map(str::trim).filter(|by| !by.is_empty()) {
        None => Ok(client.to_owned()),
        Some(by) if by.chars().count() > most || by.chars().any(char::is_control) => {
            Err(invalid(format!("by must be at most {most} characters on one line")).field("by"))
        }
        Some(by) => Ok(format!("{by} ({client})")),
    }
}
