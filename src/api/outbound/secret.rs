//! The secret in the path of an outbound message's endpoint. Salesforce signs no outbound message, so whoever knows
//! the endpoint may speak; what makes it unknown is this part of it.

use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use cpq_domain::{Code, Error, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::fingerprint::sha256;

/// Characters of a secret: 32 of hexadecimal are 128 bits, the least that cannot be guessed.
const CHARS: std::ops::RangeInclusive<usize> = 32..=200;

/// The secret of one sender of outbound messages. Only its hash is kept: it is compared, never told.
#[derive(Clone)]
pub struct PathSecret([u8; 32]);

impl PathSecret {
    /// Reads a secret: 32 to 200 letters, digits, `-` or `_`, so that it is one segment of a path as it stands.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`], without repeating the secret.
    pub fn parse(text: &SecretString) -> Result<PathSecret> {
        let text = text.expose_secret();
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if plain && CHARS.contains(&text.len()) {
            return Ok(PathSecret(sha256(text.as_bytes())));
        }
        let message =
            "the secret of a source of outbound messages must be 32 to 200 letters, digits, `-` or `_`";
        Err(Error::new(Code::ConfigInvalid, message).next("make one with `openssl rand -hex 32`"))
    }
}

impl fmt::Debug for PathSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PathSecret(…)")
    }
}

/// Stands in for the secrets of an unknown source, so that it costs as long to be unknown as to be wrong.
static DECOY: LazyLock<[PathSecret; 1]> = LazyLock::new(|| [PathSecret([0; 32])]);

/// Checks that one of these secrets was presented. `None`: the source is unknown.
///
/// Hashes are compared, in constant time: neither content nor length of a secret shows in how long it takes. Every
/// refusal has the same words.
pub(super) fn verify(secrets: Option<&[PathSecret]>, presented: &str) -> Result<()> {
    let known = secrets.filter(|secrets| !secrets.is_empty());
    let presented = sha256(presented.as_bytes());
    let mut right = false;
    for secret in known.unwrap_or(&*DECOY) {
        right |= verify_slices_are_equal(&secret.0, &presented).is_ok();
    }
    if right & known.is_some() {
        return Ok(());
    }
    let message = "the source of the outbound message is unknown, or the secret in its path is wrong";
    Err(Error::new(Code::SignatureInvalid, message)
        .next("give the outbound message the endpoint URL with a secret of outbound_messages.sources"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_or_does_not_fit_a_path_is_refused_without_being_repeated() {
        for bad in ["", "short-and-sweet", &"a/b".repeat(20), &"x".repeat(201)] {
            let error = PathSecret::parse(&bad.to_owned().into()).unwrap_err();
            assert_eq!(error.code, Code::ConfigInvalid);
            assert!(bad.is_empty() || !error.to_string().contains(bad), "{error}");
        }
        let secret = PathSecret::parse(&"0123456789abcdef0123456789ABCDEF".to_owned().into()).unwrap();
        assert!(!format!("{secret:?}").contains("0123"));
    }
}
