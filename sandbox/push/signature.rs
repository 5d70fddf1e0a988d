//! Signatures in the form of Standard Webhooks 1.0 (symmetric): HMAC-SHA256 over id, time and body.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Shortest and longest key in bytes (Standard Webhooks, Signature scheme).
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The key of a secret.
///
/// # Errors
/// A sentence when the secret is not `whsec_` and base64 of 24 to 64 bytes.
pub fn key(secret: &str) -> Result<hmac::Key, String> {
    let bytes = secret
        .strip_prefix(PREFIX)
        .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
        .filter(|bytes| KEY_BYTES.contains(&bytes.len()));
    let bytes = bytes.ok_or_else(|| {
        let (least, most) = KEY_BYTES.into_inner();
        format!("its secret is not {PREFIX} and the base64 of {least} to {most} bytes")
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The value of `webhook-signature`; `seconds` is that of `webhook-timestamp`.
pub fn sign(key: &hmac::Key, id: &str, seconds: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::{key, sign};

    /// The example that the libraries of the Standard Webhooks project share.
    #[test]
    fn the_published_example_signs_as_published() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_form_is_refused() {
        for bad in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!",
        ] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }
}
