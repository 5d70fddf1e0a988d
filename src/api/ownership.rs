//! The ownership matrix in force, for whoever asks which side counts.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::ownership::OwnershipRule;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::state::{ApiState, InForce};

/// The matrix in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnershipMatrix {
    /// Its version; decisions name the one they were made under.
    pub version: String,
    /// Why a newer text did not come into force; absent when there is none, and then these rules are the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
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
    Ok(answer::of(
        200,
        &OwnershipMatrix {
            version: matrix.version().to_owned(),
            refused,
            rules,
        },
    )?)
}
