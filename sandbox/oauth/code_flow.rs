//! Authorization code with PKCE ("OAuth 2.0 Web Server Flow"; RFC 6749 §4.1, RFC 7636).

use super::access::Code;
use super::refusal::Refusal;
use super::scope::entitles_to_refresh;
use super::token::{Form, Handout, Request};
use crate::state::lock;
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Length of a code verifier. RFC 7636 §4.1 ends at 128; Salesforce asks for 128 random bytes and takes them encoded,
/// which is 171 characters, and its own clients send that.
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=256;

/// Exchanges a code for a session and, if the scopes entitle to it, a refresh token.
pub fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let text = request.params.need("code")?;
    // With PKCE an app may be public; without, a confidential one must show its secret.
    let client = request.client(request.params.get("code_verifier").is_none())?;
    let redirect_uri = request.params.get("redirect_uri");
    let redirect_uri =
        redirect_uri.ok_or_else(|| Refusal::new("redirect_uri_missing", "redirect_uri must be provided"))?;
    let code = lock(&request.sandbox.access).take_code(text, request.visit.now(request.sandbox))?;
    if code.client_id != client.client_id {
        return Err(Refusal::grant("invalid authorization code"));
    }
    if code.redirect_uri != redirect_uri {
        return Err(Refusal::new(
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ));
    }
    check_verifier(&code, request.params.get("code_verifier"))?;
    let user = request.user(
        |org| org.user(&code.user_id),
        Refusal::grant("authentication failure"),
    )?;
    let max_grants = request.sandbox.settings().max_grants;
    let grant = entitles_to_refresh(&code.scopes).then(|| {
        lock(&request.sandbox.access).add_grant(&user.id, &client.client_id, &code.scopes, max_grants)
    });
    let (grant, refresh_token) = grant.unzip();
    Ok(Handout {
        user,
        client,
        scopes: code.scopes,
        grant,
        refresh_token,
        nonce: code.nonce,
        form: Form::Full,
    })
}

/// A challenge needs its verifier, and a verifier without a challenge is no proof of anything (RFC 9700 §2.1.1).
fn check_verifier(code: &Code, verifier: Option<&str>) -> Result<(), Refusal> {
    let right = match (&code.challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            VERIFIER_LENGTH.contains(&verifier.len()) && *challenge == challenge_of(verifier)
        }
        _ => false,
    };
    if right {
        Ok(())
    } else {
        Err(Refusal::grant("invalid code verifier"))
    }
}

fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_challenge_is_the_one_of_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            super::challenge_of(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
