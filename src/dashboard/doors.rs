//! Who may see a page: browsers that are logged in; and which forms may be sent: those that we gave them.

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::Origin;
use cpq_api::sessions::Visitor;
use cpq_domain::error::Written;
use cpq_domain::{Code, Error};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::asked::{Form, Query};
use crate::cookie::{Cookie, came_secure, is_secure};
use crate::house::House;
use crate::page::{self, Failed};

/// Holds the secret of a session. Under TLS browsers take one of this prefix from this very host alone (RFC 6265bis,
/// 4.1.3.2), so that no neighbour of the domain can plant it.
const SESSION: Cookie = Cookie {
    name: "cpq_session",
    secure_name: "__Host-cpq_session",
    path: "/",
};
/// Characters of a place to go back to after a login.
const BACK_CHARS: usize = 500;

/// A page, and what it takes to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Method.
    pub method: &'static str,
    /// Path, with its variable in braces.
    pub path: &'static str,
    /// Whether anybody gets it; else only who is logged in.
    pub open: bool,
}

const fn page(method: &'static str, path: &'static str) -> Page {
    Page {
        method,
        path,
        open: false,
    }
}

const fn open(method: &'static str, path: &'static str) -> Page {
    Page {
        method,
        path,
        open: true,
    }
}

/// Every page there is. One that is not listed here cannot be reached.
pub const PAGES: &[Page] = &[
    open("GET", "/login"),
    open("POST", "/login"),
    open("GET", "/assets/{name}"),
    page("POST", "/logout"),
    page("GET", "/sessions"),
    page("POST", "/sessions/end"),
    page("GET", "/"),
    page("GET", "/live"),
    page("GET", "/syncs"),
    page("POST", "/syncs/start"),
    page("GET", "/syncs/{id}"),
    page("POST", "/syncs/{id}/replay"),
    page("GET", "/syncs/{id}/undo"),
    page("POST", "/syncs/{id}/undo"),
    page("GET", "/plan"),
    page("GET", "/quotes/{id}"),
    page("GET", "/conflicts"),
    page("GET", "/conflicts/{id}"),
    page("POST", "/conflicts/{id}/resolve"),
    page("GET", "/ownership"),
    page("GET", "/why"),
    page("GET", "/dead-letters"),
    page("GET", "/dead-letters/list"),
    page("GET", "/dead-letters/{id}"),
    page("POST", "/dead-letters/{id}/discard"),
    page("GET", "/replays"),
    page("POST", "/replays"),
    page("GET", "/replays/{id}"),
    page("POST", "/replays/{id}/{act}"),
    page("GET", "/reconciliations"),
    page("POST", "/reconciliations"),
    page("GET", "/reconciliations/{id}"),
    page("GET", "/connections"),
    page("POST", "/connections/connect"),
    page("GET", "/connections/finish"),
    page("POST", "/connections/disconnect"),
    open("GET", "/oauth/callback"),
];

/// Lets a browser through to a page, or leads it to the login.
pub(crate) async fn guard(State(house): State<House>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let path = matched.map(|path| path.as_str().to_owned()).unwrap_or_default();
    let method = match *request.method() {
        Method::HEAD => "GET",
        ref other => other.as_str(),
    };
    let Some(page) = PAGES
        .iter()
        .find(|page| page.path == path && page.method == method)
    else {
        return page::refuse(None, Error::new(Code::NotFound, "there is no such page").into());
    };
    let origin = request.extensions().get::<Origin>().copied();
    let visitor = match SESSION.read(request.headers(), is_secure(origin)) {
        Some(secret) => house.sessions.who(&secret).await,
        None => Ok(None),
    };
    let visitor = visitor.map(|visitor| visitor.map(|visitor| visitor.at(origin)));
    let visitor = match visitor {
        Ok(None) if !page.open => return to_login(&request),
        Ok(visitor) => visitor,
        Err(error) => return page::refuse(None, error.into()),
    };
    let mut response = let_in(request, page, visitor.clone(), next)
        .await
        .unwrap_or_else(|error| {
            if error.code == Code::FormForged {
                let address = origin.map(|origin| tracing::field::display(origin.address));
                tracing::warn!(code = %error.code, address, path, "form refused");
            }
            Failed::from(error).into_response()
        });
    match response.extensions_mut().remove::<Failed>() {
        Some(failed) => page::refuse(visitor.as_ref(), failed),
        None => response,
    }
}

