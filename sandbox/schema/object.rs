//! An object as the org knows it, and how it is put together from its written form.

use super::address::address_parts;
use super::behaviour::{DuplicateRule, Validation};
use super::calculation::Dependent;
use super::custom::RecordTypeSpec;
use super::field::Field;
use super::spec::{EventSpec, FieldSpec, ObjectSpec, PickSpec, PublishBehavior};
use std::collections::HashMap;
use std::sync::Arc;

/// Position of `Id` in every object.
pub const ID: usize = 0;

/// Positions of the fields that every write touches.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFields {
    /// `IsDeleted`, where it exists.
    pub is_deleted: Option<usize>,
    /// `CreatedDate`.
    pub created: usize,
    /// `CreatedById`.
    pub created_by: usize,
    /// `LastModifiedDate`.
    pub modified: usize,
    /// `LastModifiedById`.
    pub modified_by: usize,
    /// `SystemModstamp`.
    pub stamp: usize,
}

/// A list of children that a parent has.
#[derive(Debug, Clone)]
pub struct Children {
    /// Position of the child object.
    pub object: usize,
    /// Position of the reference field in the child.
    pub field: usize,
    /// Name of the list in queries; none when it cannot be queried.
    pub name: Option<String>,
}

/// An object as the org knows it.
#[derive(Debug, Clone)]
pub struct Object {
    /// Canonical API name.
    pub name: String,
    /// Singular label.
    pub label: String,
    /// Plural label.
    pub plural: String,
    /// Key prefix.
    pub prefix: [u8; 3],
    /// Custom object.
    pub custom: bool,
    /// Whether it can have record types.
    pub typed: bool,
    /// Whether people can follow its records (`feedEnabled`).
    pub feed: bool,
    /// A platform event, which is published and never stored, and when it goes out.
    pub event: Option<PublishBehavior>,
    /// Calls this object refuses.
    pub without: Vec<String>,
    /// Fields in describe order.
    pub fields: Vec<Field>,
    /// Positions of the system fields.
    pub system: SystemFields,
    /// Position of the naming field.
    pub name_field: Option<usize>,
    /// Child lists.
    pub children: Vec<Children>,
    /// Calls that this view of the schema forbids, though the object knows them.
    pub denied: Vec<&'static str>,
    /// Whether the object does not exist in this view; its position stays.
    pub hidden: bool,
    /// Positions of the fields that this view shows, in describe order.
    pub shown: Vec<usize>,
    /// Positions of formula fields, each after those it reads.
    pub formulas: Vec<usize>,
    /// Formula fields of other objects that read a field here.
    pub dependents: Vec<Dependent>,
    /// Roll-ups over the records of this object: object and field above.
    pub summed_by: Vec<(usize, usize)>,
    /// Validation rules in force.
    pub validations: Vec<Arc<Validation>>,
    /// Duplicate rules in force.
    pub duplicates: Vec<Arc<DuplicateRule>>,
    /// Record types.
    pub record_types: Vec<RecordTypeSpec>,
    by_name: HashMap<String, usize>,
    by_relationship: HashMap<String, usize>,
}

impl Object {
    /// Builds the object from its written form.
    pub fn build(
        spec: &ObjectSpec,
        prefix: [u8; 3],
        multi_currency: bool,
        has_types: bool,
    ) -> Result<Object, String> {
        let label = spec
            .label
            .clone()
            .unwrap_or_else(|| super::field::label_of(&spec.name));
        let mut object = Object {
            plural: spec.plural.clone().unwrap_or_else(|| format!("{label}s")),
            label,
            prefix,
            custom: spec.name.ends_with("__c"),
            event: None,
            name: spec.name.clone(),
            typed: spec.record_types || spec.name.ends_with("__c"),
            feed: spec.feed,
            without: spec.without.clone(),
            fields: Vec::new(),
            system: SystemFields::default(),
            name_field: None,
            children: Vec::new(),
            denied: Vec::new(),
            hidden: false,
            shown: Vec::new(),
            formulas: Vec::new(),
            dependents: Vec::new(),
            summed_by: Vec::new(),
            validations: Vec::new(),
            duplicates: Vec::new(),
            record_types: Vec::new(),
            by_name: HashMap::new(),
            by_relationship: HashMap::new(),
        };
        for field in all_fields(spec, object.custom, multi_currency, has_types) {
            object.add(&field).map_err(|e| format!("{}: {e}", spec.name))?;
        }
        object.settle_names(spec);
        Ok(object)
    }

