//! The span of a request: what its log lines tell, and its place in a trace.

use axum::response::Response;
use cpq_domain::Code;
use cpq_domain::run::Run;
use http::Method;
use tracing::Span;
use tracing::field::Empty;

use crate::caller::{CORRELATION, Caller, single};

/// Routes that are asked by machines again and again; nobody looks for the trace of a probe.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The span of a request. The path is left out, as one holds a secret and others names; the route says what was asked.
pub(crate) fn request(method: &Method, route: &str, caller: &Caller) -> Span {
    if PROBES.contains(&route) {
        return Span::none();
    }
    tracing::info_span!(
        target: "cpq_trace",
        "request",
        otel.name = format!("{} {route}", known(method.as_str())),
        otel.kind = "server",
        traceparent = caller.traceparent.as_deref(),
        correlation = caller.request.as_str(),
        code = Empty,
        link = Empty,
        "http.request.method" = known(method.as_str()),
        "http.route" = route,
        "http.response.status_code" = Empty,
        "cpq.request" = caller.request.as_str(),
    )
}

/// Methods come from outside; one that we do not know is `_OTHER`, as the conventions have it.
pub(crate) fn known(method: &str) -> &str {
    match method {
        known @ ("GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE" | "OPTIONS") => known,
        _ => "_OTHER",
    }
}

/// The request failed through no fault of the caller's.
pub(crate) fn failed(code: Code) {
    if code.http_status() >= 500 {
        Span::current().record("code", code.as_str());
    }
}

/// What is known of the answer: its status, and the sync that it is about, which is returned.
pub(crate) fn answered(response: &Response) -> Option<&str> {
    let (span, status) = (Span::current(), response.status());
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("code", status.as_str());
    }
    let sync = single(response.headers(), CORRELATION)?;
    span.record("correlation", sync);
    Some(sync)
}

/// A sync is done for the request, in a trace of its own or in one that another request began.
pub(crate) fn leads_to(run: &Run) {
    Span::current().record("link", run.trace().to_string());
}
