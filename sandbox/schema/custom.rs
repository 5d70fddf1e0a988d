//! What a scenario or a definition adds to the standard objects.

use super::spec::{EventSpec, FieldSpec, ObjectSpec};
use crate::events::Capture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything added, kept whole, so that a snapshot can rebuild the schema.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Customization {
    /// Custom objects, in the order of their key prefixes.
    pub objects: Vec<ObjectSpec>,
    /// Custom fields by object name.
    pub fields: Vec<(String, Vec<FieldSpec>)>,
    /// Active currency codes, the corporate one first; one or none means a single-currency org.
    pub currencies: Vec<String>,
    /// Record types; their rows are in the table of `RecordType`.
    pub record_types: Vec<RecordTypeSpec>,
    /// Validation rules.
    pub validation_rules: Vec<ValidationSpec>,
    /// Duplicate rules.
    pub duplicate_rules: Vec<DuplicateSpec>,
    /// What users may not see or do.
    pub permissions: Vec<PermissionSpec>,
    /// What the org sends to others. Not defined with the rest: it speaks of users too.
    pub push: crate::push::Rules,
    /// Platform events, in the order of their key prefixes.
    pub platform_events: Vec<EventSpec>,
    /// Which changes become events.
    pub capture: Capture,
}

/// A record type with the picklist values that it offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordTypeSpec {
    /// Object.
    pub object: String,
    /// API name (`DeveloperName`).
    pub name: String,
    /// Label; the name when absent.
    #[serde(default)]
    pub label: Option<String>,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it can be chosen.
    #[serde(default = "yes")]
    pub active: bool,
    /// Whether records without a chosen one get it.
    #[serde(default)]
    pub default: bool,
    /// Values on offer by picklist; a picklist that is not named offers all.
    #[serde(default)]
    pub picklists: BTreeMap<String, Vec<String>>,
}

/// A validation rule (Salesforce Help, Validation Rules).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidationSpec {
    /// Object.
    pub object: String,
    /// Name; a later rule of the same object and name replaces it.
    pub name: String,
    /// Formula that is true for a record that may not be saved.
    pub condition: String,
    /// Text of the refusal.
    pub message: String,
    /// Field the refusal is about; the whole record when absent.
    #[serde(default)]
    pub field: Option<String>,
    /// Whether it is in force.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A duplicate rule with its matching rule (Salesforce Help, Duplicate Rules and Matching Rules).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DuplicateSpec {
    /// Object.
    pub object: String,
    /// API name; a later rule of the same object and name replaces it.
    pub name: String,
    /// API name of the matching rule; the rule's own name when absent.
    #[serde(default)]
    pub matching_rule: Option<String>,
    /// Fields that all have to match.
    pub fields: Vec<MatchSpec>,
    /// What becomes of a duplicate.
    #[serde(default)]
    pub action: DuplicateAction,
    /// Text of the refusal.
    #[serde(default = "use_one")]
    pub message: String,
    /// Whether creates are looked at.
    #[serde(default = "yes")]
    pub on_create: bool,
    /// Whether updates are looked at.
    #[serde(default = "yes")]
    pub on_update: bool,
    /// Whether it is in force.
    #[serde(default = "yes")]
    pub active: bool,
}

/// How one field of a matching rule is compared.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchSpec {
    /// Field.
    pub field: String,
    /// Whether only letters and digits count, in any case; else the value has to be the same.
    #[serde(default)]
    pub fuzzy: bool,
    /// Whether two empty values match.
    #[serde(default)]
    pub match_blanks: bool,
}

/// What becomes of a duplicate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DuplicateAction {
    /// It is never saved.
    Block,
    /// It is saved when the caller insists (`Sforce-Duplicate-Rule-Header: allowSave=true`).
    #[default]
    Alert,
}

/// What a user, a profile or everybody may not see or do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PermissionSpec {
    /// Name of the profile concerned.
    pub profile: Option<String>,
    /// Login name of the user concerned; with neither of both everybody is.
    pub user: Option<String>,
    /// Object.
    pub object: String,
    /// Whether records can be read; an object that cannot be read does not exist for the user.
    pub read: Option<bool>,
    /// Whether records can be made.
    pub create: Option<bool>,
    /// Whether records can be changed.
    pub edit: Option<bool>,
    /// Whether records can be deleted.
    pub delete: Option<bool>,
    /// What may be done with fields.
    pub fields: BTreeMap<String, FieldAccess>,
}

