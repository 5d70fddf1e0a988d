//! One request inside the data API, and the records it may touch.

use super::target::{NEWEST, Version, split};
use super::{Caller, DataResponse, Surroundings, refused};
use crate::org::draft::Given;
use crate::org::input::{self, Purpose};
use crate::org::{ApiError, DuplicateHandling, Hand, Id, Org};
use crate::schema::{Object, Schema};
use http::{HeaderMap, Method};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// First version with the duplicate rule header, and with the right spelling of its result.
const KNOWS_DUPLICATE_HEADER: u16 = 52;

/// A body: as it came, or already read as part of a composite.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Bytes of the outer request.
    Raw(axum::body::Bytes),
    /// Body of a sub-request.
    Json(Json),
}

/// Where a request stands; composites cannot stand in each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// On its own.
    Call,
    /// As sub-request of a composite, a batch or a graph.
    Composite,
    /// As what a SOAP call comes down to; that API has had calls for many records in all its versions.
    Soap,
}

/// A request taken apart.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Method, after `_HTTP_METHOD`.
    pub method: Method,
    /// Decoded path segments, starting with `services`.
    pub segments: Vec<String>,
    /// Query pairs.
    pub pairs: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub payload: Payload,
}

impl Ask {
    /// Takes a request apart. HEAD is a GET without body, and a POST may name another method.
    pub fn parse(method: Method, target: &str, headers: HeaderMap, payload: Payload) -> Ask {
        let (segments, pairs) = split(target);
        let named = pairs.iter().find(|(k, _)| k == "_HTTP_METHOD");
        let method = match (&method, named) {
            (&Method::POST, Some((_, name))) => name.parse().unwrap_or(method),
            (&Method::HEAD, _) => Method::GET,
            _ => method,
        };
        Ask {
            method,
            segments,
            pairs,
            headers,
            payload,
        }
    }

    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// JSON_PARSER_ERROR.
    pub fn json(&self) -> Result<Json, ApiError> {
        match &self.payload {
            Payload::Json(json) => Ok(json.clone()),
            Payload::Raw(bytes) => super::json_text::read(bytes),
        }
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// JSON_PARSER_ERROR, also when it is something else.
    pub fn object(&self) -> Result<Map<String, Json>, ApiError> {
        match self.json()? {
            Json::Object(map) => Ok(map),
            _ => Err(ApiError::bad(
                "JSON_PARSER_ERROR",
                "The request body must be a JSON object",
            )),
        }
    }

    /// The error for a method that the resource does not know.
    pub fn not_allowed(&self, allowed: &str) -> ApiError {
        let message = format!("HTTP Method '{}' not allowed. Allowed are {allowed}", self.method);
        let status = http::StatusCode::METHOD_NOT_ALLOWED;
        ApiError {
            status,
            ..ApiError::bad("METHOD_NOT_ALLOWED", message)
        }
    }
}

/// The org together with who asks and when.
pub struct Door<'a> {
    /// The org.
    pub org: &'a mut Org,
    /// The rest of the sandbox.
    pub around: &'a dyn Surroundings,
    /// Who calls.
    pub caller: &'a Caller,
    /// Who writes, and when.
    pub hand: Hand,
    /// The schema as this user sees it in this version.
    pub view: Arc<Schema>,
    /// What the request says about duplicate rules.
    pub duplicates: DuplicateHandling,
    /// Body of the outer request, for places in it; empty inside of composites.
    pub text: axum::body::Bytes,
}

impl<'a> Door<'a> {
    /// Opens it for a caller, at this instant of the sandbox.
    pub fn open(org: &'a mut Org, around: &'a dyn Surroundings, caller: &'a Caller) -> Self {
        let late = jiff::SignedDuration::from_secs(around.late_seconds().into());
        let hand = Hand {
            user: Id::parse(&caller.user_id).unwrap_or_else(|| org.first_user()),
            now: around.now() - late,
        };
        let version = caller.origin.version.trim_end_matches(".0").parse();
        Self {
            view: org.schema_for(hand.user, version.unwrap_or(NEWEST)),
            org,
            around,
            caller,
            hand,
            duplicates: DuplicateHandling::default(),
            text: axum::body::Bytes::new(),
        }
    }
}

