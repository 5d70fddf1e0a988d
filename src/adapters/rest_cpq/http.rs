//! One call to the CPQ: token, headers, and a class for every failure. Nothing is repeated.

use std::sync::Arc;

use cpq_auth::Outward;
use cpq_domain::adapter::Call;
use cpq_domain::error::Written;
use cpq_domain::id::IdempotencyKey;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use cpq_meter::catalogue::crm as meter;
use http::header::{AUTHORIZATION, IF_MATCH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::config::Config;
use super::errors::{self, About};
use crate::limits::{CALL_TIMEOUT, CPQ_IN_FLIGHT};
use crate::transport::{self, Answer, Lost};

/// One request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Path and query below `/api/v1/`.
    pub(super) path: &'a str,
    pub(super) body: Option<Vec<u8>>,
    /// Key of a write; a request without one changes nothing.
    pub(super) key: Option<&'a IdempotencyKey>,
    /// Entity tag that must still hold.
    pub(super) etag: Option<&'a str>,
    /// What it does, for messages, e.g. `read quote Q1`.
    pub(super) what: String,
    /// Name in metrics.
    pub(super) operation: &'static str,
}

/// The API of one CPQ.
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    token: HeaderValue,
    connection: String,
    world: Arc<dyn World>,
    /// Calls that may go out just now.
    free: Semaphore,
}

impl Http {
    pub(super) fn new(config: &Config, world: Arc<dyn World>) -> Result<Http> {
        let connection = config.connection.as_str().to_owned();
        let wrong = |why: &str| Error::new(Code::ConfigInvalid, why).connection(connection.as_str());
        let base = base_url(config)
            .map_err(|why| wrong(&format!("the base URL of the CPQ cannot be used: {why}")))?;
        let mut token = HeaderValue::from_str(&format!("Bearer {}", config.token.expose_secret()))
            .map_err(|_| wrong("the token of the CPQ has characters that no header can carry"))?;
        token.set_sensitive(true);
        Ok(Http {
            client: config.reach.client(&config.ca_certificates_pem, CALL_TIMEOUT)?,
            base: base.as_str().trim_end_matches('/').to_owned(),
            token,
            connection,
            world,
            free: Semaphore::new(CPQ_IN_FLIGHT),
        })
    }

    /// Sends the request and reads the JSON of a 2xx answer.
    pub(super) async fn send<T: DeserializeOwned>(&self, call: &Call, request: &Request<'_>) -> Result<T> {
        let begin = self.world.monotonic_us();
        let outward = Outward {
            method: &request.method,
            operation: request.operation,
            connection: &self.connection,
            host: &self.base,
        };
        let result = outward
            .traced(self.exchange(call, request), |error: &Error| error.code)
            .await;
        self.measure(call, request, begin, &result);
        let answer = result?;
        serde_json::from_slice(&answer.body).map_err(|cause| {
            let message = format!(
                "the CPQ's answer to a request to {} is not what the contract says",
                request.what
            );
            let (code, written) = match request.key {
                Some(_) => (Code::OutcomeUnknown, Written::Unknown),
                None => (Code::ProtocolViolation, Written::No),
            };
            Error::new(code, message)
                .written(written)
                .connection(self.connection.as_str())
                .cause(cause)
        })
    }

    async fn exchange(&self, call: &Call, request: &Request<'_>) -> Result<Answer> {
        let _turn = self.free.acquire().await.expect("it is never closed");
        let url = format!("{}/api/v1/{}", self.base, request.path);
        let mut wire = self
            .client
            .request(request.method.clone(), url)
            .headers(self.headers(call, request)?);
        if let Some(body) = &request.body {
            wire = wire.header("content-type", "application/json").body(body.clone());
        }
        let answer = transport::exchange(wire)
            .await
            .map_err(|lost| self.lost(request, lost))?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let about = About {
            connection: &self.connection,
            what: &request.what,
            writes: request.key.is_some(),
        };
        let retry_after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Err(errors::refusal(
            about,
            answer.status.as_u16(),
            retry_after,
            &answer.body,
        ))
    }

