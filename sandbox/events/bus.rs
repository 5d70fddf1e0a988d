//! The stored events of all topics in one order.

use super::replay::ReplayId;
use super::topic::Topic;
use crate::state::lock;
use axum::body::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Events are kept for three days (Pub/Sub API, Event Message Durability).
const KEPT_HOURS: i64 = 72;
/// Events kept at most, so that a long load test does not eat the machine; a real bus has no such bound.
const KEPT: usize = 200_000;
/// Bytes of their payloads kept at most, for the same reason.
const KEPT_BYTES: usize = 256 * 1024 * 1024;
/// Positions between two streams, so that none of the first is one of the second.
const RESTART: u64 = 1_000_000;
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
    /// Bytes of all payloads.
    bytes: usize,
    /// Transactions whose events are being stored.
    open: usize,
    /// Subscribers see events up to here: those of a transaction come together.
    shown: u64,
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
    /// An empty bus whose positions follow this one, which is not readable.
    pub fn after(position: u64) -> Bus {
        let bus = Bus::default();
        lock(&bus.stream).begin_after(position);
        bus.tip.send_replace(ReplayId(position));
        bus
    }

    /// A bus with these events, as a snapshot held them.
    pub(super) fn with(gone: u64, last: u64, events: Vec<Event>) -> Bus {
        let bus = Bus::after(last);
        let mut stream = lock(&bus.stream);
        stream.gone = gone;
        stream.bytes = events.iter().map(|event| event.payload.len()).sum();
        stream.events = events.into_iter().map(Arc::new).collect();
        drop(stream);
        bus
    }

    /// Everything that is kept: the positions that are gone, the last one, and the events.
    pub(super) fn kept(&self, now: Timestamp) -> (u64, u64, Vec<Arc<Event>>) {
        let mut stream = lock(&self.stream);
        stream.forget_old(now);
        (stream.gone, stream.last, stream.events.iter().cloned().collect())
    }

    /// Begins a new stream: no position that was ever given out is readable, as after an org has moved.
    pub fn restart(&self) {
        let mut stream = lock(&self.stream);
        let position = stream.last + RESTART;
        stream.begin_after(position);
        drop(stream);
        self.tip.send_replace(ReplayId(position));
    }

    /// Forgets all events before this one, as if their time had come.
    pub fn forget_until(&self, at: ReplayId) {
        lock(&self.stream).forget_until(at);
    }

    /// Gives out a position that no event will have.
    pub(super) fn skip(&self) -> ReplayId {
        ReplayId(lock(&self.stream).next())
    }

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
        let replay_id = ReplayId(stream.next());
        stream.bytes += payload.len();
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
        self.show(stream);
        replay_id
    }

    /// Stores what `work` appends so that subscribers see all of it at once, as a transaction commits at once.
    pub(super) fn together<T>(&self, work: impl FnOnce() -> T) -> T {
        lock(&self.stream).open += 1;
        let done = work();
        let mut stream = lock(&self.stream);
        stream.open -= 1;
        self.show(stream);
        done
    }

    fn show(&self, mut stream: MutexGuard<'_, Stream>) {
        if stream.open > 0 || stream.shown == stream.last {
            return;
        }
        stream.shown = stream.last;
        drop(stream);
        self.tip.send_replace(self.tip());
    }

    /// Position of the newest event that subscribers see.
    pub fn tip(&self) -> ReplayId {
        ReplayId(lock(&self.stream).shown)
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
        self.stretch(Some(topic), after, most, now)
    }

    /// The same for a topic or for all of them.
    pub(super) fn stretch(
        &self,
        topic: Option<&Topic>,
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
        let shown = ReplayId(stream.shown);
        let carried = |event: &&Arc<Event>| topic.is_none_or(|topic| topic.carries(&event.kind));
        let events: Vec<_> = stream
            .events
            .range(from..)
            .take_while(|event| event.replay_id <= shown)
            .filter(carried)
            .take(most)
            .cloned()
            .collect();
        let latest = events.last().map_or(shown.max(after), |event| event.replay_id);
        Ok(Page { events, latest })
    }
}

impl Stream {
    fn next(&mut self) -> u64 {
        self.last += 1 + self.last % STRIDE;
        self.last
    }

    fn begin_after(&mut self, position: u64) {
        *self = Stream {
            last: position,
            gone: position,
            shown: position,
            open: self.open,
            ..Stream::default()
        };
    }

    fn forget_until(&mut self, at: ReplayId) {
        while self.events.front().is_some_and(|first| first.replay_id < at) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.events.pop_front() {
            self.gone = first.replay_id.0;
            self.bytes -= first.payload.len();
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.as_second() - KEPT_HOURS * 3_600;
        while let Some(first) = self.events.front()
            && (first.at.as_second() < oldest || self.events.len() > KEPT || self.bytes > KEPT_BYTES)
        {
            self.forget_first();
        }
    }
}

impl Topic {
    /// Whether events of this kind belong to the topic.
    pub fn carries(&self, kind: &str) -> bool {
        match &self.carries {
            Some(kinds) => kinds.iter().any(|one| one.as_ref() == kind),
            None => kind.ends_with("ChangeEvent") || kind.ends_with("@ChangeEvents"),
        }
    }
}
