//! The history of syncs.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::{SyncPage, SyncReport};
use cpq_domain::run::SyncResult;
use serde::Deserialize;

use crate::asked::Query;
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, when};

/// States that can be chosen.
const STATES: &[&str] = &[
    "queued",
    "running",
    "parked",
    "waiting",
    "succeeded",
    "superseded",
    "dead",
    "cancelled",
];

/// The state as the list names it, for what it is chosen by.
pub(crate) fn shown(state: &str) -> &str {
    if state == "succeeded" { "success" } else { state }
}

/// What to look for.
#[derive(Default, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    state: String,
    /// A correlation id leads to its sync at once; anything else is taken for an opportunity.
    #[serde(default)]
    find: String,
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "syncs.html")]
struct Syncs {
    frame: Frame,
    search: Search,
    states: &'static [&'static str],
    rows: Vec<Row>,
    next: Option<String>,
    here: String,
}

/// A line of the list.
pub(crate) struct Row {
    pub(crate) correlation: String,
    pub(crate) opportunity: String,
    pub(crate) connection: String,
    pub(crate) quote: String,
    pub(crate) status: String,
    pub(crate) mark: &'static str,
    pub(crate) says: String,
    pub(crate) trigger: String,
    pub(crate) attempt: u32,
    pub(crate) at: String,
    pub(crate) took: String,
}

/// The page.
pub(crate) async fn page(
    State(house): State<House>,
    At(visitor): At,
    Query(search): Query<Search>,
) -> Result<Response, Failed> {
    let find = search.find.trim();
    if find.starts_with("csync-") {
        return Ok(Redirect::to(&format!("/syncs/{}", page::encoded(find))).into_response());
    }
    let asked = [
        ("state", search.state.as_str()),
        ("opportunity", find),
        ("before", &search.before),
    ];
    let found: SyncPage = house.ask(&visitor, &page::query("/api/v1/sync", &asked)).await?;
    let next = found.next.map(|next| {
        page::query(
            "/syncs",
            &[("state", &search.state), ("find", find), ("before", &next)],
        )
    });
    Ok(page::show(&Syncs {
        frame: Frame::new(&visitor, "syncs", "Syncs"),
        here: page::query("/syncs", &[("state", &search.state), ("find", find)]),
        states: STATES,
        rows: found.syncs.iter().map(row).collect(),
        next,
        search,
    }))
}

pub(crate) fn row(sync: &SyncReport) -> Row {
    let status = sync.result.status.clone();
    let took = sync.updated_at.duration_since(sync.created_at);
    Row {
        correlation: sync.result.correlation_id.to_string(),
        opportunity: sync.opportunity.clone(),
        connection: sync.connection.clone(),
        quote: sync.result.quote_id.clone().unwrap_or_default(),
        mark: mark(&status),
        says: says(&sync.result),
        status,
        trigger: fields::word(&sync.trigger),
        attempt: sync.attempt,
        at: when::moment(&sync.created_at),
        took: when::took(took.as_secs_f64() * 1_000.0),
    }
}

/// How a state is shown.
pub(crate) fn mark(status: &str) -> &'static str {
    match status {
        "success" | "succeeded" => "good",
        "dead" => "bad",
        "parked" | "waiting" => "wait",
        _ => "calm",
    }
}

/// What it did, or why it did not.
fn says(result: &SyncResult) -> String {
    match (&result.error, &result.outcome) {
        (Some(report), _) => format!("{}: {}", report.code, report.message),
        (None, Some(outcome)) => match outcome.crm_writes + outcome.cpq_writes {
            0 if outcome.created => "created the quote".to_owned(),
            0 => "nothing to do".to_owned(),
            _ => carried(
                outcome.crm_writes.into(),
                outcome.cpq_writes.into(),
                outcome.created,
            ),
        },
        (None, None) => String::new(),
    }
}

/// How many fields went where.
pub(crate) fn carried(to_crm: u64, to_cpq: u64, created: bool) -> String {
    let mut parts: Vec<String> = [(to_crm, "CRM"), (to_cpq, "CPQ")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, side)| format!("{} to the {side}", fields::counted(&count, "field")))
        .collect();
    parts.extend(created.then(|| "a new quote".to_owned()));
    parts.join(", ")
}
