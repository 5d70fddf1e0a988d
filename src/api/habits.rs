//! What the conflicts of the past say: how many there were day by day, and which rule could be better.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::conflict::{Conflict, ConflictDay, Habit, by_day, habits};
use cpq_domain::id::ConnectionName;
use cpq_domain::limits::PAGE_ROWS;
use cpq_store::Tx;
use cpq_store::conflicts::{self, Filter};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::failure::Failure;
use crate::input::{Params, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::{answer, limits};

/// The conflicts of some days.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConflictStatistics {
    /// Days on which some arose or were decided, oldest first.
    pub days: Vec<ConflictDay>,
    /// By field and policy, those with the most first, with what could be changed about the rule.
    pub fields: Vec<Habit>,
    /// Conflicts that were looked at.
    pub counted: usize,
    /// Whether these are all of the time. Only the newest 5,000 are looked at.
    pub complete: bool,
}

/// How far back.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Window {
    /// Days up to now, at most 366, usually 30.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 366)]
    days: Option<i64>,
    /// Of this connection.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
}

/// Count conflicts by the day, and suggest rules
#[utoipa::path(
    get,
    path = "/api/v1/statistics/conflicts",
    operation_id = "countConflicts",
    tag = "conflicts",
    params(Window),
    responses((status = 200, description = "Day by day and field by field", body = ConflictStatistics))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(window): Params<Window>,
) -> Result<Response, Failure> {
    let days = window.days.unwrap_or(30);
    if !(1..=limits::STATISTICS_DAYS).contains(&days) {
        let message = format!("days is {days}; it must be 1 to {}", limits::STATISTICS_DAYS);
        return Err(invalid(message).field("days").into());
    }
    let connection = reach.part(window.connection)?;
    let since = api.world.now() - SignedDuration::from_hours(24 * days);
    let found = api.store.read(move |tx| {
        let connection = connection.clone();
        Box::pin(async move { since_then(tx, since, connection).await })
    });
    let (found, complete) = found.await?;
    let told = ConflictStatistics {
        days: by_day(&found),
        fields: habits(&found),
        counted: found.len(),
        complete,
    };
    Ok(answer::of(200, &told)?)
}

/// Conflicts that arose since then, newest first, and whether they are all.
async fn since_then(
    tx: &mut dyn Tx,
    since: Timestamp,
    connection: Option<ConnectionName>,
) -> cpq_domain::Result<(Vec<Conflict>, bool)> {
    let mut found: Vec<Conflict> = Vec::new();
    while found.len() < limits::STATISTICS_CONFLICTS {
        let filter = Filter {
            connection: connection.clone(),
            before: found.last().map(|last| last.id.clone()),
            limit: PAGE_ROWS,
            ..Filter::default()
        };
        let page = conflicts::list(tx, &filter).await?;
        let (listed, full) = (found.len() + page.len(), page.len() == PAGE_ROWS as usize);
        // They are numbered as they arise: behind an older one, all are.
        found.extend(
            page.into_iter()
                .take_while(|conflict| conflict.opened_at >= since),
        );
        if found.len() < listed || !full {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}
