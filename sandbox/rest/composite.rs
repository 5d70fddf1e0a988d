//! `/composite`: up to 25 sub-requests that may refer to each other (REST API Developer Guide, Composite).

use super::door::{Ask, Door, Payload, Within};
use super::references::{Answers, named};
use super::target::Version;
use super::{DataResponse, ok, refused};
use crate::org::ApiError;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashSet};

/// Most sub-requests.
const PARTS: usize = 25;
/// Most of them that may be queries or collections.
const HEAVY_PARTS: usize = 5;
/// First version where a reference to null is null instead of an error.
const NULL_REFERENCES: u16 = 52;
/// First version that refuses reference ids with other signs than letters, digits and underscores.
const PLAIN_REFERENCES: u16 = 52;
/// Headers that only the outer request may carry.
const OUTER_ONLY: [&str; 3] = ["accept", "authorization", "content-type"];

/// What a good row of a collection says that a bad one took with it.
pub(super) const ROLLED_BACK: &str =
    "Record rolled back because not all records were valid and the request was using AllOrNone header";

/// One sub-request as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    method: String,
    url: String,
    reference_id: String,
    #[serde(default)]
    body: Option<Json>,
    #[serde(default)]
    http_headers: Option<BTreeMap<String, Json>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    #[serde(default)]
    all_or_none: bool,
    /// Whether the org may collect adjacent writes of one kind; that changes only when triggers run, and there are none.
    #[serde(default, rename = "collateSubrequests")]
    _collate: Option<bool>,
    composite_request: Vec<Part>,
}

/// What became of one sub-request.
pub struct PartAnswer {
    reference: String,
    response: DataResponse,
    halted: bool,
}

impl PartAnswer {
    /// Whether the sub-request failed.
    pub fn failed(&self) -> bool {
        self.response.status.as_u16() >= 400
    }

    /// The entry of `compositeResponse`.
    pub fn to_json(&self) -> Json {
        let mut headers = Map::new();
        for (name, shown) in [
            ("location", "Location"),
            ("last-modified", "Last-Modified"),
            ("etag", "ETag"),
        ] {
            if let Some(value) = self.response.headers.get(name).and_then(|v| v.to_str().ok()) {
                // Only Location shows on rows; the dates belong to describes.
                if name == "location" || self.response.status == StatusCode::NOT_MODIFIED {
                    headers.insert(shown.into(), value.into());
                }
            }
        }
        json!({
            "body": self.response.body, "httpHeaders": headers,
            "httpStatusCode": self.response.status.as_u16(), "referenceId": self.reference,
        })
    }
}

impl Door<'_> {
    /// `POST /composite`.
    pub(super) fn composite(&mut self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::POST {
            return Err(ask.not_allowed("GET,HEAD,POST"));
        }
        let composite: Composite = read(ask)?;
        let parts = &composite.composite_request;
        check_count(parts.len(), PARTS, "subrequests")?;
        let heavy = parts.iter().filter(|p| is_heavy(&p.url)).count();
        check_count(
            heavy,
            HEAVY_PARTS,
            "query, queryAll, sObject Collections or sObject Tree subrequests",
        )?;
        check_parts(parts, version)?;
        let answers = if composite.all_or_none {
            self.atomic(parts)
        } else {
            self.each(parts)
        };
        let entries: Vec<Json> = answers.iter().map(PartAnswer::to_json).collect();
        Ok(ok(json!({"compositeResponse": entries})))
    }

    /// Every part on its own.
    fn each(&mut self, parts: &[Part]) -> Vec<PartAnswer> {
        let mut known = Answers::default();
        let mut answers = Vec::with_capacity(parts.len());
        for part in parts {
            answers.push(self.part(part, &mut known));
            self.commit();
        }
        answers
    }

    /// All parts or none: the first failure undoes everything and every other answer says so.
    pub(super) fn atomic(&mut self, parts: &[Part]) -> Vec<PartAnswer> {
        let mark = self.org.mark();
        let mut known = Answers::default();
        let mut answers: Vec<PartAnswer> = Vec::with_capacity(parts.len());
        for part in parts {
            if answers.iter().any(PartAnswer::failed) {
                answers.push(halted(&part.reference_id));
            } else {
                let mut answer = self.part(part, &mut known);
                if is_collection(&part.url) {
                    fail_as_a_whole(&mut answer.response);
                }
                answers.push(answer);
            }
        }
        if answers.iter().any(PartAnswer::failed) {
            self.org.rollback(mark);
            for answer in answers.iter_mut().filter(|a| !a.failed() || a.halted) {
                *answer = halted(&answer.reference.clone());
            }
        }
        answers
    }

    /// One part, its references resolved.
    fn part(&mut self, part: &Part, known: &mut Answers) -> PartAnswer {
        let response = self.ask_part(part, known).unwrap_or_else(|error| refused(&error));
        let failed = response.status.as_u16() >= 400;
        known.add(
            &part.reference_id,
            if failed { None } else { response.body.clone() },
        );
        PartAnswer {
            reference: part.reference_id.clone(),
            response,
            halted: false,
        }
    }

    fn ask_part(&mut self, part: &Part, known: &mut Answers) -> Result<DataResponse, ApiError> {
        if !part.url.starts_with("/services/data/v") {
            return Err(ApiError::not_found());
        }
        let method = method(&part.method)?;
        let version = part.url.split('/').nth(3).and_then(Version::parse);
        known.nulls = version.is_some_and(|v| v.number >= NULL_REFERENCES);
        let url = known.text(&part.url)?;
        let body = part
            .body
            .as_ref()
            .map(|b| known.json(b))
            .transpose()?
            .unwrap_or(Json::Null);
        let ask = Ask::parse(method, &url, headers(part)?, Payload::Json(body));
        Ok(self.answer(&ask, Within::Composite))
    }
}

