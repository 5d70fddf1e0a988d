//! What a transaction will tell, before it is written: equal changes put together, the rest beyond the overflow left out.

use super::LARGEST;
use super::capture::no_record;
use super::cast::{Plan, Route};
use super::change::{Body, Telling};
use super::header::{ChangeType, Header, Lists, Transaction};
use super::layout::Told;
use super::telling::Teller;
use crate::org::{Change, ChangeKind, Commit, Value};
use crate::schema::Object;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes of an event that its header may need; what the record may take is the rest of the largest event.
pub const HEADER_ROOM: usize = 1_024;
/// Records that one event tells of at most, so that their ids never make it too large.
const MERGED: usize = 10_000;

/// An event that may still take in records with the same change.
pub struct Draft<'a> {
    /// Position of the object.
    pub object: usize,
    /// Which of its plan's routes.
    pub route: usize,
    /// Records.
    pub ids: Vec<String>,
    /// Place in the transaction.
    pub sequence: i32,
    /// What it says.
    pub body: Body,
    /// The first change it tells; none for an overflow.
    pub change: Option<&'a Change>,
}

/// The drafts of one transaction.
pub struct Drafts<'a, 'c> {
    teller: &'a Teller<'a>,
    transaction: &'a Transaction,
    drafts: Vec<Draft<'c>>,
    /// Where equal changes are, to merge them.
    known: HashMap<(usize, usize, u64), usize>,
    sequence: i32,
    spent: u64,
    /// Objects of which not all was told.
    overflowed: Vec<usize>,
}

impl<'a, 'c> Drafts<'a, 'c>
where
    'a: 'c,
{
    /// None yet.
    pub fn new(teller: &'a Teller<'a>, transaction: &'a Transaction) -> Self {
        Drafts {
            teller,
            transaction,
            drafts: Vec::new(),
            known: HashMap::new(),
            sequence: 1,
            spent: 0,
            overflowed: Vec::new(),
        }
    }

    /// All of a transaction's, in their order.
    pub fn of(mut self, commit: &'c Commit) -> Vec<Draft<'c>> {
        for change in &commit.changes {
            self.add(change, commit.changes.len() > 1);
        }
        for object in std::mem::take(&mut self.overflowed) {
            self.overflow(object);
        }
        self.drafts
    }

    fn add(&mut self, change: &'c Change, mergeable: bool) {
        let Some(plan) = self.teller.plan(change.object) else {
            // Its place in the transaction is counted all the same.
            self.sequence += 1;
            return;
        };
        let schema = self.teller.org.schema();
        let telling = self
            .teller
            .telling(change, schema.at(change.object), plan, self.transaction.number);
        let Some(told) = telling.told() else {
            self.sequence += 1;
            return;
        };
        self.spent += cost(change.kind, &told);
        if self.spent > self.teller.overflow_after || !self.overflowed.is_empty() {
            if !self.overflowed.contains(&change.object) {
                self.overflowed.push(change.object);
            }
            return;
        }
        let plain = told;
        let mut fresh = false;
        for (n, route) in plan.routes.iter().enumerate() {
            let telling = Telling {
                enriched: &route.enriched,
                ..telling
            };
            let told = if route.enriched.is_empty() {
                None
            } else {
                telling.told()
            };
            let told = told.as_ref().unwrap_or(&plain);
            if self.passes(route, told, telling.object, change.kind) {
                fresh |= self.draft(change, n, body(&telling, told, plan), mergeable);
            }
        }
        self.sequence += i32::from(fresh);
    }

    fn passes(&self, route: &Route, told: &Told<'_>, object: &Object, kind: ChangeKind) -> bool {
        let Some(filter) = &route.filter else { return true };
        let header = Header {
            entity: &object.name,
            change: ChangeType::Whole(kind),
            transaction: self.transaction,
            sequence: self.sequence,
        };
        filter.holds(&|at| told.values[at].unwrap_or(&Value::Null), Some(&header))
    }

    /// Adds the record to an event that tells the same, or makes a new one; says whether it did.
    fn draft(&mut self, change: &'c Change, route: usize, body: Body, mergeable: bool) -> bool {
        let id = change.id.to_string();
        let whole_records = matches!(
            body.change,
            ChangeType::Whole(ChangeKind::Create | ChangeKind::Undelete)
        );
        let merges = mergeable && !whole_records;
        if merges {
            let mut hash = DefaultHasher::new();
            body.hash(&mut hash);
            let key = (change.object, route, hash.finish());
            let like = self.known.get(&key).map(|at| &mut self.drafts[*at]);
            if let Some(like) = like.filter(|like| like.body == body && like.ids.len() < MERGED) {
                like.ids.push(id);
                return false;
            }
            self.known.insert(key, self.drafts.len());
        }
        self.drafts.push(Draft {
            object: change.object,
            route,
            ids: vec![id],
            sequence: self.sequence,
            body,
            change: Some(change),
        });
        true
    }

    /// The one event for all changes of an object that are not told. Its record id is none.
    fn overflow(&mut self, object: usize) {
        let Some(plan) = self.teller.plan(object) else {
            return;
        };
        let prefix = self.teller.org.schema().at(object).prefix_text().to_owned();
        for route in 0..plan.routes.len() {
            self.drafts.push(Draft {
                object,
                route,
                ids: vec![no_record(&prefix)],
                sequence: self.sequence,
                body: nothing(plan, ChangeType::Overflow),
                change: None,
            });
        }
        self.sequence += 1;
    }
}

/// What a change counts for against the overflow (Change Data Capture Developer Guide, Overflow Events).
fn cost(kind: ChangeKind, told: &Told<'_>) -> u64 {
    match kind {
        ChangeKind::Update => told.changed.iter().filter(|changed| **changed).count() as u64,
        ChangeKind::Create | ChangeKind::Delete | ChangeKind::Undelete => 1,
    }
}

/// The written change, or a gap when it is too large for an event.
fn body(telling: &Telling<'_>, told: &Told<'_>, plan: &Plan) -> Body {
    let body = telling.body(told);
    if body.bytes.len() + HEADER_ROOM > LARGEST {
        gap(plan, telling.change.kind)
    } else {
        body
    }
}

/// An event that only says that there was a change.
pub fn gap(plan: &Plan, kind: ChangeKind) -> Body {
    nothing(plan, ChangeType::Gap(kind))
}

/// A body without the record's fields.
pub fn nothing(plan: &Plan, change: ChangeType) -> Body {
    let mut bytes = Vec::new();
    plan.layout.encode_nothing(&mut bytes);
    Body {
        change,
        lists: Lists::default(),
        bytes,
    }
}
