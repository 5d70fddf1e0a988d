//! The span of a foreign call. Neither path nor query nor body are told: they hold names, numbers and conditions that people
//! wrote.

use cpq_domain::Result;
use http::{Method, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// A call, as its span tells of it.
pub(crate) struct Watched<'a> {
    pub(crate) method: &'a Method,
    /// Name in metrics, e.g. `read`.
    pub(crate) operation: &'static str,
    pub(crate) connection: &'a str,
    /// URL of the host.
    pub(crate) host: &'a str,
}

/// Makes the call within a span of its own, and tells how it ended.
pub(crate) async fn call<T>(call: &Watched<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let span = tracing::info_span!(
        target: "cpq_trace",
        "call",
        otel.name = format!("{} {}", call.method, call.operation),
        otel.kind = "client",
        connection = call.connection,
        code = Empty,
        "http.request.method" = call.method.as_str(),
        "http.response.status_code" = Empty,
        "server.address" = address(call.host),
        "server.port" = port(call.host),
        "cpq.operation" = call.operation,
    );
    let result = work.instrument(span.clone()).await;
    if let Err(error) = &result {
        span.record("code", error.code.as_str());
    }
    result
}

/// An answer came, whatever it says.
pub(crate) fn answered(status: StatusCode) {
    Span::current().record("http.response.status_code", status.as_u16());
}

fn address(host: &str) -> Option<String> {
    url::Url::parse(host).ok()?.host_str().map(str::to_owned)
}

fn port(host: &str) -> Option<u16> {
    url::Url::parse(host).ok()?.port_or_known_default()
}
