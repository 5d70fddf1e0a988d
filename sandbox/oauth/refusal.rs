//! Errors of the OAuth endpoints: an object, never the array of the data API.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// A refusal with its `error` and `error_description` ("OAuth 2.0 Error Codes"; RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Machine word.
    pub error: &'static str,
    /// Sentence; clients do tell cases apart by it.
    pub description: String,
}

impl Refusal {
    /// Any refusal.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self {
            error,
            description: description.into(),
        }
    }

    /// The most frequent one.
    pub fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    /// The app does not exist.
    pub fn unknown_client() -> Self {
        Self::new("invalid_client_id", "client identifier invalid")
    }

    /// The app exists, its secret is wrong or missing.
    pub fn wrong_secret() -> Self {
        Self::new("invalid_client", "invalid client credentials")
    }

    /// A parameter is not there.
    pub fn missing(parameter: &str) -> Self {
        Self::new(
            "invalid_request",
            format!("missing required parameter: {parameter}"),
        )
    }

    /// Scopes that do not exist or are all beyond the app.
    pub fn scope() -> Self {
        Self::new(
            "invalid_scope",
            "the requested scope is invalid, unknown, or malformed",
        )
    }
}

impl IntoResponse for Refusal {
    /// Salesforce says 400 where the RFC would say 401, and answers JSON whatever `format` was.
    fn into_response(self) -> Response {
        let body = serde_json::json!({"error": self.error, "error_description": self.description});
        let head = [
            (header::CONTENT_TYPE, "application/json;charset=UTF-8"),
            (header::CACHE_CONTROL, "no-cache, no-store"),
            (header::PRAGMA, "no-cache"),
        ];
        (StatusCode::BAD_REQUEST, head, body.to_string()).into_response()
    }
}
