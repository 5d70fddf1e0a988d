//! Who may call what: every route with its key, in one table, and the door that asks for it.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cpq_domain::{Code, Error, Result};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::audit;
use crate::caller::single;
use crate::failure::Failure;
use crate::frame::{Origin, Sender};
use crate::reach;
use crate::sessions::Vouched;
use crate::state::ApiState;
use crate::tokens::{self, Grantee};

/// What a caller needs to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// A bearer token with this scope.
    Scope(&'static str),
    /// Any bearer token: what it opens belongs to whoever holds it.
    Token,
    /// A signature over the body, or a secret of the sender's; checked by the route itself, which alone reads the body.
    Signed,
    /// As `Scope`, but callers on this machine may pass without where the settings say so.
    ScopeOrLoopback(&'static str),
}

/// One route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Method.
    pub method: &'static str,
    /// Path, with its variable in braces.
    pub path: &'static str,
    /// What it needs.
    pub access: Access,
    /// Whether it speaks of all connections at once, so that a token of one alone does not open it. At every other route
    /// the handler asks [`reach::Reach`].
    pub of_all: bool,
}

const fn route(method: &'static str, path: &'static str, access: Access) -> Route {
    Route {
        method,
        path,
        access,
        of_all: false,
    }
}

impl Route {
    const fn of_all(self) -> Route {
        Route { of_all: true, ..self }
    }
}

