//! Conditional requests (REST API Developer Guide, Conditional Requests): dates at one-second granularity.

use super::DataResponse;
use super::door::Ask;
use crate::org::ApiError;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Whether If-Modified-Since says that the caller knows this state.
///
/// # Errors
/// 400 when a write carries a date that cannot be read; reads ignore it.
pub fn not_modified(ask: &Ask, modified: Timestamp) -> Result<bool, ApiError> {
    let since = date(ask, "if-modified-since")?;
    Ok(since.is_some_and(|since| modified.as_second() <= since.as_second()))
}

/// Checks If-Unmodified-Since.
///
/// # Errors
/// 412 when the record changed after that date.
pub fn unmodified(ask: &Ask, modified: Timestamp) -> Result<(), ApiError> {
    match date(ask, "if-unmodified-since")? {
        Some(since) if modified.as_second() > since.as_second() => {
            let message = "The record was modified after the date in the If-Unmodified-Since header";
            let error = ApiError::bad("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", message);
            Err(ApiError {
                status: StatusCode::PRECONDITION_FAILED,
                ..error
            })
        }
        _ => Ok(()),
    }
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

/// Adds Last-Modified.
pub fn stamp(response: &mut DataResponse, modified: Timestamp) {
    let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&modified);
    if let Some(value) = text.ok().and_then(|t| t.parse().ok()) {
        response.headers.insert(header::LAST_MODIFIED, value);
    }
}
