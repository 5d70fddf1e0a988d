//! Change events that a test asks for: gaps, an overflow, a conversion of a field that lost its values.

use super::capture;
use super::drafts::nothing;
use super::header::{ChangeType, Header, Transaction};
use super::stage::Ready;
use super::{Events, ReplayId, new_uuid};
use crate::faults::EventVerdict;
use crate::org::{ChangeKind, Org};
use jiff::Timestamp;
use serde::Deserialize;

/// Records that one event may name.
const RECORDS: usize = 10_000;

/// An event to make.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Made {
    /// Object.
    pub object: String,
    /// Records; none means all of the object, written as its key prefix and a star.
    pub record_ids: Vec<String>,
    /// `GAP_UPDATE` when absent; also `GAP_CREATE`, `GAP_DELETE`, `GAP_UNDELETE`, `GAP_OVERFLOW`, or `UPDATE` with
    /// `field`.
    pub change_type: Option<String>,
    /// The field that became null in all these records, as by a conversion of its type.
    pub field: Option<String>,
}

impl Events {
    /// Stores such an event on the topics of its object.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn make(&self, org: &Org, made: &Made, now: Timestamp) -> Result<ReplayId, String> {
        let schema = org.schema();
        let at = schema
            .position(&made.object)
            .ok_or_else(|| format!("there is no object {}", made.object))?;
        let object = schema.at(at);
        let cast = self.cast(org);
        let plan = cast
            .plan(at, &self.registry)
            .filter(|plan| !plan.routes.is_empty())
            .ok_or_else(|| format!("nothing captures changes of {}", made.object))?;
        let change = made.change()?;
        let mut body = nothing(plan, change);
        if let Some(name) = &made.field {
            let field = object
                .position(name)
                .ok_or_else(|| format!("{} has no field {name}", made.object))?;
            body.lists = plan.layout.nulled(object, field);
        } else if matches!(change, ChangeType::Whole(_)) {
            return Err("an UPDATE that is made up needs a field".into());
        }
        let transaction = Transaction {
            key: new_uuid().as_ref().to_owned(),
            millis: now.as_second() * 1_000,
            number: self.next_commit(),
            user: org.first_user().to_string(),
            origin: String::new(),
        };
        let header = Header {
            entity: &object.name,
            change,
            transaction: &transaction,
            sequence: 1,
        };
        let mut payload = Vec::new();
        header.encode(&mut payload, &made.ids(object.prefix_text())?, &body.lists);
        payload.extend_from_slice(&body.bytes);
        let mut last = self.bus.tip();
        for route in &plan.routes {
            let ready = Ready {
                id: new_uuid(),
                kind: route.kind.clone(),
                schema_id: plan.known.id.clone(),
                payload: payload.clone().into(),
                verdict: EventVerdict::default(),
            };
            last = self.stage.send(&self.bus, now, ready);
        }
        Ok(last)
    }
}

impl Made {
    fn change(&self) -> Result<ChangeType, String> {
        let name = match (&self.change_type, &self.field) {
            (Some(name), _) => name.as_str(),
            (None, Some(_)) => "UPDATE",
            (None, None) => "GAP_UPDATE",
        };
        match ChangeType::parse(name) {
            Some(
                change @ (ChangeType::Gap(_) | ChangeType::Overflow | ChangeType::Whole(ChangeKind::Update)),
            ) => Ok(change),
            _ => Err(format!(
                "{name} is none of GAP_CREATE, GAP_UPDATE, GAP_DELETE, GAP_UNDELETE, GAP_OVERFLOW, UPDATE"
            )),
        }
    }

    fn ids(&self, prefix: &str) -> Result<Vec<String>, String> {
        if self.record_ids.len() > RECORDS {
            return Err(format!("at most {RECORDS} records are allowed"));
        }
        if self.record_ids.is_empty() {
            return Ok(vec![match self.change()? {
                ChangeType::Overflow => capture::no_record(prefix),
                _ => format!("{prefix}*"),
            }]);
        }
        Ok(self.record_ids.clone())
    }
}
