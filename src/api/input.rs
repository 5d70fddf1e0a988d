//! What a request brings in, checked, with every refusal in the one error shape.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use cpq_domain::id::IdempotencyKey;
use cpq_domain::{Code, Error, Result, limits as house};
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use crate::caller::single;
use crate::failure::Failure;
use crate::{limits, strict};

/// A JSON body: what it means, and its canonical text for the fingerprint.
pub(crate) struct Json<T> {
    pub(crate) value: T,
    pub(crate) canonical: String,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        is_json(request.headers())?;
        let (parts, body) = request.into_parts();
        Ok(object(&read(&parts.headers, body).await?)?)
    }
}

/// A JSON body that may be left out or `null`; then it is `{}`.
pub(crate) struct OptionalJson<T>(pub(crate) Json<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if bytes.is_empty() || bytes.trim_ascii() == b"null" {
            return Ok(OptionalJson(json(b"{}")?));
        }
        is_json(&parts.headers)?;
        Ok(OptionalJson(object(&bytes)?))
    }
}

/// The one variable segment of the path, decoded.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Segment(text)),
            Err(_) => Err(invalid("the path is not percent-encoded UTF-8").into()),
        }
    }
}

/// Several variable segments of the path, decoded, in their order.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(all)) => Ok(Segments(all)),
            Err(_) => Err(invalid("the path is not percent-encoded UTF-8").into()),
        }
    }
}

/// The query.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(value)| Params(value))
            .map_err(|refusal| invalid(format!("the query is wrong: {}", refusal.body_text())).into())
    }
}

/// A request with its body, within our limits of size and time: for whoever reads it by other means than ours.
pub async fn gathered(request: Request) -> Result<(Parts, Bytes)> {
    let (parts, body) = request.into_parts();
    let bytes = read(&parts.headers, body).await?;
    Ok((parts, bytes))
}

/// Reads a body within our limits of size and time. The length is not trusted, only used to refuse early.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let told = single(headers, header::CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<usize>().ok());
    if told.is_some_and(|length| length > house::REQUEST_BYTES) {
        return Err(too_large());
    }
    let reading = tokio::time::timeout(limits::BODY_TIMEOUT, gather(body)).await;
    reading.unwrap_or_else(|_| {
        Err(invalid(format!(
            "the body did not arrive within {} s",
            limits::BODY_TIMEOUT.as_secs()
        )))
    })
}

async fn gather(body: Body) -> Result<Bytes> {
    let mut stream = body.into_data_stream();
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| invalid("the body broke off").cause(error))?;
        if all.len() + chunk.len() > house::REQUEST_BYTES {
            return Err(too_large());
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.into())
}

/// A body that must be an object: serde would take a list for a struct too, field by field.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<Json<T>> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => Err(misread("an object is expected, not a list", 1, 1)),
        _ => json(bytes),
    }
}

/// Reads strict JSON into a type, and says line, column and field of what is wrong.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<Json<T>> {
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("the body is not UTF-8"))?;
    let canonical = strict::canonical(text).map_err(|flaw| {
        let (line, column) = flaw.place(text);
        misread(&flaw.what, line, column)
    })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let (line, column) = (inner.line(), inner.column());
        let what = inner.to_string();
        let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
        let error = misread(&what, line, column);
        if path == "." { error } else { error.field(path) }
    })?;
    Ok(Json { value, canonical })
}

fn misread(what: &str, line: usize, column: usize) -> Error {
    invalid(format!(
        "the body does not fit: {what} (line {line}, column {column})"
    ))
    .fact("line", line)
    .fact("column", column)
}

/// The idempotency key, as a structured-field string (RFC 9651 §3.3.3) or bare; both forms mean the same key.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    const NAME: &str = "idempotency-key";
    if !headers.contains_key(NAME) {
        return Ok(None);
    }
    let wrong = |why| {
        Error::new(
            Code::IdempotencyKeyInvalid,
            format!("the Idempotency-Key header {why}"),
        )
    };
    let text = single(headers, NAME)
        .ok_or_else(|| wrong("must be there once, in ASCII"))?
        .trim();
    let bare = match text.strip_prefix('"') {
        None => text.to_owned(),
        Some(rest) => unquoted(rest).ok_or_else(|| wrong("starts with a quote and is no quoted string"))?,
    };
    IdempotencyKey::new(bare).map(Some)
}

fn unquoted(rest: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => text.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => text.push(other),
        }
    }
    characters.next().is_none().then_some(text)
}

fn is_json(headers: &HeaderMap) -> Result<()> {
    let told = single(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = told.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let shown: String = told.chars().take(80).collect();
    Err(Error::new(
        Code::MediaTypeUnsupported,
        format!("the body's media type is {shown:?}, not application/json"),
    ))
}

fn too_large() -> Error {
    let message = format!("the body exceeds {} bytes", house::REQUEST_BYTES);
    Error::new(Code::RequestTooLarge, message).fact("limitBytes", house::REQUEST_BYTES)
}

/// A request that is malformed in the way that `message` tells.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::RequestInvalid, message)
}

/// Runs work that must not end with the caller's connection: dropping the request drops only the wait for it.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(
            Code::Internal,
            "the request ended in a panic; this is a defect of ours",
        )
        .written(cpq_domain::error::Written::Unknown)
        .cause(Arc::new(error).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &'static str) -> Result<Option<IdempotencyKey>> {
        idempotency_key(&HeaderMap::from_iter([(
            header::HeaderName::from_static("idempotency-key"),
            value.parse().unwrap(),
        )]))
    }

    #[test]
    fn a_quoted_and_a_bare_key_are_the_same_key() {
        assert_eq!(key("\"abc\"").unwrap(), key("abc").unwrap());
        assert_eq!(key(r#""a\"b""#).unwrap().unwrap().as_str(), "a\"b");
        assert!(idempotency_key(&HeaderMap::new()).unwrap().is_none());
        for bad in ["", "\"abc", "\"a\" b", "a b", r#""a\x""#] {
            assert_eq!(key(bad).unwrap_err().code, Code::IdempotencyKeyInvalid, "{bad:?}");
        }
    }
}