    fn headers(&self, call: &Call, request: &Request) -> Result<HeaderMap> {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, self.token.clone())]);
        if let Ok(id) = HeaderValue::from_str(call.correlation.as_str()) {
            headers.insert("x-correlation-id", id);
        }
        let own = self.world.trace_context().map(|own| own.to_string());
        let trace = own.or_else(|| call.traceparent.clone());
        if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(&trace).ok()) {
            headers.insert("traceparent", trace);
        }
        if let Some(key) = request.key {
            let key = HeaderValue::from_str(key.as_str()).expect("an idempotency key is visible ASCII");
            headers.insert("idempotency-key", key);
        }
        if let Some(etag) = request.etag {
            let etag = HeaderValue::from_str(etag).map_err(|cause| {
                Error::new(Code::RequestInvalid, format!("{etag:.80?} is not an entity tag")).cause(cause)
            })?;
            headers.insert(IF_MATCH, etag);
        }
        Ok(headers)
    }

    fn lost(&self, request: &Request, lost: Lost) -> Error {
        lost.of(&transport::Request {
            whom: "the CPQ",
            connection: &self.connection,
            what: &request.what,
            writes: request.key.is_some(),
            unavailable: Code::CpqUnavailable,
        })
    }

    fn measure(&self, call: &Call, request: &Request, begin: u64, result: &Result<Answer>) {
        let outcome = result.as_ref().map_or_else(transport::outcome, |_| "ok");
        let micros = self.world.monotonic_us().saturating_sub(begin);
        let (connection, operation) = (self.connection.as_str(), request.operation);
        meter::CPQ_REQUESTS.add([connection, operation, outcome], 1);
        let correlation = Some(call.correlation.as_str());
        meter::CPQ_REQUEST_DURATION.took([connection, operation], micros, correlation);
        tracing::debug!(
            connection = self.connection,
            operation = request.operation,
            outcome,
            micros,
            "called the CPQ"
        );
    }
}

/// The URL under which the CPQ is, if its token may be sent there.
fn base_url(config: &Config) -> Result<url::Url, String> {
    let url = url::Url::parse(&config.base_url).map_err(|error| error.to_string())?;
    match (url.scheme(), cpq_auth::is_loopback(&url)) {
        ("https", _) | ("http", true) => {}
        _ => return Err("it must be https, or http on this machine".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold a user or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must not have a query or fragment".to_owned());
    }
    match config.reach.fault(&url) {
        Some(why) => Err(why),
        None => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use cpq_domain::id::ConnectionName;

    use super::*;

    fn with(base: &str) -> Result<url::Url, String> {
        let connection = ConnectionName::new("cpq").expect("a name");
        base_url(&Config::new(connection, base, "t".to_owned().into()))
    }

    #[test]
    fn the_token_goes_over_tls_or_stays_on_this_machine() {
        for good in [
            "https://cpq.example",
            "https://cpq.example:8443/of/us/",
            "http://127.0.0.1:7080",
            "http://[::1]:7080",
            "http://localhost:7080",
        ] {
            assert!(with(good).is_ok(), "{good}: {:?}", with(good));
        }
        for (wrong, why) in [
            ("http://cpq.example", "https"),
            ("http://127.0.0.1.cpq.example", "https"),
            ("http://localhost.cpq.example", "https"),
            ("ws://127.0.0.1:7080", "https"),
            ("ftp://cpq.example", "https"),
            ("https://erin@cpq.example", "user"),
            ("https://:secret@cpq.example", "password"),
            ("https://cpq.example?to=elsewhere", "query"),
            ("https://cpq.example#part", "fragment"),
            ("cpq.example", "relative"),
        ] {
            let told = with(wrong).expect_err(wrong);
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }
}
