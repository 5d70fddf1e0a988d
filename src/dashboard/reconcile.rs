//! Whether both sides agree: reconciles, what differs, and certificates.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::{CertificatePage, CertificateView, DifferingPage, ReconcilePage, ReconcileView};
use cpq_domain::certificate::Verdict;
use cpq_domain::compare::Difference;
use cpq_domain::reconcile::{Differing, State as ReconcileState};
use serde::Deserialize;
use serde_json::json;

use crate::asked::Form;
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, when};

/// Looks at everything that the table of the drift shows: two weeks of nights.
const DRIFT_LOOKS: usize = 14;

#[derive(Template)]
#[template(path = "reconciles.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    certificates: Vec<Proof>,
    drift: Drift,
}

/// What differed at each of the last looks at everything, field by field; oldest first.
struct Drift {
    looks: Vec<(String, String)>,
    fields: Vec<(String, Vec<Count>)>,
}

struct Count {
    count: u64,
    /// 0 for none to 4 for the most.
    heat: u64,
}

struct Row {
    id: String,
    connection: String,
    state: String,
    mark: &'static str,
    phase: String,
    repair: bool,
    started: String,
    ended: String,
    differing: u64,
    looked_at: u64,
    calls: u64,
    took: String,
}

struct Proof {
    hour: String,
    object: String,
    verdict: String,
    mark: &'static str,
    crm: i64,
    cpq: i64,
    differing: i64,
}

/// All reconciles, and the last certificates.
pub(crate) async fn page(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    let found: ReconcilePage = house.ask(&visitor, "/api/v1/reconciliations").await?;
    let certificates: CertificatePage = house.ask(&visitor, "/api/v1/certificates?limit=50").await?;
    Ok(page::show(&Page {
        frame: Frame::new(&visitor, "reconcile", "Reconcile"),
        rows: found.reconciliations.iter().map(row).collect(),
        drift: drift(&found.reconciliations),
        certificates: certificates.certificates.into_iter().map(proof).collect(),
    }))
}

fn drift(all: &[ReconcileView]) -> Drift {
    let whole = all
        .iter()
        .filter(|one| one.state == ReconcileState::Done && one.since.is_none());
    let mut looks: Vec<&ReconcileView> = whole.take(DRIFT_LOOKS).collect();
    looks.reverse();
    let mut fields: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (at, look) in looks.iter().enumerate() {
        for found in &look.report.found.fields {
            let name = found.field.as_ref().map(ToString::to_string);
            let name = name.unwrap_or_else(|| fields::word(&found.cause));
            fields.entry(name).or_insert_with(|| vec![0; looks.len()])[at] += found.count;
        }
    }
    let most = fields.values().flatten().copied().max().unwrap_or(0).max(1);
    let count = |count: u64| Count {
        count,
        heat: (count * 4).div_ceil(most),
    };
    Drift {
        looks: looks
            .iter()
            .map(|look| (look.id.clone(), when::moment(&look.started_at)))
            .collect(),
        fields: fields
            .into_iter()
            .map(|(name, counts)| (name, counts.into_iter().map(count).collect()))
            .collect(),
    }
}

fn row(one: &ReconcileView) -> Row {
    Row {
        id: one.id.clone(),
        connection: one.connection.clone(),
        state: fields::word(&one.state),
        mark: match (one.state, one.differing) {
            (ReconcileState::Failed, _) => "bad",
            (ReconcileState::Running, _) => "write",
            (ReconcileState::Done, 0) => "good",
            (ReconcileState::Done | ReconcileState::Stopped | ReconcileState::Abandoned, _) => "wait",
        },
        phase: fields::word(&one.phase),
        repair: one.repair,
        started: when::moment(&one.started_at),
        ended: when::perhaps(&one.ended_at),
        differing: one.differing,
        looked_at: one.report.looked_at,
        calls: one.report.api_calls,
        took: when::took_ms(one.report.duration_ms),
    }
}

fn proof(one: CertificateView) -> Proof {
    Proof {
        hour: one.hour.strftime("%Y-%m-%d %H:00").to_string(),
        mark: match one.verdict {
            Verdict::Green => "good",
            Verdict::Red => "bad",
            Verdict::Open => "wait",
        },
        object: fields::word(&one.object),
        verdict: fields::word(&one.verdict),
        crm: one.crm_count,
        cpq: one.cpq_count,
        differing: one.differing,
    }
}

