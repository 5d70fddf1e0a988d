//! What a CRM says about its objects, cut down to what a sync needs to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One field of a CRM object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldSchema {
    /// API name.
    pub name: String,
    /// Vendor type, e.g. `currency`.
    pub kind: String,
    /// Characters that fit, 0 where it has no meaning.
    pub length: u32,
    /// Digits after the point, for numbers.
    pub scale: u32,
    /// Whether our user may set it on create.
    pub createable: bool,
    /// Whether our user may change it.
    pub updateable: bool,
    /// Whether it may be empty.
    pub nillable: bool,
    /// Whether the vendor computes it.
    pub calculated: bool,
    /// Whether it is marked as an external id.
    pub external_id: bool,
    /// Whether its values are unique.
    pub unique: bool,
    /// Allowed values of a restricted picklist; empty when any value goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Values that a picklist offers though it takes any; empty when it is restricted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggested: Vec<String>,
    /// Digits in all of a number, those after the point too; 0 where it has no meaning or is not known.
    #[serde(default)]
    pub precision: u32,
    /// Whether the vendor fills it in on create when nothing is given.
    #[serde(default)]
    pub defaulted: bool,
}

/// The records of another object that hang on an opportunity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildSchema {
    /// Object of the records, e.g. `Quote`.
    pub object: String,
    /// Their field that names the opportunity, e.g. `OpportunityId`.
    pub field: String,
}

/// Objects by API name, each with its fields by API name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmSchema {
    /// Fields by object and name.
    pub objects: BTreeMap<String, BTreeMap<String, FieldSchema>>,
    /// Child relationships of the opportunity by name, e.g. `Quotes`; only those that the mapping can use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub children: BTreeMap<String, ChildSchema>,
    /// Record types of the opportunity by developer name, without the one that every org has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub record_types: Vec<String>,
    /// IANA name of the organisation's time zone, if the vendor told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl CrmSchema {
    /// A field, if the object and the field are there and visible to our user.
    pub fn field(&self, object: &str, field: &str) -> Option<&FieldSchema> {
        self.objects.get(object)?.get(field)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}
