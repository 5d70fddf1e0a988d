//! Open query cursors: what `nextRecordsUrl` leads to.

use super::Id;
use crate::soql::Plan;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Cursors one user may hold; the oldest dies when another opens (REST API Developer Guide, Query).
const PER_USER: usize = 10;

/// Cursors over child lists that one user may hold beside those; a page opens at most one for each list of a parent.
const NESTED_PER_USER: usize = 200;

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
    nested: bool,
    cursor: Cursor,
}

/// All open cursors.
#[derive(Debug, Default)]
pub struct Cursors {
    held: VecDeque<Held>,
    made: u64,
}

impl Cursors {
    /// The locator of the `number`th cursor.
    pub fn locator(number: u64) -> Id {
        Id::new(PREFIX, number)
    }

    /// How many cursors were ever opened.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Opens a cursor and answers its locator.
    pub fn open(&mut self, user: Id, now: Timestamp, cursor: Cursor) -> Id {
        self.made += 1;
        let locator = Cursors::locator(self.made);
        self.hold(user, now, (locator, cursor), false);
        locator
    }

    /// Opens the cursors of the child lists of one page; their locators were given out while it was put together.
    pub fn open_nested(&mut self, user: Id, now: Timestamp, cursors: Vec<(Id, Cursor)>) {
        for cursor in cursors {
            self.made += 1;
            self.hold(user, now, cursor, true);
        }
    }

    fn hold(&mut self, user: Id, now: Timestamp, (locator, cursor): (Id, Cursor), nested: bool) {
        self.forget_idle(now);
        let limit = if nested { NESTED_PER_USER } else { PER_USER };
        let mine = |h: &Held| h.user == user && h.nested == nested;
        if self.held.iter().filter(|h| mine(h)).count() >= limit
            && let Some(oldest) = self.held.iter().position(mine)
        {
            self.held.remove(oldest);
        }
        self.held.push_back(Held {
            locator,
            user,
            used: now,
            nested,
            cursor,
        });
    }

    /// The cursor behind a user's locator, if it still lives.
    pub fn read(&mut self, locator: Id, user: Id, now: Timestamp) -> Option<Cursor> {
        self.forget_idle(now);
        let mut mine = self.held.iter_mut().filter(|h| h.user == user);
        let held = mine.find(|h| h.locator == locator)?;
        held.used = now;
        Some(held.cursor.clone())
    }

    fn forget_idle(&mut self, now: Timestamp) {
        self.held.retain(|h| now.duration_since(h.used) < IDLE);
    }
}
