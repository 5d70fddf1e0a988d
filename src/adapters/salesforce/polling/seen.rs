//! What is known already of the overlap, so that an unchanged record is not a change at every look.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::sources::Row;

/// Records that are remembered: eight bytes each and their share of the table. Of a bulk load that changes more
/// within the overlap, the part above is looked at again while the overlap lasts.
const MOST: usize = 250_000;

/// Digests of (kind, id, stamp) by the second of the stamp. Two records with one digest would hide one change in 10^9
/// such memories, and the schedule finds what it hides.
#[derive(Default)]
pub(super) struct Seen {
    by_second: BTreeMap<i64, HashSet<u64>>,
    held: usize,
}

impl Seen {
    /// Whether the record was not seen with this stamp; it is from now on.
    pub(super) fn is_new(&mut self, row: &Row) -> bool {
        let mut digest = DefaultHasher::new();
        (row.watched, &row.id, row.stamp).hash(&mut digest);
        let second = self.by_second.entry(row.stamp.as_second()).or_default();
        let is_new = second.insert(digest.finish());
        self.held += usize::from(is_new);
        is_new
    }

    /// Forgets stamps before the moment: no look begins before it any more. Forgets the oldest of too many, too.
    pub(super) fn forget_before(&mut self, moment: Timestamp) {
        while let Some(oldest) = self.by_second.first_entry() {
            if self.held <= MOST && *oldest.key() >= moment.as_second() {
                return;
            }
            self.held -= oldest.remove().len();
        }
    }
}
