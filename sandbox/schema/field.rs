//! A field as the org knows it.

use super::behaviour::LookupFilter;
use super::calculation::Calculation;
use super::spec::{FieldSpec, LookupFilterSpec, PickValue, SummarySpec};
use serde_json::Value as Json;
use std::sync::Arc;

/// Type of a field, in the describe's vocabulary (REST API Developer Guide, sObject Describe).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Record id.
    Id,
    /// Single-line text.
    String,
    /// Long or multi-line text.
    Textarea,
    /// True or false, never null.
    Boolean,
    /// Whole number.
    Int,
    /// Number with a scale.
    Double,
    /// Money.
    Currency,
    /// Percent in points.
    Percent,
    /// Calendar date.
    Date,
    /// Instant, to the second.
    DateTime,
    /// Time of day, kept as text.
    Time,
    /// Id of another record.
    Reference,
    /// One of a list.
    Picklist,
    /// Several of a list, joined by semicolons.
    MultiPicklist,
    /// E-mail address.
    Email,
    /// Phone number.
    Phone,
    /// Web address.
    Url,
    /// Compound address, computed from its parts.
    Address,
}

const KINDS: [(&str, Kind, &str); 18] = [
    ("id", Kind::Id, "tns:ID"),
    ("string", Kind::String, "xsd:string"),
    ("textarea", Kind::Textarea, "xsd:string"),
    ("boolean", Kind::Boolean, "xsd:boolean"),
    ("int", Kind::Int, "xsd:int"),
    ("double", Kind::Double, "xsd:double"),
    ("currency", Kind::Currency, "xsd:double"),
    ("percent", Kind::Percent, "xsd:double"),
    ("date", Kind::Date, "xsd:date"),
    ("datetime", Kind::DateTime, "xsd:dateTime"),
    ("time", Kind::Time, "xsd:time"),
    ("reference", Kind::Reference, "tns:ID"),
    ("picklist", Kind::Picklist, "xsd:string"),
    ("multipicklist", Kind::MultiPicklist, "xsd:string"),
    ("email", Kind::Email, "xsd:string"),
    ("phone", Kind::Phone, "xsd:string"),
    ("url", Kind::Url, "xsd:string"),
    ("address", Kind::Address, "urn:address"),
];

impl Kind {
    /// The kind with this describe name.
    pub fn parse(name: &str) -> Option<Kind> {
        KINDS
            .iter()
            .find(|(known, _, _)| *known == name)
            .map(|(_, kind, _)| *kind)
    }

    /// Name in a describe (`type`).
    pub fn name(self) -> &'static str {
        KINDS[self as usize].0
    }

    /// Name in a describe (`soapType`).
    pub fn soap(self) -> &'static str {
        KINDS[self as usize].2
    }

    /// Whether values are decimals.
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Double | Kind::Currency | Kind::Percent)
    }

    /// Whether values are text.
    pub fn is_text(self) -> bool {
        !self.is_number()
            && !matches!(
                self,
                Kind::Id | Kind::Reference | Kind::Boolean | Kind::Date | Kind::DateTime | Kind::Address
            )
    }
}

/// What happens to a child when its parent is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The reference becomes null.
    Clear,
    /// The child is deleted as well.
    Cascade,
    /// The parent cannot be deleted.
    Restrict,
}

/// Where a reference points.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Names of the objects it may point to.
    pub to: Vec<String>,
    /// Positions of these objects in the schema.
    pub objects: Vec<usize>,
    /// Whether it is polymorphic.
    pub polymorphic: bool,
    /// Name of the parent in queries.
    pub relationship: Option<String>,
    /// Name of the child list on the parent.
    pub children: Option<String>,
    /// Whether describes of the parent leave the list out.
    pub unlisted: bool,
    /// What a delete of the parent does.
    pub on_delete: OnDelete,
}

