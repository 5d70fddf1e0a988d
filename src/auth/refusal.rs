//! What a refusal of the token endpoint means to us.
//!
//! Sources: RFC 6749 §5.2 and Salesforce Help "OAuth 2.0 Authorization Errors". The `error` member is the key; its
//! description is asked only where one `error` stands for several things, which on `invalid_grant` cannot be avoided.

/// What we asked the token endpoint for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An access token for an authorization code.
    Code,
    /// An access token for a refresh token.
    Refresh,
    /// An access token for a JWT assertion.
    Jwt,
    /// An access token for the app itself.
    ClientCredentials,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The same request is being processed right now: wait a little and look again.
    Busy,
    /// Too many logins: wait minutes.
    Throttled,
    /// The endpoint cannot answer just now.
    Unavailable,
    /// The grant is gone for good: a person must connect again.
    Dead,
    /// This login is used up: begin it again.
    Restart,
    /// The app, the user or the organisation is set up wrong.
    Setup,
    /// We or the peer do not keep to the protocol.
    Protocol,
}

/// Reads a refusal. `error` is empty when the body was not the JSON object of RFC 6749 §5.2.
pub(crate) fn classify(asked: Asked, status: u16, error: &str, description: &str) -> Refusal {
    if status >= 500 {
        return Refusal::Unavailable;
    }
    match error {
        "invalid_grant" => invalid_grant(asked, &description.to_lowercase()),
        "inactive_user" | "inactive_org" => Refusal::Dead,
        "rate_limit_exceeded" | "too_many_requests" | "slow_down" => Refusal::Throttled,
        "server_error" | "temporarily_unavailable" => Refusal::Unavailable,
        "invalid_client_id" | "invalid_client" | "invalid_app_access" | "invalid_app_org" => Refusal::Setup,
        "invalid_scope" | "unauthorized_client" | "redirect_uri_mismatch" | "redirect_uri_missing" => {
            Refusal::Setup
        }
        "access_denied" | "immediate_unsuccessful" | "OAUTH_APPROVAL_ERROR_GENERIC" => Refusal::Setup,
        "unsupported_response_type" | "unsupported_token_type" => Refusal::Setup,
        "unsupported_grant_type" | "invalid_request" => Refusal::Protocol,
        _ => by_status(status, error),
    }
}

fn invalid_grant(asked: Asked, description: &str) -> Refusal {
    let says = |words: &[&str]| words.iter().any(|word| description.contains(word));
    if says(&["already being processed"]) {
        return Refusal::Busy;
    }
    if says(&["login rate exceeded"]) {
        return Refusal::Throttled;
    }
    if says(&["ip restricted", "login hours", "not supported on this domain"]) {
        return Refusal::Setup;
    }
    match asked {
        Asked::Refresh => Refusal::Dead,
        Asked::Code => Refusal::Restart,
        Asked::Jwt | Asked::ClientCredentials => Refusal::Setup,
    }
}

