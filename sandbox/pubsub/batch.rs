//! Events put together for one answer.

use super::wire::{ConsumerEvent, ProducerEvent};
use crate::events::{Event, ReplayId};
use std::sync::Arc;

/// Bytes of events in one answer: answers of about 3 MB at most were seen, and clients take no more than 4 MB.
const MOST: usize = 3 * 1024 * 1024;
/// What an event takes beside id, schema id and payload: positions, tags and lengths.
const WRAPPING: usize = 64;

/// One answer to a subscriber.
#[derive(Debug)]
pub struct Batch {
    /// Its events; none in a keepalive.
    pub events: Vec<ConsumerEvent>,
    /// Where to go on.
    pub latest: ReplayId,
    /// Events still owed.
    pub pending: i32,
}

/// How many of these events go into one answer: one at least.
pub fn fitting(events: &[Arc<Event>]) -> usize {
    let mut size = 0;
    let fits = |event: &&Arc<Event>| {
        size += event.payload.len() + event.id.len() + event.schema_id.len() + WRAPPING;
        size <= MOST
    };
    events.iter().take_while(fits).count().max(1).min(events.len())
}

/// The events as they go over the wire.
pub fn encode(events: &[Arc<Event>]) -> Vec<ConsumerEvent> {
    let encoded = |event: &Arc<Event>| ConsumerEvent {
        event: Some(ProducerEvent {
            id: event.id.to_string(),
            schema_id: event.schema_id.to_string(),
            payload: event.payload.to_vec(),
            headers: Vec::new(),
        }),
        replay_id: event.replay_id.to_bytes().to_vec(),
    };
    events.iter().map(encoded).collect()
}