/// What may be done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldAccess {
    /// Nothing: it does not exist for the user.
    Hidden,
    /// Reading.
    ReadOnly,
    /// Everything; takes back an earlier entry.
    Full,
}

impl Customization {
    /// Adds another one. A field or rule of a known name takes the place of the old one.
    ///
    /// # Errors
    /// A field that changes its type, or an object that is defined twice with other properties.
    pub fn extend(&mut self, more: &Customization) -> Result<(), String> {
        for object in &more.objects {
            self.add_object(object)?;
        }
        for (object, fields) in &more.fields {
            for field in fields {
                self.add_field(object, field)?;
            }
        }
        if !more.currencies.is_empty() {
            self.currencies.clone_from(&more.currencies);
        }
        replace(&mut self.record_types, &more.record_types, |r| {
            (&r.object, &r.name)
        });
        replace(&mut self.validation_rules, &more.validation_rules, |r| {
            (&r.object, &r.name)
        });
        replace(&mut self.duplicate_rules, &more.duplicate_rules, |r| {
            (&r.object, &r.name)
        });
        self.permissions.extend(more.permissions.iter().cloned());
        for event in &more.platform_events {
            self.add_event(event)?;
        }
        self.capture.add(&more.capture);
        Ok(())
    }

    /// An event that exists already gets the fields it does not have yet, and goes out as is said now.
    fn add_event(&mut self, event: &EventSpec) -> Result<(), String> {
        let known = self
            .platform_events
            .iter_mut()
            .find(|known| known.name.eq_ignore_ascii_case(&event.name));
        let Some(known) = known else {
            self.platform_events.push(event.clone());
            return Ok(());
        };
        known.publish = event.publish;
        for field in &event.fields {
            self.add_field(&event.name, field)?;
        }
        Ok(())
    }

    /// An object that exists already gets the fields it does not have yet; its other properties stay.
    fn add_object(&mut self, object: &ObjectSpec) -> Result<(), String> {
        let known = self
            .objects
            .iter()
            .any(|o| o.name.eq_ignore_ascii_case(&object.name));
        if !known {
            self.objects.push(object.clone());
            return Ok(());
        }
        for field in &object.fields {
            self.add_field(&object.name, field)?;
        }
        Ok(())
    }

    fn add_field(&mut self, object: &str, field: &FieldSpec) -> Result<(), String> {
        let of_objects = self.objects.iter_mut().map(|o| (o.name.clone(), &mut o.fields));
        let of_fields = self.fields.iter_mut().map(|(o, f)| (o.clone(), f));
        let of_events = self
            .platform_events
            .iter_mut()
            .map(|e| (e.name.clone(), &mut e.fields));
        for (name, fields) in of_objects.chain(of_fields).chain(of_events) {
            if !name.eq_ignore_ascii_case(object) {
                continue;
            }
            let Some(old) = fields
                .iter_mut()
                .find(|f| f.name.eq_ignore_ascii_case(&field.name))
            else {
                continue;
            };
            if old.kind != field.kind {
                return Err(format!(
                    "{object}.{} is of type {} and cannot become {}",
                    field.name, old.kind, field.kind
                ));
            }
            *old = field.clone();
            return Ok(());
        }
        match self
            .fields
            .iter_mut()
            .find(|(o, _)| o.eq_ignore_ascii_case(object))
        {
            Some((_, fields)) => fields.push(field.clone()),
            None => self.fields.push((object.to_owned(), vec![field.clone()])),
        }
        Ok(())
    }
}

/// Later entries of the same object and name take the place of earlier ones.
fn replace<T: Clone>(into: &mut Vec<T>, more: &[T], key: impl Fn(&T) -> (&String, &String)) {
    for new in more {
        let same = |old: &T| {
            let ((a, b), (c, d)) = (key(old), key(new));
            a.eq_ignore_ascii_case(c) && b.eq_ignore_ascii_case(d)
        };
        match into.iter().position(same) {
            Some(at) => into[at] = new.clone(),
            None => into.push(new.clone()),
        }
    }
}

fn yes() -> bool {
    true
}

fn use_one() -> String {
    "Use one of these records?".into()
}
