//! `/services/data`: session, allowance, then the data API proper, and the headers of its answers.

use super::disturb::limit_text;
use super::{Visit, bearer};
use crate::bulk;
use crate::events::EventUsage;
use crate::faults::LimitScope;
use crate::limits;
use crate::org::{ApiError, Org, Origin};
use crate::rest::{self, Caller, DataRequest, DataResponse, Form, Surroundings};
use crate::state::{Sandbox, Shared, lock};
use crate::wire;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;
use url::form_urlencoded;

/// What the data API may ask the rest of the sandbox.
pub struct Around<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// The request.
    pub visit: &'a Visit,
}

impl Surroundings for Around<'_> {
    fn now(&self) -> jiff::Timestamp {
        self.visit.now(self.sandbox)
    }

    fn before_write(&self, object: &str, id: Option<&str>) -> Option<ApiError> {
        let (error_code, message, status, label) =
            self.sandbox.faults.judge_write(&self.visit.call, object, id)?;
        self.visit.fired(label);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Some(ApiError {
            status,
            ..ApiError::data(error_code, message, &[])
        })
    }

    fn usage(&self) -> (u64, u64) {
        (
            self.sandbox.limits.used(self.now()),
            self.sandbox.settings().daily_api_requests,
        )
    }

    fn settings(&self) -> crate::options::Settings {
        self.sandbox.settings()
    }

    fn used_by(&self, app: &str) -> u64 {
        self.sandbox.limits.used_by(app, self.now())
    }

    fn instance_url(&self) -> String {
        self.visit.base_url.clone()
    }

    fn bulk_usage(&self) -> bulk::limits::Used {
        let settings = self.sandbox.settings();
        let (batches, queries) = (settings.daily_bulk_batches, settings.daily_bulk_query_jobs);
        self.sandbox.bulk.daily.used(self.now(), batches, queries)
    }

    fn late_seconds(&self) -> u32 {
        self.visit.late_seconds
    }

    fn event_schema(&self, org: &Org, event: &str) -> Option<Arc<str>> {
        self.sandbox.events.schema_of(org, event)
    }

    fn event_schema_by_id(&self, id: &str) -> Option<Arc<str>> {
        self.sandbox.events.schema(id)
    }

    fn event_usage(&self) -> EventUsage {
        self.sandbox.events.quota().usage(self.now())
    }
}

/// `GET /services/data`: the list of versions; no session, no cost.
pub async fn versions(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let nobody = Caller {
        user_id: String::new(),
        origin: Origin::default(),
    };
    served(
        &sandbox,
        &visit,
        &nobody,
        DataRequest::of(method, &uri, headers, body),
    )
}

/// Everything below it.
pub async fn data(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(token) = bearer(&headers) else {
        return wire::error(
            StatusCode::UNAUTHORIZED,
            "INVALID_AUTH_HEADER",
            "INVALID_HEADER_TYPE",
        );
    };
    let Some(session) = sandbox.session(&visit, token) else {
        return session_expired();
    };
    if !session.reaches_api() {
        return not_for_rest();
    }
    let settings = sandbox.settings();
    if sandbox.calls_are_used_up(visit.now(&sandbox)) {
        let response = wire::error(
            StatusCode::FORBIDDEN,
            "REQUEST_LIMIT_EXCEEDED",
            limit_text(LimitScope::Daily),
        );
        return with_limit_header(&sandbox, &visit, response);
    }
    let (method, target) = effective(&method, &uri);
    let caller = Caller {
        user_id: session.user_id,
        origin: Origin {
            api: "rest",
            version: version_in(&target).to_owned(),
            client: super::call_options_client(&headers),
        },
    };
    visit.belongs_to(
        session
            .client_id
            .filter(|app| settings.app_allotments.contains_key(app)),
    );
    served(
        &sandbox,
        &visit,
        &caller,
        DataRequest {
            method,
            target,
            headers,
            body,
        },
    )
}

