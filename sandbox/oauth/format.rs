//! The three formats of token responses: JSON, form encoding, XML ("OAuth 2.0 Web Server Flow", `format`).

use super::params::Params;
use crate::wire::escaped;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// An object of strings.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// Elements in an `OAuth` element.
    Xml,
}

impl Format {
    /// What the client asked for: the `format` parameter, else the first known type of `Accept`, else `otherwise`.
    pub fn asked(params: &Params, headers: &HeaderMap, otherwise: Self) -> Self {
        let named = params.get("format").and_then(Self::named);
        named.or_else(|| accepted(headers)).unwrap_or(otherwise)
    }

    fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "urlencoded" => Some(Self::Urlencoded),
            "xml" => Some(Self::Xml),
            _ => None,
        }
    }

    /// These pairs as a whole answer that nobody may keep (RFC 6749 §5.1).
    pub fn written(self, status: StatusCode, pairs: &[(&str, String)]) -> Response {
        let head = [
            (header::CONTENT_TYPE, self.content_type()),
            (header::CACHE_CONTROL, "no-cache, no-store"),
            (header::PRAGMA, "no-cache"),
        ];
        (status, head, self.body(pairs)).into_response()
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=UTF-8",
            Self::Urlencoded => "application/x-www-form-urlencoded;charset=UTF-8",
            Self::Xml => "application/xml;charset=UTF-8",
        }
    }

    fn body(self, pairs: &[(&str, String)]) -> String {
        match self {
            Self::Json => {
                let pair = |(key, value): &(&str, String)| ((*key).to_owned(), value.clone().into());
                serde_json::Value::Object(pairs.iter().map(pair).collect()).to_string()
            }
            Self::Urlencoded => url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish(),
            Self::Xml => {
                let element = |(key, value): &(&str, String)| format!("<{key}>{}</{key}>", escaped(value));
                let elements: String = pairs.iter().map(element).collect();
                format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{elements}</OAuth>")
            }
        }
    }
}

fn accepted(headers: &HeaderMap) -> Option<Format> {
    let accept = headers.get(header::ACCEPT)?.to_str().ok()?;
    accept.split(',').find_map(|part| {
        let kind = part.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Some(Format::Json),
            "application/x-www-form-urlencoded" => Some(Format::Urlencoded),
            "application/xml" | "text/xml" => Some(Format::Xml),
            _ => None,
        }
    })
}
