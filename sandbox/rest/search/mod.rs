//! Text searches: SOSL at `/search`, and its form in parameters at `/parameterizedSearch` (REST API Developer Guide,
//! Search and Search with Parameters).

mod parameters;
mod words;

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::{ApiError, Id, Org, Row};
use crate::schema::{Field, Kind, Object};
use crate::soql::ast::Query;
use crate::soql::parser::QUERY_LIMIT;
use crate::soql::search::{Group, Tail, tail};
use crate::soql::{self, Plan, Setting, Shape};
use http::Method;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use words::{Words, split};

/// Most records of all objects together (SOQL and SOSL Reference, SOSL Limits on Search Results).
const TOTAL: usize = 2_000;
/// Most records of one object that is neither filtered nor sorted (same place).
const PLAIN: usize = 250;
/// Phrases times records that one search may look for; a search holds up everybody else.
const WORK_LIMIT: usize = 50_000_000;
/// Objects that are searched only when they are named (SOQL and SOSL Reference, RETURNING FieldSpec), and then in all
/// fields.
const ON_REQUEST: [&str; 1] = ["Product2"];
/// Fields that count as names beside the name field (SOQL and SOSL Reference, IN SearchGroup).
const NAMES: [(&str, &str); 6] = [
    ("Account", "Website"),
    ("Account", "Site"),
    ("Contact", "FirstName"),
    ("Contact", "LastName"),
    ("Task", "Subject"),
    ("User", "CommunityNickname"),
];

impl Door<'_> {
    /// `GET /search?q=FIND {…}`.
    pub(super) fn search(&mut self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let records = self.found(ask.parameter("q").unwrap_or_default(), version)?;
        Ok(ok(wrapped(records, version)))
    }

    /// `GET` and `POST /parameterizedSearch`.
    pub(super) fn parameterized_search(
        &mut self,
        ask: &Ask,
        version: &Version,
    ) -> Result<DataResponse, ApiError> {
        let text = match ask.method {
            Method::GET => parameters::from_pairs(&ask.pairs)?,
            Method::POST => parameters::from_body(&ask.object()?)?,
            _ => return Err(ask.not_allowed("GET,HEAD,POST")),
        };
        Ok(ok(json!({"searchRecords": self.found(&text, version)?})))
    }

    fn found(&self, text: &str, version: &Version) -> Result<Vec<Json>, ApiError> {
        let (words, tail) = parsed(text)?;
        let setting = self.setting(version, false);
        let returning = self.returning(text, tail.returning.clone(), &setting)?;
        let several = returning.len();
        let mut lists = Vec::new();
        for (query, plan) in returning {
            let most = if query.filter.is_some() || !query.order.is_empty() {
                TOTAL
            } else {
                PLAIN
            };
            let most = most.min(TOTAL / several.max(1));
            let work = words.count().saturating_mul(self.org.table(plan.object).size());
            if work > WORK_LIMIT {
                let message = "The search is too complicated.";
                return Err(ApiError::bad("QUERY_TOO_COMPLICATED", message));
            }
            let found = matching(self.org, &plan, &words, tail.group);
            let mut ids = plan.narrowed(self.org, found)?;
            ids.truncate(most);
            lists.push((plan, ids));
        }
        let kept = shares(&lists, tail.limit.unwrap_or(TOTAL).min(TOTAL));
        let mut records = Vec::new();
        for ((plan, ids), kept) in lists.iter().zip(kept) {
            if let Shape::Records(nodes) = &plan.shape {
                let shown = |id: &Id| soql::record(self.org, plan.object, *id, nodes, &version.text);
                records.extend(ids[..kept].iter().map(shown));
            }
        }
        Ok(records)
    }

    /// What is returned, by object: what the search says, or the ids of every object that can be searched.
    fn returning(
        &self,
        text: &str,
        said: Vec<Query>,
        setting: &Arc<Setting>,
    ) -> Result<Vec<(Query, Plan)>, ApiError> {
        let schema = self.org.schema();
        let mut queries = said;
        if queries.is_empty() {
            let all = schema
                .objects()
                .iter()
                .filter(|o| o.can("search") && !on_request(o));
            let names: Vec<&str> = all.map(|o| o.name.as_str()).collect();
            queries = tail(&format!("RETURNING {}", names.join(",")), 0)?.returning;
        }
        let mut out: Vec<(Query, Plan)> = Vec::new();
        for query in queries {
            let plan = soql::prepare_parsed(&schema, text, &query, setting).map_err(as_search)?;
            let object = schema.at(plan.object);
            if !object.can("search") {
                let message = format!("entity type {} does not support search", object.name);
                return Err(ApiError::bad("INVALID_TYPE", message));
            }
            if !matches!(plan.shape, Shape::Records(_)) {
                return Err(ApiError::bad(
                    "MALFORMED_SEARCH",
                    "a search cannot group or count",
                ));
            }
            if out.iter().any(|(_, known)| known.object == plan.object) {
                let message = format!("duplicate object in the RETURNING clause: {}", object.name);
                return Err(ApiError::bad("MALFORMED_SEARCH", message));
            }
            out.push((query, plan));
        }
        Ok(out)
    }
}

