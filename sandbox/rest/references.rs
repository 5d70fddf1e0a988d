//! `@{ref.path}`: values of earlier answers inside later sub-requests (REST API Developer Guide, Composite).

use crate::org::ApiError;
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

/// Answers that may be referred to, by reference id; none when the sub-request failed.
#[derive(Debug, Default)]
pub struct Answers {
    by_reference: HashMap<String, Option<Json>>,
    /// Whether a null may be referred to (v52 and later).
    pub nulls: bool,
}

impl Answers {
    /// Remembers an answer.
    pub fn add(&mut self, reference: &str, body: Option<Json>) {
        self.by_reference.insert(reference.to_owned(), body);
    }

    /// A text with its references replaced by the text of their values.
    ///
    /// # Errors
    /// PROCESSING_HALTED for a reference that leads nowhere.
    pub fn text(&self, text: &str) -> Result<String, ApiError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, inner, after)) = next(rest) {
            out.push_str(before);
            match self.value(inner)? {
                Json::Null => {}
                Json::String(value) => out.push_str(&value),
                other => out.push_str(&other.to_string()),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// A body with its references replaced; one that is a whole string keeps the type of its value.
    ///
    /// # Errors
    /// PROCESSING_HALTED for a reference that leads nowhere.
    pub fn json(&self, json: &Json) -> Result<Json, ApiError> {
        match json {
            Json::String(text) => match next(text) {
                None => Ok(json.clone()),
                Some(("", inner, "")) => self.value(inner),
                Some(_) => self.text(text).map(Json::String),
            },
            Json::Array(items) => items.iter().map(|i| self.json(i)).collect(),
            Json::Object(map) => {
                let pair = |(k, v): (&String, &Json)| Ok((k.clone(), self.json(v)?));
                map.iter()
                    .map(pair)
                    .collect::<Result<Map<_, _>, ApiError>>()
                    .map(Json::Object)
            }
            other => Ok(other.clone()),
        }
    }

    fn value(&self, inner: &str) -> Result<Json, ApiError> {
        let (reference, path) = split(inner);
        let missing = || {
            let message = format!(
                "Invalid reference specified. No value for {inner} found in {reference}. Provided referenceId ('{reference}') must start with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
            );
            ApiError::bad("PROCESSING_HALTED", message)
        };
        let body = self
            .by_reference
            .get(reference)
            .and_then(Option::as_ref)
            .ok_or_else(missing)?;
        match follow(body, path).ok_or_else(missing)? {
            Json::Null if !self.nulls => Err(missing()),
            found => Ok(found.clone()),
        }
    }
}

/// Names of the sub-requests that a text refers to.
pub fn named(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, inner, after)) = next(rest) {
        names.push(split(inner).0);
        rest = after;
    }
    names
}

/// Text before the next reference, its inside, and the text after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("@{")?;
    let (inner, after) = rest.split_once('}')?;
    Some((before, inner, after))
}

fn split(inner: &str) -> (&str, &str) {
    let end = inner.find(['.', '[']).unwrap_or(inner.len());
    inner.split_at(end)
}

/// Follows `.records[0].Id` or `[0].id` into a body; names are case-sensitive.
fn follow<'a>(body: &'a Json, path: &str) -> Option<&'a Json> {
    let mut here = body;
    for part in path.split('.').filter(|p| !p.is_empty()) {
        let (name, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !name.is_empty() {
            here = here.get(name)?;
        }
        for index in indexes.split('[').filter(|i| !i.is_empty()) {
            here = here.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
        }
    }
    Some(here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_resolve_by_exact_case_and_keep_types() {
        let mut answers = Answers {
            nulls: true,
            ..Answers::default()
        };
        answers.add(
            "q",
            Some(json!({"records": [{"Id": "001", "Amount": 5.5, "Owner": null}]})),
        );
        answers.add("many", Some(json!([{"id": "003"}])));
        answers.add("failed", None);
        assert_eq!(
            answers
                .json(&json!({"A": "@{q.records[0].Amount}"}))
                .expect("found"),
            json!({"A": 5.5})
        );
        assert_eq!(answers.text("/x/@{many[0].id}/y").expect("found"), "/x/003/y");
        assert_eq!(
            answers.json(&json!("@{q.records[0].Owner}")).expect("null"),
            Json::Null
        );
        for bad in [
            "@{q.records[0].id}",
            "@{Q.records[0].Id}",
            "@{failed.id}",
            "@{q.records[1].Id}",
        ] {
            assert!(answers.text(bad).is_err(), "{bad}");
        }
        assert_eq!(named("a@{x.id}b@{y[0].id}"), ["x", "y"]);
    }
}
