//! Events: what the org tells subscribers about changes, and what publishers tell each other through it.

mod bus;
mod replay;
mod topic;

pub use bus::{Bus, Event, Page, Unreadable};
pub use replay::ReplayId;
pub use topic::{NoTopic, Topic};

use crate::org::{Commit, Org};
use std::sync::Arc;

/// The event bus of one sandbox with what it needs to know about its topics.
#[derive(Debug, Default)]
pub struct Events {
    /// The stored events.
    pub bus: Bus,
}

impl Events {
    /// Puts the change events of these transactions on the bus, in their order.
    pub fn absorb(&self, _org: &Org, _commits: &[Commit]) {}

    /// The topic with this name.
    ///
    /// # Errors
    /// [`NoTopic`] when the name is no topic's or names nothing that the org has.
    pub fn topic(&self, _org: &Org, _name: &str) -> Result<Topic, NoTopic> {
        Err(NoTopic::Unknown)
    }

    /// The Avro schema with this id, as JSON. Schemas that were replaced stay readable: old events are written in them.
    pub fn schema(&self, _id: &str) -> Option<Arc<str>> {
        None
    }
}
