//! `/sandbox/faults`: the plan and how often each rule fired.

use super::Complaint;
use crate::faults::FaultPlan;
use crate::state::{Sandbox, Shared};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

/// `GET`.
pub async fn show(State(sandbox): State<Shared>) -> Json<Value> {
    shown(&sandbox)
}

/// `PUT`: these rules and no others.
pub async fn replace(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    sandbox.faults.replace(plan(&body)?);
    Ok(shown(&sandbox))
}

/// `POST`: these rules too. The seed stays.
pub async fn append(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    sandbox.faults.append(plan(&body)?).map_err(Complaint)?;
    Ok(shown(&sandbox))
}

/// `DELETE`.
pub async fn clear(State(sandbox): State<Shared>) -> StatusCode {
    sandbox.faults.replace(FaultPlan::default());
    StatusCode::NO_CONTENT
}

fn plan(body: &Bytes) -> Result<FaultPlan, Complaint> {
    let value =
        serde_json::from_slice(body).map_err(|error| Complaint(format!("cannot read the body: {error}")))?;
    FaultPlan::parse(value).map_err(Complaint)
}

fn shown(sandbox: &Sandbox) -> Json<Value> {
    let (seed, rules) = sandbox.faults.show();
    Json(json!({"seed": seed, "rules": rules}))
}