    /// Builds a platform event from its written form.
    pub fn event(spec: &EventSpec, prefix: [u8; 3]) -> Result<Object, String> {
        let bare = ObjectSpec {
            name: spec.name.clone(),
            label: Some(spec.label.clone().unwrap_or_else(|| event_label(&spec.name))),
            plural: spec.plural.clone(),
            without: EVENT_WITHOUT.iter().map(|call| (*call).to_owned()).collect(),
            name_field: Some(String::new()),
            ..ObjectSpec::default()
        };
        let mut object = Object {
            custom: true,
            event: Some(spec.publish),
            fields: Vec::new(),
            shown: Vec::new(),
            by_name: HashMap::new(),
            by_relationship: HashMap::new(),
            ..Object::build(&bare, prefix, false, false)?
        };
        for field in event_fields() {
            object.add(&field)?;
        }
        // The id of an event means nothing, and real describes have none.
        object.shown.retain(|at| *at != ID);
        for field in &spec.fields {
            object
                .add_to_event(field)
                .map_err(|e| format!("{}: {e}", spec.name))?;
        }
        object.settle_names(&bare);
        Ok(object)
    }

    /// Adds a custom field of a platform event.
    pub fn add_to_event(&mut self, field: &FieldSpec) -> Result<(), String> {
        if EVENT_TYPES.contains(&field.kind.as_str()) {
            return self.add(field);
        }
        let types = EVENT_TYPES.join(", ");
        Err(format!("{}: an event's field is one of {types}", field.name))
    }

    /// Adds a field at the end; addresses bring their parts along.
    pub fn add(&mut self, spec: &FieldSpec) -> Result<(), String> {
        let stem = spec.name.strip_suffix("Address");
        if let (Some(stem), "address") = (stem, spec.kind.as_str()) {
            let access = if stem == "Additional" { "" } else { "cu" };
            for part in address_parts(stem, access) {
                self.push(&part, Some(spec.name.clone()))?;
            }
        }
        self.push(spec, None)
    }

    fn push(&mut self, spec: &FieldSpec, compound: Option<String>) -> Result<(), String> {
        let mut field = Field::build(spec)?;
        field.compound = compound.or(field.compound);
        let at = self.fields.len();
        if self.by_name.insert(spec.name.to_ascii_lowercase(), at).is_some() {
            return Err(format!("field {} is defined twice", spec.name));
        }
        if let Some(name) = field.reference.as_ref().and_then(|r| r.relationship.as_ref()) {
            self.by_relationship.insert(name.to_ascii_lowercase(), at);
        }
        self.fields.push(field);
        self.shown.push(at);
        Ok(())
    }

    fn settle_names(&mut self, spec: &ObjectSpec) {
        self.system = SystemFields {
            is_deleted: self.position("IsDeleted"),
            created: self.position("CreatedDate").unwrap_or(ID),
            created_by: self.position("CreatedById").unwrap_or(ID),
            modified: self.position("LastModifiedDate").unwrap_or(ID),
            modified_by: self.position("LastModifiedById").unwrap_or(ID),
            stamp: self.position("SystemModstamp").unwrap_or(ID),
        };
        self.name_field = self.position(spec.name_field.as_deref().unwrap_or("Name"));
        if let Some(at) = self.name_field {
            self.fields[at].name_field = true;
        }
    }

