//! `/composite/tree/X`: records with their children, all or nothing (REST API Developer Guide, sObject Tree).

use super::composite::check_count;
use super::door::{Ask, Door};
use super::{DataResponse, answer};
use crate::org::{ApiError, Id, Value};
use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};
use std::collections::{HashSet, VecDeque};

/// Most records.
const RECORDS: usize = 200;
/// Deepest level.
const LEVELS: usize = 5;
/// Most object types.
const TYPES: usize = 5;

/// A record waiting for its turn, with the reference to its parent.
struct Waiting {
    object: usize,
    level: usize,
    parent: Option<(usize, Id)>,
    record: Map<String, Json>,
}

impl Door<'_> {
    /// `POST /composite/tree/X`: roots first, then level by level.
    pub(super) fn tree(&mut self, ask: &Ask, object: &str) -> Result<DataResponse, ApiError> {
        if ask.method != Method::POST {
            return Err(ask.not_allowed("POST"));
        }
        let at = self.object(object)?;
        let mark = self.org.mark();
        let mut waiting = VecDeque::new();
        push(&mut waiting, at, 1, None, ask.object()?.remove("records"))?;
        let (mut made, mut failed) = (Vec::new(), Vec::new());
        let (mut references, mut types) = (HashSet::new(), HashSet::new());
        while let Some(next) = waiting.pop_front() {
            let reference = reference_of(&next.record)?;
            if !references.insert(reference.clone()) {
                let message = format!("Duplicate ReferenceId provided: {reference}");
                return Err(ApiError::bad("INVALID_INPUT", message));
            }
            self.check_type(&next)?;
            types.insert(next.object);
            check_count(references.len() + waiting.len(), RECORDS, "records")?;
            check_count(types.len(), TYPES, "object types")?;
            check_count(next.level, LEVELS, "levels")?;
            match self.tree_record(next, &mut waiting) {
                Ok(id) => made.push(json!({"referenceId": reference, "id": id.to_string()})),
                Err(error) => failed.push(json!({"referenceId": reference, "errors": rows_of(&error)})),
            }
        }
        if failed.is_empty() {
            let body = json!({"hasErrors": false, "results": made});
            return Ok(answer(StatusCode::CREATED, Some(body)));
        }
        self.org.rollback(mark);
        let body = json!({"hasErrors": true, "results": failed});
        Ok(answer(StatusCode::BAD_REQUEST, Some(body)))
    }

    /// A record is of the type of the URL or of the list that it stands in.
    fn check_type(&self, next: &Waiting) -> Result<(), ApiError> {
        let schema = self.schema();
        let expected = &schema.at(next.object).name;
        let named = next
            .record
            .get("attributes")
            .and_then(|a| a.get("type"))
            .and_then(Json::as_str);
        match named {
            Some(named) if !named.eq_ignore_ascii_case(expected) => {
                let message = format!("Record of type {named} where {expected} was expected");
                Err(ApiError::bad("INVALID_INPUT", message))
            }
            _ => Ok(()),
        }
    }

    /// Makes one record and queues its children.
    fn tree_record(&mut self, next: Waiting, waiting: &mut VecDeque<Waiting>) -> Result<Id, ApiError> {
        let schema = self.schema();
        let object = schema.at(next.object);
        let lists: Vec<String> = next
            .record
            .iter()
            .filter(|(_, v)| v.get("records").is_some())
            .map(|(k, _)| k.clone())
            .collect();
        let skip: Vec<&str> = lists.iter().map(String::as_str).collect();
        let more = next
            .parent
            .iter()
            .map(|(field, id)| (*field, Value::Id(*id)))
            .collect();
        let id = self.create_with(next.object, &next.record, &skip, more)?;
        for name in &lists {
            let list = object.child_list(name).ok_or_else(|| {
                ApiError::data(
                    "INVALID_FIELD",
                    format!("No such relationship '{name}' on {}", object.name),
                    &[],
                )
            })?;
            let records = next.record.get(name).and_then(|v| v.get("records")).cloned();
            push(
                waiting,
                list.object,
                next.level + 1,
                Some((list.field, id)),
                records,
            )?;
        }
        Ok(id)
    }
}

fn rows_of(error: &ApiError) -> Vec<Json> {
    error.all().map(ApiError::to_row_json).collect()
}

fn push(
    waiting: &mut VecDeque<Waiting>,
    object: usize,
    level: usize,
    parent: Option<(usize, Id)>,
    records: Option<Json>,
) -> Result<(), ApiError> {
    let wrong = || ApiError::bad("JSON_PARSER_ERROR", "records must be an array of objects");
    let Some(Json::Array(records)) = records else {
        return Err(wrong());
    };
    for record in records {
        let Json::Object(record) = record else {
            return Err(wrong());
        };
        waiting.push_back(Waiting {
            object,
            level,
            parent,
            record,
        });
    }
    Ok(())
}

fn reference_of(record: &Map<String, Json>) -> Result<String, ApiError> {
    let reference = record
        .get("attributes")
        .and_then(|a| a.get("referenceId"))
        .and_then(Json::as_str);
    reference.map(str::to_owned).ok_or_else(|| {
        ApiError::bad(
            "INVALID_INPUT",
            "Include a reference ID for each record in the request.",
        )
    })
}
