//! What a sync would do, as the API tells it.

use cpq_domain::quote::OpportunityRef;
use cpq_domain::resolve::Decision;
use cpq_domain::resolve::undo::Undone;
use cpq_domain::run::Effect;
use cpq_orchestrator::DryRun;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a sync would do now, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncPlan {
    /// What the sync would end as.
    pub effect: Effect,
    /// The opportunity.
    pub opportunity: OpportunityRef,
    /// Number of the quote; absent when the sync would create it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_number: Option<String>,
    /// Version of the ownership matrix.
    pub matrix_version: String,
    /// Field by field, what would be done and why. Plain agreements are left out.
    pub decisions: Vec<Decision>,
    /// Calls, in order.
    pub calls: Vec<PlannedCall>,
    /// Fields that cannot be synced, each with its reason.
    pub warnings: Vec<String>,
    /// Whether the CPQ could tell in advance what it would compute; else its totals are missing in `decisions`.
    pub priced: bool,
    /// What would become of values that are to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Undone>,
}

/// A call that the sync would make.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCall {
    /// `crm` or `cpq`.
    pub system: String,
    /// What the call does.
    pub does: String,
    /// Whether it would change anything.
    pub writes: bool,
}

impl From<DryRun> for SyncPlan {
    fn from(plan: DryRun) -> Self {
        let DryRun {
            effect,
            opportunity,
            quote_number,
            matrix_version,
            decisions,
            calls,
            warnings,
            priced,
            undone,
        } = plan;
        let calls = calls
            .into_iter()
            .map(|call| PlannedCall {
                system: call.system,
                does: call.does,
                writes: call.writes,
            })
            .collect();
        SyncPlan {
            effect,
            opportunity,
            quote_number,
            matrix_version,
            decisions,
            calls,
            warnings,
            priced,
            undone,
        }
    }
}
