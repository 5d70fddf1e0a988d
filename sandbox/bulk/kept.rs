//! Bytes in the snapshot: text where they are text, base64 where they are not.

use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kept {
    Text(String),
    Base64(String),
}

/// Writes the bytes.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let kept = match std::str::from_utf8(bytes) {
        Ok(text) => Kept::Text(text.to_owned()),
        Err(_) => Kept::Base64(BASE64_STANDARD.encode(bytes)),
    };
    kept.serialize(serializer)
}

/// Reads them back.
///
/// # Errors
/// The deserializer's, and base64 that is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    match Kept::deserialize(deserializer)? {
        Kept::Text(text) => Ok(text.into()),
        Kept::Base64(text) => BASE64_STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(D::Error::custom),
    }
}
