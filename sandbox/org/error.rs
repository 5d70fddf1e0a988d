//! Errors as the data API words them (REST API Developer Guide, Status Codes and Error Responses).

use http::StatusCode;
use serde_json::{Map, Value as Json, json};

/// One refusal, in the wire's words.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// HTTP status of the call that failed by it.
    pub status: StatusCode,
    /// Stable code.
    pub error_code: &'static str,
    /// Text for people; not a contract.
    pub message: String,
    /// Fields concerned; none when the wire leaves the key out.
    pub fields: Option<Vec<String>>,
    /// One more key of the error object with its value, such as `duplicateResult`.
    pub extra: Option<Box<(&'static str, Json)>>,
    /// Further refusals of the same record, such as those of other validation rules.
    pub also: Vec<ApiError>,
}

impl ApiError {
    /// A 400 about data, with the fields it concerns (possibly none).
    pub fn data(code: &'static str, message: impl Into<String>, fields: &[&str]) -> ApiError {
        let fields = Some(fields.iter().map(|f| (*f).to_owned()).collect());
        ApiError {
            status: StatusCode::BAD_REQUEST,
            error_code: code,
            message: message.into(),
            fields,
            extra: None,
            also: Vec::new(),
        }
    }

    /// A 400 that names no fields.
    pub fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            error_code: code,
            message: message.into(),
            fields: None,
            extra: None,
            also: Vec::new(),
        }
    }

    /// The 404 for everything that does not exist.
    pub fn not_found() -> ApiError {
        ApiError::missing("The requested resource does not exist")
    }

    /// A 404 with its own text.
    pub fn missing(message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::NOT_FOUND,
            error_code: "NOT_FOUND",
            message: message.into(),
            fields: None,
            extra: None,
            also: Vec::new(),
        }
    }

    /// The row was deleted before.
    pub fn deleted() -> ApiError {
        ApiError {
            status: StatusCode::NOT_FOUND,
            ..ApiError::data("ENTITY_IS_DELETED", "entity is deleted", &[])
        }
    }

    /// A price, line or quote rule is broken.
    pub fn integrity(detail: impl std::fmt::Display, fields: &[&str]) -> ApiError {
        let message = format!("field integrity exception: {detail}");
        ApiError::data("FIELD_INTEGRITY_EXCEPTION", message, fields)
    }

    /// This refusal and those that came with it.
    pub fn all(&self) -> impl Iterator<Item = &ApiError> {
        std::iter::once(self).chain(&self.also)
    }

    /// The object of an error body: `{"message","errorCode","fields"?}`, after the extra key if there is one.
    pub fn to_json(&self) -> Json {
        let mut out = Map::new();
        if let Some((key, value)) = self.extra.as_deref() {
            out.insert((*key).to_owned(), value.clone());
        }
        out.insert("message".into(), self.message.clone().into());
        out.insert("errorCode".into(), self.error_code.into());
        if let Some(fields) = &self.fields {
            out.insert("fields".into(), fields.clone().into());
        }
        Json::Object(out)
    }

    /// The object of an `errors` array in per-row results, which says `statusCode` instead.
    pub fn to_row_json(&self) -> Json {
        json!({"statusCode": self.error_code, "message": self.message, "fields": self.fields.clone().unwrap_or_default()})
    }
}
