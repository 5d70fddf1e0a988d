//! The way of one request: heard, judged by the fault rules, routed, answered, written down.

mod data;
mod disturb;
mod in_flight;

pub use data::{Around, data, versions};
pub use in_flight::InFlight;

use crate::bulk::{self, classic};
use crate::clock::{shifted, stopwatch};
use crate::faults::{Call, Fault, LimitScope, Verdict};
use crate::oauth::Session;
use crate::options::Settings;
use crate::requests::Entry;
use crate::state::{Sandbox, Shared, lock};
use crate::wire;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use in_flight::Stay;
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;
use url::Url;

/// Longest path and query; Salesforce answers 414 beyond ("Status Codes and Error Responses").
pub const MAX_URI: usize = 16_384;
/// Longest URI and headers together; 431 beyond (the same page).
pub const MAX_HEAD: usize = 16_384;
/// Largest request body after decompression; Salesforce's own limit for JSON is about this.
pub const MAX_BODY: usize = 50 * 1024 * 1024;

/// What handlers know of a request beyond its head and body.
#[derive(Clone)]
pub struct Visit {
    /// Scheme, host and port under which the client came in; tokens and ids point back to it.
    pub base_url: String,
    /// What the fault rules see.
    pub call: Arc<Call>,
    /// This answer's clock is so many milliseconds ahead.
    pub skew_millis: i64,
    /// Records are stamped so many seconds before their commit.
    pub late_seconds: u32,
    notes: Arc<Notes>,
}

/// What handlers leave for the log.
struct Notes {
    app: Mutex<Option<String>>,
    cost: AtomicU32,
    fired: Mutex<Vec<String>>,
}

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed by a fault rule")]
pub struct Closed;

impl Visit {
    fn new(base_url: String, call: Call, verdict: &Verdict) -> Self {
        let notes = Notes {
            app: Mutex::new(None),
            cost: AtomicU32::new(0),
            fired: Mutex::new(verdict.fired.clone()),
        };
        Self {
            base_url,
            call: Arc::new(call),
            skew_millis: verdict.skew_millis,
            late_seconds: verdict.late_seconds,
            notes: Arc::new(notes),
        }
    }

    /// The time of this answer.
    pub fn now(&self, sandbox: &Sandbox) -> Timestamp {
        shifted(sandbox.clock.now(), self.skew_millis)
    }

    /// Notes the app with an allotment of its own that the call counts for.
    pub fn belongs_to(&self, app: Option<String>) {
        *lock(&self.notes.app) = app;
    }

    /// That app.
    pub fn app(&self) -> Option<String> {
        lock(&self.notes.app).clone()
    }

    /// Notes the API calls that this request counts for.
    pub fn spent(&self, calls: u32) {
        self.notes.cost.fetch_add(calls, Ordering::Relaxed);
    }

    /// Notes a fault rule that fired inside a handler.
    pub fn fired(&self, label: String) {
        lock(&self.notes.fired).push(label);
    }

    /// Puts the request into the log. A status of 0 is a connection closed without an answer.
    fn write_down(&self, sandbox: &Sandbox, headers: &HeaderMap, status: u16, took: Duration) {
        let target = &self.call.target;
        // Outside the data API a query can hold a code or a token.
        let path = if self.call.is_data() {
            target
        } else {
            target.split('?').next().unwrap_or_default()
        };
        sandbox.requests.record(Entry {
            seq: 0,
            at: sandbox.clock.now(),
            method: self.call.method.clone(),
            path: path.to_owned(),
            status,
            duration_micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            cost: self.notes.cost.load(Ordering::Relaxed),
            grpc_status: None,
            topic: None,
            client: client_name(headers),
            correlation_id: text_of(headers, "x-correlation-id"),
            faults: std::mem::take(&mut lock(&self.notes.fired)),
        });
    }
}

impl Sandbox {
    /// The session of an access token, prolonged by this use, if its user may still log in.
    pub fn session(&self, visit: &Visit, token: &str) -> Option<Session> {
        self.session_at(visit.now(self), token)
    }