impl Door<'_> {
    /// Answers a request; errors become error bodies. A sub-request may be in another version and bring its own
    /// headers; what it does not say is as the outer one has it.
    pub fn answer(&mut self, ask: &Ask, within: Within) -> DataResponse {
        let (view, duplicates) = (self.view.clone(), self.duplicates.clone());
        self.text = match (&ask.payload, within) {
            (Payload::Raw(bytes), Within::Call) => bytes.clone(),
            _ => axum::body::Bytes::new(),
        };
        if let Ok(version) = version_of(ask) {
            self.view = self.org.schema_for(self.hand.user, version.number);
            duplicate_handling(ask, &version, &mut self.duplicates);
        }
        let mark = self.org.mark();
        let response = self.route(ask, within).unwrap_or_else(|error| {
            // Whatever a refused request did before it was refused is undone.
            self.org.rollback(mark);
            refused(&error)
        });
        (self.view, self.duplicates) = (view, duplicates);
        response
    }

    /// The schema as the request sees it.
    pub fn schema(&self) -> Arc<Schema> {
        self.view.clone()
    }

    /// Makes all changes so far final.
    pub fn commit(&mut self) {
        self.org
            .commit(self.around.now(), self.hand.user, &self.caller.origin);
    }

    /// Makes a record from a body; faults and the object's refusals come first.
    ///
    /// # Errors
    /// What the fault, the body or the record's rules say.
    pub fn create(&mut self, at: usize, body: &Map<String, Json>, skip: &[&str]) -> Result<Id, ApiError> {
        self.create_with(at, body, skip, Vec::new())
    }

    /// Like [`Door::create`], with more fields than the body has (the key of an upsert).
    ///
    /// # Errors
    /// As there.
    pub fn create_with(
        &mut self,
        at: usize,
        body: &Map<String, Json>,
        skip: &[&str],
        more: Given,
    ) -> Result<Id, ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        allowed(object, "create")?;
        let mut given = self.read(&schema, object, body, Purpose::Create, skip)?;
        given.extend(more);
        if let Some(fault) = self.around.before_write(&object.name, None) {
            return Err(fault);
        }
        self.org.insert_with(&self.hand, at, given, &self.duplicates)
    }

    /// Changes a record from a body.
    ///
    /// # Errors
    /// What the fault, the body or the record's rules say.
    pub fn update(
        &mut self,
        at: usize,
        id: Id,
        body: &Map<String, Json>,
        skip: &[&str],
    ) -> Result<(), ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        allowed(object, "update")?;
        let given = self.read(&schema, object, body, Purpose::Update, skip)?;
        if let Some(fault) = self.around.before_write(&object.name, Some(&id.to_string())) {
            return Err(fault);
        }
        self.org.update_with(&self.hand, at, id, given, &self.duplicates)
    }

    /// Fields and values of a body; what cannot be made of a field's type is complained of with its place.
    fn read(
        &self,
        schema: &Schema,
        object: &Object,
        body: &Map<String, Json>,
        purpose: Purpose,
        skip: &[&str],
    ) -> Result<Given, ApiError> {
        let place = |key: &str| super::json_text::place_of(&self.text, key);
        input::read_placed(self.org, schema, object, (body, &place), purpose, skip)
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// What the fault or the record's rules say.
    pub fn delete(&mut self, at: usize, id: Id) -> Result<(), ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        allowed(object, "delete")?;
        if let Some(fault) = self.around.before_write(&object.name, Some(&id.to_string())) {
            return Err(fault);
        }
        self.org.delete(&self.hand, at, id)
    }

    /// The position of an object by name.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub fn object(&self, name: &str) -> Result<usize, ApiError> {
        self.schema().position(name).ok_or_else(ApiError::not_found)
    }

    /// Positions of fields by a comma-separated list of names; `Id` is added when missing.
    ///
    /// # Errors
    /// INVALID_FIELD.
    pub fn fields(object: &Object, names: &[&str]) -> Result<Vec<usize>, ApiError> {
        let mut fields = Vec::with_capacity(names.len() + 1);
        for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
            let at = object
                .position(name)
                .ok_or_else(|| input::no_such_column(object, name))?;
            if !fields.contains(&at) {
                fields.push(at);
            }
        }
        if !fields.contains(&crate::schema::ID) {
            fields.push(crate::schema::ID);
        }
        Ok(fields)
    }
}

