//! Signatures of webhooks after the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`, in base64,
//! with the version `v1`; the secret is base64 behind `whsec_`.

use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use cpq_domain::{Code, Error, Result};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::caller::single;
use crate::limits;

/// The secret of a webhook sender.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

impl WebhookSecret {
    /// Reads a secret: `whsec_` and 24 to 64 bytes in base64.
    pub fn parse(text: &SecretString) -> Result<WebhookSecret> {
        let encoded = text.expose_secret().trim();
        let encoded = encoded
            .strip_prefix("whsec_")
            .unwrap_or(encoded)
            .trim_end_matches('=');
        let bytes = STANDARD_NO_PAD
            .decode(encoded)
            .ok()
            .filter(|bytes| (24..=64).contains(&bytes.len()));
        let bytes = bytes.ok_or_else(|| {
            Error::new(
                Code::ConfigInvalid,
                "a webhook secret must be `whsec_` followed by 24 to 64 bytes in base64",
            )
        })?;
        Ok(WebhookSecret(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The signature of a delivery, as a sender makes it: `v1,<base64>`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        format!(
            "v1,{}",
            STANDARD.encode(tag(&self.0, id, &timestamp.to_string(), body))
        )
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Stands in for the secret of an unknown source, so that it costs as long to be unknown as to be wrong.
static DECOY: LazyLock<[WebhookSecret; 1]> =
    LazyLock::new(|| [WebhookSecret(hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]))]);

/// The id of a delivery that one of these secrets signed within the tolerated time. `None`: the source is unknown.
///
/// Every refusal has the same words: whoever guesses learns nothing.
pub(crate) fn verify(
    secrets: Option<&[WebhookSecret]>,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<String> {
    let known = secrets.filter(|secrets| !secrets.is_empty());
    let id = single(headers, "webhook-id").unwrap_or_default();
    let timestamp = single(headers, "webhook-timestamp").unwrap_or_default();
    let signatures = single(headers, "webhook-signature").unwrap_or_default();
    let signed = is_signed(known.unwrap_or(&*DECOY), id, timestamp, body, signatures);
    let fresh = timestamp
        .parse::<i64>()
        .is_ok_and(|sent| sent.abs_diff(now.as_second()) <= limits::WEBHOOK_TOLERANCE_S.unsigned_abs());
    // Not `&&` before: all parts are looked at in every case.
    let named = (1..=255).contains(&id.len()) && id.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if signed & fresh & named & known.is_some() {
        return Ok(id.to_owned());
    }
    Err(Error::new(
        Code::SignatureInvalid,
        "the webhook's source is unknown, or its signature is missing, stale or wrong",
    ))
}

fn is_signed(secrets: &[WebhookSecret], id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .take(limits::WEBHOOK_SIGNATURES)
        .filter_map(|part| STANDARD.decode(part.strip_prefix("v1,")?).ok())
        .collect();
    let mut signed = false;
    for secret in secrets {
        let expected = tag(&secret.0, id, timestamp, body);
        for one in &given {
            signed |= verify_slices_are_equal(expected.as_ref(), one).is_ok();
        }
    }
    signed
}

fn tag(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn the_known_signature_of_the_specification_is_made_and_taken() {
        let secret =
            WebhookSecret::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into()).unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signature = secret.sign(id, 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(!format!("{secret:?}").contains("MfKQ"));
    }

    #[test]
    fn a_short_secret_is_refused_without_being_repeated() {
        let error = WebhookSecret::parse(&"whsec_c2hvcnQ=".to_owned().into()).unwrap_err();
        assert!(!error.to_string().contains("c2hv"), "{error}");
    }
}
