//! A page on its way out: its frame, its headers, and what it says when something failed.

use askama::Template;
use axum::response::{IntoResponse, Response};
use cpq_api::sessions::Visitor;
use cpq_domain::Error;
use cpq_domain::error::Report;
use http::{HeaderValue, StatusCode, header};

/// Scripts, styles and data from here only; no frames, no plug-ins, no inline script or style, forms to here only (CSP
/// Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What is around every page.
pub(crate) struct Frame {
    /// Its title.
    pub(crate) title: String,
    /// Which entry of the menu it belongs to.
    pub(crate) section: &'static str,
    /// Who is logged in.
    pub(crate) who: String,
    /// What its forms carry.
    pub(crate) form: String,
}

impl Frame {
    pub(crate) fn new(visitor: &Visitor, section: &'static str, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            section,
            who: visitor.name().to_owned(),
            form: visitor.forms().to_owned(),
        }
    }
}

/// An entry of the menu.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) here: bool,
}

/// The menu: name, path, and the section of the pages behind it.
const MENU: &[(&str, &str, &str)] = &[
    ("Home", "/", "home"),
    ("Syncs", "/syncs", "syncs"),
    ("Try", "/plan", "plan"),
    ("Why", "/why", "why"),
    ("Conflicts", "/conflicts", "conflicts"),
    ("Ownership", "/ownership", "ownership"),
    ("Dead letters", "/dead-letters", "letters"),
    ("Replays", "/replays", "replays"),
    ("Reconcile", "/reconciliations", "reconcile"),
    ("Connections", "/connections", "connections"),
];

impl Frame {
    pub(crate) fn menu(&self) -> Vec<Entry> {
        let entry = |(name, path, section): &(&'static str, &'static str, &'static str)| Entry {
            name,
            path,
            here: *section == self.section,
        };
        MENU.iter().map(entry).collect()
    }
}

/// A page as an answer.
pub(crate) fn show(page: &impl Template) -> Response {
    answer(StatusCode::OK, page)
}

fn answer(status: StatusCode, page: &impl Template) -> Response {
    let text = page.render().unwrap_or_else(|error| {
        tracing::error!(error = %error, "a page cannot be made");
        "This page cannot be made. The log says why.".to_owned()
    });
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    back: &'a str,
    error: Option<String>,
}

/// The login page; with what was wrong with the token.
pub(crate) fn login(back: &str, error: Option<&Error>) -> Response {
    let status = error.map_or(200, |error| error.code.http_status());
    let error = error.map(ToString::to_string);
    answer(status_of(status), &Login { back, error })
}

/// A failure that is shown as a page. Who is logged in keeps the menu.
pub(crate) struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        refuse(None, self.0)
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage {
    frame: Option<Frame>,
    report: Report,
}

/// A page that says what failed, why, whether anything was written, and what to do.
pub(crate) fn refuse(frame: Option<Frame>, error: Error) -> Response {
    let status = status_of(error.code.http_status());
    if status.is_server_error() {
        tracing::error!(code = %error.code, error = %error, "a page failed");
    }
    let report = error.report(None);
    answer(status, &FailedPage { frame, report })
}

fn status_of(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A text as a part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A path with the query of what is given and not empty.
pub(crate) fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
