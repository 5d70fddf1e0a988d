//! A bounded list of what happened, and totals by name that never forget. Shown by the control plane.

use crate::state::lock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

/// Totals beyond its number of names are counted under this one: names come from outside.
const OTHER: &str = "other";

/// An entry with its position in the order of entries, from 1, never reused.
pub trait Numbered {
    /// Sets the position.
    fn number(&mut self, seq: u64);
    /// The position.
    fn seq(&self) -> u64;
}

/// Keeps `ENTRIES` entries, the oldest fall out, and totals of `NAMES` names.
#[derive(Debug)]
pub struct Log<E, C, const ENTRIES: usize, const NAMES: usize> {
    book: Mutex<Book<E, C>>,
}

#[derive(Debug)]
struct Book<E, C> {
    last_seq: u64,
    entries: VecDeque<E>,
    totals: BTreeMap<String, C>,
}

impl<E, C, const ENTRIES: usize, const NAMES: usize> Default for Log<E, C, ENTRIES, NAMES> {
    fn default() -> Self {
        let book = Book {
            last_seq: 0,
            entries: VecDeque::new(),
            totals: BTreeMap::new(),
        };
        Log {
            book: Mutex::new(book),
        }
    }
}

impl<E: Numbered + Clone, C: Default + Clone, const ENTRIES: usize, const NAMES: usize>
    Log<E, C, ENTRIES, NAMES>
{
    /// Appends an entry, which gets its number here, and counts it under a name.
    pub fn record(&self, name: String, mut entry: E, count: impl FnOnce(&mut C, &E)) {
        let mut book = lock(&self.book);
        book.last_seq += 1;
        entry.number(book.last_seq);
        let known = book.totals.contains_key(&name) || book.totals.len() < NAMES;
        let total = book.totals.entry(if known { name } else { OTHER.to_owned() });
        count(total.or_default(), &entry);
        if book.entries.len() == ENTRIES {
            book.entries.pop_front();
        }
        book.entries.push_back(entry);
    }

    /// The last `limit` entries with a number above `after`, oldest first, then all totals.
    pub fn read(&self, after: u64, limit: usize) -> (Vec<E>, BTreeMap<String, C>) {
        let book = lock(&self.book);
        let fresh = book.entries.iter().filter(|entry| entry.seq() > after).count();
        let skip = book.entries.len() - fresh.min(limit);
        let entries = book.entries.iter().skip(skip).cloned().collect();
        (entries, book.totals.clone())
    }

    /// Forgets entries and totals; numbers go on.
    pub fn clear(&self) {
        let mut book = lock(&self.book);
        book.entries.clear();
        book.totals.clear();
    }
}
