//! Proof key for code exchange (RFC 7636), method S256, and the `state` of RFC 6749 §10.12.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cpq_domain::world::World;
use secrecy::SecretString;
use zeroize::Zeroizing;

/// 256 bits in 43 characters: the length that RFC 7636 §4.1 recommends for a verifier.
pub(crate) fn unguessable(world: &dyn World) -> SecretString {
    let mut bytes = Zeroizing::new([0; 32]);
    world.fill_random(bytes.as_mut());
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
}

/// The challenge for a verifier (RFC 7636 §4.2).
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            super::challenge(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
