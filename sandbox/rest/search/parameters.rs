//! A search in parameters, written as SOSL (REST API Developer Guide, Search with Parameters).

use crate::org::ApiError;
use serde_json::{Map, Value as Json};

/// What is returned of one object.
#[derive(Default)]
struct Returned {
    object: String,
    fields: String,
    filter: String,
    order: String,
    limit: String,
}

/// The search of a GET: `q=…&sobject=Account&Account.fields=Name&Account.limit=5&in=NAME&overallLimit=10`.
///
/// # Errors
/// MALFORMED_SEARCH when there is no search string.
pub fn from_pairs(pairs: &[(String, String)]) -> Result<String, ApiError> {
    let value = |name: &str| {
        let found = pairs.iter().find(|(k, _)| k.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let objects = pairs.iter().filter(|(k, _)| k.eq_ignore_ascii_case("sobject"));
    let returned = objects.map(|(_, object)| {
        let own = |name: &str, general: &str| {
            let own = value(&format!("{object}.{name}"));
            if own.is_empty() { value(general) } else { own }
        };
        Returned {
            object: object.clone(),
            fields: own("fields", "fields"),
            filter: own("where", ""),
            order: own("orderBy", ""),
            limit: own("limit", "defaultLimit"),
        }
    });
    let returned = returned.collect();
    written(&value("q"), &value("in"), returned, &value("overallLimit"))
}

/// The search of a POST.
///
/// # Errors
/// MALFORMED_SEARCH when there is no search string.
pub fn from_body(body: &Map<String, Json>) -> Result<String, ApiError> {
    let text = |from: &Map<String, Json>, name: &str| match from.get(name) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    };
    let first = |own: String, general: String| if own.is_empty() { general } else { own };
    let objects = body.get("sobjects").and_then(Json::as_array);
    let returned = objects
        .into_iter()
        .flatten()
        .filter_map(Json::as_object)
        .map(|object| Returned {
            object: text(object, "name"),
            fields: first(text(object, "fields"), text(body, "fields")),
            filter: text(object, "where"),
            order: text(object, "orderBy"),
            limit: first(text(object, "limit"), text(body, "defaultLimit")),
        });
    let returned = returned.collect();
    written(
        &text(body, "q"),
        &text(body, "in"),
        returned,
        &text(body, "overallLimit"),
    )
}

fn written(q: &str, group: &str, returned: Vec<Returned>, limit: &str) -> Result<String, ApiError> {
    if q.trim().is_empty() {
        return Err(ApiError::bad(
            "MALFORMED_SEARCH",
            "No search term found. The parameter q is required.",
        ));
    }
    let mut text = format!("FIND {{{}}}", escaped(q));
    if !group.is_empty() {
        text += &format!(" IN {group} FIELDS");
    }
    let specs: Vec<String> = returned.iter().map(Returned::written).collect();
    if !specs.is_empty() {
        text += &format!(" RETURNING {}", specs.join(","));
    }
    if !limit.is_empty() {
        text += &format!(" LIMIT {limit}");
    }
    Ok(text)
}

/// Braces and a last backslash would end the search string early, unless they are escaped already.
fn escaped(q: &str) -> String {
    let mut out = String::with_capacity(q.len());
    let mut chars = q.chars();
    while let Some(ch) = chars.next() {
        match ch {
            '\\' => {
                out.push('\\');
                out.push(chars.next().unwrap_or('\\'));
            }
            '{' | '}' => out.extend(['\\', ch]),
            _ => out.push(ch),
        }
    }
    out
}

impl Returned {
    fn written(&self) -> String {
        let clause = |word: &str, text: &str| match text.is_empty() {
            true => String::new(),
            false => format!(" {word} {text}"),
        };
        let fields = if self.fields.is_empty() {
            "Id"
        } else {
            &self.fields
        };
        format!(
            "{}({fields}{}{}{})",
            self.object,
            clause("WHERE", &self.filter),
            clause("ORDER BY", &self.order),
            clause("LIMIT", &self.limit)
        )
    }
}
