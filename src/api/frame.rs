//! What surrounds every request: limits on its head, a name for it, one shape for its errors, safe headers, a log line.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use cpq_domain::error::Written;
use cpq_domain::id::ClientId;
use cpq_domain::{Code, Error, Result};
use cpq_meter::catalogue::api as meter;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header};
use tracing::Instrument as _;

use crate::caller::{CORRELATION, Caller};
use crate::failure::{Failed, Failure};
use crate::input::invalid;
use crate::limits;
use crate::origin;
use crate::serve::Peer;
use crate::sessions::Vouched;
use crate::state::ApiState;
use crate::traced;

/// A browser that came by TLS once comes by nothing else for a year (RFC 6797).
const ALWAYS_TLS: &str = "max-age=31536000";

/// Puts the frame around further routes, e.g. pages.
pub fn around(state: ApiState, routes: Router) -> Router {
    routes.layer(middleware::from_fn_with_state(state, frame))
}

/// Whom a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Address of the client; behind a trusted proxy, whom that names.
    pub address: IpAddr,
    /// Whether it came by TLS, to us or to such a proxy.
    pub secure: bool,
}

/// Who sent a request, as the door knows it; left on the answer for the log.
#[derive(Clone)]
pub(crate) struct Sender(pub(crate) ClientId);

/// The outermost layer.
pub(crate) async fn frame(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    let caller = Caller::of(request.headers(), api.world.as_ref());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let span = traced::request(request.method(), &route, &caller);
    framed(api, caller, route, request, next).instrument(span).await
}

async fn framed(
    api: ApiState,
    mut caller: Caller,
    route: String,
    mut request: Request,
    next: Next,
) -> Response {
    let start = api.world.monotonic_us();
    if let Some(here) = api.world.trace_context() {
        caller.trace = Some(here.to_string());
    }
    let method = request.method().clone();
    let from = match request.extensions().get::<Vouched>() {
        Some(_) => "page",
        None => "client",
    };
    request.extensions_mut().insert(caller.clone());
    let origin = origin(&api, &mut request);
    let answer = match head(&api, &request) {
        Ok(()) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| panicked()),
        Err(error) => Failure(error).into_response(),
    };
    let refused = answer.extensions().get::<Failed>().map(|failed| failed.0.code);
    let mut response = rendered(answer, &caller);
    name(response.headers_mut(), &caller);
    secure(response.headers_mut());
    if origin.is_some_and(|origin| origin.secure) {
        let headers = response.headers_mut();
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static(ALWAYS_TLS),
        );
    }
    let sync = traced::answered(&response).filter(|id| *id != caller.request.as_str());
    let took_us = api.world.monotonic_us().saturating_sub(start);
    let line = Line {
        method: method.as_str(),
        route: &route,
        from,
        origin,
        refused,
        took_us,
    };
    record(&line, &response, &caller, sync);
    response
}

/// Notes whom a request comes from; one of our own comes from nobody.
fn origin(api: &ApiState, request: &mut Request) -> Option<Origin> {
    let peer = *request.extensions().get::<Peer>()?;
    let (ip, headers, trusted) = (
        peer.address.ip(),
        request.headers(),
        &api.settings.trusted_proxies,
    );
    let origin = Origin {
        address: origin::client(ip, headers, trusted),
        secure: origin::is_secure(peer.secure, ip, headers, trusted),
    };
    request.extensions_mut().insert(origin);
    Some(origin)
}