/// A field as the org knows it. Names follow the describe.
#[derive(Debug, Clone)]
pub struct Field {
    /// Canonical API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Type.
    pub kind: Kind,
    /// Greatest number of characters; 0 when not text.
    pub length: u32,
    /// Greatest number of digits; 0 when not a number.
    pub precision: u8,
    /// Digits after the point.
    pub scale: u8,
    /// Greatest number of digits of an int.
    pub digits: u8,
    /// May be set by a create.
    pub createable: bool,
    /// May be set by an update.
    pub updateable: bool,
    /// May be null.
    pub nillable: bool,
    /// The server supplies a value when a create leaves it out.
    pub defaulted: bool,
    /// Custom field.
    pub custom: bool,
    /// External id.
    pub external_id: bool,
    /// Unique.
    pub unique: bool,
    /// Unique with case.
    pub case_sensitive: bool,
    /// Standard key of an upsert.
    pub id_lookup: bool,
    /// Names the record.
    pub name_field: bool,
    /// Only listed picklist values.
    pub restricted: bool,
    /// Whether searches can be narrowed by it.
    pub search_prefilterable: bool,
    /// May stand in WHERE and ORDER BY.
    pub filterable: bool,
    /// Picklist values.
    pub values: Vec<PickValue>,
    /// Target of a reference.
    pub reference: Option<Reference>,
    /// Default of a create.
    pub default_value: Option<Json>,
    /// Numbering format.
    pub auto_number: Option<String>,
    /// Compound field this one is a part of.
    pub compound: Option<String>,
    /// More about the type.
    pub extra_type: Option<String>,
    permissionable: Option<bool>,
    /// Help text.
    pub help: Option<String>,
    /// Whether the org keeps an index over it.
    pub indexed: bool,
    /// First API version that knows it.
    pub since: u16,
    /// Whether it does not exist in this view of the schema; its position stays.
    pub hidden: bool,
    /// Formula as written.
    pub formula: Option<String>,
    /// Whether the formula reads empty numbers as zero.
    pub blanks_as_zero: bool,
    /// Roll-up as written.
    pub summary: Option<SummarySpec>,
    /// How the org computes it, once the schema is linked.
    pub calculation: Option<Arc<Calculation>>,
    /// Name of the controlling field of a dependent picklist.
    pub controller: Option<String>,
    /// Lookup filter as written.
    pub filter_spec: Option<LookupFilterSpec>,
    /// Lookup filter, once the schema is linked.
    pub lookup_filter: Option<Arc<LookupFilter>>,
}

impl Field {
    /// Builds the field from its written form; an error names what is wrong.
    pub fn build(spec: &FieldSpec) -> Result<Field, String> {
        let kind =
            Kind::parse(&spec.kind).ok_or_else(|| format!("{}: unknown type '{}'", spec.name, spec.kind))?;
        let access = spec.access.as_deref().unwrap_or("cu");
        let boolean = kind == Kind::Boolean;
        let picked = spec.values.iter().map(|v| v.full()).collect::<Vec<_>>();
        let calculated = spec.formula.is_some() || spec.summary.is_some();
        let computed = kind == Kind::Address || spec.auto_number.is_some() || calculated;
        Ok(Field {
            name: spec.name.clone(),
            label: spec.label.clone().unwrap_or_else(|| label_of(&spec.name)),
            kind,
            length: length_of(kind, spec.length, spec.formula.is_some()),
            precision: precision_of(kind, spec.precision),
            scale: spec.scale,
            digits: if kind != Kind::Int {
                0
            } else if spec.digits == 0 {
                9
            } else {
                spec.digits
            },
            createable: access.contains('c') && !computed,
            updateable: access.contains('u') && !computed,
            nillable: !spec.required && (!boolean || calculated),
            defaulted: spec.defaulted
                || boolean && !calculated
                || spec.auto_number.is_some()
                || spec.default_value.is_some(),
            custom: spec.name.ends_with("__c"),
            external_id: spec.external_id,
            unique: spec.unique,
            case_sensitive: spec.case_sensitive,
            id_lookup: spec.id_lookup || spec.external_id && spec.unique || kind == Kind::Id,
            name_field: false,
            restricted: spec.restricted,
            search_prefilterable: spec.search_prefilterable,
            filterable: filterable(kind, spec),
            values: picked,
            reference: reference_of(kind, spec)?,
            default_value: spec.default_value.clone(),
            auto_number: spec.auto_number.clone(),
            compound: spec.compound.clone(),
            extra_type: spec.extra_type.clone(),
            permissionable: spec.permissionable,
            help: spec.help.clone(),
            indexed: indexed(kind, spec),
            since: spec.since,
            hidden: false,
            formula: spec.formula.clone(),
            blanks_as_zero: spec.blanks_as_zero.unwrap_or(true),
            summary: spec.summary.clone(),
            calculation: None,
            controller: spec.controller.clone(),
            filter_spec: spec.lookup_filter.clone(),
            lookup_filter: None,
        })
    }

