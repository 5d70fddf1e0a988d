//! The written form of objects and fields: what the embedded tables and a scenario's custom parts look like.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One object as written in a table or a scenario.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectSpec {
    /// API name; custom objects end in `__c`.
    pub name: String,
    /// Singular label; derived from the name when absent.
    #[serde(default)]
    pub label: Option<String>,
    /// Plural label; the label plus "s" when absent.
    #[serde(default)]
    pub plural: Option<String>,
    /// Label of the id; made from the label when absent.
    #[serde(default)]
    pub id_label: Option<String>,
    /// Three-character key prefix; custom objects get a00, a01 … in order.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Whether records have an owner (`OwnerId`).
    #[serde(default)]
    pub owner: bool,
    /// Whether records have a `RecordTypeId`.
    #[serde(default)]
    pub record_types: bool,
    /// Whether records carry `CurrencyIsoCode` in a multi-currency org.
    #[serde(default)]
    pub currency: bool,
    /// Whether `LastActivityDate`, `LastViewedDate` and `LastReferencedDate` exist.
    #[serde(default)]
    pub activities: bool,
    /// Whether people can follow its records.
    #[serde(default)]
    pub feed: bool,
    /// Calls that this object refuses: create, update, delete, undelete, search, layout, replicate, query, retrieve.
    #[serde(default)]
    pub without: Vec<String>,
    /// Field that names a record; `Name` when absent, none when empty.
    #[serde(default)]
    pub name_field: Option<String>,
    /// Fields in describe order, without the system fields.
    #[serde(default)]
    pub fields: Vec<FieldSpec>,
}

/// One platform event as written in a scenario (Platform Events Developer Guide, Platform Event Fields).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EventSpec {
    /// API name, ending in `__e`.
    pub name: String,
    /// Singular label; derived from the name when absent.
    pub label: Option<String>,
    /// Plural label; the label plus "s" when absent.
    pub plural: Option<String>,
    /// When published events go out.
    pub publish: PublishBehavior,
    /// Custom fields, ending in `__c`: boolean, date, datetime, double, string or textarea, as real ones may be.
    pub fields: Vec<FieldSpec>,
}

/// When published events go out (Platform Events Developer Guide, Publish Behavior).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PublishBehavior {
    /// With the transaction that publishes them, or not at all when that is rolled back.
    #[default]
    AfterCommit,
    /// At once, whatever becomes of the transaction.
    Immediately,
}

