//! A request as the routes see it: who asks, under which names, and with which key.

use axum::extract::FromRequestParts;
use cpq_domain::id::ClientId;
use cpq_domain::keyed::Keyed;
use cpq_domain::{Code, Error, Result};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};

use crate::caller::{Caller, single};
use crate::failure::Failure;
use crate::fingerprint;
use crate::input::idempotency_key;
use crate::reach::Reach;
use crate::tokens::Grantee;

/// A request that passed the door with a token.
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) client: ClientId,
    pub(crate) reach: Reach,
    pub(crate) headers: HeaderMap,
    method: Method,
    uri: Uri,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let grantee = parts.extensions.get::<Grantee>().cloned();
        let (Some(caller), Some(grantee)) = (caller, grantee) else {
            return Err(Error::new(Code::Internal, "the request did not pass the door").into());
        };
        let (headers, method, uri) = (parts.headers.clone(), parts.method.clone(), parts.uri.clone());
        Ok(Asked {
            caller,
            reach: Reach::of(&grantee),
            client: grantee.client,
            headers,
            method,
            uri,
        })
    }
}

impl Asked {
    /// The key of this request with what it was sent with; `None` if it has no key.
    pub(crate) fn keyed(&self, canonical_body: &str) -> Result<Option<Keyed>> {
        let Some(key) = idempotency_key(&self.headers)? else {
            return Ok(None);
        };
        let fingerprint = fingerprint::of(&self.method, &self.uri, self.reach.own(), canonical_body);
        Ok(Some(Keyed {
            client: self.client.clone(),
            key,
            fingerprint,
        }))
    }

    /// As [`Asked::keyed`], where a key is required.
    pub(crate) fn must_be_keyed(&self, canonical_body: &str) -> Result<Keyed> {
        self.keyed(canonical_body)?.ok_or_else(|| {
            Error::new(
                Code::IdempotencyKeyMissing,
                "this request changes a quote and carries no Idempotency-Key header",
            )
        })
    }

    /// The entity tag that the caller wants to change (RFC 9110 §13.1.1).
    pub(crate) fn must_match(&self) -> Result<String> {
        match single(&self.headers, header::IF_MATCH.as_str()).map(str::trim) {
            Some(tag) if is_strong(tag) => Ok(tag.to_owned()),
            Some(_) => Err(crate::input::invalid(
                "the If-Match header must hold exactly one strong entity tag",
            )),
            None => Err(Error::new(
                Code::PreconditionRequired,
                "this request changes a quote and carries no If-Match header",
            )),
        }
    }

    /// Whether the caller has this version already (RFC 9110 §13.1.2, weak comparison).
    pub(crate) fn has(&self, etag: &str) -> bool {
        let listed = self
            .headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok());
        listed
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    }
}

/// Whether it is one strong entity tag (RFC 9110 §8.8.3) of visible ASCII. A comma could part two of them.
fn is_strong(tag: &str) -> bool {
    let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| {
        !inner.is_empty()
            && inner
                .bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b','))
    })
}