/// Up to version 36 the answer is the bare list.
fn wrapped(records: Vec<Json>, version: &Version) -> Json {
    if version.number > 36 {
        json!({"searchRecords": records})
    } else {
        Json::Array(records)
    }
}

/// The same refusal in the words of a search.
fn as_search(mut error: ApiError) -> ApiError {
    if error.error_code == "MALFORMED_QUERY" {
        error.error_code = "MALFORMED_SEARCH";
    }
    error
}

/// The words of a search and what follows them.
fn parsed(text: &str) -> Result<(Words, Tail), ApiError> {
    if text.chars().count() > QUERY_LIMIT {
        let message = format!("SOSL statements cannot be longer than {QUERY_LIMIT} characters.");
        return Err(ApiError::bad("MALFORMED_SEARCH", message));
    }
    let none = || {
        let message = "No search term found. The search term must be enclosed in braces.";
        ApiError::bad("MALFORMED_SEARCH", message)
    };
    let start = text.len() - text.trim_start().len();
    let find = text
        .get(start..start + 4)
        .filter(|w| w.eq_ignore_ascii_case("FIND"))
        .ok_or_else(none)?;
    let after = start + find.len();
    let open = after + text[after..].find('{').ok_or_else(none)?;
    if !text[after..open].trim().is_empty() {
        return Err(none());
    }
    let inside = &text[open + 1..];
    let length = closing(inside).ok_or_else(none)?;
    let words = words::parse(text, open + 1, &inside[..length])?;
    let tail = tail(text, open + 1 + length + 1).map_err(as_search)?;
    Ok((words, tail))
}

/// Byte of the closing brace.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'}' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

fn on_request(object: &Object) -> bool {
    ON_REQUEST.contains(&object.name.as_str())
}

/// Live records that hold the words, those with them in their name first.
fn matching(org: &Org, plan: &Plan, words: &Words, group: Group) -> Vec<Id> {
    let schema = org.schema();
    let object = schema.at(plan.object);
    let group = if on_request(object) { Group::All } else { group };
    let searched: Vec<usize> = (0..object.fields.len())
        .filter(|at| is_searched(object, &object.fields[*at], group))
        .collect();
    let texts = |row: &Row, fields: &[usize]| -> Vec<Vec<String>> {
        let text = |at: &usize| row.values[*at].as_text().map(|t| split(t, false));
        fields.iter().filter_map(text).collect()
    };
    let name: Vec<usize> = object.name_field.into_iter().collect();
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for (id, row) in org.table(plan.object).rows().filter(|(_, row)| !row.deleted) {
        if !words.found(&texts(row, &searched)) {
            continue;
        }
        let list = if words.found(&texts(row, &name)) {
            &mut named
        } else {
            &mut others
        };
        list.push(id);
    }
    named.extend(others);
    named
}

fn is_searched(object: &Object, field: &Field, group: Group) -> bool {
    let text = matches!(
        field.kind,
        Kind::String | Kind::Textarea | Kind::Email | Kind::Phone | Kind::Url
    );
    let name = field.name_field || NAMES.iter().any(|(o, f)| *o == object.name && *f == field.name);
    match group {
        Group::All => text,
        Group::Name => name && text,
        Group::Email => field.kind == Kind::Email,
        Group::Phone => field.kind == Kind::Phone,
        Group::Sidebar => {
            text && (name || field.external_id) || matches!(field.kind, Kind::Email | Kind::Phone)
        }
    }
}

/// How many records of each list are kept: the limit is shared evenly (SOQL and SOSL Reference, LIMIT n).
fn shares(lists: &[(Plan, Vec<Id>)], limit: usize) -> Vec<usize> {
    let mut kept = vec![0; lists.len()];
    let mut left = limit;
    loop {
        let mut took = false;
        for (kept, (_, ids)) in kept.iter_mut().zip(lists) {
            if left > 0 && *kept < ids.len() {
                (*kept, left, took) = (*kept + 1, left - 1, true);
            }
        }
        if !took {
            return kept;
        }
    }
}
