//! Is everything healthy? One tile for each thing to look after, and each leads to its list.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use cpq_api::connections::{Connection, Connections};
use cpq_api::feeds::{Feed, Feeds};
use cpq_api::{ConflictPage, DeadLetterGroups, SyncStatistics};
use cpq_domain::dead_letter::LetterGroup;

use crate::chart::Chart;
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, when};

/// Causes that are named at home; the rest is on their own page.
const CAUSES: usize = 5;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    connections: Vec<Tile>,
    /// `None` where the token may not look.
    letters: Option<u64>,
    causes: Vec<LetterGroup>,
    conflicts: Option<String>,
    chart: Chart,
    silence: Option<String>,
}

/// A connection at a glance.
struct Tile {
    name: String,
    /// `good`, `wait` or `bad`.
    mark: &'static str,
    says: String,
    calls: Option<Calls>,
    queued: u64,
    parked: u64,
    waiting: u64,
    lag: String,
}

struct Calls {
    used: u64,
    max: u64,
    exhausted: String,
}

/// The page.
pub(crate) async fn page(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    let connections: Connections = house.ask(&visitor, "/api/v1/connections").await?;
    let feeds: Feeds = house.ask(&visitor, "/api/v1/feeds").await?;
    let groups: Option<DeadLetterGroups> = house
        .ask_if_allowed(&visitor, "/api/v1/dead-letters/groups")
        .await?;
    let groups = groups.map(|found| found.groups);
    let conflicts: Option<ConflictPage> = house
        .ask_if_allowed(&visitor, "/api/v1/conflicts?state=open&limit=200")
        .await?;
    let statistics: SyncStatistics = house.ask(&visitor, "/api/v1/statistics/sync?hours=168").await?;
    Ok(page::show(&Home {
        frame: Frame::new(&visitor, "home", "Home"),
        connections: connections
            .connections
            .iter()
            .map(|one| tile(one, &feeds.feeds))
            .collect(),
        letters: groups
            .as_ref()
            .map(|groups| groups.iter().map(|group| group.count).sum()),
        causes: groups.unwrap_or_default().into_iter().take(CAUSES).collect(),
        conflicts: conflicts.as_ref().map(open),
        silence: statistics.silence(),
        chart: Chart::of_the_last_day(&statistics),
    }))
}

/// How many are open; at most as many as were asked for.
fn open(page: &ConflictPage) -> String {
    let more = if page.next.is_some() { "+" } else { "" };
    format!("{}{more}", page.conflicts.len())
}

fn tile(connection: &Connection, feeds: &[Feed]) -> Tile {
    let feed = feeds.iter().find(|feed| feed.connection == connection.connection);
    let (mark, says) = state(connection, feed);
    let calls = connection.calls.as_ref().map(|calls| Calls {
        used: calls.used,
        max: calls.max,
        exhausted: when::perhaps(&calls.exhausted_at),
    });
    Tile {
        name: connection.connection.clone(),
        mark,
        says,
        calls,
        queued: connection.queued,
        parked: connection.parked,
        waiting: connection.waiting,
        lag: feed
            .and_then(|feed| feed.lag_seconds)
            .map(when::span)
            .unwrap_or_default(),
    }
}

/// How it stands, the worst first.
fn state(connection: &Connection, feed: Option<&Feed>) -> (&'static str, String) {
    if let Some(why) = &connection.dead {
        return ("bad", format!("not connected: {why}"));
    }
    if let Some(circuit) = &connection.circuit {
        let reason = fields::word(&circuit.reason);
        return (
            "bad",
            format!(
                "calls are held back ({reason}) until {}",
                when::moment(&circuit.due_at)
            ),
        );
    }
    match feed {
        Some(feed) if !feed.is_read => ("wait", "nobody reads its changes".to_owned()),
        Some(feed) if feed.to_do.is_some() => ("wait", feed.to_do.clone().unwrap_or_default()),
        _ => ("good", "works".to_owned()),
    }
}
