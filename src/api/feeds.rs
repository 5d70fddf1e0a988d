//! How the service learns of changes in the CRM, and whether it does.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::change::FeedState;
use cpq_domain::error::Report;
use cpq_store::positions::{self, Standing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer;
use crate::failure::Failure;
use crate::reach::Reach;
use crate::state::ApiState;

/// All feeds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Feeds {
    /// By connection and name.
    pub feeds: Vec<Feed>,
}

/// A feed of changes and how its reader fares.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    /// The CRM connection.
    pub connection: String,
    /// Name of the feed: `pubsub` tells, `poll` asks.
    pub feed: String,
    /// How it fares.
    pub state: FeedState,
    /// Whether a process reads it now.
    pub is_read: bool,
    /// The process that does: its id on its machine, and a name that no other process has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_by: Option<String>,
    /// Seconds since the moment before which everything was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// That moment, by the CRM's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_until: Option<Timestamp>,
    /// When it told of a change last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_change_at: Option<Timestamp>,
    /// When its reader wrote down something last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The last failure; over, if the feed is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Report>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_error_at: Option<Timestamp>,
    /// What to do; nothing where all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_do: Option<String>,
}

/// Show how changes in the CRM are learnt of
#[utoipa::path(
    get,
    path = "/api/v1/feeds",
    operation_id = "listFeeds",
    tag = "sync",
    responses((status = 200, description = "Every feed that was ever read, of the connections that there are", body = Feeds))
)]
pub(crate) async fn list(State(api): State<ApiState>, reach: Reach) -> Result<Response, Failure> {
    let standings = api.store.read(|tx| Box::pin(positions::list(tx))).await?;
    let now = api.world.now();
    let feeds = standings
        .into_iter()
        .filter(|standing| reach.sees(standing.connection.as_str()))
        .map(|standing| feed(standing, now))
        .collect();
    Ok(answer::of(200, &Feeds { feeds })?)
}

fn feed(standing: Standing, now: Timestamp) -> Feed {
    let seen_until = standing.position.map(|position| position.seen_until);
    let lease = standing.lease.filter(|(_, until)| *until > now);
    let read_by = lease.map(|(holder, _)| holder);
    let is_read = read_by.is_some();
    let (last_error, last_error_at) = standing.error.unzip();
    Feed {
        to_do: to_do(standing.state, is_read, last_error.as_ref()),
        connection: standing.connection.to_string(),
        feed: standing.feed,
        state: standing.state,
        is_read,
        read_by,
        lag_seconds: seen_until.map(|seen| (now.as_second() - seen.as_second()).max(0)),
        seen_until,
        last_change_at: standing.change_at,
        updated_at: standing.updated_at,
        last_error,
        last_error_at,
    }
}

fn to_do(state: FeedState, is_read: bool, error: Option<&Report>) -> Option<String> {
    match (is_read, state, error) {
        (false, ..) => Some("start `cpq serve`: it reads on where this one stands".to_owned()),
        (true, FeedState::Live, _) => None,
        (true, FeedState::Behind, Some(report)) => Some(report.details.next.clone()),
        (true, FeedState::Behind, None) => Some("nothing: it is about to be read".to_owned()),
        (true, FeedState::Gap, _) => {
            Some("nothing: all that changed since is being looked at, then it reads on".to_owned())
        }
    }
}
