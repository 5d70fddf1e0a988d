//! Conflicts: edits that lost, and fields that a person must decide.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::id::{ConflictId, ConnectionName, CorrelationId, LineKey, OpportunityKey, RecordId, RunId};
use crate::ownership::{Policy, Side};
use crate::resolve::Held;
#[cfg(feature = "openapi")]
use crate::value::Value as FieldValue;
use crate::value::Value;
use crate::view::FieldName;

mod habit;
mod parse;

pub use habit::{ConflictDay, Habit, Suggestion, by_day, habits};
pub use parse::parse_like;

/// Where a conflict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConflictState {
    /// It waits for a person. Both sides keep their values until then.
    Open,
    /// The matrix decided: one value won, the one that lost is kept here.
    Settled,
    /// A person decided, and the decision was carried out.
    Resolved,
    /// There is nothing to decide any more: both sides agree by now, or the matrix no longer asks.
    Obsolete,
}

impl ConflictState {
    /// All states.
    pub const ALL: [ConflictState; 4] = {
        use ConflictState::*;
        [Open, Settled, Resolved, Obsolete]
    };

    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ConflictState::Open => "open",
            ConflictState::Settled => "settled",
            ConflictState::Resolved => "resolved",
            ConflictState::Obsolete => "obsolete",
        }
    }
}

/// What one side held, and who set it, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub value: Value,
    /// When it was set, by that side's clock: from the event that named the field, else when the record changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub at: Option<Timestamp>,
    /// Who set it: the CRM's id of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Name of that user, if the CRM told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What told it: the feed of the event, or `record` when only the record's last change is known, whose author may
    /// have changed another field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Id of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// Which value a person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The CRM's.
    Crm,
    /// The CPQ's.
    Cpq,
    /// Another one, which both sides get.
    Value,
}

/// A person's decision of a conflict. It holds only while both sides hold what that person saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Ruling {
    /// The conflict.
    pub conflict: ConflictId,
    /// The field.
    pub field: FieldName,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// The choice.
    pub take: Take,
    /// The chosen value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub value: Value,
    /// The CRM's value when it was chosen.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub crm: Value,
    /// The CPQ's value when it was chosen.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub cpq: Value,
    /// Who chose.
    pub by: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A question that a person was asked where the later change wins, because the clocks could not tell which is later. It
/// stays a person's while both sides hold what that person is shown: a record that is written by us for another field's
/// sake is no later change of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The field.
    pub field: FieldName,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// The CRM's value that is shown.
    pub crm: Value,
    /// The CPQ's value that is shown.
    pub cpq: Value,
}

/// A field over which the two sides were at odds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Its name, e.g. `cf-001`.
    pub id: ConflictId,
    /// Where it is.
    pub state: ConflictState,
    /// Counts its changes, from 1. Name it with a decision, and the decision counts only for what was shown under it.
    pub version: u32,
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The CRM's id of the opportunity.
    pub opportunity_id: RecordId,
    /// Its business number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity_number: Option<OpportunityKey>,
    /// The field.
    pub field: FieldName,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// What both sides held when they last agreed.
    #[serde(default, skip_serializing_if = "Held::is_empty")]
    pub base: Held,
    /// What the CRM held.
    pub crm: Claim,
    /// What the CPQ held.
    pub cpq: Claim,
    /// Owner under the rule in force.
    pub owner: Side,
    /// Policy of the rule in force.
    pub policy: Policy,
    /// The matrix in force.
    pub matrix_version: String,
    /// Why it is a conflict, and why it ended.
    pub reason: String,
    /// What a person decided, carried out or still to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
    /// What holds since it was closed; absent while it is open, and where each side keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FieldValue>))]
    pub outcome: Option<Value>,
    /// The sync that changed it last.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub run_id: RunId,
    /// Correlation id of that sync.
    pub correlation: CorrelationId,
    /// When it was first seen.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub opened_at: Timestamp,
    /// When it changed last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub closed_at: Option<Timestamp>,
}

/// What a person chose, before it is read in the light of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which value.
    pub take: Take,
    /// The text of another value; only with [`Take::Value`].
    pub value: Option<String>,
    /// Who chose.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

impl Conflict {
    /// How people name the opportunity: its number, or else its id.
    pub fn opportunity(&self) -> &str {
        let number = self.opportunity_number.as_ref().map(OpportunityKey::as_str);
        number.unwrap_or(self.opportunity_id.as_str())
    }

    /// The question, while it waits for a person only because the clocks cannot tell whose change is later.
    pub fn asked(&self) -> Option<Asked> {
        let waits = self.state == ConflictState::Open && self.policy == Policy::Newest;
        waits.then(|| Asked {
            field: self.field.clone(),
            line: self.line.clone(),
            crm: self.crm.value.clone(),
            cpq: self.cpq.value.clone(),
        })
    }

    /// The choice as a ruling about the values that this conflict holds now.
    ///
    /// [`Code::ConflictOutdated`] when it is closed; [`Code::RequestInvalid`] when the value does not read as one of
    /// the kind that is in conflict.
    pub fn rule(&self, choice: &Choice, at: Timestamp) -> Result<Ruling> {
        if self.state != ConflictState::Open {
            return Err(self.outdated(format!("is {} already: {}", self.state.as_str(), self.reason)));
        }
        let value = match (choice.take, &choice.value) {
            (Take::Crm, None) => self.crm.value.clone(),
            (Take::Cpq, None) => self.cpq.value.clone(),
            (Take::Value, Some(text)) => {
                let held = [&self.crm.value, &self.cpq.value];
                parse_like(text, &held).map_err(|error| self.at(error))?
            }
            (Take::Value, None) => return Err(self.at(wrong("the value to set is missing"))),
            (_, Some(_)) => {
                return Err(self.at(wrong("a value is given, but one side's value is to be taken")));
            }
        };
        Ok(Ruling {
            conflict: self.id.clone(),
            field: self.field.clone(),
            line: self.line.clone(),
            take: choice.take,
            value,
            crm: self.crm.value.clone(),
            cpq: self.cpq.value.clone(),
            by: choice.by.clone(),
            at,
            reason: choice.reason.clone(),
        })
    }

    /// The refusal of a decision about something that is no longer so.
    pub fn outdated(&self, why: String) -> Error {
        self.at(Error::new(
            Code::ConflictOutdated,
            format!("the conflict {} {why}", self.id),
        ))
    }

    fn at(&self, error: Error) -> Error {
        error
            .connection(self.connection.as_str())
            .record(self.opportunity())
            .field(self.field.as_str())
            .fact("conflict", self.id.as_str())
    }
}

fn wrong(why: &str) -> Error {
    Error::new(Code::RequestInvalid, why)
}
