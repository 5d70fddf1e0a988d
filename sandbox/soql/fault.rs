//! Errors of queries, with the place they point at.

use crate::org::ApiError;

/// How much of the query is repeated on each side of the place.
const AROUND: usize = 50;

/// A syntax error.
pub fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::bad("MALFORMED_QUERY", message)
}

/// An error that points at a byte of the query: the text around, a caret, row and column, then the reason.
pub fn pointing(query: &str, at: usize, code: &'static str, reason: &str) -> ApiError {
    let flat: Vec<char> = query
        .chars()
        .map(|c| if c == '\n' || c == '\r' { ' ' } else { c })
        .collect();
    let at = query
        .get(..at)
        .map_or(flat.len(), |before| before.chars().count());
    let (from, until) = (at.saturating_sub(AROUND), (at + AROUND).min(flat.len()));
    let shown: String = flat[from..until].iter().collect();
    let caret = " ".repeat(at - from);
    let message = format!("\n{shown}\n{caret}^\nERROR at Row:1:Column:{}\n{reason}", at + 1);
    ApiError::bad(code, message)
}

/// An unknown column.
pub fn no_column(query: &str, at: usize, name: &str, object: &str) -> ApiError {
    let reason = format!(
        "No such column '{name}' on entity '{object}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
    );
    pointing(query, at, "INVALID_FIELD", &reason)
}

/// An unknown object.
pub fn no_object(query: &str, at: usize, name: &str) -> ApiError {
    let reason = format!(
        "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    );
    pointing(query, at, "INVALID_TYPE", &reason)
}
