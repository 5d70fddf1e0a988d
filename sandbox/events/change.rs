//! One change of one record as a change event tells it.

use super::diff;
use super::header::{ChangeType, Lists};
use super::layout::{Layout, Told};
use crate::org::{Change, ChangeKind, Row, Value};
use crate::schema::{Kind, Object};

/// Fields that the create of a price book entry does not tell (Change Data Capture Developer Guide, Change Events for
/// PricebookEntry).
const ENTRY_SYSTEM_FIELDS: [&str; 4] = [
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
];

/// A change without its header: what two changes must have alike to travel as one event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Body {
    /// What happened.
    pub change: ChangeType,
    /// Which fields.
    pub lists: Lists,
    /// The record's fields, written.
    pub bytes: Vec<u8>,
}

/// What a change tells in one form of its object's events.
pub struct Telling<'a> {
    /// The object.
    pub object: &'a Object,
    /// The form.
    pub layout: &'a Layout,
    /// The change.
    pub change: &'a Change,
    /// The record now; for values that an event carries although they did not change.
    pub row: Option<&'a Row>,
    /// Positions of those.
    pub enriched: &'a [usize],
    /// Number from which ids of history rows are made.
    pub history: u64,
}

impl<'a> Telling<'a> {
    /// What the event says of the record; none when the change touched nothing that events tell.
    pub fn told(&self) -> Option<Told<'a>> {
        let fields = self.object.fields.len();
        let mut told = Told {
            values: vec![None; fields],
            changed: vec![false; fields],
            diffs: Vec::new(),
            history: self.history,
        };
        match self.change.kind {
            ChangeKind::Create | ChangeKind::Undelete => self.tell_everything(&mut told),
            ChangeKind::Update if !self.tell_changes(&mut told) => return None,
            ChangeKind::Update | ChangeKind::Delete => self.enrich(&mut told),
        }
        Some(told)
    }

    /// The written form of what the event says.
    pub fn body(&self, told: &Told<'_>) -> Body {
        let mut bytes = Vec::with_capacity(self.object.fields.len() * 4);
        self.layout.encode(told, &mut bytes);
        Body {
            change: ChangeType::Whole(self.change.kind),
            lists: self.layout.lists(told),
            bytes,
        }
    }

    fn tell_everything(&self, told: &mut Told<'a>) {
        for (at, value) in &self.change.fields {
            told.values[*at] = Some(value);
        }
        if self.change.kind == ChangeKind::Create && self.object.name == "PricebookEntry" {
            for at in ENTRY_SYSTEM_FIELDS
                .iter()
                .filter_map(|name| self.object.position(name))
            {
                told.values[at] = None;
            }
        }
    }

    /// Every update tells when it was, even if that is the second of the one before.
    fn tell_changes(&self, told: &mut Told<'a>) -> bool {
        let tells = |(at, _): &&(usize, Value)| self.layout.tells(*at);
        let modified = self.object.system.modified;
        let mut any = false;
        for (at, value) in self.change.fields.iter().filter(tells) {
            told.values[*at] = Some(value);
            told.changed[*at] = true;
            any = true;
        }
        if !any {
            return false;
        }
        if let (None, Some(row)) = (told.values[modified], self.row) {
            told.values[modified] = Some(&row.values[modified]);
        }
        told.changed[modified] = true;
        self.tell_differences(told);
        true
    }

    fn tell_differences(&self, told: &mut Told<'_>) {
        for ((at, _), old) in self.change.fields.iter().zip(&self.change.before) {
            let new = told.values[*at].and_then(Value::as_text);
            let (Some(old), Some(new), Kind::Textarea) = (old.as_text(), new, self.object.fields[*at].kind)
            else {
                continue;
            };
            if let Some(diff) = diff::of(old, new) {
                told.diffs.push((*at, diff));
            }
        }
    }

    fn enrich(&self, told: &mut Told<'a>) {
        let Some(row) = self.row else { return };
        for at in self.enriched.iter().filter(|at| !told.changed[**at]) {
            told.values[*at] = Some(&row.values[*at]);
        }
    }
}
