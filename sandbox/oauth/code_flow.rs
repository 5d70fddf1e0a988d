//! Authorization code with PKCE ("OAuth 2.0 Web Server Flow"; RFC 6749 §4.1, RFC 7636).

use super::code::Code;
use super::grant::Grant;
use super::handout::{Form, Handout};
use super::refusal::Refusal;
use super::scope::entitles_to_refresh;
use super::secret;
use super::token::Request;
use crate::org::User;
use crate::state::lock;
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Length of a code verifier. RFC 7636 §4.1 ends at 128 letters; Salesforce's documentation speaks of 128 random bytes
/// in base64url, which are 171 letters, and its own clients send that.
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=171;

/// Exchanges a code for a session and, if the scopes entitle to it, a refresh token.
pub fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let text = request.params.need("code")?;
    // With PKCE an app may be public; without, a confidential one must show its secret.
    let client = request.client(request.params.get("code_verifier").is_none())?;
    if client.secret_for_code {
        request.client(true)?;
    }
    let redirect_uri = request.params.get("redirect_uri");
    let redirect_uri =
        redirect_uri.ok_or_else(|| Refusal::new("redirect_uri_missing", "redirect_uri must be provided"))?;
    let now = request.visit.now(request.sandbox);
    let code = lock(&request.sandbox.access).take_code(text, now);
    request.sandbox.touch();
    let code = code?;
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
    let failure = Refusal::grant("authentication failure");
    let user = request.user(|org| org.user(&code.user_id), failure)?;
    let (grant, refresh_token) = granted(request, text, &code, &user).unzip();
    Ok(Handout {
        grant,
        refresh_token,
        code: Some(text.to_owned()),
        nonce: code.nonce,
        ..Handout::of_session(user, client, code.scopes, Form::Full)
    })
}

fn granted(request: &Request<'_>, text: &str, code: &Code, user: &User) -> Option<(u64, String)> {
    let now = request.visit.now(request.sandbox);
    let max_grants = request.sandbox.settings().max_grants;
    entitles_to_refresh(&code.scopes).then(|| {
        let grant = Grant::new(&user.id, &code.client_id, &code.scopes, now);
        lock(&request.sandbox.access).add_grant_of_code(text, grant, max_grants)
    })
}

/// A challenge needs its verifier, and a verifier without a challenge is no proof of anything (RFC 9700 §2.1.1).
fn check_verifier(code: &Code, verifier: Option<&str>) -> Result<(), Refusal> {
    let right = match (&code.challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            VERIFIER_LENGTH.contains(&verifier.len()) && secret::same(challenge, &challenge_of(verifier))
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
