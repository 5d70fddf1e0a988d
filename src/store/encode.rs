//! From values to what a column holds.

use cpq_domain::{Code, Error, Result};
use serde::Serialize;

/// The JSON text of a value, at most `limit` bytes.
pub(crate) fn json(what: &str, value: &impl Serialize, limit: usize) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|why| {
        Error::new(
            Code::Internal,
            format!("{what} cannot be stored: it has no JSON form"),
        )
        .cause(why)
    })?;
    bounded(what, text.len(), limit).map(|()| text)
}

/// The name of a variant of a closed list, as it is on the wire.
pub(crate) fn word(value: &impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(Error::new(
            Code::Internal,
            "a value that is no plain word cannot be stored as one",
        )),
    }
}

/// A count that a BIGINT holds.
pub(crate) fn count(what: &str, number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|why| {
        Error::new(
            Code::Internal,
            format!("{what} cannot be stored: {number} is too large"),
        )
        .cause(why)
    })
}

/// Refuses what is larger than its column may be.
pub(crate) fn bounded(what: &str, bytes: usize, limit: usize) -> Result<()> {
    if bytes <= limit {
        return Ok(());
    }
    let message = format!("{what} cannot be stored: it has {bytes} bytes, and {limit} are allowed");
    Err(Error::new(Code::RequestTooLarge, message).next("make it smaller; nothing was stored"))
}
