//! Replays: what a plan would do, and how it goes on.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::{ReplayItemPage, ReplayPlan, ReplayPlanPage};
use cpq_domain::replay::{Deed, ItemNow, ItemState, PlanState};
use cpq_domain::{Code, Error};
use serde::Deserialize;
use serde_json::json;

use crate::asked::{Form, Query};
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, syncs, when};

#[derive(Template)]
#[template(path = "replays.html")]
struct Replays {
    frame: Frame,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    state: String,
    mark: &'static str,
    made: String,
    by: String,
    letters: u64,
    syncs: u64,
    succeeded: u64,
    failed: u64,
}

/// All plans.
pub(crate) async fn page(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    let found: ReplayPlanPage = house.ask(&visitor, "/api/v1/replays").await?;
    Ok(page::show(&Replays {
        frame: Frame::new(&visitor, "replays", "Replays"),
        rows: found.plans.iter().map(row).collect(),
    }))
}

fn row(plan: &ReplayPlan) -> Row {
    Row {
        id: plan.id.clone(),
        state: fields::word(&plan.state),
        mark: mark(plan.state),
        made: when::moment(&plan.created_at),
        by: plan.content.by.clone(),
        letters: plan.content.prediction.letters,
        syncs: plan.content.prediction.syncs,
        succeeded: plan.progress.succeeded,
        failed: plan.progress.failed,
    }
}

fn mark(state: PlanState) -> &'static str {
    match state {
        PlanState::Done => "good",
        PlanState::Stopped | PlanState::Aborted => "bad",
        PlanState::Planning | PlanState::Running => "write",
        PlanState::Planned | PlanState::Paused => "wait",
    }
}

/// Which letters to plan for.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    signature: String,
}

/// Makes a plan. Nothing is written to either side.
pub(crate) async fn plan(
    State(house): State<House>,
    At(visitor): At,
    Form(which): Form<Which>,
) -> Result<Response, Failed> {
    let body = match which.signature.as_str() {
        "" => json!({}),
        signature => json!({ "which": { "signature": signature } }),
    };
    let plan: ReplayPlan = house.order(&visitor, "/api/v1/replays", &body).await?;
    Ok(Redirect::to(&format!("/replays/{}", page::encoded(&plan.id))).into_response())
}

#[derive(Template)]
#[template(path = "replay.html")]
struct One {
    frame: Frame,
    row: Row,
    plan: ReplayPlan,
    took: String,
    foretold: String,
    share: String,
    percent: u64,
    left: u64,
    moving: bool,
    may_start: bool,
    may_abort: bool,
    items: Vec<Item>,
    next: Option<String>,
}

/// One opportunity of a plan.
struct Item {
    opportunity: String,
    letters: u64,
    state: String,
    mark: &'static str,
    says: String,
}

/// Which of its opportunities to show.
#[derive(Default, Deserialize)]
pub(crate) struct Part {
    #[serde(default)]
    after: String,
}

/// One plan, with its prediction and how far it has come.
pub(crate) async fn one(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
    Query(part): Query<Part>,
) -> Result<Response, Failed> {
    let here = format!("/replays/{}", page::encoded(&id));
    let plan: ReplayPlan = house.ask(&visitor, &format!("/api/v1{here}")).await?;
    let items = page::query(&format!("/api/v1{here}/items"), &[("after", &part.after)]);
    let items: ReplayItemPage = house.ask(&visitor, &items).await?;
    let waits = matches!(
        plan.state,
        PlanState::Planned | PlanState::Paused | PlanState::Stopped
    ) || (plan.state == PlanState::Running && !plan.alive);
    let prediction = &plan.content.prediction;
    let ended = plan.progress.succeeded + plan.progress.failed + plan.progress.parked;
    let percent = (ended * 100).checked_div(prediction.syncs).unwrap_or(0).min(100);
    Ok(page::show(&One {
        frame: Frame::new(&visitor, "replays", format!("Replay {}", plan.id)),
        row: row(&plan),
        took: when::took_ms(plan.progress.worked_ms),
        foretold: when::took_ms(prediction.milliseconds),
        share: (percent * 10).to_string(),
        percent,
        left: prediction.synced_since + prediction.agree,
        moving: matches!(plan.state, PlanState::Planning | PlanState::Running),
        may_start: waits && prediction.syncs > 0,
        may_abort: waits,
        items: items.items.iter().map(item).collect(),
        next: items
            .next
            .map(|next| page::query(&here, &[("after", &next.to_string())])),
        plan,
    }))
}

/// What is to be done about an opportunity, or what became of it.
fn item(of: &ItemNow) -> Item {
    let mark = match (of.state, of.item.deed) {
        (ItemState::Failed, _) | (ItemState::Left | ItemState::Pending, Deed::WouldFail) => "bad",
        (ItemState::Done, _) => "good",
        (ItemState::Submitted, _) => "write",
        (ItemState::Parked, _) => "wait",
        _ => "calm",
    };
    let seen = &of.item.foreseen;
    let says = match (&of.item.why, of.item.deed) {
        (Some(why), _) => why.clone(),
        (None, Deed::SyncUnseen) => "was not looked at".to_owned(),
        (None, Deed::Sync) => syncs::carried(seen.crm_writes.into(), seen.cpq_writes.into(), seen.creates),
        (None, deed) => fields::word(&deed),
    };
    Item {
        opportunity: of.item.opportunity.to_string(),
        letters: of.item.letters,
        // What is left alone is told before the plan is carried out.
        state: match of.state {
            ItemState::Pending | ItemState::Left if !of.item.deed.is_sync() => fields::word(&of.item.deed),
            state => fields::word(&state),
        },
        mark,
        says,
    }
}

/// What a button of a plan sends.
#[derive(Deserialize)]
pub(crate) struct Act {
    #[serde(default)]
    digest: String,
}

/// Starts, pauses or gives up. A start is bound to what was shown.
pub(crate) async fn act(
    State(house): State<House>,
    At(visitor): At,
    Path((id, name)): Path<(String, String)>,
    Form(act): Form<Act>,
) -> Result<Response, Failed> {
    let body = match name.as_str() {
        "start" => json!({ "digest": act.digest }),
        "pause" | "abort" => json!({}),
        _ => return Err(Error::new(Code::NotFound, "a replay can be started, paused or given up").into()),
    };
    let here = format!("/replays/{}", page::encoded(&id));
    let _: ReplayPlan = house
        .order(&visitor, &format!("/api/v1{here}/{name}"), &body)
        .await?;
    Ok(Redirect::to(&here).into_response())
}
