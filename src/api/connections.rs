//! How each connection to a CRM stands: its grant, its circuit breaker, its calls of the day, and what waits for it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use cpq_domain::breaker::{Breaker, Circuit};
use cpq_domain::call_budget::Purpose;
use cpq_domain::connection::Flow;
use cpq_domain::error::{Hold, Report};
use cpq_domain::vault::{GrantState, StoredGrant};
use cpq_orchestrator::Standing;
use cpq_store::grants;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::reach::Reach;
use crate::state::ApiState;

/// All connections.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Connections {
    /// By name.
    pub connections: Vec<Connection>,
}

/// A connection to a CRM.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its name.
    pub connection: String,
    /// User that we are there; empty if the CRM did not tell.
    #[serde(default)]
    pub username: String,
    /// The organization; empty if the CRM did not tell.
    #[serde(default)]
    pub organization_id: String,
    /// Where its data is.
    #[serde(default)]
    pub instance_url: String,
    /// Granted scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How it logs in: `web`, `jwt` or `client_credentials`.
    #[schema(value_type = String)]
    pub flow: Flow,
    /// When it was connected.
    #[schema(value_type = String, format = DateTime)]
    pub connected_at: Timestamp,
    /// When its access token was renewed last.
    #[schema(value_type = String, format = DateTime)]
    pub refreshed_at: Timestamp,
    /// Why its grant is dead; absent while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<String>,
    /// Its circuit breaker; absent while it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<OpenCircuit>,
    /// Its calls of the day; absent as long as the CRM did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Calls>,
    /// Syncs that wait for a worker.
    pub queued: u64,
    /// Syncs that are tried again later.
    pub parked: u64,
    /// Syncs that wait for a person.
    pub waiting: u64,
    /// When the first of those queued or parked is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_due: Option<Timestamp>,
}

/// A circuit breaker that is not closed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenCircuit {
    /// `open`, or `half_open` while one call shows whether the CRM is back.
    pub state: Circuit,
    /// Why.
    pub reason: Hold,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it is tried next.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// How often it opened in a row.
    pub openings: u32,
    /// What failed last.
    pub error: Report,
}

/// The CRM's calls of a day.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// Used by everybody in the last 24 hours, as the CRM said.
    pub used: u64,
    /// Allowed.
    pub max: u64,
    /// When it said so.
    #[schema(value_type = String, format = DateTime)]
    pub heard_at: Timestamp,
    /// When they will be used up if it goes on like this; absent if they will not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub exhausted_at: Option<Timestamp>,
    /// Ours, by purpose.
    pub purposes: BTreeMap<String, Share>,
}

/// Calls of one purpose.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// Made by us in the last 24 hours.
    pub made: u64,
    /// Its share of a day. Live work may use more.
    pub share: u64,
}

/// Show how each connection stands
#[utoipa::path(
    get,
    path = "/api/v1/connections",
    operation_id = "listConnections",
    tag = "sync",
    responses((status = 200, description = "Every connection; none is called for it", body = Connections))
)]
pub(crate) async fn list(State(api): State<ApiState>, reach: Reach) -> Result<Response, Failure> {
    let mut grants = api.store.read(|tx| Box::pin(grants::list(tx))).await?;
    grants.retain(|grant| reach.sees(grant.settings.name.as_str()));
    let names = grants.iter().map(|grant| grant.settings.name.clone()).collect();
    let standings = api.engine.standings(names).await?;
    let connections = grants
        .iter()
        .zip(standings)
        .map(|(grant, standing)| connection(grant, standing))
        .collect();
    Ok(answer::of(200, &Connections { connections })?)
}

fn connection(grant: &StoredGrant, standing: Standing) -> Connection {
    let dead = match &grant.state {
        GrantState::Dead { reason, .. } => Some(reason.clone()),
        GrantState::Active => None,
    };
    Connection {
        connection: standing.connection.to_string(),
        username: grant.identity.username.clone(),
        organization_id: grant.identity.organization_id.clone(),
        instance_url: grant.identity.instance_url.clone(),
        scopes: grant.identity.scopes.clone(),
        flow: grant.settings.flow,
        connected_at: grant.settings.connected_at,
        refreshed_at: grant.refreshed_at,
        dead,
        calls: calls(&standing),
        circuit: standing.breaker.map(circuit),
        queued: standing.waiting.queued,
        parked: standing.waiting.parked,
        waiting: standing.waiting.person,
        next_due: standing.waiting.next_due,
    }
}

fn circuit(breaker: Breaker) -> OpenCircuit {
    OpenCircuit {
        state: breaker.circuit,
        reason: breaker.hold,
        since: breaker.opened_at,
        due_at: breaker.due_at,
        openings: breaker.openings,
        error: breaker.report,
    }
}

fn calls(standing: &Standing) -> Option<Calls> {
    let heard = standing.heard.as_ref()?;
    let share = |purpose: Purpose| {
        let made = standing.spent.get(&purpose).copied().unwrap_or(0);
        let share = standing.share(purpose).unwrap_or(0);
        (purpose.as_str().to_owned(), Share { made, share })
    };
    Some(Calls {
        used: heard.budget.used,
        max: heard.budget.max,
        heard_at: heard.at,
        exhausted_at: heard.exhausted_at,
        purposes: Purpose::ALL.into_iter().map(share).collect(),
    })
}
