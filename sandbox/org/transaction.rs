//! Transactions: an undo log that can be rolled back in part or whole, and the log of what was committed.

use super::Org;
use super::id::Id;
use super::publish::Publication;
use super::table::Row;
use super::value::Value;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Commits that wait for a reader at most; past this the oldest fall out, so that an org that nobody reads stays small.
const COMMITS_KEPT: usize = 20_000;

/// How to take back one step of a transaction.
#[derive(Debug)]
pub(super) enum Undo {
    /// Put the row back.
    Row(Before),
    /// Forget the last event that waits for the commit.
    Publication,
}

/// What a row was before a write.
#[derive(Debug)]
pub(super) struct Before {
    object: usize,
    id: Id,
    row: Option<Arc<Row>>,
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The record was made.
    Create,
    /// Fields changed.
    Update,
    /// The record went to the recycle bin.
    Delete,
    /// The record came back.
    Undelete,
}

/// What a transaction did to one record, all its writes taken together.
#[derive(Debug, Clone)]
pub struct Change {
    /// Position of the object in the schema.
    pub object: usize,
    /// Record.
    pub id: Id,
    /// Kind.
    pub kind: ChangeKind,
    /// Positions and new values of the fields that differ; of a record that came back, of all that have a value.
    pub fields: Vec<(usize, Value)>,
    /// What these fields, in the same order, held before; null for a new record.
    pub before: Vec<Value>,
}

/// Through which API a transaction came, and the name its client gave itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `rest`, `soap`, `bulkapi`; empty when it came through none, as seeds do.
    pub api: &'static str,
    /// API version such as `68.0`.
    pub version: String,
    /// `client=` of `Sforce-Call-Options`.
    pub client: Option<String>,
}

impl fmt::Display for Origin {
    /// The text of `changeOrigin` (Change Data Capture Developer Guide, Change Event Header Fields).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.api.is_empty() {
            return Ok(());
        }
        write!(f, "com/salesforce/api/{}/{}", self.api, self.version)?;
        match &self.client {
            Some(client) => write!(f, ";client={client}"),
            None => Ok(()),
        }
    }
}

/// A committed transaction.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Counts up without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub user: Id,
    /// Through which door, to tell echoes apart.
    pub origin: Origin,
    /// Changes in the order of their first write.
    pub changes: Vec<Change>,
    /// Platform events in the order of their publishing.
    pub published: Vec<Publication>,
}

/// Committed transactions in order, until somebody takes them.
#[derive(Debug, Default)]
pub struct ChangeLog {
    commits: VecDeque<Commit>,
    last: u64,
}

impl ChangeLog {
    /// Adds a transaction and gives it its number.
    pub(super) fn push(&mut self, commit: Commit) {
        self.last += 1;
        self.commits.push_back(Commit {
            number: self.last,
            ..commit
        });
        if self.commits.len() > COMMITS_KEPT {
            self.commits.pop_front();
        }
    }
}

impl Org {
    /// The point to roll back to.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes every write since the mark, newest first.
    pub fn rollback(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Row(before)) => drop(self.tables[before.object].put(before.id, before.row)),
                Some(Undo::Publication) => drop(self.outbox.pop()),
                None => return,
            }
        }
    }

    /// Makes everything since the last commit final and writes it to the change log.
    pub fn commit(&mut self, at: Timestamp, user: Id, origin: &Origin) {
        if self.undo.is_empty() {
            return;
        }
        let changes = self.changes();
        self.undo.clear();
        let published = std::mem::take(&mut self.outbox);
        if !changes.is_empty() || !published.is_empty() {
            self.log.push(Commit {
                number: 0,
                at,
                user,
                origin: origin.clone(),
                changes,
                published,
            });
        }
    }

    /// The transactions committed since this was last asked, oldest first.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        self.log.commits.drain(..).collect()
    }

    /// Makes everything final without a trace in the change log; for seeding.
    pub fn commit_silently(&mut self) {
        self.undo.clear();
        self.outbox.clear();
    }

    /// Stores a row and remembers what it replaces; fields that are computed from it follow.
    pub(super) fn store(&mut self, object: usize, id: Id, mut row: Option<Row>) {
        let schema = self.schema.clone();
        let known = schema.at(object);
        if let Some(row) = &mut row {
            self.fill_formulas(known, row);
        }
        let before = self.tables[object].put(id, row.map(Arc::new));
        let watched = known.is_watched();
        let was = before.clone().filter(|_| watched);
        self.undo.push(Undo::Row(Before {
            object,
            id,
            row: before,
        }));
        if watched {
            self.spread(&schema, object, id, was.as_deref());
        }
    }

    fn changes(&self) -> Vec<Change> {
        let mut first: HashMap<(usize, Id), ()> = HashMap::new();
        let mut changes = Vec::new();
        for undo in &self.undo {
            if let Undo::Row(before) = undo
                && first.insert((before.object, before.id), ()).is_none()
            {
                changes.extend(self.change(before));
            }
        }
        changes
    }

    fn change(&self, undo: &Before) -> Option<Change> {
        let after = self.tables[undo.object].row(undo.id)?;
        let before = undo.row.as_ref();
        let kind = match (before.map(|r| r.deleted), after.deleted) {
            (None | Some(true), true) => return None,
            (None, false) => ChangeKind::Create,
            (Some(true), false) => ChangeKind::Undelete,
            (Some(false), true) => ChangeKind::Delete,
            (Some(false), false) => ChangeKind::Update,
        };
        // Who missed the record's life in between gets the whole of it.
        let before = before.filter(|_| kind != ChangeKind::Undelete);
        let differs = |at: &usize| {
            before.map_or(!after.values[*at].is_null(), |b| {
                b.values[*at] != after.values[*at]
            })
        };
        // What is computed is no change of its own; a real org does not announce it either.
        let written = |at: &usize| !self.schema.at(undo.object).fields[*at].calculated();
        let fields: Vec<_> = (0..after.values.len())
            .filter(differs)
            .filter(written)
            .map(|at| (at, after.values[at].clone()))
            .collect();
        let was = |(at, _): &(usize, Value)| before.map_or(Value::Null, |b| b.values[*at].clone());
        (kind != ChangeKind::Update || !fields.is_empty()).then_some(Change {
            object: undo.object,
            id: undo.id,
            kind,
            before: fields.iter().map(was).collect(),
            fields,
        })
    }
}
