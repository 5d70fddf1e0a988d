//! Conflicts: where they come from, and deciding them.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::{ConflictDecided, ConflictPage, ConflictStatistics};
use cpq_domain::conflict::{Claim, Conflict, ConflictDay, ConflictState, Habit};
use serde::Deserialize;
use serde_json::json;

use crate::asked::{Form, Query};
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, when};

/// Who wrote it, where nobody knows.
const NOBODY: &str = "writer not known";
/// Days of the trend before the last one, and the width of each with its gap.
const TREND_DAYS: i32 = 30;
const TREND_STEP: usize = 20;
/// Height of the day with the most conflicts.
const TREND_HIGH: u64 = 60;
/// Writers in the heat map; the rest share a column.
const WRITERS: usize = 8;

/// Which conflicts to show.
#[derive(Default, Deserialize)]
pub(crate) struct Search {
    /// `open` unless it says otherwise; `all` for every state.
    #[serde(default)]
    state: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    opportunity: String,
    #[serde(default)]
    before: String,
}

impl Search {
    fn state(&self) -> &str {
        match self.state.as_str() {
            "" => "open",
            "all" => "",
            state => state,
        }
    }
}

#[derive(Template)]
#[template(path = "conflicts.html")]
struct Conflicts {
    frame: Frame,
    search: Search,
    shown: String,
    rows: Vec<Row>,
    next: Option<String>,
    map: Map,
    days: Vec<Day>,
    suggestions: Vec<Habit>,
}

/// A conflict as a line.
struct Row {
    id: String,
    state: String,
    mark: &'static str,
    opportunity: String,
    field: String,
    line: String,
    crm: String,
    cpq: String,
    owner: String,
    opened: String,
}

/// A day of the trend, as bars of a picture 60 high.
struct Day {
    x: usize,
    title: String,
    settled: u64,
    asked: u64,
}

/// Conflicts by field and by who wrote the value that is in the way.
struct Map {
    writers: Vec<String>,
    fields: Vec<(String, Vec<Cell>)>,
}

struct Cell {
    count: u64,
    /// 0 for none to 4 for the most.
    heat: u64,
}

/// The days as bars beside each other; days without conflicts leave a gap.
fn trend(days: &[ConflictDay]) -> Vec<Day> {
    let most = days
        .iter()
        .map(|day| day.settled + day.asked)
        .max()
        .unwrap_or(0)
        .max(1);
    let high = |count: u64| count * TREND_HIGH / most;
    let Some(last) = days.last().map(|day| day.day) else {
        return Vec::new();
    };
    let bar = |day: &ConflictDay| {
        let ago = last.since(day.day).map(|span| span.get_days()).unwrap_or(0);
        Day {
            x: usize::try_from(TREND_DAYS - ago).unwrap_or(0) * TREND_STEP,
            title: format!(
                "{}: {} settled, {} for people, {} decided",
                day.day, day.settled, day.asked, day.decided
            ),
            settled: high(day.settled),
            asked: high(day.asked),
        }
    };
    days.iter().map(bar).collect()
}

/// The page.
pub(crate) async fn page(
    State(house): State<House>,
    At(visitor): At,
    Query(search): Query<Search>,
) -> Result<Response, Failed> {
    let asked = |before: &str, limit: &str| {
        let pairs = [
            ("state", search.state()),
            ("field", search.field.trim()),
            ("opportunity", search.opportunity.trim()),
            ("before", before),
            ("limit", limit),
        ];
        page::query("/api/v1/conflicts", &pairs)
    };
    let found: ConflictPage = house.ask(&visitor, &asked(&search.before, "50")).await?;
    let last: ConflictPage = house.ask(&visitor, "/api/v1/conflicts?limit=200").await?;
    let past: ConflictStatistics = house
        .ask(&visitor, "/api/v1/statistics/conflicts?days=30")
        .await?;
    let next = found.next.as_ref().map(|next| {
        let pairs = [
            ("state", search.state.as_str()),
            ("field", &search.field),
            ("opportunity", &search.opportunity),
            ("before", next.as_str()),
        ];
        page::query("/conflicts", &pairs)
    });
    Ok(page::show(&Conflicts {
        frame: Frame::new(&visitor, "conflicts", "Conflicts"),
        shown: search.state().to_owned(),
        rows: found.conflicts.iter().map(row).collect(),
        next,
        map: map(&last.conflicts),
        days: trend(&past.days),
        suggestions: past
            .fields
            .into_iter()
            .filter(|habit| habit.suggestion.is_some())
            .collect(),
        search,
    }))
}

fn row(conflict: &Conflict) -> Row {
    Row {
        id: conflict.id.to_string(),
        state: fields::word(&conflict.state),
        mark: mark(conflict.state),
        opportunity: name(conflict),
        field: conflict.field.to_string(),
        line: conflict
            .line
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        crm: fields::value(&conflict.crm.value),
        cpq: fields::value(&conflict.cpq.value),
        owner: fields::word(&conflict.owner),
        opened: when::moment(&conflict.opened_at),
    }
}

fn mark(state: ConflictState) -> &'static str {
    match state {
        ConflictState::Open => "wait",
        _ => "calm",
    }
}

fn name(conflict: &Conflict) -> String {
    let number = conflict.opportunity_number.as_ref().map(ToString::to_string);
    number.unwrap_or_else(|| conflict.opportunity_id.to_string())
}