    /// Position of a field by name, in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            return self.by_name.get(&name.to_ascii_lowercase()).copied();
        }
        self.by_name.get(name).copied()
    }

    /// Field by name, in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &self.fields[at])
    }

    /// Position of the reference field behind a parent's relationship name, in any case.
    pub fn relationship(&self, name: &str) -> Option<usize> {
        self.by_relationship.get(&name.to_ascii_lowercase()).copied()
    }

    /// The child list with this name, in any case.
    pub fn child_list(&self, name: &str) -> Option<&Children> {
        self.children
            .iter()
            .find(|c| c.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }

    /// Whether the object supports this call (see [`ObjectSpec::without`]).
    pub fn can(&self, call: &str) -> bool {
        !self.without.iter().any(|refused| refused == call)
    }

    /// Whether it has a page of its own with lists of records and recently used ones.
    pub fn has_tab(&self) -> bool {
        self.can("layout") && self.name_field.is_some() && self.can("search")
    }

    /// Whether this view of the schema allows the call; objects that know it may be closed to a user.
    pub fn may(&self, call: &str) -> bool {
        self.can(call) && !self.denied.contains(&call)
    }

    /// Whether fields of other objects are computed from the records of this one.
    pub fn is_watched(&self) -> bool {
        !self.dependents.is_empty() || !self.summed_by.is_empty()
    }

    /// Makes a field vanish from names, lists and relationships; its position stays.
    pub fn hide(&mut self, at: usize) {
        self.fields[at].hidden = true;
        self.shown.retain(|shown| *shown != at);
        self.by_name.retain(|_, found| *found != at);
        self.by_relationship.retain(|_, found| *found != at);
    }

    /// Makes the parents behind these reference fields unnameable.
    pub fn forget_relationships(&mut self, fields: &[usize]) {
        self.by_relationship.retain(|_, at| !fields.contains(at));
    }

    /// Whether records of it can be merged (SOAP API Developer Guide, merge; leads and cases do not exist here).
    pub fn mergeable(&self) -> bool {
        matches!(self.name.as_str(), "Account" | "Contact")
    }

    /// The key prefix as text.
    pub fn prefix_text(&self) -> &str {
        std::str::from_utf8(&self.prefix).unwrap_or("000")
    }
}

/// Every field of an object in describe order. A table puts a system field into its place by naming it with the type
/// `system`; those that it does not name come after its own fields, and before them in a custom object.
fn all_fields(spec: &ObjectSpec, custom: bool, multi_currency: bool, has_types: bool) -> Vec<FieldSpec> {
    let mut system = system_fields(spec, custom, multi_currency, has_types);
    let mut take = |name: &str| {
        let at = system.iter().position(|f| f.name == name)?;
        Some(system.remove(at))
    };
    let placed = |f: &FieldSpec| spec.fields.iter().any(|g| g.kind == SYSTEM && g.name == f.name);
    let mut fields: Vec<FieldSpec> = take("Id").into_iter().collect();
    let own: Vec<FieldSpec> = spec
        .fields
        .iter()
        .filter_map(|f| {
            if f.kind == SYSTEM {
                take(&f.name)
            } else {
                Some(f.clone())
            }
        })
        .collect();
    if custom {
        let (name, rest): (Vec<_>, Vec<_>) = own.into_iter().partition(|f| f.name == "Name");
        fields.extend(take("OwnerId"));
        fields.extend(take("IsDeleted"));
        fields.extend(name);
        fields.extend(system);
        fields.extend(rest);
    } else {
        fields.extend(take("IsDeleted").filter(|f| !placed(f)));
        fields.extend(own);
        fields.extend(system);
    }
    fields
}

/// Type of a table's entry that only says where a system field stands.
const SYSTEM: &str = "system";

fn system_fields(spec: &ObjectSpec, custom: bool, multi_currency: bool, has_types: bool) -> Vec<FieldSpec> {
    let mut fields = vec![read_only(&spec.name_of_id_label(), "Id", "id")];
    if !spec.without.iter().any(|w| w == "delete") {
        fields.push(read_only("Deleted", "IsDeleted", "boolean"));
    }
    if custom && !spec.fields.iter().any(|f| f.name == "Name") {
        fields.push(FieldSpec {
            length: 80,
            label: Some(
                format!("{} Name", spec.label.as_deref().unwrap_or_default())
                    .trim()
                    .into(),
            ),
            ..FieldSpec::of("Name", "string")
        });
    }
    // A detail belongs to whom its master belongs to.
    if spec.owner || custom && !spec.fields.iter().any(is_master) {
        fields.push(owner(&spec.name));
    }
    // The field comes with the first record type of the object.
    if has_types && (spec.record_types || custom) {
        fields.push(FieldSpec {
            references: vec!["RecordType".into()],
            relationship: Some("RecordType".into()),
            permissionable: Some(false),
            ..FieldSpec::of("RecordTypeId", "reference")
        });
    }
    if multi_currency && (spec.currency || custom) {
        fields.push(currency(&spec.name));
    }
    fields.extend(audit());
    if spec.activities {
        fields.push(read_only("Last Activity", "LastActivityDate", "date").nillable());
    }
    if spec.activities || custom {
        fields.push(read_only("Last Viewed Date", "LastViewedDate", "datetime").nillable());
        fields.push(read_only("Last Referenced Date", "LastReferencedDate", "datetime").nillable());
    }
    fields
}

