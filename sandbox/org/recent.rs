//! Records that users looked at last.

use super::{Id, Org};
use std::collections::{HashMap, VecDeque};

/// Records remembered for each user (REST API Developer Guide, Recently Viewed Items: 200).
const KEPT: usize = 200;

/// By user, the newest first.
#[derive(Debug, Default)]
pub struct Recent(HashMap<Id, VecDeque<Id>>);

impl Org {
    /// Notes that a user looked at a record.
    pub fn note_use(&mut self, user: Id, record: Id) {
        let list = self.recent.0.entry(user).or_default();
        list.retain(|id| *id != record);
        list.push_front(record);
        list.truncate(KEPT);
    }

    /// What a user looked at, the newest first.
    pub fn recent(&self, user: Id) -> impl Iterator<Item = Id> {
        self.recent.0.get(&user).into_iter().flatten().copied()
    }
}