/// A collection inside of a call that is all or none is all or none too, whatever it says itself (REST API Developer
/// Guide, allOrNone Parameters in Composite and Collections Requests). The status of such a part is guessed.
fn fail_as_a_whole(response: &mut DataResponse) {
    let Some(Json::Array(rows)) = &mut response.body else {
        return;
    };
    if rows.iter().all(|row| row["success"] != false) {
        return;
    }
    response.status = StatusCode::BAD_REQUEST;
    for row in rows.iter_mut().filter(|row| row["success"] == true) {
        let rolled_back = ApiError::data("ALL_OR_NONE_OPERATION_ROLLED_BACK", ROLLED_BACK, &[]);
        let id = row["id"].take();
        *row = json!({"id": id, "success": false, "errors": [rolled_back.to_row_json()]});
    }
}

fn halted(reference: &str) -> PartAnswer {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    let response = refused(&ApiError::bad("PROCESSING_HALTED", message));
    PartAnswer {
        reference: reference.to_owned(),
        response,
        halted: true,
    }
}

/// Reads a composite body; whatever does not fit is a parser error of the whole call.
pub(super) fn read<T: for<'de> Deserialize<'de>>(ask: &Ask) -> Result<T, ApiError> {
    serde_json::from_value(ask.json()?).map_err(|e| ApiError::bad("JSON_PARSER_ERROR", e.to_string()))
}

pub(super) fn check_count(count: usize, limit: usize, what: &str) -> Result<(), ApiError> {
    if count <= limit {
        return Ok(());
    }
    let message = format!("The request contains {count} {what}, but at most {limit} are allowed");
    Err(ApiError::bad("LIMIT_EXCEEDED", message))
}

fn is_collection(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    let mut segments = path.split('/').filter(|s| !s.is_empty()).skip(3);
    segments.next() == Some("composite") && segments.next() == Some("sobjects")
}

fn is_heavy(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    let mut segments = path.split('/').filter(|s| !s.is_empty()).skip(3);
    match segments.next() {
        Some("query" | "queryAll") => true,
        Some("composite") => matches!(segments.next(), Some("sobjects" | "tree")),
        _ => false,
    }
}

/// Checks what makes the whole call fail: reference ids and headers.
pub(super) fn check_parts(parts: &[Part], version: &Version) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for part in parts {
        let id = part.reference_id.as_str();
        let fits = id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !fits && (version.number >= PLAIN_REFERENCES || id.is_empty()) {
            let message = format!(
                "Provided referenceId ('{id}') must start with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
            );
            return Err(ApiError::bad("JSON_PARSER_ERROR", message));
        }
        if !seen.insert(id) {
            return Err(ApiError::bad(
                "JSON_PARSER_ERROR",
                format!("Duplicate referenceId provided: {id}"),
            ));
        }
        let names = part.http_headers.iter().flat_map(BTreeMap::keys);
        for name in names {
            if OUTER_ONLY.iter().any(|o| name.eq_ignore_ascii_case(o)) {
                let message = format!("Header {name} is not allowed in a subrequest");
                return Err(ApiError::bad("JSON_PARSER_ERROR", message));
            }
        }
    }
    Ok(())
}

/// Methods are case-sensitive.
fn method(name: &str) -> Result<Method, ApiError> {
    match name {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PATCH" => Ok(Method::PATCH),
        "PUT" => Ok(Method::PUT),
        "DELETE" => Ok(Method::DELETE),
        other => Err(ApiError::bad(
            "INVALID_INPUT",
            format!("Invalid HTTP method: {other}"),
        )),
    }
}

fn headers(part: &Part) -> Result<HeaderMap, ApiError> {
    let mut headers = HeaderMap::new();
    for (name, value) in part.http_headers.iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pair = (name.parse::<HeaderName>(), text.parse::<HeaderValue>());
        let (Ok(name), Ok(value)) = pair else {
            return Err(ApiError::bad("INVALID_INPUT", format!("Invalid header: {name}")));
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

impl Part {
    /// Reference id.
    pub fn reference(&self) -> &str {
        &self.reference_id
    }

    /// The method as written.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL as written.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reference ids that this part needs answered first.
    pub fn needs(&self) -> Vec<String> {
        let body = self.body.as_ref().map(Json::to_string).unwrap_or_default();
        named(&self.url)
            .into_iter()
            .chain(named(&body))
            .map(str::to_owned)
            .collect()
    }
}