/// Tells whoever looks for a page that is not there in a page; programs are told by the API.
pub(crate) async fn lost(State(house): State<House>, request: Request, next: Next) -> Response {
    let wants_page = request.method() == Method::GET
        && !request.uri().path().starts_with("/api/")
        && accepts_pages(request.headers());
    let origin = request.extensions().get::<Origin>().copied();
    let secret = SESSION.read(request.headers(), is_secure(origin));
    let mut answer = next.run(request).await;
    if !wants_page || answer.status() != StatusCode::NOT_FOUND {
        return answer;
    }
    let visitor = match secret {
        Some(secret) => house.sessions.who(&secret).await.unwrap_or_default(),
        None => None,
    };
    let error = Error::new(Code::NotFound, "there is no such page").next("go back, or begin at Home");
    let (told, body) = page::refuse(visitor.as_ref(), error.into()).into_parts();
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    for (name, value) in &told.headers {
        answer.headers_mut().insert(name, value.clone());
    }
    *answer.body_mut() = body;
    answer
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|kinds| kinds.contains("text/html"))
}

/// Hands a request on to its page. A form comes from one of our own pages, and carries what we gave this browser.
async fn let_in(
    request: Request,
    page: &Page,
    visitor: Option<Visitor>,
    next: Next,
) -> Result<Response, Error> {
    let sends = request.method() == Method::POST;
    if sends && is_foreign(request.headers()) {
        return Err(forged());
    }
    let (mut parts, body) = cpq_api::gathered(request).await?;
    if let Some(visitor) = visitor {
        if sends && !page.open {
            visitor.check_form(&carried(&body))?;
        }
        parts.extensions.insert(visitor);
    }
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// What the form carries against forged ones.
fn carried(body: &[u8]) -> String {
    let mut fields = url::form_urlencoded::parse(body);
    let found = fields.find(|(name, _)| name == "form");
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        let visitor =
            visitor.ok_or_else(|| Error::new(Code::Internal, "the page was reached around its door"))?;
        Ok(At(visitor))
    }
}

/// Who is at the browser.
pub(crate) struct At(pub(crate) Visitor);

/// Whether the browser says that the request comes from elsewhere (Fetch Metadata; where it is silent, `Origin` tells).
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => site != "same-origin",
        None => {
            let host = text("host").unwrap_or_default();
            let of = |origin: &str| origin.split_once("://").is_some_and(|(_, rest)| rest == host);
            text("origin").is_some_and(|origin| !of(origin))
        }
    }
}

fn forged() -> Error {
    Error::new(
        Code::FormForged,
        "the form came from another site; nothing was done",
    )
    .written(Written::No)
}

fn to_login(request: &Request) -> Response {
    let back = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let back = if request.method() == Method::GET {
        back
    } else {
        "/"
    };
    let to = format!("/login?back={}", page::encoded(back));
    // A part of a page cannot be replaced by the login; the whole page goes there.
    if request.headers().contains_key("hx-request") {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Ok(value) = HeaderValue::try_from(to) {
            response.headers_mut().insert("hx-redirect", value);
        }
        return response;
    }
    Redirect::to(&to).into_response()
}

/// Where to go after a login.
#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    back: String,
}

impl Back {
    /// A page of ours: a path, and no host that a browser could read into it.
    fn place(&self) -> &str {
        let ours = self.back.starts_with('/')
            && !self.back.starts_with("//")
            && !self.back.contains('\\')
            && self.back.len() <= BACK_CHARS
            && !self.back.chars().any(char::is_control);
        if ours { &self.back } else { "/" }
    }
}

/// The page that asks for a token.
pub(crate) async fn login(Query(back): Query<Back>) -> Response {
    page::login(back.place(), None)
}

/// What the login page sends.
#[derive(Deserialize)]
pub(crate) struct Login {
    #[serde(deserialize_with = "hidden")]
    token: SecretString,
    #[serde(flatten)]
    back: Back,
}

pub(crate) fn hidden<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

/// Logs a browser in.
pub(crate) async fn enter(
    State(house): State<House>,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Response {
    let tried = origin.map_or(Ok(()), |origin| house.throttle.login(origin.address));
    let entered = match tried {
        Ok(()) => {
            let origin = origin.map(|Extension(origin)| origin);
            house.sessions.enter(&login.token, origin).await
        }
        Err(error) => Err(error),
    };
    match entered {
        Ok(secret) => {
            end(&house, &headers, origin).await;
            let mut response = Redirect::to(login.back.place()).into_response();
            SESSION.give(&mut response, secret.expose_secret(), None, came_secure(origin));
            response
        }
        Err(error) => page::login(login.back.place(), Some(&error)),
    }
}

/// Ends the session that the browser had before: a new login takes its place.
async fn end(house: &House, headers: &HeaderMap, origin: Option<Extension<Origin>>) {
    if let Some(old) = SESSION.read(headers, came_secure(origin))
        && let Err(error) = house.sessions.leave(&old).await
    {
        // It ends by its time; the new one is good.
        tracing::warn!(code = %error.code, error = %error, "the session before cannot be ended");
    }
}

/// Logs a browser out.
pub(crate) async fn logout(
    State(house): State<House>,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    if let Some(secret) = SESSION.read(&headers, came_secure(origin)) {
        house.sessions.leave(&secret).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    SESSION.take(&mut response, came_secure(origin));
    Ok(response)
}
