//! Walks through a table that stop when enough was seen, and a count of what they saw.

use super::{Key, Row, Table};
use crate::org::{Id, Org, Value};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many rows and index entries were handed out. Tests prove by it that a query did not walk through everything.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Counts one more.
    pub fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clone for Tally {
    fn clone(&self) -> Tally {
        Tally(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Table {
    /// Rows with ids in this range, in their order.
    pub fn rows_between(&self, ids: RangeInclusive<Id>) -> impl DoubleEndedIterator<Item = (Id, &Row)> {
        // An empty range has to be told from a wrong one.
        let (low, high) = ids.into_inner();
        let range = (low <= high).then(|| self.rows.range(low..=high));
        range.into_iter().flatten().map(|(id, row)| {
            self.looked.one();
            (*id, row.as_ref())
        })
    }

    /// Ids of rows whose field has this value, in their order; none when the field has no index.
    pub fn equal<'t>(&'t self, field: usize, value: &Value) -> Option<impl Iterator<Item = Id> + use<'t>> {
        let index = self.indexes.iter().find(|i| i.field == field)?;
        let key = Key::of(value, index.case_sensitive);
        let range = key.map(|key| index.entries.range((key.clone(), Id::MIN)..=(key, Id::MAX)));
        Some(range.into_iter().flatten().map(|(_, id)| {
            self.looked.one();
            *id
        }))
    }

    /// Ids of rows by an instant in seconds and then by id; none when the field has no index.
    pub fn instants(
        &self,
        field: usize,
        low: (i64, Id),
        high: (i64, Id),
    ) -> Option<impl DoubleEndedIterator<Item = Id>> {
        let index = self.indexes.iter().find(|i| i.field == field)?;
        let key = |(second, id): (i64, Id)| (Key::Second(second), id);
        let range = (low <= high).then(|| index.entries.range(key(low)..=key(high)));
        Some(range.into_iter().flatten().map(|(_, id)| {
            self.looked.one();
            *id
        }))
    }

    /// Whether every row has a value in the field's index, so that a walk through the index misses none.
    pub fn all_indexed(&self, field: usize) -> bool {
        self.indexes
            .iter()
            .any(|i| i.field == field && i.entries.len() == self.rows.len())
    }

    /// Number of rows, deleted ones included.
    pub fn size(&self) -> usize {
        self.rows.len()
    }
}

impl Org {
    /// How many rows and index entries were handed out since the start, all tables together.
    pub fn looked_at(&self) -> u64 {
        self.tables
            .iter()
            .map(|t| t.looked.0.load(Ordering::Relaxed))
            .sum()
    }
}