/// One field as written in a table or a scenario.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FieldSpec {
    /// API name; custom fields end in `__c`.
    pub name: String,
    /// Label; derived from the name when absent.
    pub label: Option<String>,
    /// Field type in the describe's words (string, picklist, currency, reference …).
    #[serde(rename = "type")]
    pub kind: String,
    /// Greatest number of characters, for text.
    pub length: u32,
    /// Greatest number of digits, for numbers.
    pub precision: u8,
    /// Digits after the point, for numbers.
    pub scale: u8,
    /// Greatest number of digits of an int.
    pub digits: u8,
    /// `c` createable, `u` updateable, `cu` both (the default), empty for read-only.
    pub access: Option<String>,
    /// Not nillable.
    pub required: bool,
    /// The server supplies a value when a create leaves it out.
    pub defaulted: bool,
    /// Picklist values in order.
    pub values: Vec<PickSpec>,
    /// Whether only listed picklist values are accepted.
    pub restricted: bool,
    /// Usable as key of an upsert.
    pub external_id: bool,
    /// No two records may share a value.
    pub unique: bool,
    /// Whether the unique comparison looks at the case.
    pub case_sensitive: bool,
    /// Standard field usable as key of an upsert.
    pub id_lookup: bool,
    /// Objects a reference may point to.
    pub references: Vec<String>,
    /// Whether the reference is polymorphic.
    pub polymorphic: bool,
    /// Name of the parent in queries; custom ones end in `__r`.
    pub relationship: Option<String>,
    /// Name of the child list on the parent; custom ones end in `__r`.
    pub children: Option<String>,
    /// What a delete of the parent does: `clear` (default), `cascade` or `restrict`.
    pub on_delete: Option<String>,
    /// Whether searches can be narrowed by it; a reference's alone, and false when absent.
    pub search_prefilterable: bool,
    /// Whether a query may filter and sort by it; true when absent.
    pub filterable: Option<bool>,
    /// Value of a create that leaves the field out.
    #[serde(rename = "default")]
    pub default_value: Option<Json>,
    /// First API version that knows the field; all of them when 0.
    pub since: u16,
    /// Formula that gives the value; the field is read-only then.
    pub formula: Option<String>,
    /// Whether the formula reads empty numbers as zero; true when absent.
    pub blanks_as_zero: Option<bool>,
    /// Summary of child records that gives the value; the field is read-only then.
    pub summary: Option<SummarySpec>,
    /// Picklist or checkbox whose value decides which values of this picklist may be chosen.
    pub controller: Option<String>,
    /// Condition on the record that a reference points to.
    pub lookup_filter: Option<LookupFilterSpec>,
    /// Numbering format such as `Q-{0000}`; the number fills the braces.
    pub auto_number: Option<String>,
    /// Whether permissions may restrict it; what its other flags suggest when absent.
    pub permissionable: Option<bool>,
    /// More about the type (`extraTypeInfo` of a describe).
    pub extra_type: Option<String>,
    /// Compound field that it is a part of.
    pub compound: Option<String>,
    /// Whether the child list of a parent leaves it out.
    pub unlisted: bool,
    /// Help text.
    pub help: Option<String>,
}

/// A roll-up of child records (Salesforce Help, Roll-Up Summary Field).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SummarySpec {
    /// Name of the child list, as in queries.
    pub children: String,
    /// What is made of the children.
    pub function: SummaryFunction,
    /// Field of the children; left out for `count`.
    #[serde(default)]
    pub field: Option<String>,
    /// Formula over a child; only children for which it is true count.
    #[serde(default)]
    pub filter: Option<String>,
}

/// What a roll-up makes of its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SummaryFunction {
    /// Their number.
    Count,
    /// The sum of a field.
    Sum,
    /// The smallest value of a field.
    Min,
    /// The greatest value of a field.
    Max,
}

/// A lookup filter (Salesforce Help, Lookup Filters).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LookupFilterSpec {
    /// Formula over the record pointed to, which must be true.
    pub condition: String,
    /// Text of the refusal.
    #[serde(default)]
    pub message: Option<String>,
}

/// A picklist value, written as a plain string or in full.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PickSpec {
    /// Just the value; active, and its own label.
    Plain(String),
    /// Value with its label and flags.
    Full(PickValue),
}

/// A picklist value in full.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickValue {
    /// What is stored.
    pub value: String,
    /// What people see; the value when absent.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether a create without a value gets this one.
    #[serde(default)]
    pub default: bool,
    /// Whether the value may still be chosen.
    #[serde(default = "active")]
    pub active: bool,
    /// Values of the controlling field that allow this one; all when empty.
    #[serde(rename = "validFor", default, skip_serializing_if = "Vec::is_empty")]
    pub valid_for: Vec<String>,
}

fn active() -> bool {
    true
}

impl PickSpec {
    /// The value in full.
    pub fn full(&self) -> PickValue {
        match self {
            PickSpec::Full(value) => value.clone(),
            PickSpec::Plain(value) => PickValue {
                value: value.clone(),
                label: None,
                default: false,
                active: true,
                valid_for: Vec::new(),
            },
        }
    }
}

impl FieldSpec {
    /// A field of the given type, everything else at its default.
    pub fn of(name: &str, kind: &str) -> FieldSpec {
        FieldSpec {
            name: name.into(),
            kind: kind.into(),
            ..FieldSpec::default()
        }
    }
}
