//! One sync: its stages as a waterfall, what it decided, and what can be done about it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::sessions::Visitor;
use cpq_api::{Links, Stage, StageStatus, SyncDecisions, SyncPlan, SyncReport};
use cpq_domain::error::Report;
use cpq_domain::run::{Effect, SyncResult};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::asked::{Form, Query};
use crate::doors::At;
use crate::fields::{self, Row};
use crate::house::{self, House};
use crate::page::{self, Failed, Frame};
use crate::syncs;
use crate::ties::{self, Tie};
use crate::undo;
use crate::when;

/// Width of the waterfall, in its own units.
const WIDE: f64 = 1_000.0;

#[derive(Template)]
#[template(path = "sync.html")]
struct Page {
    frame: Frame,
    row: syncs::Row,
    report: Option<Report>,
    /// What to do about the report.
    next: String,
    /// Where its records can be looked at.
    links: Links,
    ties: Vec<Tie>,
    warnings: Vec<String>,
    caller: String,
    retry: String,
    ended: bool,
    bars: Vec<Bar>,
    rows: Vec<Row>,
    rest: Vec<Row>,
    /// What became of values that it was to put back.
    fates: Vec<undo::Line>,
    /// Whether it wrote something over what was there.
    undoable: bool,
}

/// One stage in the waterfall.
struct Bar {
    name: String,
    attempt: u32,
    status: String,
    mark: &'static str,
    took: String,
    at: String,
    x: String,
    width: String,
    error: Option<Report>,
}

/// The page.
pub(crate) async fn page(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/sync/{}", page::encoded(&id));
    let sync: SyncReport = house.ask(&visitor, &format!("{path}?events=true")).await?;
    let decided: SyncDecisions = house.ask(&visitor, &format!("{path}/decisions")).await?;
    let row = syncs::row(&sync);
    let bars = bars(sync.stages.as_deref().unwrap_or_default());
    let (rows, rest) = fields::rows(decided.decisions.iter().map(|one| &one.decision));
    let outcome = sync.result.outcome.as_ref();
    Ok(page::show(&Page {
        frame: Frame::new(&visitor, "syncs", format!("Sync {}", row.correlation)),
        next: next(&sync),
        links: sync.links.clone().unwrap_or_default(),
        ties: ties::ties(sync.events.as_deref().unwrap_or_default()),
        report: sync.result.error.clone(),
        warnings: outcome
            .map(|outcome| outcome.warnings.clone())
            .unwrap_or_default(),
        caller: sync
            .result
            .caller_correlation_id
            .as_ref()
            .map(|id| id.to_string())
            .unwrap_or_default(),
        retry: when::perhaps(&sync.result.retry_at),
        ended: has_ended(&sync),
        fates: outcome
            .map(|outcome| undo::lines(&outcome.undone))
            .unwrap_or_default(),
        undoable: outcome.is_some_and(|outcome| outcome.effect == Effect::Written && !outcome.created),
        rows,
        rest,
        row,
        bars,
    }))
}

fn has_ended(sync: &SyncReport) -> bool {
    matches!(
        sync.result.status.as_str(),
        "success" | "dead" | "superseded" | "cancelled"
    )
}

/// What to do about a failure. The usual advice about one that passes with time speaks of a sync that is still tried.
fn next(sync: &SyncReport) -> String {
    let Some(report) = &sync.result.error else {
        return String::new();
    };
    match report.code.class().passes_with_time() && has_ended(sync) {
        true if sync.result.status == "dead" => {
            "it is no longer tried; sync again when the cause has passed".to_owned()
        }
        true => "nothing to do: it is no longer tried".to_owned(),
        false => report.details.next.clone(),
    }
}

fn bars(stages: &[Stage]) -> Vec<Bar> {
    let start = stages.first().map(|stage| stage.started_at).unwrap_or_default();
    let offset = |stage: &Stage| stage.started_at.duration_since(start).as_secs_f64() * 1_000.0;
    let end = |stage: &Stage| offset(stage) + stage.duration_ms.unwrap_or(0.0);
    let whole = stages.iter().map(end).fold(1.0, f64::max);
    let bar = |stage: &Stage| Bar {
        name: stage.name.clone(),
        attempt: stage.attempt,
        mark: match stage.status {
            StageStatus::Done => "good",
            StageStatus::Failed => "bad",
            StageStatus::Open => "wait",
        },
        status: fields::word(&stage.status),
        took: stage.duration_ms.map(when::took).unwrap_or_default(),
        at: format!("+{}", when::took(offset(stage))),
        x: format!("{:.1}", (offset(stage) / whole * WIDE).min(WIDE - 6.0)),
        width: format!(
            "{:.1}",
            (stage.duration_ms.unwrap_or(0.0) / whole * WIDE).max(3.0)
        ),
        error: stage.error.clone(),
    };
    stages.iter().map(bar).collect()
}

/// Which opportunity to look at.
#[derive(Default, Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    opportunity: String,
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    frame: Frame,
    opportunity: String,
    effect: String,
    plan: Option<SyncPlan>,
    rows: Vec<Row>,
    rest: Vec<Row>,
}

/// What a sync would do now.
pub(crate) async fn plan(
    State(house): State<House>,
    At(visitor): At,
    Query(which): Query<Which>,
) -> Result<Response, Failed> {
    let opportunity = which.opportunity.trim().to_owned();
    let mut shown = PlanPage {
        frame: Frame::new(&visitor, "plan", "Try a sync"),
        opportunity,
        effect: String::new(),
        plan: None,
        rows: Vec::new(),
        rest: Vec::new(),
    };
    if !shown.opportunity.is_empty() {
        let path = format!(
            "/api/v1/sync/opportunities/{}/plan",
            page::encoded(&shown.opportunity)
        );
        let plan: SyncPlan = house.order(&visitor, &path, &json!({})).await?;
        shown.effect = fields::effect(plan.effect).to_owned();
        (shown.rows, shown.rest) = fields::rows(plan.decisions.iter());
        shown.plan = Some(plan);
    }
    Ok(page::show(&shown))
}

/// What the button of a plan sends.
#[derive(Deserialize)]
pub(crate) struct Start {
    opportunity: String,
}

/// Starts a sync, and shows it.
pub(crate) async fn start(
    State(house): State<House>,
    At(visitor): At,
    Form(start): Form<Start>,
) -> Result<Response, Failed> {
    let path = format!(
        "/api/v1/sync/opportunities/{}",
        page::encoded(start.opportunity.trim())
    );
    shown(&house, &visitor, &path, &json!({})).await
}

/// Looks again at what a sync was about.
pub(crate) async fn replay(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/sync/{}/replay", page::encoded(&id));
    shown(&house, &visitor, &path, &json!({})).await
}

/// Orders a sync and leads to it, whatever comes of it. One that was never accepted has none to look at.
pub(crate) async fn shown(
    house: &House,
    visitor: &Visitor,
    path: &str,
    body: &serde_json::Value,
) -> Result<Response, Failed> {
    let answer = house.call(visitor, Method::POST, path, Some(body)).await?;
    let named = answer
        .headers()
        .get("x-correlation-id")
        .and_then(|value| value.to_str().ok());
    let id = named.filter(|id| id.starts_with("csync-")).map(str::to_owned);
    let id = match id {
        Some(id) => id,
        None => house::read::<SyncResult>(answer)
            .await?
            .correlation_id
            .to_string(),
    };
    Ok(Redirect::to(&format!("/syncs/{}", page::encoded(&id))).into_response())
}