fn is_master(field: &FieldSpec) -> bool {
    field.required && field.on_delete.as_deref() == Some("cascade")
}

/// Calls that no platform event supports.
const EVENT_WITHOUT: [&str; 8] = [
    "update",
    "delete",
    "undelete",
    "search",
    "layout",
    "replicate",
    "query",
    "retrieve",
];
/// Types of their custom fields (Platform Events Developer Guide, Platform Event Fields).
const EVENT_TYPES: [&str; 6] = ["boolean", "date", "datetime", "double", "string", "textarea"];

/// The fields of every platform event. `Id` only holds the place that every object has for it; nobody sees it.
fn event_fields() -> [FieldSpec; 5] {
    let by = FieldSpec {
        references: vec!["User".into()],
        relationship: Some("CreatedBy".into()),
        ..read_only("Created By ID", "CreatedById", "reference")
    };
    [
        read_only("Event ID", "Id", "id"),
        read_only("Replay ID", "ReplayId", "string").nillable(),
        read_only("Event UUID", "EventUuid", "string").nillable(),
        read_only("Created Date", "CreatedDate", "datetime"),
        by,
    ]
}

fn event_label(name: &str) -> String {
    name.strip_suffix("__e").unwrap_or(name).replace('_', " ")
}

impl ObjectSpec {
    fn name_of_id_label(&self) -> String {
        if let Some(label) = &self.id_label {
            return label.clone();
        }
        match self.label.as_deref() {
            Some(label) if !self.name.ends_with("__c") => format!("{label} ID"),
            _ => "Record ID".into(),
        }
    }
}

impl FieldSpec {
    fn nillable(mut self) -> FieldSpec {
        self.required = false;
        self.defaulted = false;
        self
    }
}

fn read_only(label: &str, name: &str, kind: &str) -> FieldSpec {
    FieldSpec {
        label: Some(label.into()),
        access: Some(String::new()),
        required: true,
        defaulted: true,
        ..FieldSpec::of(name, kind)
    }
}

fn owner(object: &str) -> FieldSpec {
    FieldSpec {
        label: Some("Owner ID".into()),
        references: vec!["User".into()],
        relationship: Some("Owner".into()),
        required: object != "Quote",
        defaulted: true,
        ..FieldSpec::of("OwnerId", "reference")
    }
}

/// Lines and quotes have the currency of their opportunity, and a price keeps the one it was made in.
fn currency(object: &str) -> FieldSpec {
    let access = match object {
        "OpportunityLineItem" | "Quote" | "QuoteLineItem" => Some(""),
        "PricebookEntry" => Some("c"),
        _ => None,
    };
    FieldSpec {
        access: access.map(str::to_owned),
        label: Some("Currency ISO Code".into()),
        length: 3,
        defaulted: true,
        restricted: true,
        values: Vec::<PickSpec>::new(),
        ..FieldSpec::of("CurrencyIsoCode", "picklist")
    }
}

fn audit() -> [FieldSpec; 5] {
    let by = |label: &str, name: &str, relationship: &str| FieldSpec {
        references: vec!["User".into()],
        relationship: Some(relationship.into()),
        ..read_only(label, name, "reference")
    };
    [
        read_only("Created Date", "CreatedDate", "datetime"),
        by("Created By ID", "CreatedById", "CreatedBy"),
        read_only("Last Modified Date", "LastModifiedDate", "datetime"),
        by("Last Modified By ID", "LastModifiedById", "LastModifiedBy"),
        read_only("System Modstamp", "SystemModstamp", "datetime"),
    ]
}
