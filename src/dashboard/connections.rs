//! The connections to CRMs: whether they live, what they may still call, what waits for them, and their feeds.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use cpq_api::Origin;
use cpq_api::connections::{Connection, Connections};
use cpq_api::feeds::{Feed, Feeds};
use http::HeaderMap;

use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, logins, when};

#[derive(Template)]
#[template(path = "connections.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    callback: String,
}

struct Row {
    name: String,
    username: String,
    organization: String,
    instance: String,
    scopes: String,
    login: String,
    refreshed: String,
    dead: String,
    circuit: String,
    queued: u64,
    parked: u64,
    waiting: u64,
    next_due: String,
    calls: Option<Calls>,
    feeds: Vec<FeedRow>,
}

struct Calls {
    used: u64,
    max: u64,
    heard: String,
    exhausted: String,
    /// Share of the calls that are used, in thousandths.
    share: u64,
    purposes: Vec<(String, u64, u64)>,
}

struct FeedRow {
    name: String,
    state: String,
    read_by: String,
    lag: String,
    seen: String,
    error: String,
    to_do: String,
}

/// The page.
pub(crate) async fn page(
    State(house): State<House>,
    At(visitor): At,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let found: Connections = house.ask(&visitor, "/api/v1/connections").await?;
    let feeds: Feeds = house.ask(&visitor, "/api/v1/feeds").await?;
    Ok(page::show(&Page {
        frame: Frame::new(&visitor, "connections", "Connections"),
        callback: logins::callback(origin, &headers),
        rows: found
            .connections
            .iter()
            .map(|one| row(one, &feeds.feeds))
            .collect(),
    }))
}

fn row(of: &Connection, feeds: &[Feed]) -> Row {
    let circuit = of.circuit.as_ref().map(|circuit| {
        let (state, reason) = (fields::word(&circuit.state), fields::word(&circuit.reason));
        format!(
            "{state} since {} ({reason}): {}; tried again at {}",
            when::moment(&circuit.since),
            circuit.error.message,
            when::moment(&circuit.due_at)
        )
    });
    Row {
        name: of.connection.clone(),
        username: of.username.clone(),
        organization: of.organization_id.clone(),
        instance: of.instance_url.clone(),
        scopes: of.scopes.join(" "),
        login: format!(
            "{} since {}",
            fields::word(&of.flow),
            when::moment(&of.connected_at)
        ),
        refreshed: when::moment(&of.refreshed_at),
        dead: of.dead.clone().unwrap_or_default(),
        circuit: circuit.unwrap_or_default(),
        queued: of.queued,
        parked: of.parked,
        waiting: of.waiting,
        next_due: when::perhaps(&of.next_due),
        calls: of.calls.as_ref().map(|calls| Calls {
            used: calls.used,
            max: calls.max,
            heard: when::moment(&calls.heard_at),
            exhausted: when::perhaps(&calls.exhausted_at),
            share: (calls.used * 1_000)
                .checked_div(calls.max)
                .unwrap_or(0)
                .min(1_000),
            purposes: calls
                .purposes
                .iter()
                .map(|(name, share)| (name.clone(), share.made, share.share))
                .collect(),
        }),
        feeds: feeds
            .iter()
            .filter(|feed| feed.connection == of.connection)
            .map(feed_row)
            .collect(),
    }
}

fn feed_row(feed: &Feed) -> FeedRow {
    FeedRow {
        name: feed.feed.clone(),
        state: fields::word(&feed.state),
        read_by: feed.read_by.clone().unwrap_or_default(),
        lag: feed.lag_seconds.map(when::span).unwrap_or_default(),
        seen: when::perhaps(&feed.seen_until),
        error: feed
            .last_error
            .as_ref()
            .map(|report| report.message.clone())
            .unwrap_or_default(),
        to_do: feed.to_do.clone().unwrap_or_default(),
    }
}