/// Limits on target and header fields, and the host name; a request of our own has none.
fn head(api: &ApiState, request: &Request) -> Result<()> {
    let (uri, headers) = (request.uri(), request.headers());
    if uri.path().len() + uri.query().map_or(0, str::len) > limits::URI_BYTES {
        let message = format!("the request target exceeds {} bytes", limits::URI_BYTES);
        return Err(Error::new(Code::RequestTooLarge, message).next("shorten the path or query"));
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > limits::HEADER_BYTES || headers.len() > limits::HEADERS {
        let message = format!(
            "the header fields exceed {} bytes or {} fields",
            limits::HEADER_BYTES,
            limits::HEADERS
        );
        return Err(Error::new(Code::RequestTooLarge, message).next("send fewer or shorter header fields"));
    }
    if request.extensions().get::<Vouched>().is_some() {
        return Ok(());
    }
    let host = uri.authority().map(|authority| authority.as_str());
    let host = host.or_else(|| crate::caller::single(headers, header::HOST.as_str()));
    if !api.settings.hosts.admits(host) {
        let error = invalid("the request names a host under which this service may not be called");
        return Err(error.next("call it by a name of this machine, or add the name to the allowed hosts"));
    }
    Ok(())
}

fn panicked() -> Response {
    let error = Error::new(
        Code::Internal,
        "the request ended in a panic; this is a defect of ours",
    );
    Failure(error.written(Written::Unknown)).into_response()
}

/// Gives a failed request its body: the report, with the name of the request.
fn rendered(response: Response, caller: &Caller) -> Response {
    let (mut head, body) = response.into_parts();
    let Some(Failed(error)) = head.extensions.remove::<Failed>() else {
        return Response::from_parts(head, body);
    };
    traced::failed(error.code);
    if error.code.http_status() >= 500 {
        let cause = std::error::Error::source(error.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(correlation = %caller.request, code = %error.code, error = %error, cause, "request failed");
    }
    let report = error.report(Some(caller.request.as_str()));
    let body = serde_json::to_vec(&report).unwrap_or_default();
    head.headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    if let Some(after_ms) = error.retry_after_ms.or_else(|| usual_pause_ms(error.code)) {
        head.headers
            .insert(header::RETRY_AFTER, after_ms.div_ceil(1000).max(1).into());
    }
    Response::from_parts(head, Body::from(body))
}

/// The pause after a refusal that passes soon, where nobody named one.
fn usual_pause_ms(code: Code) -> Option<u64> {
    matches!(
        code,
        Code::IdempotencyInProgress | Code::Overloaded | Code::StoreUnavailable
    )
    .then_some(limits::LOOK_AGAIN_S * 1000)
}

/// The answer bears the correlation id of its sync; without one, the name of the request.
fn name(headers: &mut HeaderMap, caller: &Caller) {
    if !headers.contains_key(CORRELATION)
        && let Ok(value) = HeaderValue::from_str(caller.request.as_str())
    {
        headers.insert(CORRELATION, value);
    }
}

/// What we answer is no page, may not be cached, and may not be guessed to be another type, unless it says better itself.
fn secure(headers: &mut HeaderMap) {
    const FIXED: [(&str, &str); 6] = [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in FIXED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// What is told of a request.
struct Line<'a> {
    method: &'a str,
    route: &'a str,
    from: &'a str,
    origin: Option<Origin>,
    refused: Option<Code>,
    took_us: u64,
}

/// Whoever was not let in is told in a line that stands out.
fn is_refusal(code: Code) -> bool {
    use Code::{FormForged, Overloaded, ScopeInsufficient, SignatureInvalid, Unauthenticated};
    matches!(
        code,
        Unauthenticated | ScopeInsufficient | SignatureInvalid | FormForged | Overloaded
    )
}

fn record(line: &Line<'_>, response: &Response, caller: &Caller, sync: Option<&str>) {
    let Line {
        method,
        route,
        from,
        took_us,
        ..
    } = *line;
    let status = response.status().as_u16();
    let client = response
        .extensions()
        .get::<Sender>()
        .map(|sender| sender.0.as_str());
    let address = line.origin.map(|origin| tracing::field::display(origin.address));
    let code = line.refused.map(Code::as_str);
    // A page that asks for more than its token may see shows that it may not.
    if line.refused.is_some_and(is_refusal) && from != "page" {
        tracing::warn!(method, route, status, code, client, address, took_us, correlation = %caller.request, "request refused");
    } else {
        tracing::info!(method, route, status, code, client, address, took_us, correlation = %caller.request, sync, "request");
    }
    meter::REQUESTS.add(
        [traced::known(method), route, response.status().as_str(), from],
        1,
    );
    // The id of the sync where there is one: that is what people look for.
    let correlation = crate::caller::single(response.headers(), CORRELATION);
    meter::REQUEST_DURATION.took([route, from], took_us, correlation);
}
