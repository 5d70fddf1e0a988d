//! Scopes of an app, and what of a request is granted.

/// Scopes that exist, in the order in which a token response lists them ("OAuth Tokens and Scopes").
pub const KNOWN: &[&str] = &[
    "cdp_ingest_api",
    "custom_permissions",
    "cdp_segment_api",
    "content",
    "cdp_api",
    "chatbot_api",
    "cdp_identityresolution_api",
    "interaction_api",
    "wave_api",
    "web",
    "cdp_calculated_insight_api",
    "einstein_gpt_api",
    "offline_access",
    "id",
    "api",
    "eclair_api",
    "email",
    "pardot_api",
    "lightning",
    "visualforce",
    "cdp_query_api",
    "sfap_api",
    "address",
    "openid",
    "profile",
    "cdp_profile_api",
    "refresh_token",
    "phone",
    "user_registration_api",
    "pwdless_login_api",
    "chatter_api",
    "full",
    "forgot_password",
    "mcp_api",
];

/// Granted scopes, in server order: what was asked for and is allowed; everything allowed when nothing was asked for.
///
/// # Errors
/// `None` when a scope does not exist or nothing is left.
pub fn grant(requested: Option<&str>, allowed: &[String]) -> Option<Vec<String>> {
    let Some(requested) = requested.filter(|text| !text.trim().is_empty()) else {
        return Some(in_order(|scope| {
            allows(allowed, scope) && allowed.iter().any(|own| own == scope)
        }));
    };
    let asked: Vec<&str> = requested.split_whitespace().collect();
    if asked.iter().any(|scope| !KNOWN.contains(scope)) {
        return None;
    }
    let granted = in_order(|scope| asked.contains(&scope) && allows(allowed, scope));
    (!granted.is_empty()).then_some(granted)
}

/// Whether these scopes entitle to a refresh token; `full` does not.
pub fn entitles_to_refresh(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| is_refresh(scope))
}

/// Scopes that mean nothing without a person, dropped by the client-credentials flow.
pub fn without_person(scopes: &[String]) -> Vec<String> {
    let keeps = |scope: &&String| !is_refresh(scope) && !matches!(scope.as_str(), "full" | "web");
    scopes.iter().filter(keeps).cloned().collect()
}

/// An app with `full` may hand out everything but offline access; the two names of that are one scope.
fn allows(allowed: &[String], scope: &str) -> bool {
    let listed = |name: &str| allowed.iter().any(|own| own == name);
    if is_refresh(scope) {
        return listed("refresh_token") || listed("offline_access");
    }
    listed(scope) || listed("full")
}

fn is_refresh(scope: &str) -> bool {
    matches!(scope, "refresh_token" | "offline_access")
}

fn in_order(keep: impl Fn(&str) -> bool) -> Vec<String> {
    KNOWN
        .iter()
        .filter(|scope| keep(scope))
        .map(|scope| (*scope).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn granted_is_what_was_asked_for_and_is_allowed() {
        let allowed = words("api refresh_token id");
        assert_eq!(grant(None, &allowed), Some(words("id api refresh_token")));
        assert_eq!(
            grant(Some("refresh_token api web"), &allowed),
            Some(words("api refresh_token"))
        );
        assert_eq!(grant(Some("web"), &allowed), None);
        assert_eq!(grant(Some("api nonsense"), &allowed), None);
        assert_eq!(
            grant(Some("offline_access"), &allowed),
            Some(words("offline_access"))
        );
        assert!(!entitles_to_refresh(&words("full")));
        assert_eq!(without_person(&words("web api full refresh_token")), words("api"));
    }
}
