//! The stored events of all topics in one order.

use super::replay::ReplayId;
use super::topic::Topic;
use crate::state::lock;
use axum::body::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Events are kept for three days (Pub/Sub API, Event Message Durability).
const KEPT_HOURS: i64 = 72;
/// Events kept at most, so that a long load test does not eat the machine; a real bus has no such bound.
const KEPT: usize = 200_000;
/// Distance between two positions at most: real positions have holes, and a client that counts must fail here too.
const STRIDE: u64 = 7;

/// One stored event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Position.
    pub replay_id: ReplayId,
    /// Id of the event itself; the same when it is delivered twice.
    pub id: Arc<str>,
    /// Name of its kind: `OpportunityChangeEvent`, `Order_Shipped__e`.
    pub kind: Arc<str>,
    /// Id of the schema that the payload is written in.
    pub schema_id: Arc<str>,
    /// One Avro datum.
    pub payload: Bytes,
    /// When it was stored.
    pub at: Timestamp,
}

/// A stretch of a topic.
#[derive(Debug, Clone)]
pub struct Page {
    /// Events in their order.
    pub events: Vec<Arc<Event>>,
    /// Where to go on: the last event's position, or with none the tip of the bus, which may lie beyond the topic's last.
    pub latest: ReplayId,
}

/// Why a position cannot be read from: it was never given out, its event is no longer kept, or the stream began anew.
/// The real service does not tell these apart either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The stored events.
#[derive(Debug)]
pub struct Bus {
    stream: Mutex<Stream>,
    tip: watch::Sender<ReplayId>,
}

#[derive(Debug, Default)]
struct Stream {
    events: VecDeque<Arc<Event>>,
    /// Position of the last event that was ever stored.
    last: u64,
    /// Positions up to here are gone.
    gone: u64,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            stream: Mutex::default(),
            tip: watch::Sender::new(ReplayId(0)),
        }
    }
}

impl Bus {
    /// Stores an event and wakes subscribers; answers its position.
    pub fn append(
        &self,
        now: Timestamp,
        id: Arc<str>,
        kind: Arc<str>,
        schema_id: Arc<str>,
        payload: Bytes,
    ) -> ReplayId {
        let mut stream = lock(&self.stream);
        stream.last += 1 + stream.last % STRIDE;
        let replay_id = ReplayId(stream.last);
        let event = Event {
            replay_id,
            id,
            kind,
            schema_id,
            payload,
            at: now,
        };
        stream.events.push_back(Arc::new(event));
        stream.forget_old(now);
        drop(stream);
        self.tip.send_replace(replay_id);
        replay_id
    }

    /// Position of the newest event.
    pub fn tip(&self) -> ReplayId {
        ReplayId(lock(&self.stream).last)
    }

    /// Position before the oldest event that is still kept.
    pub fn beginning(&self, now: Timestamp) -> ReplayId {
        let mut stream = lock(&self.stream);
        stream.forget_old(now);
        ReplayId(stream.gone)
    }

    /// Told of every new event.
    pub fn watch(&self) -> watch::Receiver<ReplayId> {
        self.tip.subscribe()
    }

    /// At most so many events of a topic after a position.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(
        &self,
        topic: &Topic,
        after: ReplayId,
        most: usize,
        now: Timestamp,
    ) -> Result<Page, Unreadable> {
        let mut stream = lock(&self.stream);
        stream.forget_old(now);
        if after.0 < stream.gone || after.0 > stream.last {
            return Err(Unreadable);
        }
        let from = stream.events.partition_point(|event| event.replay_id <= after);
        let carried = |event: &&Arc<Event>| topic.carries(&event.kind);
        let events: Vec<_> = stream
            .events
            .range(from..)
            .filter(carried)
            .take(most)
            .cloned()
            .collect();
        let latest = events
            .last()
            .map_or(ReplayId(stream.last), |event| event.replay_id);
        Ok(Page { events, latest })
    }
}

impl Stream {
    fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.as_second() - KEPT_HOURS * 3_600;
        while let Some(first) = self.events.front()
            && (first.at.as_second() < oldest || self.events.len() > KEPT)
        {
            self.gone = first.replay_id.0;
            self.events.pop_front();
        }
    }
}

impl Topic {
    /// Whether events of this kind belong to the topic.
    pub fn carries(&self, kind: &str) -> bool {
        match &self.carries {
            Some(kinds) => kinds.iter().any(|one| one.as_ref() == kind),
            None => kind.ends_with("ChangeEvent"),
        }
    }
}
