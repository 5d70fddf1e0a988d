//! The systems on both sides: calls, grants, limits, and feeds of changes.

use crate::{Counter, Histogram, Reading};

/// A call over the internet, up to the longest that is waited for.
const CALL: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Up to the most that one composite call holds.
const ITEMS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 200.0];

metrics! {
    /// Calls of the CRM's API, by what they did and how they ended.
    REQUESTS: Counter = "cpq_crm_requests_total" ["connection", "operation", "outcome"];
    /// How long calls of the CRM's API took.
    REQUEST_DURATION: Histogram = "cpq_crm_request_duration_seconds" ["connection", "operation"] within CALL;
    /// Opportunities that shared one call.
    BATCH: Histogram = "cpq_crm_batch_items" ["operation"] within ITEMS;
    /// Events that the CRM told, by what became of them.
    EVENTS: Counter = "cpq_crm_events_total" ["connection", "outcome"];
    /// Requests for a new access token, by how they ended; `dead` ends the grant.
    TOKEN_REFRESHES: Counter = "cpq_token_refreshes_total" ["connection", "outcome"];
    /// How often the circuit breaker opened, by why.
    CIRCUIT_OPENINGS: Counter = "cpq_circuit_openings_total" ["connection", "reason"];
    /// Calls of a CPQ that is another system, by what they did and how they ended.
    CPQ_REQUESTS: Counter = "cpq_cpq_requests_total" ["connection", "operation", "outcome"];
    /// How long calls of a CPQ that is another system took.
    CPQ_REQUEST_DURATION: Histogram = "cpq_cpq_request_duration_seconds" ["connection", "operation"] within CALL;

    /// Whether the grant of a connection lives; 0 asks a person to connect again.
    GRANT_ALIVE: Reading = "cpq_grant_alive" ["connection"];
    /// When the secrets of the grant changed last. When an access token ends, Salesforce does not tell.
    GRANT_REFRESHED: Reading = "cpq_grant_refreshed_timestamp_seconds" ["connection"];
    /// 1 for the state in which the circuit breaker is, 0 for the others.
    CIRCUIT: Reading = "cpq_circuit_state" ["connection", "state"];
    /// Calls of the last 24 hours by everybody, as the CRM said last.
    CALLS_USED: Reading = "cpq_crm_calls_used" ["connection"];
    /// Calls that the CRM allows in 24 hours.
    CALLS_MAX: Reading = "cpq_crm_calls_max" ["connection"];
    /// When the CRM said so.
    CALLS_HEARD: Reading = "cpq_crm_calls_heard_timestamp_seconds" ["connection"];
    /// When the calls will be used up if it goes on like this; +Inf if they will not be.
    CALLS_EXHAUSTED: Reading = "cpq_crm_calls_exhausted_timestamp_seconds" ["connection"];
    /// Calls of the last 24 hours by us, by what they were for.
    CALLS_MADE: Reading = "cpq_crm_calls_made" ["connection", "purpose"];
    /// How long ago the moment is before which everything in the CRM was seen.
    FEED_LAG: Reading = "cpq_feed_lag_seconds" ["connection", "feed"];
    /// 1 for the state in which a feed of changes is, 0 for the others.
    FEED_STATE: Reading = "cpq_feed_state" ["connection", "feed", "state"];
    /// Whether a process reads the feed.
    FEED_READ: Reading = "cpq_feed_read" ["connection", "feed"];
}
