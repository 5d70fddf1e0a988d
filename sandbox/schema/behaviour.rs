//! Rules over records: validation rules, duplicate rules, lookup filters, dependent picklists, record types.

use super::custom::{Customization, DuplicateAction, DuplicateSpec, ValidationSpec};
use super::field::Kind;
use super::{Object, Schema};
use crate::formula::Formula;
use std::sync::Arc;

/// A validation rule with its formula read.
#[derive(Debug, Clone)]
pub struct Validation {
    /// Name.
    pub name: String,
    /// True for a record that may not be saved.
    pub condition: Formula,
    /// Text of the refusal.
    pub message: String,
    /// Field the refusal is about.
    pub field: Option<String>,
}

/// A lookup filter with its formula read.
#[derive(Debug, Clone)]
pub struct LookupFilter {
    /// True for a record that may be pointed to.
    pub condition: Formula,
    /// Text of the refusal.
    pub message: String,
}

/// A duplicate rule with its names looked up.
#[derive(Debug, Clone)]
pub struct DuplicateRule {
    /// API name.
    pub name: String,
    /// API name of the matching rule.
    pub matching_rule: String,
    /// Positions of the fields that all have to match, each with whether the comparison is fuzzy and whether blanks
    /// match.
    pub fields: Vec<(usize, bool, bool)>,
    /// What becomes of a duplicate.
    pub action: DuplicateAction,
    /// Text of the refusal.
    pub message: String,
    /// Whether creates are looked at.
    pub on_create: bool,
    /// Whether updates are looked at.
    pub on_update: bool,
}

/// Text of a lookup filter without one of its own (Salesforce Help, Lookup Filters).
const NO_MATCH: &str = "Value does not exist or does not match filter criteria.";

impl Schema {
    /// Reads the rules of a customization.
    ///
    /// # Errors
    /// Names the rule that does not fit.
    pub(super) fn link_behaviour(&mut self, custom: &Customization) -> Result<(), String> {
        for rule in custom.validation_rules.iter().filter(|r| r.active) {
            let (at, validation) = self
                .validation(rule)
                .map_err(|why| format!("validation rule {}: {why}", rule.name))?;
            self.objects[at].validations.push(Arc::new(validation));
        }
        for rule in custom.duplicate_rules.iter().filter(|r| r.active) {
            let (at, duplicate) = self
                .duplicate(rule)
                .map_err(|why| format!("duplicate rule {}: {why}", rule.name))?;
            self.objects[at].duplicates.push(Arc::new(duplicate));
        }
        for kind in &custom.record_types {
            let wrong = |why: String| format!("record type {}: {why}", kind.name);
            let at = self.named(&kind.object).map_err(wrong)?;
            check_record_type(self.at(at), kind).map_err(wrong)?;
            self.objects[at].record_types.push(kind.clone());
        }
        for at in 0..self.objects.len() {
            self.link_fields(at)
                .map_err(|why| format!("{}.{why}", self.objects[at].name))?;
        }
        Ok(())
    }

    fn named(&self, object: &str) -> Result<usize, String> {
        self.position(object)
            .ok_or_else(|| format!("unknown object {object}"))
    }

    fn validation(&self, rule: &ValidationSpec) -> Result<(usize, Validation), String> {
        let at = self.named(&rule.object)?;
        let field = rule
            .field
            .as_ref()
            .map(|name| known(self.at(at), name))
            .transpose()?;
        Ok((
            at,
            Validation {
                name: rule.name.clone(),
                condition: Formula::compile(self, at, &rule.condition)?,
                message: rule.message.clone(),
                field: field.map(|f| self.at(at).fields[f].name.clone()),
            },
        ))
    }

    fn duplicate(&self, rule: &DuplicateSpec) -> Result<(usize, DuplicateRule), String> {
        let at = self.named(&rule.object)?;
        if rule.fields.is_empty() {
            return Err("it needs at least one field to match by".into());
        }
        let field =
            |m: &super::custom::MatchSpec| known(self.at(at), &m.field).map(|f| (f, m.fuzzy, m.match_blanks));
        Ok((
            at,
            DuplicateRule {
                name: rule.name.clone(),
                matching_rule: rule.matching_rule.clone().unwrap_or_else(|| rule.name.clone()),
                fields: rule.fields.iter().map(field).collect::<Result<_, _>>()?,
                action: rule.action,
                message: rule.message.clone(),
                on_create: rule.on_create,
                on_update: rule.on_update,
            },
        ))
    }

    /// Lookup filters and controlling fields of one object.
    fn link_fields(&mut self, at: usize) -> Result<(), String> {
        for field in 0..self.objects[at].fields.len() {
            let spec = &self.objects[at].fields[field];
            if let Some(name) = &spec.controller {
                check_controller(&self.objects[at], field, name)
                    .map_err(|why| format!("{}: {why}", spec.name))?;
            }
            let Some(filter) = &spec.filter_spec else {
                continue;
            };
            let targets = spec.reference.as_ref().map(|r| r.objects.as_slice());
            let Some([target]) = targets else {
                return Err(format!("{}: a lookup filter needs one target", spec.name));
            };
            let condition = Formula::compile(self, *target, &filter.condition)
                .map_err(|why| format!("{}: {why}", spec.name))?;
            let message = filter.message.clone().unwrap_or_else(|| NO_MATCH.into());
            let filter = LookupFilter { condition, message };
            self.objects[at].fields[field].lookup_filter = Some(Arc::new(filter));
        }
        Ok(())
    }
}

fn known(object: &Object, name: &str) -> Result<usize, String> {
    object
        .position(name)
        .ok_or_else(|| format!("{} has no field {name}", object.name))
}

fn check_record_type(object: &Object, kind: &super::custom::RecordTypeSpec) -> Result<(), String> {
    if object.position("RecordTypeId").is_none() {
        return Err(format!("{} has no record types", object.name));
    }
    for (name, offered) in &kind.picklists {
        let field = &object.fields[known(object, name)?];
        let stranger = offered
            .iter()
            .find(|v| field.values.iter().all(|p| p.value != **v));
        if let Some(stranger) = stranger {
            return Err(format!("{name} has no value '{stranger}'"));
        }
    }
    Ok(())
}

/// A controlling field is a picklist or a checkbox of the same object, and its values exist.
fn check_controller(object: &Object, field: usize, name: &str) -> Result<(), String> {
    let controller = &object.fields[known(object, name)?];
    let values: Vec<&str> = match controller.kind {
        Kind::Picklist => controller.values.iter().map(|v| v.value.as_str()).collect(),
        Kind::Boolean => vec!["false", "true"],
        _ => return Err(format!("{name} cannot control a picklist")),
    };
    let mut named = object.fields[field].values.iter().flat_map(|v| &v.valid_for);
    match named.find(|v| !values.contains(&v.as_str())) {
        Some(stranger) => Err(format!("{name} has no value '{stranger}'")),
        None => Ok(()),
    }
}