/// The 401 for a token that is not (or no longer) one.
pub fn session_expired() -> Response {
    let mut response = wire::error(
        StatusCode::UNAUTHORIZED,
        "INVALID_SESSION_ID",
        "Session expired or invalid",
    );
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
    response
}

/// The 401 for a session whose scopes do not open the API. No refresh helps, and clients know the text.
fn not_for_rest() -> Response {
    let text = "This session is not valid for use with the REST API";
    wire::error(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", text)
}

/// Adds the header that says how much of the allowance is used.
pub fn with_limit_header(sandbox: &Sandbox, visit: &Visit, mut response: Response) -> Response {
    let now = visit.now(sandbox);
    let (used, settings) = (sandbox.limits.used(now), sandbox.settings());
    let max = settings.daily_api_requests;
    let app = visit.app();
    let allotted = app.as_ref().and_then(|app| settings.app_allotments.get(app));
    let text = match (&app, allotted) {
        (Some(app), Some(allotted)) => {
            limits::app_header(used, max, app, (sandbox.limits.used_by(app, now), *allotted))
        }
        _ => limits::header(used, max),
    };
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert("sforce-limit-info", value);
    }
    response
}

fn served(sandbox: &Sandbox, visit: &Visit, caller: &Caller, request: DataRequest) -> Response {
    if bulk::concerns(&request.target) {
        let response = bulk::answer(sandbox, visit, caller, &request);
        visit.spent(1);
        sandbox.limits.spend(visit.now(sandbox), 1);
        sandbox.touch();
        return with_limit_header(sandbox, visit, response);
    }
    let around = Around { sandbox, visit };
    let writes = request.method != Method::GET;
    let answer = {
        let mut org = lock(&sandbox.org);
        let answer = rest::call(&mut org, &around, caller, &request);
        sandbox.announce(&mut org);
        answer
    };
    if writes && answer.status.is_success() {
        sandbox.touch();
    }
    visit.spent(answer.cost);
    sandbox.limits.spend(visit.now(sandbox), answer.cost);
    if let Some(app) = visit.app() {
        sandbox.limits.spend_for(&app, visit.now(sandbox), answer.cost);
    }
    let counted = answer.cost > 0;
    let response = response_of(answer, &request.headers);
    if counted {
        with_limit_header(sandbox, visit, response)
    } else {
        response
    }
}

fn response_of(answer: DataResponse, asked: &HeaderMap) -> Response {
    let body = match (&answer.body, answer.form) {
        (None, _) => Body::empty(),
        (Some(value), Form::Json) => Body::from(wire::json_bytes(value, asked)),
        (Some(value), Form::Xml) => Body::from(rest::xml_text(value)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, wire::NO_CACHE);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert("x-robots-tag", HeaderValue::from_static("none"));
    if answer.body.is_some() {
        let form = match answer.form {
            Form::Json => wire::JSON,
            Form::Xml => wire::XML,
        };
        headers.insert(header::CONTENT_TYPE, form);
    }
    headers.extend(answer.headers);
    response
}

/// `HEAD` is `GET` without the body, which the server leaves away by itself; a `POST` may name another method
/// in `_HTTP_METHOD`, for clients that cannot send `PATCH`.
fn effective(method: &Method, uri: &http::Uri) -> (Method, String) {
    let target = uri.path_and_query().map_or_else(String::new, ToString::to_string);
    if method == Method::HEAD {
        return (Method::GET, target);
    }
    let query = uri.query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "_HTTP_METHOD");
    let (&Method::POST, Some((_, other))) = (method, named) else {
        return (method.clone(), target);
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with("_HTTP_METHOD="))
        .collect();
    let query = if kept.is_empty() {
        String::new()
    } else {
        format!("?{}", kept.join("&"))
    };
    let method = Method::from_bytes(other.as_bytes()).unwrap_or(Method::POST);
    (method, format!("{}{query}", uri.path()))
}

/// The number in `/services/data/v68.0/…`; empty when there is none.
fn version_in(target: &str) -> &str {
    let named = target
        .split('/')
        .nth(3)
        .and_then(|segment| segment.strip_prefix('v'));
    named.unwrap_or_default()
}
