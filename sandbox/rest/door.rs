//! One request inside the data API, and the records it may touch.

use super::target::{Version, split};
use super::{Caller, DataResponse, Surroundings, refused};
use crate::org::draft::Given;
use crate::org::input::{self, Purpose};
use crate::org::{ApiError, Hand, Id, Org};
use crate::schema::Object;
use http::{HeaderMap, Method};
use serde_json::{Map, Value as Json};

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
            Payload::Raw(bytes) => serde_json::from_slice(bytes).map_err(|e| {
                let message = format!("{e} at [line:{}, column:{}]", e.line(), e.column());
                ApiError::bad("JSON_PARSER_ERROR", message)
            }),
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
}

impl<'a> Door<'a> {
    /// Opens it for a caller, at this instant of the sandbox.
    pub fn open(org: &'a mut Org, around: &'a dyn Surroundings, caller: &'a Caller) -> Self {
        let hand = Hand {
            user: Id::parse(&caller.user_id).unwrap_or_else(|| org.first_user()),
            now: around.now(),
        };
        Self {
            org,
            around,
            caller,
            hand,
        }
    }
}

impl Door<'_> {
    /// Answers a request; errors become error bodies.
    pub fn answer(&mut self, ask: &Ask, within: Within) -> DataResponse {
        self.route(ask, within).unwrap_or_else(|error| refused(&error))
    }

    /// Makes all changes so far final.
    pub fn commit(&mut self) {
        self.org
            .commit(self.hand.now, self.hand.user, &self.caller.origin);
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
        let schema = self.org.schema();
        let object = schema.at(at);
        if !object.can("create") {
            return Err(refuses(object, "create"));
        }
        let mut given = input::read(self.org, object, body, Purpose::Create, skip)?;
        given.extend(more);
        if let Some(fault) = self.around.before_write(&object.name, None) {
            return Err(fault);
        }
        self.org.insert(&self.hand, at, given)
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
        let schema = self.org.schema();
        let object = schema.at(at);
        if !object.can("update") {
            return Err(refuses(object, "update"));
        }
        let given = input::read(self.org, object, body, Purpose::Update, skip)?;
        if let Some(fault) = self.around.before_write(&object.name, Some(&id.to_string())) {
            return Err(fault);
        }
        self.org.update(&self.hand, at, id, given)
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// What the fault or the record's rules say.
    pub fn delete(&mut self, at: usize, id: Id) -> Result<(), ApiError> {
        let schema = self.org.schema();
        let object = schema.at(at);
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
        self.org.schema().position(name).ok_or_else(ApiError::not_found)
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

fn refuses(object: &Object, call: &str) -> ApiError {
    let message = format!("entity type {} does not support {call}", object.name);
    ApiError::bad("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
}

/// A path segment as id of a record of this object.
///
/// # Errors
/// MALFORMED_ID for a wrong checksum or another object's id.
pub fn id_of(object: &Object, segment: &str) -> Result<Id, ApiError> {
    Id::parse(segment)
        .filter(|id| id.prefix() == object.prefix)
        .ok_or_else(|| malformed_id(segment))
}

/// The error for a bad record id.
pub fn malformed_id(text: &str) -> ApiError {
    ApiError::data(
        "MALFORMED_ID",
        format!("Record ID: id value of incorrect type: {text}"),
        &["Id"],
    )
}

/// The API version of a request's path.
///
/// # Errors
/// NOT_FOUND for versions that are not served.
pub fn version_of(ask: &Ask) -> Result<Version, ApiError> {
    ask.segments
        .get(2)
        .and_then(|s| Version::parse(s))
        .ok_or_else(ApiError::not_found)
}
