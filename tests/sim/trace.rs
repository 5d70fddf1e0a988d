//! What happened, in order: the last of it in words, and all of it as one number.

use std::collections::{BTreeMap, VecDeque};

/// Rows that are kept in words.
const KEPT: usize = 120;

/// A trace. Two equal runs have the same number, and two that differ anywhere do not.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    rows: u64,
    kept: usize,
    last: VecDeque<String>,
    /// How often each kind of thing has happened.
    pub seen: BTreeMap<String, u64>,
}

impl Default for Trace {
    fn default() -> Trace {
        // FNV-1a, 64 bits: its offset and prime.
        Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            rows: 0,
            kept: KEPT,
            last: VecDeque::new(),
            seen: BTreeMap::new(),
        }
    }
}

impl Trace {
    /// Adds a row.
    pub fn row(&mut self, row: String) {
        for byte in row.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.rows += 1;
        if self.last.len() == self.kept {
            self.last.pop_front();
        }
        self.last.push_back(row);
    }

    /// Keeps every row in words.
    pub fn keep_all(&mut self) {
        self.kept = usize::MAX;
    }

    /// Counts something of that kind.
    pub fn saw(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    /// The number.
    pub fn hash(&self) -> u64 {
        self.hash ^ self.rows
    }

    /// The last rows.
    pub fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
