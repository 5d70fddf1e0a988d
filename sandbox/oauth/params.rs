//! Parameters of query strings and forms, and client credentials in either place.

use super::refusal::Refusal;
use crate::multipart;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use std::collections::HashMap;
use std::ops::Range;

/// Largest form that is read, far above the longest assertion with the longest token.
const MAX_FORM: usize = 256 * 1024;

/// Decoded parameters. Of a repeated one the first counts.
#[derive(Clone, Debug, Default)]
pub struct Params(HashMap<String, String>);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text, of a query or a body. What is too large holds nothing.
    pub fn parse(text: &[u8]) -> Self {
        let mut params = HashMap::new();
        let text = if text.len() > MAX_FORM { b"" } else { text };
        for (name, value) in url::form_urlencoded::parse(text) {
            params
                .entry(name.into_owned())
                .or_insert_with(|| value.into_owned());
        }
        Self(params)
    }

    /// Parameters of body and query together; the body comes first. Many a client posts a query.
    pub fn of(query: Option<&str>, body: &[u8]) -> Self {
        let mut params = Self::parse(body);
        for (name, value) in Self::parse(query.unwrap_or_default().as_bytes()).0 {
            params.0.entry(name).or_insert(value);
        }
        params
    }

    /// The same, of a body that may be `multipart/form-data`: the device flow of `@salesforce/core` sends such, and so do
    /// people who try the token endpoint by hand.
    pub fn posted(headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> Self {
        let Some(parts) = form_parts(headers, body) else {
            return Self::of(query, body);
        };
        let mut params = Self::default();
        for (name, at) in parts {
            let value = String::from_utf8_lossy(&body[at]).into_owned();
            params.0.entry(name).or_insert(value);
        }
        for (name, value) in Self::of(query, b"").0 {
            params.0.entry(name).or_insert(value);
        }
        params
    }

    /// The value, unless absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` naming it.
    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }

    /// All of them, for carrying through a form.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

/// Where the parameters stand in a multipart body. What is too large holds nothing.
fn form_parts(headers: &HeaderMap, body: &[u8]) -> Option<Vec<(String, Range<usize>)>> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let body = if body.len() > MAX_FORM { b"" } else { body };
    multipart::parts(headers, body)
}

/// Consumer key and secret from HTTP Basic, else from the body (RFC 6749 §2.3.1). Parts of Basic are form-encoded
/// by the letter of the RFC, but clients differ, so a part that does not decode is taken as it is.
pub fn credentials(headers: &HeaderMap, params: &Params) -> (Option<String>, Option<String>) {
    if let Some((id, secret)) = basic(headers) {
        return (Some(id), Some(secret));
    }
    (
        params.get("client_id").map(str::to_owned),
        params.get("client_secret").map(str::to_owned),
    )
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(part: &str) -> String {
    if !part.contains('%') {
        return part.to_owned();
    }
    let pair = format!("v={part}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
