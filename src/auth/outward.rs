//! How this process calls others: the HTTP client that all calls to them are made with, and the span of a call.
//!
//! A span tells neither path nor query nor body: they hold names, numbers and conditions that people wrote.

use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use reqwest::{Method, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use url::Url;

use crate::limits::CONNECT_TIMEOUT;
use crate::reach::Reach;

impl Reach {
    /// A client for these hosts. It follows no redirect, because a token must never follow one to another host, and sends
    /// nothing twice by itself.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when a certificate is not PEM.
    pub fn client(&self, authorities_pem: &[Vec<u8>], timeout: Duration) -> Result<reqwest::Client> {
        let wrong = |what: &str, cause: reqwest::Error| Error::new(Code::ConfigInvalid, what).cause(cause);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cpq/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .dns_resolver(self.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout);
        for pem in authorities_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|cause| wrong("a certificate authority file is not PEM", cause))?;
            builder = builder.tls_certs_merge(certificates);
        }
        builder
            .build()
            .map_err(|cause| wrong("the HTTP client cannot be set up", cause))
    }
}

/// A call, as its span tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Outward<'a> {
    /// Method.
    pub method: &'a Method,
    /// Name in metrics, e.g. `read`.
    pub operation: &'static str,
    /// Name of the connection.
    pub connection: &'a str,
    /// URL of the host.
    pub host: &'a str,
}

impl Outward<'_> {
    /// Makes the call within a span of its own, and tells how it ended.
    ///
    /// # Errors
    /// Those of `work`; `code` reads their code.
    pub async fn traced<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        code: impl FnOnce(&E) -> Code,
    ) -> Result<T, E> {
        let host = Url::parse(self.host).ok();
        let host = host.as_ref();
        let span = tracing::info_span!(
            target: "cpq_trace",
            "call",
            otel.name = format!("{} {}", self.method, self.operation),
            otel.kind = "client",
            connection = self.connection,
            code = Empty,
            "http.request.method" = self.method.as_str(),
            "http.response.status_code" = Empty,
            "server.address" = host.and_then(Url::host_str),
            "server.port" = host.and_then(Url::port_or_known_default),
            "cpq.operation" = self.operation,
        );
        let result = work.instrument(span.clone()).await;
        if let Err(error) = &result {
            span.record("code", code(error).as_str());
        }
        result
    }
}

/// An answer came to the call whose span this is, whatever it says.
pub fn answered(status: StatusCode) {
    Span::current().record("http.response.status_code", status.as_u16());
}
