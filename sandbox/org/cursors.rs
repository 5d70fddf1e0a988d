//! Open query cursors: what `nextRecordsUrl` leads to.

use super::Id;
use crate::soql::Plan;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Cursors one user may hold; the oldest dies when another opens (REST API Developer Guide, Query).
const PER_USER: usize = 10;

/// How long a cursor lives without being read.
const IDLE: SignedDuration = SignedDuration::from_mins(15);

/// Key prefix of locators.
const PREFIX: [u8; 3] = *b"01g";

/// A query with more rows to give.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// The prepared query.
    pub plan: Arc<Plan>,
    /// Ids of all rows of the result.
    pub ids: Arc<Vec<Id>>,
    /// Rows a page holds.
    pub batch: usize,
}

#[derive(Debug)]
struct Held {
    locator: Id,
    user: Id,
    used: Timestamp,
    cursor: Cursor,
}

/// All open cursors.
#[derive(Debug, Default)]
pub struct Cursors {
    held: VecDeque<Held>,
    made: u64,
}

impl Cursors {
    /// Opens a cursor and answers its locator.
    pub fn open(&mut self, user: Id, now: Timestamp, cursor: Cursor) -> Id {
        self.forget_idle(now);
        let mine = self.held.iter().filter(|h| h.user == user).count();
        if mine >= PER_USER
            && let Some(oldest) = self.held.iter().position(|h| h.user == user)
        {
            self.held.remove(oldest);
        }
        self.made += 1;
        let locator = Id::new(PREFIX, self.made);
        self.held.push_back(Held {
            locator,
            user,
            used: now,
            cursor,
        });
        locator
    }

    /// The cursor behind a locator, if it still lives.
    pub fn read(&mut self, locator: Id, now: Timestamp) -> Option<Cursor> {
        self.forget_idle(now);
        let held = self.held.iter_mut().find(|h| h.locator == locator)?;
        held.used = now;
        Some(held.cursor.clone())
    }

    fn forget_idle(&mut self, now: Timestamp) {
        self.held.retain(|h| now.duration_since(h.used) < IDLE);
    }
}
