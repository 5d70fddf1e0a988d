//! Requests to us: of clients, of pages, of senders of webhooks.

use crate::{Counter, Histogram};

/// From an answer out of memory to a caller who waits for a sync.
const REQUEST: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

metrics! {
    /// Requests by route; what a page asks of the API for itself is from `page`, all else from `client`.
    REQUESTS: Counter = "cpq_http_requests_total" ["method", "route", "status", "from"];
    /// How long it took to answer; of a stream, to begin.
    REQUEST_DURATION: Histogram = "cpq_http_request_duration_seconds" ["route", "from"] within REQUEST;
    /// Deliveries of webhooks by sender, and hints in those that were taken. Senders that are not configured are `unknown`.
    WEBHOOKS: Counter = "cpq_webhooks_total" ["source", "result"];
    /// Notifications in outbound messages by what became of them; of a message that is refused as a whole, one.
    OUTBOUND: Counter = "cpq_outbound_notifications_total" ["result"];
}
