//! Duplicate rules: records that look like one that exists already (Salesforce Help, Duplicate Rules; REST API
//! Developer Guide, Duplicate Rule Header).

use super::draft::Draft;
use super::view::attributes;
use super::{ApiError, Id, Org, Row, Value};
use crate::schema::behaviour::DuplicateRule;
use crate::schema::custom::DuplicateAction;
use serde_json::{Map, Value as Json, json};

/// Most matches that a refusal lists.
const LISTED: usize = 100;

/// What a caller says about duplicate rules, and in which version it wants to be answered.
#[derive(Debug, Clone, Default)]
pub struct DuplicateHandling {
    /// Save in spite of an alert.
    pub allow_save: bool,
    /// Show all fields of the records that match, not only their ids.
    pub include_record_details: bool,
    /// API version for the links to these records, such as `v68.0`.
    pub version: String,
    /// Whether the key of the refusal is misspelt, as it was up to version 51.
    pub misspelt: bool,
}

impl Org {
    /// Refuses a record that duplicate rules find too similar to others.
    ///
    /// # Errors
    /// DUPLICATES_DETECTED, with the result of the rule beside the message.
    pub(super) fn check_duplicates(
        &self,
        draft: &Draft<'_>,
        handling: &DuplicateHandling,
    ) -> Result<(), ApiError> {
        for rule in &draft.object.duplicates {
            if !concerns(rule, draft) || rule.action == DuplicateAction::Alert && handling.allow_save {
                continue;
            }
            let found = self.similar(draft, rule);
            if !found.is_empty() {
                return Err(self.detected(draft, rule, &found, handling));
            }
        }
        Ok(())
    }

    /// Live records that match in every field of the rule.
    fn similar(&self, draft: &Draft<'_>, rule: &DuplicateRule) -> Vec<Id> {
        let table = self.table(draft.at);
        let indexed = rule
            .fields
            .iter()
            .find(|(at, fuzzy, _)| !fuzzy && table.indexed(*at) && !draft.row.values[*at].is_null());
        let matches = |id: &Id| {
            let other = table.live(*id).filter(|_| *id != draft.id);
            other.is_some_and(|other| rule.fields.iter().all(|by| same(by, &draft.row, other)))
        };
        let candidates = indexed.and_then(|(at, ..)| table.find(*at, &draft.row.values[*at]));
        match candidates {
            Some(ids) => ids.into_iter().filter(matches).take(LISTED).collect(),
            None => table
                .rows()
                .map(|(id, _)| id)
                .filter(matches)
                .take(LISTED)
                .collect(),
        }
    }

    fn detected(
        &self,
        draft: &Draft<'_>,
        rule: &DuplicateRule,
        found: &[Id],
        handling: &DuplicateHandling,
    ) -> ApiError {
        let fuzzy = rule.fields.iter().any(|(_, fuzzy, _)| *fuzzy);
        let engine = if fuzzy {
            "FuzzyMatchEngine"
        } else {
            "ExactMatchEngine"
        };
        let records: Vec<Json> = found
            .iter()
            .map(|id| {
                json!({
                    "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100,
                    "record": self.shown(draft, *id, handling),
                })
            })
            .collect();
        let result = json!({
            "allowSave": rule.action == DuplicateAction::Alert, "duplicateRule": rule.name,
            "duplicateRuleEntityType": draft.object.name, "errorMessage": rule.message,
            "matchResults": [{
                "entityType": draft.object.name, "errors": [], "matchEngine": engine, "matchRecords": records,
                "rule": rule.matching_rule, "size": found.len(), "success": true,
            }],
        });
        let key = if handling.misspelt {
            "duplicateResut"
        } else {
            "duplicateResult"
        };
        ApiError {
            extra: Some(Box::new((key, result))),
            ..ApiError::bad("DUPLICATES_DETECTED", rule.message.clone())
        }
    }

    fn shown(&self, draft: &Draft<'_>, id: Id, handling: &DuplicateHandling) -> Json {
        let fields = &draft.object.shown;
        if handling.include_record_details
            && let Some(record) = self.record(draft.at, id, fields, &handling.version)
        {
            return record;
        }
        let mut out = Map::new();
        out.insert(
            "attributes".into(),
            attributes(draft.object, &handling.version, id),
        );
        out.insert("Id".into(), id.to_string().into());
        Json::Object(out)
    }
}

/// An update is looked at when it changes a field that the rule matches by.
fn concerns(rule: &DuplicateRule, draft: &Draft<'_>) -> bool {
    match &draft.before {
        None => rule.on_create,
        Some(before) => {
            let changed = |at: usize| before.values[at] != draft.row.values[at];
            rule.on_update && rule.fields.iter().any(|(at, ..)| changed(*at))
        }
    }
}

fn same((at, fuzzy, blanks): &(usize, bool, bool), a: &Row, b: &Row) -> bool {
    match (&a.values[*at], &b.values[*at]) {
        (Value::Null, Value::Null) => *blanks,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Text(a), Value::Text(b)) if *fuzzy => bare(a) == bare(b),
        (a, b) => a == b,
    }
}

/// Only letters and digits, without case: "Acme, Inc." and "ACME Inc" are the same.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
