//! A CRM in memory: opportunities with fields and lines, and writes that refuse what was changed since it was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpq_domain::adapter::{CallBudget, CrmSnapshot, CrmWrite, CrmWritten, Mapped, Mapping};
use cpq_domain::deletion::Fate;
use cpq_domain::id::{OpportunityKey, RecordId};
use cpq_domain::paging::{FoundSnapshots, PagedSnapshot, SnapshotPage};
use cpq_domain::value::Shape;
use cpq_domain::view::{FieldName, View};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use super::staged;

/// Records as they are, and as they were before the last change.
#[derive(Default)]
pub struct Crm {
    now: BTreeMap<OpportunityKey, CrmSnapshot>,
    before: BTreeMap<OpportunityKey, CrmSnapshot>,
    bin: BTreeMap<OpportunityKey, CrmSnapshot>,
    hidden: bool,
    /// Whether quotes have a record of their own here.
    pub keeps_records: bool,
    /// Lines that it takes in one call; `None` where its lines are read-only.
    pub lines_a_call: Option<usize>,
    /// Calls that it lets us make.
    pub budget: Option<CallBudget>,
    /// Writes of ours that changed a value, by correlation id.
    pub effects: Vec<String>,
}

impl Crm {
    pub fn add(&mut self, record: CrmSnapshot) {
        let number = record.opportunity.number.clone().expect("a number");
        self.now.insert(number, record);
    }

    pub fn read(&self, key: &OpportunityKey, stale: bool) -> Result<CrmSnapshot> {
        let now = (!self.hidden).then_some(&self.now);
        let before = stale.then(|| self.before.get(key)).flatten();
        let by_id = || {
            let mut records = now?.values();
            records.find(|record| record.opportunity.id.as_str() == key.as_str())
        };
        let found = before.or_else(|| now?.get(key)).or_else(by_id);
        found.cloned().ok_or_else(|| {
            let message = format!("no opportunity {key}, or it is hidden from us");
            Error::new(Code::OpportunityNotFound, message).record(key.as_str())
        })
    }

    /// An administrator gives a record another business number.
    pub fn renumber(&mut self, from: &OpportunityKey, to: &OpportunityKey) {
        let mut record = self.now.remove(from).expect("it is there");
        record.opportunity.number = Some(to.clone());
        self.now.insert(to.clone(), record);
    }

    /// Puts a record into the bin.
    pub fn delete(&mut self, key: &OpportunityKey) {
        let record = self.now.remove(key).expect("it is there");
        self.bin.insert(key.clone(), record);
    }

    /// Takes it out of the bin.
    pub fn undelete(&mut self, key: &OpportunityKey) {
        let record = self.bin.remove(key).expect("it is in the bin");
        self.now.insert(key.clone(), record);
    }

    /// Takes our right to see anything.
    pub fn hide(&mut self) {
        self.hidden = true;
    }

    pub fn fate(&self, id: &RecordId) -> Fate {
        let is =
            |records: &BTreeMap<_, CrmSnapshot>| records.values().any(|record| &record.opportunity.id == id);
        match (self.hidden, is(&self.now), is(&self.bin)) {
            (true, ..) | (_, false, false) => Fate::Unknown,
            (_, true, _) => Fate::Present,
            (_, _, true) => Fate::Deleted,
        }
    }

    /// The fields of this CRM.
    pub fn mapping(&self) -> Arc<Mapping> {
        let mut mapping = mapping();
        if self.lines_a_call.is_some() {
            staged::writable(Arc::make_mut(&mut mapping));
        }
        if self.keeps_records {
            let path = "Quote.Key__c".into();
            let (writable, shape) = (true, Shape::default());
            Arc::make_mut(&mut mapping).fields.insert(
                FieldName::new("quote_record.key"),
                Mapped {
                    path,
                    writable,
                    shape,
                },
            );
        }
        mapping
    }

