//! What is wrong with a field mapping in the light of what the CRM says about its fields: places that cannot take a
//! value, or do not give back what they took.
//!
//! Pure. Whether a value comes back is not reasoned about but tried, with values as the canonical field holds them; the
//! first that does not come back is the finding's proof.

use std::sync::Arc;

use serde::Serialize;

use crate::kind::Kind;
use crate::schema::FieldSchema;
use crate::value::{Shape, Value};
use crate::view::FieldName;

mod capacity;
mod map;
mod samples;
mod storage;
mod target;
mod trip;

pub use storage::store;

/// Translates the values of one field, as the mapping says. The CRM's form is a JSON value.
pub trait Codec: Send + Sync {
    /// What we would send.
    ///
    /// # Errors
    /// Why the value has no form in the CRM.
    fn send(&self, value: &Value) -> Result<String, String>;

    /// What we would read from a row that holds `beside` in this field, as far as other columns depend on it.
    ///
    /// # Errors
    /// Why it means nothing to us.
    fn receive(&self, json: &str, beside: &Value) -> Result<Value, String>;
}

/// One field as it is drawn between canonical name and CRM.
#[derive(Clone)]
pub struct Drawn {
    /// Canonical name.
    pub name: FieldName,
    /// Where it lives, e.g. `Opportunity.CPQ_Net_Total__c`.
    pub place: String,
    /// Line of its entry in the user's file; none for a built-in one.
    pub line: Option<usize>,
    /// What it means.
    pub kind: Kind,
    /// Precision in which both sides are compared.
    pub shape: Shape,
    /// Whether the mapping wants it written.
    pub written: bool,
    /// Whether it is written on records that we make: then it must be createable too.
    pub created: bool,
    /// Whether it is given only when the record is made.
    pub once: bool,
    /// Whether the org was described.
    pub described: bool,
    /// What the org says of it; none when it is missing, hidden, or nothing was described.
    pub there: Option<FieldSchema>,
    /// Value maps, each for the record type that it is for; one without is for all others. CRM value, canonical value.
    pub maps: Vec<ValueMap>,
    /// Why it cannot be read though it is there: something that it looks at is not.
    pub unreadable: Option<String>,
    /// Expression that makes our value of the CRM's.
    pub from_crm: Option<String>,
    /// Expression that makes the CRM's value of ours.
    pub to_crm: Option<String>,
    /// Whether an expression looks at other fields of the row.
    pub sees_others: bool,
    /// The country whose states these are, if it is one for all.
    pub country: Option<String>,
    /// Whether an empty CRM field reads as a value.
    pub has_default: bool,
    /// Zone in which a moment of the CRM is a date to us; none when it is not known.
    pub zone: Option<String>,
    /// Currency of the amounts that are tried.
    pub currency: String,
    /// Translates its values, where there is no value map.
    pub codec: Arc<dyn Codec>,
}

/// What values of a CRM are called by us.
#[derive(Clone)]
pub struct ValueMap {
    /// Developer name of the record type.
    pub record_type: Option<String>,
    /// CRM value and canonical value.
    pub pairs: Vec<(String, String)>,
    /// Translates by it.
    pub codec: Arc<dyn Codec>,
}

/// Whether a finding keeps a mapping from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Values would be lost, refused or never agree.
    Error,
    /// It works, and somebody should know.
    Warning,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The org does not have the field, or hides it from our user.
    Missing,
    /// The vendor computes the field.
    Calculated,
    /// Our user may not change the field.
    NotUpdateable,
    /// Our user may not set the field on a new record.
    NotCreateable,
    /// The field's type cannot hold the values.
    WrongType,
    /// A text may be longer than the field.
    TooShort,
    /// A number may have more digits after the point than the field.
    TooCoarse,
    /// A number may have more digits before the point than the field.
    TooSmall,
    /// The field takes whole numbers, and the values may have fractions.
    WholeNumbers,
    /// A restricted picklist lacks a value that we may send.
    NoSuchChoice,
    /// Two values of the CRM are one of ours: what was written cannot be told apart.
    ManyToOne,
    /// The CRM offers a value that the value map does not name.
    Unmapped,
    /// The value map names a value that the CRM does not have.
    UnknownChoice,
    /// A value map is for a record type that the org does not have.
    UnknownRecordType,
    /// The field may not be empty, and the value may.
    Required,
    /// A value does not come back as it was.
    NotReversible,
    /// A value of the CRM means nothing to us.
    Unreadable,
    /// A moment is read as a date, and the zone is not known.
    NoZone,
    /// A value of the CRM may be too long for the CPQ.
    TooLong,
    /// The canonical field is not one that the CPQ can hold.
    NoPlace,
}

/// A value, what the CRM made of it, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CounterExample {
    /// Canonical value.
    pub value: String,
    /// What the CRM would hold, or why it would not.
    pub crm: String,
    /// What would be read back; none when nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<String>,
}

/// One thing that is wrong with a mapped field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Doubt {
    /// Its kind.
    pub lint: Flaw,
    /// How bad it is.
    pub severity: Severity,
    /// Canonical name.
    pub field: FieldName,
    /// CRM field.
    pub place: String,
    /// Line of the entry in the mapping file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// The proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter_example: Option<CounterExample>,
    /// What to do about it.
    pub fix: String,
}

/// Everything that is wrong with the fields of a mapping, the worst first. `record_types` are those of the org; empty
/// when they are not known.
pub fn check(fields: &[Drawn], record_types: &[String]) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = fields.iter().flat_map(|field| of(field, record_types)).collect();
    doubts
        .sort_by(|a, b| (a.severity, a.line, &a.field, a.lint).cmp(&(b.severity, b.line, &b.field, b.lint)));
    doubts
}

/// A field whose type or place is wrong is not tried out: all else would follow from that.
fn of(field: &Drawn, record_types: &[String]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    target::names(field, &mut doubts);
    target::permissions(field, &mut doubts);
    let Some(there) = &field.there else {
        map::many_to_one(field, &mut doubts);
        if field.written && doubts.is_empty() {
            doubts.extend(trip::check(field, &FieldSchema::default()));
        }
        return doubts;
    };
    if target::wrong_type(field, there, &mut doubts) || trip::unreadable(field, there, &mut doubts) {
        return doubts;
    }
    map::check(field, there, record_types, &mut doubts);
    target::room(field, there, &mut doubts);
    if field.written && !doubts.iter().any(|doubt| doubt.severity == Severity::Error) {
        doubts.extend(trip::check(field, there));
    }
    doubts
}

impl Drawn {
    /// Whether an expression stands between the two sides.
    pub fn computed(&self) -> bool {
        self.from_crm.is_some() || self.to_crm.is_some()
    }

    fn doubt(
        &self,
        lint: Flaw,
        severity: Severity,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Doubt {
        Doubt {
            lint,
            severity,
            field: self.name.clone(),
            place: self.place.clone(),
            line: self.line,
            message: message.into(),
            counter_example: None,
            fix: fix.into(),
        }
    }
}

impl Doubt {
    fn proved(mut self, example: CounterExample) -> Doubt {
        self.counter_example = Some(example);
        self
    }
}

impl std::fmt::Display for CounterExample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.value, self.crm)?;
        self.back.as_ref().map_or(Ok(()), |back| write!(f, " → {back}"))
    }
}
