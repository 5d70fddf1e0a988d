//! The CRM: opportunities with lines, a moment of the last change for each, and a tape of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cpq_domain::adapter::{CrmSnapshot, CrmWrite, CrmWritten, Mapped, Mapping};
use cpq_domain::deletion::Fate;
use cpq_domain::id::{LineKey, OpportunityKey, RecordId};
use cpq_domain::paging::{FoundSnapshots, PagedSnapshot, SnapshotPage};
use cpq_domain::quote::{OpportunityRef, SYNC_STATE};
use cpq_domain::value::{Money, Shape, Value};
use cpq_domain::view::{FieldName, Fields, View};
use cpq_domain::{Code, Error, Result};
use jiff::{SignedDuration, Timestamp};

use crate::staged;

/// Fields that only people write.
const READ_ONLY: [&str; 6] = [
    "account.name",
    "opportunity.name",
    "opportunity.stage",
    "opportunity.type",
    "quote.name",
    "quote.currency",
];
/// Fields that a sync may write.
pub const WRITABLE: [&str; 8] = [
    "opportunity.description",
    "opportunity.next_step",
    "opportunity.lead_source",
    "quote.number",
    "quote.revision",
    "quote.status",
    "quote.net_total",
    SYNC_STATE,
];

/// Records as they are, and as they were before the last change.
#[derive(Default)]
pub struct Crm {
    /// By number.
    pub now: BTreeMap<OpportunityKey, CrmSnapshot>,
    before: BTreeMap<OpportunityKey, CrmSnapshot>,
    /// What was deleted.
    pub bin: BTreeMap<OpportunityKey, CrmSnapshot>,
}

/// The key of an opportunity's number.
pub fn number(at: u64) -> OpportunityKey {
    OpportunityKey::new(format!("OPP-{at}")).expect("a key")
}

/// The key of a line.
pub fn line_key(at: u64) -> LineKey {
    LineKey::new(format!("line-{at}")).expect("a key")
}

/// An amount in the one currency that there is.
pub fn dollars(amount: u64) -> Value {
    Value::Money(Money::new(amount.into(), "USD"))
}

impl Crm {
    /// Adds an opportunity with so many lines.
    pub fn add(&mut self, at: u64, lines: u64, when: Timestamp) {
        let mut view = View::default();
        for name in READ_ONLY.iter().chain(&WRITABLE) {
            view.fields.insert(FieldName::new(name), Value::Null);
        }
        for (name, value) in [
            ("account.name", Value::text("Acme")),
            ("opportunity.name", Value::text("Acme expansion")),
            ("opportunity.stage", Value::Choice("Proposal".into())),
            ("opportunity.type", Value::text("t0")),
            ("quote.name", Value::text("Acme expansion")),
            ("quote.currency", Value::Choice("USD".into())),
        ] {
            view.fields.insert(name.into(), value);
        }
        view.lines = (0..lines)
            .map(|line| (line_key(line), new_line(line, 10 + line)))
            .collect();
        let opportunity = OpportunityRef {
            system: "crm".into(),
            id: RecordId::new(format!("006{at}")).expect("an id"),
            number: Some(number(at)),
        };
        let snapshot = CrmSnapshot {
            line_records: BTreeMap::new(),
            opportunity,
            view,
            modified_at: when,
            modified_by: None,
        };
        self.now.insert(number(at), snapshot);
    }

    /// An opportunity by number or id.
    pub fn read(&self, key: &OpportunityKey, stale: bool) -> Result<CrmSnapshot> {
        let by_id = |key: &OpportunityKey| {
            let mut all = self.now.values();
            all.find(|held| held.opportunity.id.as_str() == key.as_str())
        };
        let now = self.now.get(key).or_else(|| by_id(key));
        let before = now.and_then(|now| self.before.get(now.opportunity.number.as_ref()?));
        let found = before.filter(|_| stale).or(now);
        found.cloned().ok_or_else(|| {
            let message = format!("no opportunity {key}, or it is hidden from us");
            Error::new(Code::OpportunityNotFound, message).record(key.as_str())
        })
    }

    /// The same for a sync. Once somebody was shown how a record is, nobody is shown any more how it was.
    pub fn look(&mut self, key: &OpportunityKey, stale: bool) -> Result<CrmSnapshot> {
        let found = self.read(key, stale);
        if let (false, Ok(held)) = (stale, &found) {
            let number = held.opportunity.number.clone();
            number.map(|number| self.before.remove(&number));
        }
        found
    }

