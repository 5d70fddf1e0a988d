//! What was called: a bounded log of requests, and counters per route that never forget.

use crate::log::{Log, Numbered};
use serde::Serialize;
use std::collections::BTreeMap;

/// Entries kept; older ones fall out. Enough for a test run, a few megabytes at most.
const LOG_CAPACITY: usize = 10_000;
/// Distinct routes counted by name; paths come from clients, so their number must be bounded.
const MAX_ROUTES: usize = 2_000;
/// Longest path or header value kept per entry, so that a hostile client cannot fill the log with one line.
const MAX_TEXT: usize = 1_000;

/// One answered request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the order of answers, from 1, never reused.
    pub seq: u64,
    /// When the answer was ready, in the sandbox's time.
    pub at: jiff::Timestamp,
    /// HTTP method as received; `GRPC` for a call of the Pub/Sub API.
    pub method: String,
    /// Path; with its query only under `/services/data`, as other queries can hold codes and tokens.
    pub path: String,
    /// HTTP status; 0 when the connection was closed without an answer.
    pub status: u16,
    /// From the whole request in hand to the answer, in microseconds, injected latency included.
    pub duration_micros: u64,
    /// API calls that this counted for.
    pub cost: u32,
    /// Name of the gRPC status, for calls of the Pub/Sub API, which are written down when they end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<&'static str>,
    /// Topic of such a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `client=` of `Sforce-Call-Options`, else the `User-Agent`.
    pub client: Option<String>,
    /// Value of `X-Correlation-Id`.
    pub correlation_id: Option<String>,
    /// Names of the fault rules that fired.
    pub faults: Vec<String>,
}

/// Totals of one route.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// Requests answered (or cut off).
    pub requests: u64,
    /// API calls they counted for.
    pub api_calls: u64,
}

impl Numbered for Entry {
    fn number(&mut self, seq: u64) {
        self.seq = seq;
    }

    fn seq(&self) -> u64 {
        self.seq
    }
}

/// The log.
#[derive(Debug, Default)]
pub struct RequestLog(Log<Entry, Count, LOG_CAPACITY, MAX_ROUTES>);

impl RequestLog {
    /// Appends one entry and counts its route.
    pub fn record(&self, mut entry: Entry) {
        let route = route_of(&entry.method, &entry.path);
        truncate(&mut entry.path);
        entry
            .client
            .iter_mut()
            .chain(&mut entry.correlation_id)
            .chain(&mut entry.topic)
            .for_each(truncate);
        self.0.record(route, entry, |count, entry| {
            count.requests += 1;
            count.api_calls += u64::from(entry.cost);
        });
    }

    /// The last `limit` entries with a sequence number above `after`, oldest first, then totals per route.
    pub fn read(&self, after: u64, limit: usize) -> (Vec<Entry>, BTreeMap<String, Count>) {
        self.0.read(after, limit)
    }

    /// Forgets entries and counters.
    pub fn clear(&self) {
        self.0.clear();
    }
}

fn truncate(text: &mut String) {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
}

/// The path with ids, values, locators and versions replaced, so that calls of one kind add up.
fn route_of(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut route = String::from(method);
    route.push(' ');
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            route.push('/');
        }
        // In /services/data/v68.0/sobjects/Object/Field/Value the value is the eighth piece.
        let addressed_value = index >= 7 && path.starts_with("/services/data/");
        route.push_str(if addressed_value {
            "{value}"
        } else {
            general(segment)
        });
    }
    truncate(&mut route);
    route
}

fn general(segment: &str) -> &str {
    let has_digit = segment.bytes().any(|byte| byte.is_ascii_digit());
    let version = segment
        .strip_prefix('v')
        .is_some_and(|rest| rest.parse::<f32>().is_ok());
    let id =
        has_digit && matches!(segment.len(), 15 | 18) && segment.bytes().all(|b| b.is_ascii_alphanumeric());
    let locator = segment.starts_with("01g") && segment.contains('-');
    match (version, id, locator) {
        (true, _, _) => "{version}",
        (_, true, _) => "{id}",
        (_, _, true) => "{locator}",
        _ => segment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_kind_share_a_route() {
        assert_eq!(
            route_of(
                "GET",
                "/services/data/v68.0/sobjects/Account/001D000000Kv3g5IAB?fields=Name"
            ),
            "GET /services/data/{version}/sobjects/Account/{id}"
        );
        assert_eq!(
            route_of("PATCH", "/services/data/v59.0/sobjects/Account/Ext__c/A-1"),
            "PATCH /services/data/{version}/sobjects/Account/Ext__c/{value}"
        );
        assert_eq!(
            route_of("GET", "/services/data/v59.0/query/01gB000003OCxSPIA1-2000"),
            "GET /services/data/{version}/query/{locator}"
        );
    }
}
