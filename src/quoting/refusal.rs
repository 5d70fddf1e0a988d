//! Refused values: what, of which line of which quote, and why.

use cpq_domain::id::LineKey;
use cpq_domain::{Code, Error};

/// A header field that is refused.
pub(crate) fn field(name: &str, why: &str) -> Error {
    Error::new(Code::CpqRejected, format!("{name} {why}"))
        .object("quote")
        .field(name)
}

/// A field of a line that is refused. The line's key is also the fact `line`.
pub(crate) fn line(key: &LineKey, name: &str, why: &str) -> Error {
    Error::new(Code::CpqRejected, format!("{name} of line {key} {why}"))
        .object("quote line")
        .field(name)
        .fact("line", key.as_str())
}