/// Whether the object knows a call, and the user may make it.
fn allowed(object: &Object, call: &str) -> Result<(), ApiError> {
    if object.may(call) {
        return Ok(());
    }
    let (code, verb) = match call {
        "create" => ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "inserted"),
        "update" if !object.can(call) => ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "updated"),
        "delete" if !object.can(call) => ("INSUFFICIENT_ACCESS_OR_READONLY", "deleted"),
        // Who may make records but not change them has too few rights on each of them.
        _ => {
            let message = "insufficient access rights on object id";
            return Err(ApiError {
                status: http::StatusCode::FORBIDDEN,
                ..ApiError::data("INSUFFICIENT_ACCESS_OR_READONLY", message, &[])
            });
        }
    };
    let message = format!("entity type cannot be {verb}: {}", object.label);
    Err(ApiError::data(code, message, &[]))
}

/// Reads `Sforce-Duplicate-Rule-Header`, whose parts are separated by `;` or `,`.
fn duplicate_handling(ask: &Ask, version: &Version, handling: &mut DuplicateHandling) {
    handling.version.clone_from(&version.text);
    handling.misspelt = version.number < KNOWS_DUPLICATE_HEADER;
    let Some(header) = ask.header("sforce-duplicate-rule-header") else {
        return;
    };
    if version.number < KNOWS_DUPLICATE_HEADER {
        return;
    }
    let says = |name: &str| {
        header.split([';', ',']).any(|part| {
            part.split_once('=').is_some_and(|(key, value)| {
                key.trim().eq_ignore_ascii_case(name) && value.trim().eq_ignore_ascii_case("true")
            })
        })
    };
    handling.allow_save = says("allowSave");
    handling.include_record_details = says("includeRecordDetails");
}

/// A path segment as id of a record of this object.
///
/// # Errors
/// MALFORMED_ID for a wrong checksum or another object's id.
pub fn id_of(object: &Object, segment: &str) -> Result<Id, ApiError> {
    Id::parse(segment)
        .filter(|id| id.prefix() == object.prefix)
        .ok_or_else(|| malformed_id(object, segment))
}

/// The error for a bad record id.
pub fn malformed_id(object: &Object, text: &str) -> ApiError {
    let label = &object.fields[crate::schema::ID].label;
    ApiError::data(
        "MALFORMED_ID",
        format!("{label}: id value of incorrect type: {text}"),
        &["Id"],
    )
}

/// The API version of a request's path.
///
/// # Errors
/// 410 for versions that were retired, NOT_FOUND for those that never were.
pub fn version_of(ask: &Ask) -> Result<Version, ApiError> {
    let segment = ask.segments.get(2).map_or("", String::as_str);
    match Version::parse(segment) {
        Some(version) => Ok(version),
        None if Version::is_retired(segment) => {
            let text = "The requested API version has been retired and is no longer available";
            Err(ApiError {
                status: http::StatusCode::GONE,
                ..ApiError::bad("UNSUPPORTED_API_VERSION", text)
            })
        }
        None => Err(ApiError::not_found()),
    }
}