fn by_status(status: u16, error: &str) -> Refusal {
    match status {
        429 => Refusal::Throttled,
        // No such page or a redirect: the login URL is not that of a token endpoint.
        300..=399 | 404 | 405 => Refusal::Protocol,
        401 | 403 if !error.is_empty() => Refusal::Setup,
        // A maintenance page in HTML can come with any status.
        _ if error.is_empty() => Refusal::Unavailable,
        _ => Refusal::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::Asked::*;
    use super::*;

    /// asked, status, error, description, meaning
    const TABLE: &[(Asked, u16, &str, &str, Refusal)] = &[
        (
            Refresh,
            400,
            "invalid_grant",
            "expired access/refresh token",
            Refusal::Dead,
        ),
        (
            Refresh,
            400,
            "invalid_grant",
            "token request is already being processed",
            Refusal::Busy,
        ),
        (
            Refresh,
            400,
            "invalid_grant",
            "Token request is already being processed",
            Refusal::Busy,
        ),
        (
            Refresh,
            400,
            "invalid_grant",
            "authentication failure",
            Refusal::Dead,
        ),
        (Refresh, 400, "invalid_grant", "inactive user", Refusal::Dead),
        (Refresh, 400, "invalid_grant", "", Refusal::Dead),
        (
            Refresh,
            400,
            "invalid_grant",
            "Zugriffs-/Aktualisierungstoken abgelaufen",
            Refusal::Dead,
        ),
        (
            Refresh,
            400,
            "invalid_grant",
            "ip restricted or invalid login hours",
            Refusal::Setup,
        ),
        (Refresh, 400, "invalid_grant", "ip restricted", Refusal::Setup),
        (
            Refresh,
            400,
            "invalid_grant",
            "login rate exceeded",
            Refusal::Throttled,
        ),
        (Refresh, 400, "inactive_user", "user is inactive", Refusal::Dead),
        (
            Refresh,
            400,
            "inactive_org",
            "organization is inactive",
            Refusal::Dead,
        ),
        (Jwt, 400, "inactive_user", "user is inactive", Refusal::Dead),
        (
            Code,
            400,
            "invalid_grant",
            "invalid authorization code",
            Refusal::Restart,
        ),
        (
            Code,
            400,
            "invalid_grant",
            "expired authorization code",
            Refusal::Restart,
        ),
        (
            Code,
            400,
            "invalid_grant",
            "invalid code verifier",
            Refusal::Restart,
        ),
        (Code, 400, "invalid_grant", "expired token", Refusal::Restart),
        (
            Jwt,
            400,
            "invalid_grant",
            "user hasn't approved this consumer",
            Refusal::Setup,
        ),
        (Jwt, 400, "invalid_grant", "invalid assertion", Refusal::Setup),
        (Jwt, 400, "invalid_grant", "audience is invalid", Refusal::Setup),
        (
            Jwt,
            400,
            "invalid_grant",
            "authentication failure - Invalid Password",
            Refusal::Setup,
        ),
        (
            ClientCredentials,
            400,
            "invalid_grant",
            "no client credentials user enabled",
            Refusal::Setup,
        ),
        (
            ClientCredentials,
            400,
            "invalid_grant",
            "request not supported on this domain",
            Refusal::Setup,
        ),
        (
            Refresh,
            400,
            "invalid_client_id",
            "client identifier invalid",
            Refusal::Setup,
        ),
        (
            Refresh,
            400,
            "invalid_client",
            "invalid client credentials",
            Refusal::Setup,
        ),
        (
            Refresh,
            401,
            "invalid_client",
            "invalid client credentials",
            Refusal::Setup,
        ),
        (
            Jwt,
            400,
            "invalid_app_access",
            "user is not admin approved to access this app",
            Refusal::Setup,
        ),
        (Jwt, 400, "invalid_app_org", "", Refusal::Setup),
        (
            Code,
            400,
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
            Refusal::Setup,
        ),
        (Code, 400, "redirect_uri_missing", "", Refusal::Setup),
        (
            Code,
            400,
            "invalid_scope",
            "the requested scope is invalid, unknown, or malformed",
            Refusal::Setup,
        ),
        (
            Code,
            400,
            "access_denied",
            "end-user denied authorization",
            Refusal::Setup,
        ),
        (Code, 400, "immediate_unsuccessful", "", Refusal::Setup),
        (Code, 400, "unsupported_response_type", "", Refusal::Setup),
        (Refresh, 400, "unsupported_token_type", "", Refusal::Setup),
        (Code, 400, "OAUTH_APPROVAL_ERROR_GENERIC", "", Refusal::Setup),
        (Refresh, 400, "unauthorized_client", "", Refusal::Setup),
        (
            Refresh,
            400,
            "unsupported_grant_type",
            "grant type not supported",
            Refusal::Protocol,
        ),
        (
            Refresh,
            400,
            "invalid_request",
            "must use HTTP POST",
            Refusal::Protocol,
        ),
        (
            Refresh,
            400,
            "rate_limit_exceeded",
            "number of logins exceeded",
            Refusal::Throttled,
        ),
        (Refresh, 429, "too_many_requests", "", Refusal::Throttled),
        (Refresh, 429, "", "", Refusal::Throttled),
        (Refresh, 500, "", "", Refusal::Unavailable),
        (
            Refresh,
            503,
            "invalid_grant",
            "expired access/refresh token",
            Refusal::Unavailable,
        ),
        (Refresh, 400, "temporarily_unavailable", "", Refusal::Unavailable),
        (Refresh, 200, "", "", Refusal::Unavailable),
        (Refresh, 400, "", "", Refusal::Unavailable),
        (Refresh, 403, "", "", Refusal::Unavailable),
        (Refresh, 403, "something_new", "", Refusal::Setup),
        (Refresh, 400, "something_new", "", Refusal::Protocol),
        (Refresh, 302, "", "", Refusal::Protocol),
        (Refresh, 404, "", "", Refusal::Protocol),
    ];

    #[test]
    fn every_refusal_of_the_token_endpoint_has_its_meaning() {
        for &(asked, status, error, description, meaning) in TABLE {
            let got = classify(asked, status, error, description);
            assert_eq!(got, meaning, "{asked:?} {status} {error:?} {description:?}");
        }
    }
}
