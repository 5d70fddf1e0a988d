//! Errors of the OAuth endpoints: an object, never the array of the data API.

use super::format::Format;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

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

    /// The app is for users whom an administrator has approved, and this is none of them.
    pub fn not_approved() -> Self {
        Self::new(
            "invalid_app_access",
            "user is not admin approved to access this app",
        )
    }

    /// The user is switched off.
    pub fn inactive_user() -> Self {
        Self::new("inactive_user", "user is inactive")
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

    /// The answer in this format. Salesforce says 400 where the RFC would say 401.
    pub fn written(self, format: Format) -> Response {
        let pairs = [
            ("error", self.error.to_owned()),
            ("error_description", self.description),
        ];
        format.written(StatusCode::BAD_REQUEST, &pairs)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.written(Format::Json)
    }
}