    /// The same at a given instant.
    pub fn session_at(&self, now: Timestamp, token: &str) -> Option<Session> {
        let lifetime = self.session_lifetime();
        let session = lock(&self.access).use_session(token, now, lifetime)?;
        lock(&self.org)
            .user(&session.user_id)
            .filter(|user| user.active)
            .map(|_| session)
    }

    /// Whether this is the address of one of the listeners, under any name of this machine's loopback.
    pub fn is_own_url(&self, text: &str) -> bool {
        let Ok(url) = Url::parse(text) else { return false };
        let port = match url.scheme() {
            "http" => Some(self.addresses.http.port()),
            "https" => self.addresses.tls.map(|at| at.port()),
            _ => None,
        };
        port.is_some()
            && url.port_or_known_default() == port
            && url.host_str().is_some_and(|host| self.is_own_name(host))
    }

    /// Whether it is a name of loopback, or one that the sandbox was given.
    pub fn is_own_name(&self, host: &str) -> bool {
        let given = |name: &String| name.eq_ignore_ascii_case(host);
        is_loopback_name(host) || self.options.host_names.iter().any(given)
    }
}

/// The token of an `Authorization` header; `OAuth` is the older name of the scheme and still accepted.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth");
    (known && !token.trim().is_empty()).then(|| token.trim())
}

/// Answers one request, or ends its connection.
pub async fn answer(
    sandbox: Shared,
    routes: Router,
    scheme: &str,
    request: Request<Body>,
) -> Result<Response, Closed> {
    let base_url = base_url(&sandbox, scheme, request.headers());
    let request = with_single_slash(request);
    if request.uri().path().starts_with("/sandbox") {
        return Ok(control(&routes, &base_url, request).await);
    }
    let (head, call) = match heard(request).await {
        Ok(heard) => heard,
        Err(refusal) => return Ok(refusal),
    };
    // The watch starts when the request is in hand: an injected latency is all that a client waits for.
    let began = stopwatch();
    let mut verdict = sandbox.faults.judge(&call);
    let visit = Visit::new(base_url, call, &verdict);
    if verdict.instead.is_none() && too_many_long_ones(&sandbox, &visit, &head) {
        verdict.instead = Some(Fault::RequestLimit {
            scope: LimitScope::Concurrent,
        });
        verdict.delay = Duration::ZERO;
    }
    let _stay = visit.call.is_data().then(|| Stay::begin(&sandbox));
    // Sleeping for nothing would still wait for the timer's next millisecond.
    if !verdict.delay.is_zero() {
        tokio::time::sleep(verdict.delay).await;
    }
    let outcome = applied(&sandbox, &routes, &visit, &head, &verdict).await;
    let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    visit.write_down(&sandbox, &head.headers, status, began.elapsed());
    let response = dated(outcome?, visit.now(&sandbox));
    Ok(match verdict.drip {
        Some(over) => disturb::drip(response, over).await,
        None => response,
    })
}