/// Who wrote the value that the owner's rule did not expect.
fn writer(conflict: &Conflict) -> String {
    let claim = match conflict.owner {
        cpq_domain::ownership::Side::Crm => &conflict.cpq,
        cpq_domain::ownership::Side::Cpq => &conflict.crm,
    };
    let known = claim
        .name
        .as_ref()
        .or(claim.by.as_ref())
        .or(claim.source.as_ref());
    known.cloned().unwrap_or_else(|| NOBODY.to_owned())
}

fn map(conflicts: &[Conflict]) -> Map {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for conflict in conflicts {
        *counts
            .entry((conflict.field.to_string(), writer(conflict)))
            .or_default() += 1;
    }
    let mut writers: BTreeMap<&str, u64> = BTreeMap::new();
    for ((_, writer), count) in &counts {
        *writers.entry(writer).or_default() += count;
    }
    let mut writers: Vec<_> = writers.into_iter().collect();
    writers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let writers: Vec<String> = writers
        .into_iter()
        .take(WRITERS)
        .map(|(name, _)| name.to_owned())
        .collect();
    let most = counts.values().copied().max().unwrap_or(1);
    let names: BTreeSet<&String> = counts.keys().map(|(field, _)| field).collect();
    let cells = |field: &String| {
        let count = |writer: &String| counts.get(&(field.clone(), writer.clone())).copied().unwrap_or(0);
        let cell = |writer| Cell {
            count: count(writer),
            heat: (count(writer) * 4).div_ceil(most),
        };
        (field.clone(), writers.iter().map(cell).collect())
    };
    Map {
        fields: names.into_iter().map(cells).collect(),
        writers,
    }
}

#[derive(Template)]
#[template(path = "conflict.html")]
struct One {
    frame: Frame,
    row: Row,
    version: u32,
    open: bool,
    base_crm: String,
    base_cpq: String,
    crm: Written,
    cpq: Written,
    policy: String,
    matrix_version: String,
    reason: String,
    ruling: String,
    outcome: String,
    correlation: String,
    closed: String,
    why: String,
    done: Option<String>,
}

/// Where a value comes from.
struct Written {
    at: String,
    by: String,
    source: String,
}

fn written(claim: &Claim) -> Written {
    Written {
        at: when::perhaps(&claim.at),
        by: claim
            .name
            .clone()
            .or_else(|| claim.by.clone())
            .unwrap_or_else(|| NOBODY.to_owned()),
        source: claim.source.clone().unwrap_or_default(),
    }
}

/// What came of a decision.
#[derive(Default, Deserialize)]
pub(crate) struct After {
    decided: Option<u64>,
    #[serde(default)]
    more: bool,
}

/// The page of one conflict.
pub(crate) async fn one(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/conflicts/{}", page::encoded(&id));
    let conflict: Conflict = house.ask(&visitor, &path).await?;
    let ruling = conflict.ruling.as_ref().map(|ruling| {
        let why = ruling
            .reason
            .as_deref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let (take, value) = (fields::word(&ruling.take), fields::value(&ruling.value));
        format!(
            "{} took {take} ({value}) at {}{why}",
            ruling.by,
            when::moment(&ruling.at)
        )
    });
    let row = row(&conflict);
    let why = match &conflict.line {
        Some(_) => String::new(),
        None => page::query(
            "/why",
            &[("opportunity", &row.opportunity), ("field", &row.field)],
        ),
    };
    let more = if after.more {
        "; there are more: decide once more for one of them"
    } else {
        ""
    };
    Ok(page::show(&One {
        frame: Frame::new(&visitor, "conflicts", format!("Conflict {}", conflict.id)),
        version: conflict.version,
        open: conflict.state == ConflictState::Open,
        base_crm: conflict.base.crm.as_ref().map(fields::value).unwrap_or_default(),
        base_cpq: conflict.base.cpq.as_ref().map(fields::value).unwrap_or_default(),
        crm: written(&conflict.crm),
        cpq: written(&conflict.cpq),
        policy: fields::word(&conflict.policy),
        matrix_version: conflict.matrix_version.clone(),
        reason: conflict.reason.clone(),
        ruling: ruling.unwrap_or_default(),
        outcome: conflict.outcome.as_ref().map(fields::value).unwrap_or_default(),
        correlation: conflict.correlation.to_string(),
        closed: when::perhaps(&conflict.closed_at),
        done: after.decided.map(|count| format!("{count} decided{more}")),
        why,
        row,
    }))
}

/// What the form of a conflict sends.
#[derive(Deserialize)]
pub(crate) struct Decision {
    take: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    all_like: Option<String>,
    version: String,
}

/// Decides.
pub(crate) async fn resolve(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
    Form(decision): Form<Decision>,
) -> Result<Response, Failed> {
    let mut body = json!({
        "take": decision.take,
        "allLike": decision.all_like.is_some(),
        "reason": decision.reason.trim(),
        "version": decision.version.parse::<u32>().unwrap_or_default(),
    });
    if decision.take == "value" {
        body["value"] = json!(decision.value);
    }
    let path = format!("/api/v1/conflicts/{}/resolve", page::encoded(&id));
    let decided: ConflictDecided = house.order(&visitor, &path, &body).await?;
    let more = if decided.more { "true" } else { "" };
    let count = decided.decided.len().to_string();
    let here = format!("/conflicts/{}", page::encoded(&id));
    Ok(Redirect::to(&page::query(&here, &[("decided", &count), ("more", more)])).into_response())
}
