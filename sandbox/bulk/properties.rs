//! The JSON that makes or changes a job.

use super::dialect::{Delimiter, Dialect, LineEnding};
use crate::org::ApiError;
use serde_json::{Map, Value as Json};

/// The properties of a request, each taken at most once.
pub struct Properties(Map<String, Json>);

impl Properties {
    /// Reads a body.
    ///
    /// # Errors
    /// JSON_PARSER_ERROR when it is no JSON object.
    pub fn read(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Json::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(unreadable("The request body must be a JSON object")),
            Err(error) => {
                let at = format!("[line:{}, column:{}]", error.line(), error.column());
                Err(unreadable(&format!("{error} at {at}")))
            }
        }
    }

    /// Takes a text; none when it is missing or null.
    ///
    /// # Errors
    /// API_ERROR when it is something else.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.0.shift_remove(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(invalid(&other.to_string(), name)),
        }
    }

    /// Takes one of a closed list of words, or its default.
    ///
    /// # Errors
    /// API_ERROR for another word.
    pub fn word<T>(
        &mut self,
        name: &str,
        default: Option<T>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ApiError> {
        match self.text(name)? {
            Some(text) => parse(&text).ok_or_else(|| invalid(&text, name)),
            None => default.ok_or_else(|| invalid("", name)),
        }
    }

    /// Takes the form of the file, which every job has.
    ///
    /// # Errors
    /// API_ERROR for a form that there is not.
    pub fn dialect(&mut self) -> Result<Dialect, ApiError> {
        let csv = |text: &str| (text == "CSV").then_some(());
        self.word("contentType", Some(()), csv)?;
        // Promised for the future; there is one mode (Create a Job, Response Body).
        let parallel = |text: &str| (text == "Parallel").then_some(());
        self.word("concurrencyMode", Some(()), parallel)?;
        Ok(Dialect {
            delimiter: self.word("columnDelimiter", Some(Delimiter::default()), Delimiter::parse)?,
            line_ending: self.word("lineEnding", Some(LineEnding::default()), LineEnding::parse)?,
        })
    }

    /// Says that nothing else was expected.
    ///
    /// # Errors
    /// JSON_PARSER_ERROR for the first property left.
    pub fn finish(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            Some(name) => Err(unreadable(&format!(
                "Unrecognized field \"{name}\" at [line:1, column:1]"
            ))),
            None => Ok(()),
        }
    }
}

/// The error for a value that the property cannot have.
pub fn invalid(value: &str, name: &str) -> ApiError {
    ApiError::bad(
        "API_ERROR",
        format!("Invalid value: '{value}' supplied for property: '{name}'"),
    )
}

fn unreadable(message: &str) -> ApiError {
    ApiError::bad("JSON_PARSER_ERROR", message)
}