/// Every route there is. A handler that is not listed here cannot be reached.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/api/v1/sync/opportunities/{id}",
        Access::Scope("sync:write"),
    ),
    route(
        "POST",
        "/api/v1/sync/opportunities/{id}/plan",
        Access::Scope("sync:read"),
    ),
    route(
        "POST",
        "/api/v1/sync/opportunities/{id}/deleted",
        Access::Scope("sync:write"),
    ),
    route("GET", "/api/v1/sync/{correlationId}", Access::Scope("sync:read")),
    route("GET", "/api/v1/sync", Access::Scope("sync:read")),
    route(
        "GET",
        "/api/v1/sync/{correlationId}/decisions",
        Access::Scope("sync:read"),
    ),
    route("GET", "/api/v1/statistics/sync", Access::Scope("sync:read")),
    route(
        "GET",
        "/api/v1/statistics/conflicts",
        Access::Scope("conflicts:read"),
    ),
    route("GET", "/api/v1/events", Access::Scope("sync:read")),
    route("GET", "/api/v1/feeds", Access::Scope("sync:read")),
    route("GET", "/api/v1/connections", Access::Scope("sync:read")),
    route(
        "POST",
        "/api/v1/connections/logins",
        Access::Scope("connections:write"),
    )
    .of_all(),
    route(
        "POST",
        "/api/v1/connections/logins/finish",
        Access::Scope("connections:write"),
    )
    .of_all(),
    route(
        "POST",
        "/api/v1/connections/{name}/disconnect",
        Access::Scope("connections:write"),
    ),
    route("POST", "/api/v1/quotes", Access::Scope("quotes:write")),
    route("GET", "/api/v1/quotes", Access::Scope("quotes:read")),
    route("POST", "/api/v1/quotes/preview", Access::Scope("quotes:read")),
    route("GET", "/api/v1/quotes/{id}", Access::Scope("quotes:read")),
    route("PATCH", "/api/v1/quotes/{id}", Access::Scope("quotes:write")),
    route(
        "POST",
        "/api/v1/quotes/{id}/transitions",
        Access::Scope("quotes:write"),
    ),
    route("GET", "/api/v1/conflicts", Access::Scope("conflicts:read")),
    route("GET", "/api/v1/conflicts/{id}", Access::Scope("conflicts:read")),
    route(
        "POST",
        "/api/v1/conflicts/{id}/resolve",
        Access::Scope("conflicts:write"),
    ),
    route(
        "GET",
        "/api/v1/why/{object}/{id}/{field}",
        Access::Scope("sync:read"),
    ),
    route(
        "GET",
        "/api/v1/why/line/{id}/{line}/{field}",
        Access::Scope("sync:read"),
    ),
    route("GET", "/api/v1/dead-letters", Access::Scope("dlq:read")),
    route("GET", "/api/v1/dead-letters/groups", Access::Scope("dlq:read")),
    route("POST", "/api/v1/dead-letters/discard", Access::Scope("dlq:write")),
    route("GET", "/api/v1/dead-letters/{id}", Access::Scope("dlq:read")),
    route(
        "POST",
        "/api/v1/dead-letters/{id}/discard",
        Access::Scope("dlq:write"),
    ),
    route(
        "POST",
        "/api/v1/dead-letters/{id}/correct",
        Access::Scope("dlq:write"),
    ),
    route("POST", "/api/v1/replays", Access::Scope("replay:plan")),
    route("GET", "/api/v1/replays", Access::Scope("dlq:read")),
    route("GET", "/api/v1/replays/{id}", Access::Scope("dlq:read")),
    route("GET", "/api/v1/replays/{id}/items", Access::Scope("dlq:read")),
    route(
        "POST",
        "/api/v1/replays/{id}/start",
        Access::Scope("replay:execute"),
    ),
    route(
        "POST",
        "/api/v1/replays/{id}/pause",
        Access::Scope("replay:execute"),
    ),
    route(
        "POST",
        "/api/v1/replays/{id}/abort",
        Access::Scope("replay:execute"),
    ),
    route(
        "POST",
        "/api/v1/sync/{correlationId}/undo/plan",
        Access::Scope("replay:plan"),
    ),
    route(
        "POST",
        "/api/v1/sync/{correlationId}/undo",
        Access::Scope("replay:execute"),
    ),
    route("POST", "/api/v1/undo/plan", Access::Scope("replay:plan")),
    route("POST", "/api/v1/undo", Access::Scope("replay:execute")),
    route(
        "POST",
        "/api/v1/sync/{correlationId}/replay",
        Access::Scope("sync:write"),
    ),
    route("GET", "/api/v1/ownership", Access::Scope("ownership:read")),
    route(
        "POST",
        "/api/v1/reconciliations",
        Access::Scope("reconcile:write"),
    ),
    route("GET", "/api/v1/reconciliations", Access::Scope("reconcile:read")),
    route(
        "GET",
        "/api/v1/reconciliations/{id}",
        Access::Scope("reconcile:read"),
    ),
    route(
        "GET",
        "/api/v1/reconciliations/{id}/records",
        Access::Scope("reconcile:read"),
    ),
    route("GET", "/api/v1/certificates", Access::Scope("reconcile:read")),
    route("GET", "/api/v1/audit", Access::Scope("audit:read")).of_all(),
    route("GET", "/api/v1/sessions", Access::Token),
    route("POST", "/api/v1/sessions/end", Access::Token),
    route("POST", "/api/v1/sessions/{id}/end", Access::Token),
    route("POST", "/api/v1/webhooks/{source}", Access::Signed),
    route(
        "POST",
        "/api/v1/outbound-messages/{source}/{secret}",
        Access::Signed,
    ),
    route("GET", "/api/v1/openapi.json", Access::Open),
    route("GET", "/healthz", Access::Open),
    route("GET", "/readyz", Access::Open),
    route("GET", "/metrics", Access::ScopeOrLoopback("metrics:read")).of_all(),
];

/// Every scope that a token can have.
pub const SCOPES: &[&str] = &[
    "sync:read",
    "sync:write",
    "connections:write",
    "quotes:read",
    "quotes:write",
    "conflicts:read",
    "conflicts:write",
    "dlq:read",
    "dlq:write",
    "replay:plan",
    "replay:execute",
    "ownership:read",
    "reconcile:read",
    "reconcile:write",
    "metrics:read",
    "audit:read",
];

/// The door: lets a request through to its handler, or refuses it. Runs before the body is read.
pub(crate) async fn guard(State(api): State<ApiState>, mut request: Request, next: Next) -> Response {
    let Some(path) = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned())
    else {
        return next.run(request).await;
    };
    let Some(route) = find(request.method(), &path) else {
        return wrong_method(request.method(), &path);
    };
    let address = request.extensions().get::<Origin>().map(|origin| origin.address);
    let local = address.is_some_and(|address| address.is_loopback());
    let vouched = request.extensions_mut().remove::<Vouched>();
    let admitted = match (asked(&api, route.access, local), vouched) {
        (Asked::Nobody, _) => Ok(None),
        (Asked::Anybody(scope), Some(Vouched(grantee))) => Ok(Some((scope, grantee))),
        (Asked::Anybody(scope), None) => {
            let grantee = known(&api, request.headers()).await;
            grantee.map(|grantee| Some((scope, grantee)))
        }
    };
    let answer = match admitted {
        Ok(None) => next.run(request).await,
        Ok(Some((scope, grantee))) => {
            let sender = Sender(grantee.client.clone());
            let answer = let_in(&api, route, (scope, grantee), request, next).await;
            let mut answer = answer.unwrap_or_else(challenge);
            answer.extensions_mut().insert(sender);
            return answer;
        }
        Err(error) => challenge(error),
    };
    slowed(&api, address, answer)
}

