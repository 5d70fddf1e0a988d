//! The data API: everything under `/services/data` (REST API Developer Guide).

mod batch;
mod collections;
mod composite;
mod conditional;
mod door;
mod events;
mod form;
mod graph;
mod json_text;
mod layouts;
mod limits;
mod list_views;
mod query;
mod references;
mod related;
mod replication;
mod roots;
mod routes;
mod rows;
mod search;
mod sobjects;
mod surface;
mod target;
mod tooling;
mod tree;
mod upsert;
mod xml;

pub use form::Form;
pub use xml::write as xml_text;

pub(crate) use door::{Ask, Door, Payload, Within};
pub(crate) use target::{NEWEST, Version, split};

use crate::bulk::limits::Used;
use crate::events::EventUsage;
use crate::org::{ApiError, Org, Origin};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value as Json;
use std::sync::Arc;

/// One call of the data API after authentication; sub-requests of composites come through the same door.
#[derive(Debug, Clone)]
pub struct DataRequest {
    /// HTTP method.
    pub method: Method,
    /// Path and query, starting at `/services/data`.
    pub target: String,
    /// Request headers.
    pub headers: HeaderMap,
    /// Request body, already decompressed.
    pub body: axum::body::Bytes,
}

impl DataRequest {
    /// A request as it came in. `HEAD` is `GET` without the body, which the server leaves away by itself.
    pub fn of(method: Method, uri: &http::Uri, headers: HeaderMap, body: axum::body::Bytes) -> DataRequest {
        DataRequest {
            method: if method == Method::HEAD {
                Method::GET
            } else {
                method
            },
            target: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers,
            body,
        }
    }
}

/// The answer to one call.
#[derive(Debug, Clone)]
pub struct DataResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers that belong to the data API (Location, Last-Modified).
    pub headers: HeaderMap,
    /// JSON body; none means an empty one.
    pub body: Option<Json>,
    /// API calls this counts for, 0 for `/services/data` and unknown versions.
    pub cost: u32,
    /// Form in which the body goes out.
    pub form: Form,
}

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// User id (18 characters).
    pub user_id: String,
    /// Through which API, as change events will say.
    pub origin: Origin,
}

/// What the rest of the sandbox lends to the data API.
pub trait Surroundings: Send + Sync {
    /// The sandbox's clock.
    fn now(&self) -> jiff::Timestamp;
    /// A fault to raise instead of this record write, such as a row lock.
    fn before_write(&self, object: &str, id: Option<&str>) -> Option<ApiError>;
    /// API calls used and allowed, for `/limits`.
    fn usage(&self) -> (u64, u64);
    /// Settings in force.
    fn settings(&self) -> crate::options::Settings {
        crate::options::Settings::default()
    }
    /// API calls that an app with an allotment of its own has used.
    fn used_by(&self, _app: &str) -> u64 {
        0
    }
    /// The instance URL, for absolute links.
    fn instance_url(&self) -> String;
    /// What bulk jobs used of their allowances, for `/limits`.
    fn bulk_usage(&self) -> Used {
        Used::default()
    }
    /// How long before its commit a write is stamped, in seconds.
    fn late_seconds(&self) -> u32 {
        0
    }
    /// The Avro schema that events of this name have now, as JSON.
    fn event_schema(&self, _org: &Org, _event: &str) -> Option<Arc<str>> {
        None
    }
    /// The Avro schema with this id, as JSON.
    fn event_schema_by_id(&self, _id: &str) -> Option<Arc<str>> {
        None
    }
    /// Events published and delivered, for `/limits`.
    fn event_usage(&self) -> EventUsage {
        EventUsage::default()
    }
}

/// Longest request target; longer ones are answered with 414 (REST API Developer Guide, Status Codes).
const TARGET_LIMIT: usize = 16_384;

/// Versions that are still served but will be retired, and what their answers say (Salesforce Help, Salesforce Platform
/// API Versions 31.0 through 40.0 Retirement; REST API Developer Guide, Warning Header).
const DEPRECATED: std::ops::RangeInclusive<u16> = 31..=40;
const WARNING: &str = "299 - \"This API is deprecated and will be removed by Summer '28.\"";

/// Answers one call. Everything the call changes is committed before this returns, or nothing of it.
pub fn call(
    org: &mut Org,
    around: &dyn Surroundings,
    caller: &Caller,
    request: &DataRequest,
) -> DataResponse {
    let (target, suffix) = form::suffix(&request.target);
    let form = match form::wanted(suffix, &request.headers) {
        Ok(form) => form,
        // Without a form to say it in, nothing is said.
        Err(status) => return answer(status, None),
    };
    let mut response = match heard(request, &target) {
        Ok(ask) => answered(org, around, caller, &ask),
        Err(refusal) => *refusal,
    };
    response.form = form;
    if request.method == Method::HEAD {
        response.body = None;
    }
    response
}

/// The request taken apart, unless it is refused before anybody looks at what it wants.
fn heard(request: &DataRequest, target: &str) -> Result<Ask, Box<DataResponse>> {
    let refuse = |status, code, text: &str| {
        let error = ApiError {
            status,
            ..ApiError::bad(code, text)
        };
        Box::new(refused(&error))
    };
    if target.len() > TARGET_LIMIT {
        let text = "Maximum URI length exceeded";
        return Err(refuse(StatusCode::URI_TOO_LONG, "URI_TOO_LONG", text));
    }
    let payload = match form::sent(&request.method, &request.headers, &request.body) {
        Ok(Form::Json) => Payload::Raw(request.body.clone()),
        Ok(Form::Xml) => match xml::read(&request.body) {
            Ok(json) => Payload::Json(json),
            Err(error) => return Err(Box::new(refused(&error))),
        },
        Err(status) => {
            let text = "Content-Type is neither application/json nor application/xml";
            return Err(refuse(status, "UNSUPPORTED_MEDIA_TYPE", text));
        }
    };
    Ok(Ask::parse(
        request.method.clone(),
        target,
        request.headers.clone(),
        payload,
    ))
}

fn answered(org: &mut Org, around: &dyn Surroundings, caller: &Caller, ask: &Ask) -> DataResponse {
    let version = match ask.segments.len() {
        0..=2 => None,
        _ => match door::version_of(ask) {
            Ok(version) => Some(version),
            // Nobody is charged for a version that does not exist.
            Err(error) => {
                return DataResponse {
                    cost: 0,
                    ..refused(&error)
                };
            }
        },
    };
    let mut door = Door::open(org, around, caller);
    let mut response = door.answer(ask, Within::Call);
    door.commit();
    if version.is_some_and(|v| DEPRECATED.contains(&v.number)) {
        let warning = http::HeaderValue::from_static(WARNING);
        response.headers.insert(http::header::WARNING, warning);
    }
    response
}

/// A successful answer with a body.
fn ok(body: Json) -> DataResponse {
    answer(StatusCode::OK, Some(body))
}

/// An answer with this status and body.
fn answer(status: StatusCode, body: Option<Json>) -> DataResponse {
    DataResponse {
        status,
        headers: HeaderMap::new(),
        body,
        cost: 1,
        form: Form::Json,
    }
}

/// An error as the whole answer: an array, of one as a rule.
fn refused(error: &ApiError) -> DataResponse {
    answer(error.status, Some(error.all().map(ApiError::to_json).collect()))
}
