//! How a sync hangs together with others: what it replays, what took its place, who gave it up.

use cpq_domain::event::{EventKind, SyncEvent};

/// Syncs that are named; a replay may stand for hundreds.
const NAMED: usize = 8;

/// One such tie.
pub(crate) struct Tie {
    pub(crate) says: &'static str,
    /// Correlation ids.
    pub(crate) syncs: Vec<String>,
    /// How many more there are.
    pub(crate) more: u64,
    /// Who made it so, and why.
    pub(crate) who: String,
}

/// The ties that a journal tells of.
pub(crate) fn ties(events: &[SyncEvent]) -> Vec<Tie> {
    events.iter().filter_map(tie).collect()
}

fn tie(event: &SyncEvent) -> Option<Tie> {
    use EventKind::{Accepted, Cancelled, Replayed, Superseded};
    // What others carry may be long.
    if !matches!(event.kind, Accepted | Cancelled | Replayed | Superseded) {
        return None;
    }
    let data = event.data.json();
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let other = Vec::from_iter(data["by"].as_str().map(str::to_owned));
    let who = || match (text("person"), text("reason")) {
        (person, reason) if reason.is_empty() => person,
        (person, reason) => format!("{person}: {reason}"),
    };
    let (says, syncs, more, who) = match event.kind {
        Accepted if data["undoes"].is_object() => {
            let (named, more) = replayed(&data["undoes"])?;
            let wish = &data["undoes"];
            let text = |name: &str| wish[name].as_str().unwrap_or_default();
            let who = match text("reason") {
                "" => text("by").to_owned(),
                reason => format!("{}: {reason}", text("by")),
            };
            ("Takes back", named, more, who)
        }
        Replayed if data["undone"] == true => ("Taken back by", other, 0, who()),
        Accepted => {
            let (named, more) = replayed(&data["replayOf"])?;
            ("Replays", named, more, String::new())
        }
        Superseded if !other.is_empty() => ("Replaced by", other, 0, who()),
        Replayed if !other.is_empty() => ("Replayed by", other, 0, who()),
        Cancelled => ("Given up by", Vec::new(), 0, who()),
        _ => return None,
    };
    Some(Tie {
        says,
        syncs,
        more,
        who,
    })
}

/// The syncs that a fresh one replays, and how many it does not name.
fn replayed(of: &serde_json::Value) -> Option<(Vec<String>, u64)> {
    let all = of["syncs"].as_array()?;
    let named = all.iter().take(NAMED);
    let named: Vec<String> = named.filter_map(|id| id.as_str().map(str::to_owned)).collect();
    let count = of["count"].as_u64().unwrap_or(all.len() as u64);
    let more = count.saturating_sub(named.len() as u64);
    Some((named, more))
}
