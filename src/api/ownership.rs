//! The ownership matrix in force, for whoever asks which side counts.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::Code;
use cpq_domain::lint::Finding;
use cpq_domain::ownership::OwnershipRule;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::state::{ApiState, InForce};

/// The matrix in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnershipMatrix {
    /// Its version; decisions name the one they were made under.
    pub version: String,
    /// Why a newer text did not come into force; absent when there is none, and then these rules are the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What is wrong with the rules, in the order of their lines.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Whether the CRM has told what it has; else the rules are judged by the field mapping alone.
    #[serde(default)]
    pub org_known: bool,
    /// The rules by field, in the order in which they are tried.
    pub rules: Vec<OwnershipRule>,
}

/// Show the ownership matrix
#[utoipa::path(
    get,
    path = "/api/v1/ownership",
    operation_id = "getOwnership",
    tag = "ownership",
    responses((status = 200, description = "The rules in force", body = OwnershipMatrix))
)]
pub(crate) async fn get(State(api): State<ApiState>) -> Result<Response, Failure> {
    let InForce { matrix, refused } = (api.matrix)();
    let rules = matrix.rules().cloned().collect();
    let (findings, org_known) = match (api.findings)().await {
        // That the newest text cannot be read is told already; the rules in force are older.
        Err(error) if error.code == Code::OwnershipInvalid => (Vec::new(), false),
        found => found?,
    };
    Ok(answer::of(
        200,
        &OwnershipMatrix {
            version: matrix.version().to_owned(),
            refused,
            findings,
            org_known,
            rules,
        },
    )?)
}