    /// A page in the order of ids.
    pub fn page(&self, since: Option<Timestamp>, after: Option<&RecordId>, limit: u32) -> SnapshotPage {
        let mut all: Vec<&CrmSnapshot> = self.now.values().collect();
        all.sort_by_key(|record| std::cmp::Reverse(record.opportunity.id.clone()));
        let behind = |record: &&&CrmSnapshot| after.is_none_or(|after| record.opportunity.id < *after);
        let recent = |record: &&&CrmSnapshot| since.is_none_or(|since| record.modified_at >= since);
        let rows: Vec<_> = all
            .iter()
            .filter(behind)
            .filter(recent)
            .take(limit as usize)
            .collect();
        SnapshotPage {
            next: rows
                .last()
                .filter(|_| rows.len() == limit as usize)
                .map(|last| last.opportunity.id.clone()),
            snapshots: rows.into_iter().map(|record| paged(record)).collect(),
            unreadable: vec![],
            calls: 1,
        }
    }

    pub fn find_many(&self, ids: &[RecordId]) -> FoundSnapshots {
        let there = self
            .now
            .values()
            .filter(|record| ids.contains(&record.opportunity.id));
        FoundSnapshots {
            snapshots: there.map(paged).collect(),
            unreadable: vec![],
            deleted: ids
                .iter()
                .filter(|id| self.bin.values().any(|gone| gone.opportunity.id == **id))
                .cloned()
                .collect(),
            calls: 1,
        }
    }

    /// Takes a record away: into the bin, or out of our sight.
    pub fn remove(&mut self, key: &OpportunityKey, to_bin: bool) {
        let record = self.now.remove(key).expect("it is there");
        self.bin.extend(to_bin.then_some((key.clone(), record)));
    }

    /// Changes a record as the CRM does: the moment of the change has a grain of one second.
    pub fn change(&mut self, key: &OpportunityKey, at: Timestamp, change: impl FnOnce(&mut View)) {
        let record = self.now.get_mut(key).expect("it is there");
        self.before.insert(key.clone(), record.clone());
        change(&mut record.view);
        record.modified_at = Timestamp::from_second(at.as_second()).expect("a moment");
    }

    pub fn write(&mut self, by: &str, write: &CrmWrite, at: Timestamp) -> Result<CrmWritten> {
        let key = write.opportunity.number.clone().expect("a number");
        let held = self.read(&key, false)?;
        if held.modified_at > write.unmodified_since {
            return Err(
                Error::new(Code::CrmConflict, "somebody changed the opportunity").record(key.as_str())
            );
        }
        assert!(
            write.patch.lines.is_empty() || self.lines_a_call.is_some(),
            "the lines of this CRM are read-only"
        );
        let mut view = held.view.clone();
        staged::apply(&mut view, write);
        if view != held.view {
            self.effects.push(by.to_owned());
        }
        self.change(&key, at, |held| *held = view);
        let written = self.read(&key, false)?;
        Ok(CrmWritten {
            view: staged::sent(written.view, write),
            modified_at: written.modified_at,
        })
    }

    /// The calls that a write takes.
    pub fn stages(&self, write: &CrmWrite) -> Vec<CrmWrite> {
        staged::calls(write, self.lines_a_call)
    }
}

fn paged(record: &CrmSnapshot) -> PagedSnapshot {
    PagedSnapshot {
        snapshot: record.clone(),
        stamp: record.modified_at,
    }
}

/// The fields of this CRM, and which of them we may write.
fn mapping() -> Arc<Mapping> {
    let read = [
        "account.name",
        "opportunity.name",
        "opportunity.stage",
        "quote.name",
        "quote.currency",
        "line.exists",
        "line.sku",
        "line.name",
        "line.quantity",
        "line.list_unit",
    ];
    let written = [
        "opportunity.description",
        "opportunity.lead_source",
        "opportunity.next_step",
        "opportunity.type",
        "quote.number",
        "quote.status",
        "quote.net_total",
    ];
    let mapped = |name: &str, writable| {
        let shape = Shape::default();
        let path = format!("Opportunity.{name}");
        (
            FieldName::new(name),
            Mapped {
                path,
                writable,
                shape,
            },
        )
    };
    Arc::new(Mapping {
        fields: read
            .map(|name| mapped(name, false))
            .into_iter()
            .chain(written.map(|name| mapped(name, true)))
            .collect(),
        warnings: Vec::new(),
    })
}
