//! The data API: everything under `/services/data` (REST API Developer Guide).

mod batch;
mod collections;
mod composite;
mod conditional;
mod door;
mod events;
mod graph;
mod limits;
mod query;
mod references;
mod related;
mod replication;
mod roots;
mod routes;
mod rows;
mod search;
mod sobjects;
mod target;
mod tooling;
mod tree;
mod upsert;

pub(crate) use door::{Ask, Door, Payload, Within};
pub(crate) use target::{Version, split};

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

/// The answer to one call.
#[derive(Debug, Clone)]
pub struct DataResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers that belong to the data API (Location, Last-Modified).
    pub headers: HeaderMap,
    /// JSON body; none means an empty one.
    pub body: Option<Json>,
    /// API calls this counts for, 0 for `/services/data`.
    pub cost: u32,
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

/// Answers one call. Everything the call changes is committed before this returns, or nothing of it.
pub fn call(
    org: &mut Org,
    around: &dyn Surroundings,
    caller: &Caller,
    request: &DataRequest,
) -> DataResponse {
    if request.target.len() > TARGET_LIMIT {
        let mut error = ApiError::bad("URI_TOO_LONG", "Maximum URI length exceeded");
        error.status = StatusCode::URI_TOO_LONG;
        return refused(&error);
    }
    let mut door = Door::open(org, around, caller);
    let ask = Ask::parse(
        request.method.clone(),
        &request.target,
        request.headers.clone(),
        Payload::Raw(request.body.clone()),
    );
    let mut response = door.answer(&ask, Within::Call);
    door.commit();
    if request.method == Method::HEAD {
        response.body = None;
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
    }
}

/// An error as the whole answer: an array, of one as a rule.
fn refused(error: &ApiError) -> DataResponse {
    answer(error.status, Some(error.all().map(ApiError::to_json).collect()))
}