#[derive(Template)]
#[template(path = "reconcile.html")]
struct One {
    frame: Frame,
    row: Row,
    moving: bool,
    fields: Vec<(String, u64)>,
    records: Vec<Record>,
}

struct Record {
    name: String,
    quote: String,
    state: String,
    reason: String,
    correlation: String,
    differences: Vec<String>,
}

/// One reconcile with the records that differ.
pub(crate) async fn one(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/reconciliations/{}", page::encoded(&id));
    let one: ReconcileView = house.ask(&visitor, &path).await?;
    let found: DifferingPage = house.ask(&visitor, &format!("{path}/records?limit=200")).await?;
    let mut by_field: BTreeMap<String, u64> = BTreeMap::new();
    for difference in found.records.iter().flat_map(|record| &record.differences) {
        *by_field.entry(about(difference)).or_default() += 1;
    }
    let mut by_field: Vec<_> = by_field.into_iter().collect();
    by_field.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(page::show(&One {
        frame: Frame::new(&visitor, "reconcile", "Reconcile"),
        moving: one.state == ReconcileState::Running,
        row: row(&one),
        fields: by_field,
        records: found.records.iter().map(record).collect(),
    }))
}

/// The field that differs, or what differs where it is not one field.
fn about(difference: &Difference) -> String {
    let field = difference.field.as_ref().map(ToString::to_string);
    field.unwrap_or_else(|| fields::word(&difference.cause))
}

fn record(of: &Differing) -> Record {
    Record {
        name: of.name().to_owned(),
        quote: of.quote.as_ref().map(ToString::to_string).unwrap_or_default(),
        state: fields::word(&of.state),
        reason: of.reason.clone().unwrap_or_default(),
        correlation: of.correlation_id.clone().unwrap_or_default(),
        differences: of.differences.iter().map(about).collect(),
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Order {
    #[serde(default)]
    repair: Option<String>,
}

/// Starts a reconcile of the default connection.
pub(crate) async fn start(
    State(house): State<House>,
    At(visitor): At,
    Form(order): Form<Order>,
) -> Result<Response, Failed> {
    let body = json!({ "repair": order.repair.is_some() });
    let started: ReconcileView = house.order(&visitor, "/api/v1/reconciliations", &body).await?;
    Ok(Redirect::to(&format!("/reconciliations/{}", page::encoded(&started.id))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(day: u32, state: &str, since: Option<&str>, count: u64) -> ReconcileView {
        let at = format!("2026-03-{day:02}T02:00:00Z");
        let fields = [
            json!({"object": "opportunity", "field": "quote.status", "cause": "crm_edited", "count": count}),
        ];
        let found = json!({"records": count, "fields": fields, "causes": []});
        serde_json::from_value(json!({
            "id": format!("look-{day}"), "connection": "crm", "state": state, "alive": false, "phase": "end",
            "since": since, "repair": false, "askedBy": "schedule", "startedAt": at, "updatedAt": at,
            "matrixVersion": "v1", "differing": count,
            "report": {
                "lookedAt": 100, "quotesCounted": 100, "found": found, "inFlight": 0, "excluded": 0,
                "settledOnSecondLook": 0, "storedDifferently": 0, "apiCalls": 1, "durationMs": 1, "recordsHeld": 1,
            },
        }))
        .expect("a reconcile")
    }

    #[test]
    fn drift_shows_looks_at_everything_oldest_first() {
        let all = [
            look(4, "done", None, 8),
            look(3, "done", Some("2026-03-02T00:00:00Z"), 5),
            look(2, "failed", None, 9),
            look(1, "done", None, 1),
        ];
        let drift = drift(&all);
        let looks: Vec<&str> = drift.looks.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(looks, ["look-1", "look-4"]);
        let (name, counts) = &drift.fields[0];
        let counts: Vec<_> = counts.iter().map(|one| (one.count, one.heat)).collect();
        assert_eq!((name.as_str(), counts), ("quote.status", vec![(1, 1), (8, 4)]));
    }
}
