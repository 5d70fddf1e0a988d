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

#[derive(Template)]
#[template(path = "reconciles.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    certificates: Vec<Proof>,
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
        certificates: certificates.certificates.into_iter().map(proof).collect(),
    }))
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
