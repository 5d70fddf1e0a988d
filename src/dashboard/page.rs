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
    /// The only connection that they see; all when absent.
    pub(crate) only: Option<String>,
    /// What its forms carry.
    pub(crate) form: String,
}

impl Frame {
    pub(crate) fn new(visitor: &Visitor, section: &'static str, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            section,
            who: visitor.name().to_owned(),
            only: visitor.connection().map(ToString::to_string),
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

/// The same, where what was asked for was refused: with what it shows of that, and how long to pause.
pub(crate) fn shown_after(error: &Error, page: &impl Template) -> Response {
    let mut response = answer(status_of(error.code.http_status()), page);
    if let Some(pause_ms) = error.retry_after_ms {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, pause_ms.div_ceil(1_000).max(1).into());
    }
    response
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
    let told = error.map(ToString::to_string);
    let page = Login { back, error: told };
    error.map_or_else(|| show(&page), |error| shown_after(error, &page))
}

/// A failure, as the API tells it. The page is made at the door, where it is known who is logged in.
#[derive(Clone)]
pub(crate) struct Failed(pub(crate) Box<Report>);

impl From<Report> for Failed {
    fn from(report: Report) -> Failed {
        Failed(Box::new(report))
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        if error.code.http_status() >= 500 {
            tracing::error!(code = %error.code, error = %error, "a page failed");
        }
        error.report(None).into()
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage {
    frame: Option<Frame>,
    report: Report,
}

/// A page that says what failed, why, whether anything was written, and what to do. Who is logged in keeps the menu.
pub(crate) fn refuse(visitor: Option<&Visitor>, Failed(report): Failed) -> Response {
    let frame = visitor.map(|visitor| Frame::new(visitor, "", report.code.to_string()));
    let status = status_of(report.code.http_status());
    answer(
        status,
        &FailedPage {
            frame,
            report: *report,
        },
    )
}

fn status_of(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A text as a segment of a path, or a value of a query. A blank is `+` in forms only (RFC 3986, 2.1).
pub(crate) fn encoded(text: &str) -> String {
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    form.replace('+', "%20")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_stays_one_segment_of_a_path() {
        assert_eq!(encoded("a b+c/ü?"), "a%20b%2Bc%2F%C3%BC%3F");
        let pairs = [("find", "a b"), ("state", ""), ("before", "x&y")];
        assert_eq!(query("/syncs", &pairs), "/syncs?find=a+b&before=x%26y");
    }
}
