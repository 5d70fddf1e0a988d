//! Conditional requests (REST API Developer Guide, Conditional Requests): dates at one-second granularity, and entity
//! tags where there are any.

use super::DataResponse;
use super::door::Ask;
use crate::org::ApiError;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// What a response to a condition is made from: when the thing last changed, and its tag if it has one.
#[derive(Debug, Clone)]
pub struct State {
    /// When it last changed.
    pub modified: Timestamp,
    /// Entity tag without quotes; accounts and describes have one.
    pub tag: Option<String>,
}

/// Whether the caller knows this state already: If-None-Match if there is a tag, else If-Modified-Since.
///
/// # Errors
/// 400 when a write carries a date that cannot be read; reads ignore it.
pub fn known(ask: &Ask, state: &State) -> Result<bool, ApiError> {
    if let (Some(tag), Some(listed)) = (&state.tag, ask.header("if-none-match")) {
        return Ok(lists(listed, tag));
    }
    let since = date(ask, "if-modified-since")?;
    Ok(since.is_some_and(|since| state.modified.as_second() <= since.as_second()))
}

/// Checks If-Match and If-Unmodified-Since, and for writes If-None-Match.
///
/// # Errors
/// 412 when the thing is not as the caller wants it.
pub fn unmodified(ask: &Ask, state: &State) -> Result<(), ApiError> {
    if let Some(tag) = &state.tag {
        let wanted = ask.header("if-match").is_none_or(|listed| lists(listed, tag));
        let unwanted = ask.method != Method::GET
            && ask
                .header("if-none-match")
                .is_some_and(|listed| lists(listed, tag));
        if !wanted || unwanted {
            return Err(failed("The record does not match the entity tags of the request"));
        }
    }
    match date(ask, "if-unmodified-since")? {
        Some(since) if state.modified.as_second() > since.as_second() => Err(failed(
            "The record was modified after the date in the If-Unmodified-Since header",
        )),
        _ => Ok(()),
    }
}

fn failed(message: &str) -> ApiError {
    ApiError {
        status: StatusCode::PRECONDITION_FAILED,
        ..ApiError::bad("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", message)
    }
}

/// Whether a list of tags names this one. Tags of compressed answers end in `-gzip`, which says nothing about the
/// state; a star names every tag.
fn lists(listed: &str, tag: &str) -> bool {
    listed.split(',').any(|one| {
        let one = one.trim();
        let one = one.strip_prefix("W/").unwrap_or(one).trim_matches('"');
        one == "*" || one.strip_suffix("-gzip").unwrap_or(one) == tag
    })
}

fn date(ask: &Ask, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = ask.header(name) else {
        return Ok(None);
    };
    match rfc2822::DateTimeParser::new().parse_timestamp(text) {
        Ok(at) => Ok(Some(at)),
        Err(_) if ask.method == Method::GET => Ok(None),
        Err(_) => Err(ApiError::bad(
            "INVALID_HEADER",
            format!("The {name} header is no HTTP date: {text}"),
        )),
    }
}

/// Adds Last-Modified and ETag. The tag of an answer that will be compressed says so.
pub fn stamp(ask: &Ask, response: &mut DataResponse, state: &State) {
    let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&state.modified);
    if let Some(value) = text.ok().and_then(|t| t.parse().ok()) {
        response.headers.insert(header::LAST_MODIFIED, value);
    }
    let Some(tag) = &state.tag else { return };
    let zipped = ask
        .header("accept-encoding")
        .is_some_and(|accepted| accepted.contains("gzip"));
    let tag = format!("\"{tag}{}\"", if zipped { "-gzip" } else { "" });
    if let Ok(value) = tag.parse() {
        response.headers.insert(header::ETAG, value);
    }
}