/// Clients put paths behind instance URLs that end with a slash; Salesforce takes no notice of the second one.
fn with_single_slash(mut request: Request<Body>) -> Request<Body> {
    let target = request.uri().path_and_query().map(|target| target.as_str());
    let Some(rest) = target.filter(|target| target.starts_with("//")) else {
        return request;
    };
    if let Ok(uri) = format!("/{}", rest.trim_start_matches('/')).parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// Whether so many requests have been under way for so long that this one is refused. A caller without a session
/// does not get as far as that.
fn too_many_long_ones(sandbox: &Sandbox, visit: &Visit, head: &Parts) -> bool {
    if !visit.call.is_data() || sandbox.in_flight.count() == 0 {
        return false;
    }
    let settings = sandbox.settings();
    let span = SignedDuration::from_secs(settings.long_request_seconds.into());
    let long = sandbox.in_flight.longer_than(span, visit.now(sandbox));
    long >= concurrent_limit(sandbox, &settings)
        && bearer(&head.headers).is_some_and(|token| sandbox.session(visit, token).is_some())
}

/// Five in a Developer Edition, 25 elsewhere ("API Request Limits and Allocations").
fn concurrent_limit(sandbox: &Sandbox, settings: &Settings) -> usize {
    settings.concurrent_requests.unwrap_or_else(|| {
        let developer = lock(&sandbox.org).edition() == "Developer Edition";
        if developer { 5 } else { 25 }
    })
}

/// The whole request, if it is not too large.
async fn heard(request: Request<Body>) -> Result<(Parts, Call), Response> {
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    if target.len() > MAX_URI {
        let text = "The request URI is longer than 16384 bytes";
        return Err(wire::error(StatusCode::URI_TOO_LONG, "URI_TOO_LONG", text));
    }
    // Names and values of the header lines count, not the line ends between them.
    let size = |(name, value): (&header::HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if target.len() + head.headers.iter().map(size).sum::<usize>() > MAX_HEAD {
        return Err(wire::error(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            "The request URI and headers together are longer than 16384 bytes",
        ));
    }
    let limit = bulk::body_limit(&target, MAX_BODY);
    let Ok(body) = axum::body::to_bytes(body, limit).await else {
        if classic::concerns(&target) {
            return Err(classic::refusal(&head.headers, &classic::too_large(limit)));
        }
        let text = "The request body is too large or broken";
        return Err(wire::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "EXCEEDED_MAX_SIZE_REQUEST",
            text,
        ));
    };
    let client = client_name(&head.headers).unwrap_or_default();
    let call = Call {
        method: head.method.to_string(),
        target,
        client,
        topic: None,
        body,
    };
    Ok((head, call))
}

/// What comes of the request under the verdict of the fault rules.
async fn applied(
    sandbox: &Sandbox,
    routes: &Router,
    visit: &Visit,
    head: &Parts,
    verdict: &Verdict,
) -> Result<Response, Closed> {
    let apply = || {
        let mut again = Request::from_parts(head.clone(), Body::from(visit.call.body.clone()));
        again.extensions_mut().insert(visit.clone());
        routed(routes, again)
    };
    match &verdict.instead {
        Some(Fault::ResetBefore {}) => return Err(Closed),
        Some(fault) => return Ok(disturb::instead(sandbox, visit, &head.headers, fault)),
        None => {}
    }
    if verdict.duplicate {
        apply().await;
    }
    let response = apply().await;
    if verdict.reset_after {
        Err(Closed)
    } else {
        Ok(response)
    }
}

/// The same answer with the sandbox's date.
fn dated(mut response: Response, now: Timestamp) -> Response {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Some(date) = date.ok().and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn routed(routes: &Router, request: Request<Body>) -> Response {
    let answered: Result<Response, Infallible> = routes.clone().oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}

/// The control plane is for programs on this machine, not for web pages that happen to be open on it.
async fn control(routes: &Router, base_url: &str, request: Request<Body>) -> Response {
    let origin = request.headers().get(header::ORIGIN);
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let foreign_page = origin.is_some_and(|origin| origin.as_bytes() != base_url.as_bytes());
    if foreign_page || !is_loopback_name(without_port(host)) {
        return wire::error(
            StatusCode::FORBIDDEN,
            "FOREIGN_ORIGIN",
            "/sandbox is only for programs on this machine",
        );
    }
    routed(routes, request).await
}

/// The `Host` that the client used, if it is a name of the sandbox; else the address of the listener.
fn base_url(sandbox: &Sandbox, scheme: &str, headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if sandbox.is_own_name(without_port(host)) {
        return format!("{scheme}://{host}");
    }
    match (scheme, sandbox.addresses.tls_url()) {
        ("https", Some(url)) => url,
        _ => format!("http://{}", sandbox.addresses.http),
    }
}

/// Another port than the listener's is left: a tunnel may stand between. What cannot be a port stays part of the name.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_loopback_name(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// `client=` of `Sforce-Call-Options`; else the user agent.
fn client_name(headers: &HeaderMap) -> Option<String> {
    call_options_client(headers).or_else(|| text_of(headers, "user-agent"))
}

/// `client=` of `Sforce-Call-Options`, whose parts are separated by `,` or `;`.
pub(crate) fn call_options_client(headers: &HeaderMap) -> Option<String> {
    let options = text_of(headers, "sforce-call-options")?;
    options
        .split([',', ';'])
        .find_map(|part| part.trim().strip_prefix("client=").map(str::to_owned))
}

pub(crate) fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}
