//! A CRM in memory: opportunities with fields and lines, and writes that refuse what was changed since it was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpq_domain::adapter::{CrmSnapshot, CrmWrite, CrmWritten, Mapped, Mapping};
use cpq_domain::id::OpportunityKey;
use cpq_domain::value::Shape;
use cpq_domain::view::{FieldName, View};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

/// Records as they are, and as they were before the last change.
#[derive(Default)]
pub struct Crm {
    now: BTreeMap<OpportunityKey, CrmSnapshot>,
    before: BTreeMap<OpportunityKey, CrmSnapshot>,
    /// Writes of ours that changed a value, by correlation id.
    pub effects: Vec<String>,
}

impl Crm {
    pub fn add(&mut self, record: CrmSnapshot) {
        let number = record.opportunity.number.clone().expect("a number");
        self.now.insert(number, record);
    }

    pub fn read(&self, key: &OpportunityKey, stale: bool) -> Result<CrmSnapshot> {
        let before = stale.then(|| self.before.get(key)).flatten();
        let by_id = || {
            let mut records = self.now.values();
            records.find(|record| record.opportunity.id.as_str() == key.as_str())
        };
        let found = before.or_else(|| self.now.get(key)).or_else(by_id);
        found.cloned().ok_or_else(|| {
            let message = format!("no opportunity {key}, or it is hidden from us");
            Error::new(Code::OpportunityNotFound, message).record(key.as_str())
        })
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
            write.patch.lines.is_empty(),
            "the lines of this CRM are read-only"
        );
        let differs = |(field, value)| held.view.fields.get(field) != Some(value);
        if write.patch.fields.iter().any(differs) {
            self.effects.push(by.to_owned());
        }
        self.change(&key, at, |view| view.fields.extend(write.patch.fields.clone()));
        let mut written = self.read(&key, false)?;
        written
            .view
            .fields
            .retain(|field, _| write.patch.fields.contains_key(field));
        written.view.lines.clear();
        Ok(CrmWritten {
            view: written.view,
            modified_at: written.modified_at,
        })
    }
}

/// The fields of this CRM, and which of them we may write.
pub fn mapping() -> Arc<Mapping> {
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
        let shape = Shape { scale: None };
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