/// Hands on the request of somebody who may send it, and does not send too many.
async fn let_in(
    api: &ApiState,
    route: &Route,
    (scope, grantee): (Option<&'static str>, Grantee),
    mut request: Request,
    next: Next,
) -> Result<Response> {
    api.throttle.client(grantee.client.as_str())?;
    scope.map_or(Ok(()), |scope| has(scope, &grantee))?;
    if let Some(own) = grantee.connection.as_ref().filter(|_| route.of_all) {
        return Err(reach::refused(own, "this route speaks of all connections"));
    }
    request.extensions_mut().insert(grantee);
    audit::told(api, route, request, next).await
}

/// The answer; or, to an address that was often refused for its key, that it should wait.
fn slowed(api: &ApiState, address: Option<IpAddr>, answer: Response) -> Response {
    let Some(address) = address.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) else {
        return answer;
    };
    match api.throttle.refusal(address) {
        Ok(()) => answer,
        Err(error) => Failure(error).into_response(),
    }
}

fn find(method: &Method, path: &str) -> Option<&'static Route> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    ROUTES
        .iter()
        .find(|route| route.path == path && route.method == method)
}

/// Whether whoever calls is asked who they are.
enum Asked {
    Nobody,
    /// They are, and must have the scope, if one is named.
    Anybody(Option<&'static str>),
}

fn asked(api: &ApiState, access: Access, local: bool) -> Asked {
    match access {
        Access::Open | Access::Signed => Asked::Nobody,
        Access::ScopeOrLoopback(_) if local && api.settings.metrics_open_on_loopback => Asked::Nobody,
        Access::Token => Asked::Anybody(None),
        Access::Scope(scope) | Access::ScopeOrLoopback(scope) => Asked::Anybody(Some(scope)),
    }
}

/// Who the request comes from.
async fn known(api: &ApiState, headers: &HeaderMap) -> Result<Grantee> {
    let presented = bearer(headers)
        .ok_or_else(|| Error::new(Code::Unauthenticated, "the request carries no bearer token"))?;
    tokens::authenticate(&api.store, &api.world, presented).await
}

fn has(scope: &'static str, grantee: &Grantee) -> Result<()> {
    if grantee.scopes.iter().any(|granted| granted == scope) {
        return Ok(());
    }
    let message = format!("the token lacks the scope {scope}");
    Err(Error::new(Code::ScopeInsufficient, message).fact("scope", scope))
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1). Tokens in the query or body are not looked for.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Says which key is missing (RFC 6750 §3).
fn challenge(error: Error) -> Response {
    let told = match error.code {
        Code::Unauthenticated => Some("Bearer realm=\"cpq\", error=\"invalid_token\"".to_owned()),
        Code::ScopeInsufficient => {
            let facts = error.facts.as_ref();
            let scope = facts.and_then(|facts| facts.get("scope")?.as_str());
            // That the token is another connection's is no matter of scopes.
            let scope = scope.map_or(String::new(), |scope| format!(", scope=\"{scope}\""));
            Some(format!(
                "Bearer realm=\"cpq\", error=\"insufficient_scope\"{scope}"
            ))
        }
        _ => None,
    };
    let mut response = Failure(error).into_response();
    if let Some(value) = told.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn wrong_method(method: &Method, path: &str) -> Response {
    let mut allowed: Vec<&str> = ROUTES
        .iter()
        .filter(|route| route.path == path)
        .map(|route| route.method)
        .collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allowed = allowed.join(", ");
    let error = Error::new(
        Code::MethodNotAllowed,
        format!("{method} is not allowed here; allowed: {allowed}"),
    );
    let mut response = Failure(error.fact("allowed", allowed.as_str())).into_response();
    if let Ok(value) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}
