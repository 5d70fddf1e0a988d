//! The rows of one object with their indexes.

mod walk;

use super::id::Id;
use super::value::Value;
use crate::schema::{Field, Object};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// What an undelete has to know of a deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct Binned {
    /// The record whose deletion took this one along; the record itself when it was deleted on its own.
    pub root: Id,
    /// Records that pointed here and lost their reference, with the name of the field.
    pub unlinked: Vec<(Id, String)>,
}

/// A record: values in the order of the object's fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whether it lies in the recycle bin.
    pub deleted: bool,
    /// How it got there; none for live records.
    pub bin: Option<Arc<Binned>>,
    /// One value per field.
    pub values: Vec<Value>,
}

/// What an index sorts by. Null is never indexed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Reference.
    Id(Id),
    /// Text, folded unless the field looks at the case.
    Text(String),
    /// Instant in seconds.
    Second(i64),
    /// Number as normalised text; only equality matters.
    Number(String),
}

impl Key {
    /// The key of a value, none when it cannot be indexed.
    pub fn of(value: &Value, case_sensitive: bool) -> Option<Key> {
        match value {
            Value::Id(id) => Some(Key::Id(*id)),
            Value::Text(text) if case_sensitive => Some(Key::Text(text.as_ref().to_owned())),
            Value::Text(text) => Some(Key::Text(text.to_lowercase())),
            Value::DateTime(at) => Some(Key::Second(at.as_second())),
            Value::Number(number) => Some(Key::Number(number.normalize().to_string())),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
struct Index {
    field: usize,
    case_sensitive: bool,
    entries: BTreeSet<(Key, Id)>,
}

/// The rows of one object, deleted ones included, in the order of their ids. A row is never changed in place but
/// replaced, so that the undo log and a snapshot under way share it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: BTreeMap<Id, Arc<Row>>,
    indexes: Vec<Index>,
    live: usize,
    looked: walk::Tally,
    /// Ids given out so far; never taken back, not even by a rollback.
    pub made: u64,
    /// Automatic numbers given out so far, by field.
    pub numbered: BTreeMap<usize, u64>,
}

impl Table {
    /// An empty table for this object.
    pub fn new(object: &Object) -> Table {
        let indexed = object
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.indexed);
        let index = |(at, field): (usize, &Field)| Index {
            field: at,
            case_sensitive: field.unique && field.case_sensitive,
            entries: BTreeSet::new(),
        };
        Table {
            indexes: indexed.map(index).collect(),
            ..Table::default()
        }
    }

    /// The row, deleted or not.
    pub fn row(&self, id: Id) -> Option<&Row> {
        self.looked.one();
        self.rows.get(&id).map(Arc::as_ref)
    }

    /// The row unless it is deleted.
    pub fn live(&self, id: Id) -> Option<&Row> {
        self.row(id).filter(|row| !row.deleted)
    }

    /// All rows in the order of their ids.
    pub fn rows(&self) -> impl Iterator<Item = (Id, &Row)> {
        self.rows.iter().map(|(id, row)| {
            self.looked.one();
            (*id, row.as_ref())
        })
    }

    /// All rows as they are now, whatever becomes of the table: as cheap as a list of pointers.
    pub fn still(&self) -> BTreeMap<Id, Arc<Row>> {
        self.rows.clone()
    }

    /// Number of rows that are not deleted.
    pub fn count(&self) -> usize {
        self.live
    }

    /// Puts a row in place, or takes it away; answers what was there.
    pub fn put(&mut self, id: Id, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        let before = self.rows.get(&id);
        self.live -= usize::from(before.is_some_and(|r| !r.deleted));
        self.live += usize::from(row.as_ref().is_some_and(|r| !r.deleted));
        for index in &mut self.indexes {
            let old = before.map(|r| &r.values[index.field]);
            let new = row.as_ref().map(|r| &r.values[index.field]);
            if old == new {
                continue;
            }
            if let Some(key) = old.and_then(|v| Key::of(v, index.case_sensitive)) {
                index.entries.remove(&(key, id));
            }
            if let Some(key) = new.and_then(|v| Key::of(v, index.case_sensitive)) {
                index.entries.insert((key, id));
            }
        }
        match row {
            Some(row) => self.rows.insert(id, row),
            None => self.rows.remove(&id),
        }
    }

    /// Whether the field has an index.
    pub fn indexed(&self, field: usize) -> bool {
        self.indexes.iter().any(|i| i.field == field)
    }

    /// Ids of rows (deleted ones too) whose field has this value; none when the field has no index.
    pub fn find(&self, field: usize, value: &Value) -> Option<Vec<Id>> {
        let index = self.indexes.iter().find(|i| i.field == field)?;
        let Some(key) = Key::of(value, index.case_sensitive) else {
            return Some(Vec::new());
        };
        let range = (key.clone(), Id::MIN)..=(key, Id::MAX);
        Some(index.entries.range(range).map(|(_, id)| *id).collect())
    }

    /// Ids of rows whose instant lies in the bounds (seconds), in the order of the instants.
    pub fn between(&self, field: usize, from: Option<i64>, to: Option<i64>) -> Option<Vec<Id>> {
        let index = self.indexes.iter().find(|i| i.field == field)?;
        let low = Bound::Included((Key::Second(from.unwrap_or(i64::MIN)), Id::MIN));
        let high = Bound::Included((Key::Second(to.unwrap_or(i64::MAX)), Id::MAX));
        if from.unwrap_or(i64::MIN) > to.unwrap_or(i64::MAX) {
            return Some(Vec::new());
        }
        Some(index.entries.range((low, high)).map(|(_, id)| *id).collect())
    }

    /// Live rows whose reference field points to this parent.
    pub fn children(&self, field: usize, parent: Id) -> Vec<Id> {
        let found = self.find(field, &Value::Id(parent)).unwrap_or_else(|| {
            let points = |row: &Row| row.values[field] == Value::Id(parent);
            self.rows
                .iter()
                .filter(|(_, row)| points(row))
                .map(|(id, _)| *id)
                .collect()
        });
        found.into_iter().filter(|id| self.live(*id).is_some()).collect()
    }
}