    /// Changes a record. Its moment never stands still, so that no change passes for an older one.
    pub fn change(&mut self, key: &OpportunityKey, at: Timestamp, change: impl FnOnce(&mut View)) {
        let Some(record) = self.now.get_mut(key) else {
            return;
        };
        self.before.insert(key.clone(), record.clone());
        change(&mut record.view);
        let next = record.modified_at + SignedDuration::from_millis(1);
        record.modified_at = at.max(next);
    }

    /// Does what one call wants, if nobody has changed the record since.
    pub fn write(&mut self, write: &CrmWrite, at: Timestamp) -> Result<CrmWritten> {
        let key = write.opportunity.number.clone().expect("a number");
        let held = self.read(&key, false)?;
        if held.modified_at > write.unmodified_since {
            let message = format!("{key} was changed at {}", held.modified_at);
            return Err(Error::new(Code::CrmConflict, message).record(key.as_str()));
        }
        self.change(&key, at, |view| staged::apply(view, write));
        // Whoever writes reads what was written.
        self.before.remove(&key);
        let written = self.read(&key, false)?;
        let (view, modified_at) = (staged::sent(written.view, write), written.modified_at);
        Ok(CrmWritten { view, modified_at })
    }

    /// What became of a record.
    pub fn fate(&self, id: &RecordId) -> Fate {
        let is = |all: &BTreeMap<_, CrmSnapshot>| all.values().any(|held| &held.opportunity.id == id);
        match (is(&self.now), is(&self.bin)) {
            (true, _) => Fate::Present,
            (_, true) => Fate::Deleted,
            _ => Fate::Unknown,
        }
    }

    /// A page of everything, in the order of ids.
    pub fn page(&self, since: Option<Timestamp>, after: Option<&RecordId>, limit: u32) -> SnapshotPage {
        let mut all: Vec<&CrmSnapshot> = self.now.values().collect();
        all.sort_by_key(|held| held.opportunity.id.clone());
        let behind = |held: &&CrmSnapshot| after.is_none_or(|after| held.opportunity.id > *after);
        let recent = |held: &&CrmSnapshot| since.is_none_or(|since| held.modified_at >= since);
        let rows: Vec<_> = all
            .into_iter()
            .filter(behind)
            .filter(recent)
            .take(limit as usize)
            .collect();
        let full = rows.len() == limit as usize;
        SnapshotPage {
            next: rows
                .last()
                .filter(|_| full)
                .map(|last| last.opportunity.id.clone()),
            snapshots: rows.into_iter().map(paged).collect(),
            unreadable: Vec::new(),
            calls: 1,
        }
    }

    /// Those of these ids that are there, and those that are gone.
    pub fn find_many(&self, ids: &[RecordId]) -> FoundSnapshots {
        let wanted: BTreeSet<_> = ids.iter().collect();
        let of = |held: &&CrmSnapshot| wanted.contains(&held.opportunity.id);
        FoundSnapshots {
            snapshots: self.now.values().filter(of).map(paged).collect(),
            unreadable: Vec::new(),
            deleted: self
                .bin
                .values()
                .filter(of)
                .map(|held| held.opportunity.id.clone())
                .collect(),
            calls: 1,
        }
    }
}

/// A line as a rep adds it.
pub fn new_line(at: u64, quantity: u64) -> Fields {
    Fields::from([
        ("line.sku".into(), Value::text(format!("SKU-{at}"))),
        ("line.name".into(), Value::text(format!("Seat {at}"))),
        ("line.quantity".into(), Value::Number(quantity.into())),
        ("line.list_unit".into(), dollars(25)),
        ("line.net_total".into(), Value::Null),
    ])
}

/// What this CRM can hold.
pub fn mapping() -> Arc<Mapping> {
    let mapped = |name: &str, writable: bool| {
        let (path, shape) = (format!("Opportunity.{name}"), Shape::default());
        (
            FieldName::new(name),
            Mapped {
                path,
                writable,
                shape,
            },
        )
    };
    let fields = READ_ONLY.iter().map(|name| mapped(name, false));
    let fields = fields.chain(WRITABLE.iter().map(|name| mapped(name, true)));
    let (fields, warnings) = (fields.collect(), Vec::new());
    let mut mapping = Mapping { fields, warnings };
    staged::writable(&mut mapping);
    Arc::new(mapping)
}

fn paged(held: &CrmSnapshot) -> PagedSnapshot {
    let (snapshot, stamp) = (held.clone(), held.modified_at);
    PagedSnapshot { snapshot, stamp }
}