    /// Whether a create must bring a value.
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted
    }

    /// Whether the org computes the value (`calculated` in a describe).
    pub fn calculated(&self) -> bool {
        self.formula.is_some() || self.summary.is_some()
    }

    /// Whether permissions may hide it or make it read-only (`permissionable` in a describe).
    pub fn permissionable(&self) -> bool {
        let suggested = self.nillable && (self.createable || self.updateable || self.calculated())
            || self.custom && !self.required();
        self.permissionable.unwrap_or(suggested)
    }

    /// Whether the field can be the key of an upsert.
    pub fn upsert_key(&self) -> bool {
        self.external_id || self.id_lookup
    }

    /// The picklist value that a create without one gets.
    pub fn default_pick(&self) -> Option<&str> {
        self.values.iter().find(|v| v.default).map(|v| v.value.as_str())
    }
}

fn filterable(kind: Kind, spec: &FieldSpec) -> bool {
    // Long text areas cannot be filtered, short ones can.
    spec.filterable
        .unwrap_or(kind != Kind::Textarea || spec.length <= 4000)
}

/// Length of a text that a formula makes (Salesforce Help, Tips for Building Formulas: 1,300 characters).
const FORMULA_TEXT: u32 = 1_300;

fn length_of(kind: Kind, length: u32, formula: bool) -> u32 {
    match kind {
        Kind::Id | Kind::Reference => 18,
        Kind::String if formula => FORMULA_TEXT,
        Kind::Picklist | Kind::String if length == 0 => 255,
        Kind::Email if length == 0 => 80,
        Kind::Phone if length == 0 => 40,
        Kind::Url if length == 0 => 255,
        Kind::Textarea if length == 0 => 255,
        Kind::MultiPicklist => 4099,
        _ if kind.is_text() => length,
        _ => 0,
    }
}

fn precision_of(kind: Kind, precision: u8) -> u8 {
    match kind {
        Kind::Double | Kind::Currency | Kind::Percent if precision == 0 => 18,
        Kind::Double | Kind::Currency | Kind::Percent => precision,
        _ => 0,
    }
}

fn indexed(kind: Kind, spec: &FieldSpec) -> bool {
    // Nearly every row shares these two, so an index over them would only cost writes.
    let audit = matches!(spec.name.as_str(), "CreatedById" | "LastModifiedById");
    kind == Kind::Reference && !audit
        || spec.external_id
        || spec.unique
        || spec.id_lookup
        || spec.name == "SystemModstamp"
}

fn reference_of(kind: Kind, spec: &FieldSpec) -> Result<Option<Reference>, String> {
    if kind != Kind::Reference {
        return Ok(None);
    }
    if spec.references.is_empty() {
        return Err(format!("{}: a reference needs 'references'", spec.name));
    }
    let custom = spec.name.strip_suffix("__c").map(|base| format!("{base}__r"));
    let on_delete = match spec.on_delete.as_deref() {
        None | Some("clear") => OnDelete::Clear,
        Some("cascade") => OnDelete::Cascade,
        Some("restrict") => OnDelete::Restrict,
        Some(other) => return Err(format!("{}: unknown onDelete '{other}'", spec.name)),
    };
    Ok(Some(Reference {
        to: spec.references.clone(),
        objects: Vec::new(),
        polymorphic: spec.polymorphic,
        relationship: spec.relationship.clone().or(custom),
        children: spec.children.clone(),
        unlisted: spec.unlisted,
        on_delete,
    }))
}

/// A label from an API name: "AccountId" becomes "Account ID", "Net_Total__c" becomes "Net Total".
pub fn label_of(name: &str) -> String {
    if let Some(base) = name.strip_suffix("__c") {
        return base.replace('_', " ");
    }
    let mut label = String::with_capacity(name.len() + 4);
    let mut before_lower = false;
    for ch in name.chars() {
        if ch.is_ascii_uppercase() && before_lower {
            label.push(' ');
        }
        before_lower = ch.is_ascii_lowercase() || ch.is_ascii_digit();
        label.push(ch);
    }
    match label.strip_suffix(" Id") {
        Some(base) => format!("{base} ID"),
        None => label,
    }
}
