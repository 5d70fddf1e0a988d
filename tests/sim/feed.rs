//! The CRM's feed as one process reads it: it fails, repeats itself, leaves things out and says so, or no longer knows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cpq_domain::adapter::Call;
use cpq_domain::change::{
    Change, ChangeFeed, ChangeKind, ChangeStream, ChangeSweep, Changes, Hint, Position, SweepPage,
};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::land::Land;
use crate::node::Node;

/// How often a reader looks for more.
const LOOK: Duration = Duration::from_millis(60);
/// Name of the feed.
pub const NAME: &str = "tape";

/// The feed, for one process.
#[derive(Clone)]
pub struct Feed {
    /// Everything outside.
    pub land: Arc<Land>,
    /// The process.
    pub node: Arc<Node>,
}

struct Stream {
    feed: Feed,
    at: usize,
    /// When it was opened at its end, if it was.
    opened: Option<Timestamp>,
}

fn change(opportunity: u64, event: String, ours: bool) -> Change {
    let hint = Hint {
        source: NAME.into(),
        event: Some(event),
        kind: ChangeKind::Changed,
        at: None,
        by: None,
        ours,
        fields: Vec::new(),
    };
    let opportunity = cpq_domain::id::RecordId::new(format!("006{opportunity}")).expect("an id");
    Change { opportunity, hint }
}

/// The number of the event that a position stands behind.
pub fn number(position: &Position) -> usize {
    let text = std::str::from_utf8(&position.mark).unwrap_or_default();
    text.parse().unwrap_or(usize::MAX)
}

impl Feed {
    fn position(&self, at: usize) -> Position {
        let seen_until = self.land.with(|state| {
            let behind = at.checked_sub(1).and_then(|at| state.tape.events.get(at));
            behind.map(|event| event.at)
        });
        Position {
            mark: at.to_string().into_bytes(),
            seen_until: seen_until.unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    fn expired(&self) -> Error {
        self.land.with(|state| state.trace.saw("cursor expired"));
        Error::new(Code::CursorExpired, "what follows is gone")
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    fn name(&self) -> &str {
        NAME
    }

    async fn open(&self, _call: &Call, after: Option<&Position>) -> Result<Box<dyn ChangeStream>> {
        self.node.point();
        sleep(LOOK).await;
        self.node.point();
        let (shown, gone) = self
            .land
            .with(|state| (state.tape.shown(self.land.clock.elapsed_ms()), state.tape.gone));
        let at = after.map_or(shown, number);
        if after.is_none() && self.land.standing().await.is_none() {
            self.land.with(|state| state.tape.unheard = at);
        }
        self.land
            .tell(format_args!("{} opens the feed behind {at}", self.node.name));
        if at < gone {
            return Err(self.expired());
        }
        let opened = after.is_none().then(|| self.land.clock.now());
        let feed = self.clone();
        Ok(Box::new(Stream { feed, at, opened }))
    }
}

impl Stream {
    fn take(&mut self) -> Option<Result<Changes>> {
        let land = self.feed.land.clone();
        let now = land.clock.elapsed_ms();
        if let Some(opened) = self.opened.take() {
            // Nothing before the opening was promised, and everything after it is.
            let position = self.feed.position(self.at);
            let sweep_from = Some(opened);
            return Some(Ok(Changes {
                changes: Vec::new(),
                position,
                sweep_from,
            }));
        }
        let (shown, gone, fault, most) = land.with(|state| {
            let fault = state.faulty && state.dice.percent(land.knobs.feed);
            let most = state.dice.between(1, 6);
            (state.tape.shown(now), state.tape.gone, fault, most)
        });
        if self.at < gone {
            return Some(Err(self.feed.expired()));
        }
        let end = shown.min(self.at + usize::try_from(most).expect("a few"));
        if end <= self.at {
            return None;
        }
        match fault.then(|| land.with(|state| state.dice.below(4))) {
            Some(0) => {
                land.with(|state| state.trace.saw("feed fails"));
                return Some(Err(Error::new(Code::CrmUnavailable, "the feed broke")));
            }
            Some(1) => {
                land.with(|state| state.trace.saw("feed repeats"));
                self.at = self.at.saturating_sub(2).max(gone);
            }
            Some(2) => return Some(Ok(self.leave_out(end))),
            Some(3) => {
                land.with(|state| state.tape.gone = shown);
                return Some(Err(self.feed.expired()));
            }
            _ => {}
        }
        Some(Ok(self.told(end)))
    }

    fn told(&mut self, end: usize) -> Changes {
        let from = std::mem::replace(&mut self.at, end);
        let changes = self.feed.land.with(|state| {
            let events = state.tape.events[from..end].iter().enumerate();
            let told = events.flat_map(|(nth, event)| {
                let number = from + nth + 1;
                event
                    .about
                    .iter()
                    .map(move |at| change(*at, format!("e{number}"), event.ours))
            });
            told.collect()
        });
        let node = &self.feed.node.name;
        self.feed
            .land
            .tell(format_args!("{node} is told of the events {} to {end}", from + 1));
        #[cfg(feature = "planted-bugs")]
        let end = match cpq_domain::planted::Bug::FeedRunsAhead.is_on() {
            true => self.feed.land.with(|state| state.tape.head()),
            false => end,
        };
        Changes {
            changes,
            position: self.feed.position(end),
            sweep_from: None,
        }
    }

    fn leave_out(&mut self, end: usize) -> Changes {
        let from = std::mem::replace(&mut self.at, end);
        let sweep_from = self.feed.land.with(|state| {
            state.trace.saw("feed leaves out");
            state.tape.left_out.extend(from + 1..=end);
            state.tape.events[from].at
        });
        self.feed.land.tell(format_args!(
            "the feed leaves out the events {} to {end}",
            from + 1
        ));
        Changes {
            changes: Vec::new(),
            position: self.feed.position(end),
            sweep_from: Some(sweep_from),
        }
    }
}

#[async_trait]
impl ChangeStream for Stream {
    async fn next(&mut self) -> Result<Changes> {
        loop {
            self.feed.node.point();
            if let Some(taken) = self.take() {
                return taken;
            }
            sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl ChangeSweep for Feed {
    async fn changed_since(&self, _call: &Call, since: Timestamp, after: Option<&[u8]>) -> Result<SweepPage> {
        self.node.point();
        sleep(LOOK).await;
        self.node.point();
        let from = after.map_or(0, |after| usize::from(after[0]));
        let (fails, head, found) = self.land.with(|state| {
            state.trace.saw("sweep");
            let changed = |(_, held): &(_, &cpq_domain::adapter::CrmSnapshot)| held.modified_at >= since;
            let both = state.crm.now.iter().chain(&state.crm.bin).filter(changed);
            let mut found: Vec<u64> = both.map(|(key, _)| crate::land::place_of(key.as_str())).collect();
            // A record that is deleted between two pages keeps its place, or another one would be on no page.
            found.sort_unstable();
            let fails = state.faulty && state.dice.percent(self.land.knobs.feed);
            (fails, state.tape.head(), found)
        });
        self.land
            .tell(format_args!("{} sweeps page {from}", self.node.name));
        if fails {
            return Err(Error::new(Code::CrmUnavailable, "the sweep broke"));
        }
        let next = u8::try_from(from + 1).expect("few pages");
        let here = found.get(from).into_iter();
        Ok(SweepPage {
            changes: here.map(|at| change(*at, format!("s{head}"), false)).collect(),
            as_of: self.land.clock.now(),
            next: (from + 1 < found.len()).then(|| vec![next]),
        })
    }
}
