//! One HTTP exchange: sent or not, answered or not, never repeated.
//!
//! The one thing that callers must know of a failure is whether the request can have reached the other side, because
//! a write that may have been applied is read back and never sent again blindly.

use std::error::Error as _;

use cpq_domain::error::{Class, Written};
use cpq_domain::limits::RESPONSE_BYTES;
use cpq_domain::{Code, Error, Result};
use http::{HeaderMap, StatusCode};

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The request did not leave us.
    NeverSent(String),
    /// It may have been received and acted upon.
    AfterSend(String),
    /// The answer is larger than [`RESPONSE_BYTES`]. It was acted upon.
    TooLarge,
}

/// The request whose answer is lost, as far as its error is about it.
pub(crate) struct Request<'a> {
    /// Who was asked, as a person would say it.
    pub(crate) whom: &'a str,
    /// Name of the connection.
    pub(crate) connection: &'a str,
    /// What was asked, as a verb and its object.
    pub(crate) what: &'a str,
    /// Whether it may have changed something.
    pub(crate) writes: bool,
    /// What it means that this peer cannot be reached.
    pub(crate) unavailable: Code,
}

impl Lost {
    /// What a lost answer means: a read can be repeated, and the outcome of a write is not known.
    pub(crate) fn of(self, request: &Request) -> Error {
        let Request { whom, what, .. } = request;
        let too_large = || format!("more than {RESPONSE_BYTES} bytes");
        let (code, message, why) = match (self, request.writes) {
            (Lost::NeverSent(why), _) => (
                request.unavailable,
                format!("{whom} could not be reached to {what}; nothing was sent"),
                why,
            ),
            (Lost::AfterSend(why), false) => (
                request.unavailable,
                format!("{whom} did not answer a request to {what}"),
                why,
            ),
            (Lost::TooLarge, false) => (
                Code::ProtocolViolation,
                format!("the answer of {whom} to a request to {what} is too large"),
                too_large(),
            ),
            (Lost::AfterSend(why), true) => (
                Code::OutcomeUnknown,
                format!("the answer to a request to {what} was lost after it was sent"),
                why,
            ),
            (Lost::TooLarge, true) => (
                Code::OutcomeUnknown,
                format!("the answer to a request to {what} is too large to read"),
                too_large(),
            ),
        };
        let written = if code == Code::OutcomeUnknown {
            Written::Unknown
        } else {
            Written::No
        };
        Error::new(code, message)
            .written(written)
            .connection(request.connection)
            .cause(why)
    }
}

/// Sends the request once and reads the whole answer, up to [`RESPONSE_BYTES`].
pub(crate) async fn exchange(request: reqwest::RequestBuilder) -> Result<Answer, Lost> {
    let mut response = request.send().await.map_err(lost)?;
    cpq_auth::answered(response.status());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(after_send)? {
        if body.len() + chunk.len() > RESPONSE_BYTES {
            return Err(Lost::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

fn lost(error: reqwest::Error) -> Lost {
    if error.is_connect() || error.is_builder() {
        Lost::NeverSent(reason(error))
    } else {
        after_send(error)
    }
}

fn after_send(error: reqwest::Error) -> Lost {
    Lost::AfterSend(reason(error))
}

/// What went wrong, with its causes; without the URL, which may hold data of a customer.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// The outcome of a failed call in few words, so that the metric stays small.
pub(crate) fn outcome(error: &Error) -> &'static str {
    match error.class() {
        Class::AuthExpired | Class::AuthRevoked => "unauthorized",
        Class::RateLimited => "limited",
        Class::Unavailable => "unavailable",
        Class::UnknownOutcome => "unknown",
        Class::Locked | Class::Conflict => "contended",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests;
