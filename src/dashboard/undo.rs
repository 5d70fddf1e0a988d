//! Taking back a sync: what would be put back, value by value, and the button that does it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use cpq_api::SyncPlan;
use cpq_domain::resolve::undo::{Fate, Undone};
use serde::Deserialize;
use serde_json::json;

use crate::asked::{Form, Query};
use crate::doors::At;
use crate::fields::{self, Row};
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::sync;

#[derive(Template)]
#[template(path = "undo.html")]
struct Page {
    frame: Frame,
    id: String,
    both: bool,
    fates: Vec<Line>,
    back: u64,
    rows: Vec<Row>,
    rest: Vec<Row>,
}

/// What becomes of one value.
pub(crate) struct Line {
    pub(crate) field: String,
    pub(crate) side: &'static str,
    pub(crate) fate: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) reason: String,
}

/// What was chosen.
#[derive(Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    both: String,
    #[serde(default)]
    reason: String,
}

/// What becomes of values, in words.
pub(crate) fn lines(undone: &[Undone]) -> Vec<Line> {
    undone.iter().map(line).collect()
}

fn line(undone: &Undone) -> Line {
    let (fate, mark) = match undone.fate {
        Fate::PutBack => ("put back", "good"),
        Fate::AsBefore => ("is as before", "calm"),
        Fate::ChangedSince => ("left: changed since", "wait"),
        Fate::WrittenAgain => ("left: would be written again", "wait"),
        Fate::CannotBe => ("cannot be put back", "bad"),
    };
    let line = undone.line.as_ref();
    Line {
        field: line.map_or_else(
            || undone.field.to_string(),
            |line| format!("{} [{line}]", undone.field),
        ),
        side: undone.side.as_str(),
        fate,
        mark,
        reason: undone.reason.clone(),
    }
}

/// The page.
pub(crate) async fn page(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/sync/{}/undo/plan", page::encoded(&id));
    let both = !wish.both.is_empty();
    let plan: SyncPlan = house
        .order(&visitor, &path, &json!({ "bothSides": both }))
        .await?;
    let (rows, rest) = fields::rows(plan.decisions.iter());
    Ok(page::show(&Page {
        frame: Frame::new(&visitor, "syncs", format!("Take back {id}")),
        id,
        both,
        back: plan.undone.iter().filter(|one| one.fate == Fate::PutBack).count() as u64,
        fates: lines(&plan.undone),
        rows,
        rest,
    }))
}

/// Takes it back, and shows the sync that does.
pub(crate) async fn undo(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/sync/{}/undo", page::encoded(&id));
    let body = json!({ "bothSides": !wish.both.is_empty(), "reason": wish.reason.trim() });
    sync::shown(&house, &visitor, &path, &body).await
}
