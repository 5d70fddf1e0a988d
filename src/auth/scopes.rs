//! Scopes: what we ask for, and whether it was granted (Salesforce Help "OAuth Tokens and Scopes").

use cpq_domain::connection::{ConnectionSettings, Flow};
use cpq_domain::{Code, Error, Result};

/// The least that a sync needs: the data API, and to stay connected.
pub(crate) const DEFAULT: [&str; 2] = ["api", "refresh_token"];

/// Checks that the granted scopes carry a sync, and returns those that nobody asked for.
///
/// `full` holds `api`, but never `refresh_token`. `offline_access` is another name of `refresh_token`. Flows that log
/// in anew need neither.
pub(crate) fn check(settings: &ConnectionSettings, granted: &[String]) -> Result<Vec<String>> {
    let has = |name: &str| granted.iter().any(|scope| scope == name);
    let missing = if !has("api") && !has("full") {
        Some("api")
    } else if settings.flow == Flow::Web && !has("refresh_token") && !has("offline_access") {
        Some("refresh_token")
    } else {
        None
    };
    if let Some(scope) = missing {
        let message = format!(
            "the app of `{}` was not granted the scope `{scope}`",
            settings.name
        );
        return Err(Error::new(Code::ScopeMissing, message)
            .connection(settings.name.as_str())
            .fact("missing", scope)
            .fact("granted", granted.to_vec()));
    }
    let asked = |scope: &String| settings.scopes.iter().any(|asked| same(asked, scope));
    Ok(granted.iter().filter(|scope| !asked(scope)).cloned().collect())
}

fn same(one: &str, other: &str) -> bool {
    let canonical = |scope| {
        if scope == "offline_access" {
            "refresh_token"
        } else {
            scope
        }
    };
    // `id` comes with every Salesforce token and only shows who we are.
    canonical(one) == canonical(other) || other == "id"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(flow: Flow, scopes: &str) -> Result<Vec<String>> {
        let mut settings = crate::grant::tests::settings("https://login.salesforce.com");
        settings.flow = flow;
        settings.scopes = DEFAULT.map(str::to_owned).to_vec();
        check(
            &settings,
            &scopes.split(' ').map(str::to_owned).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_missing_scope_is_named() {
        assert!(granted(Flow::Web, "refresh_token api id").unwrap().is_empty());
        assert!(granted(Flow::Web, "offline_access api").unwrap().is_empty());
        assert!(granted(Flow::Jwt, "api").unwrap().is_empty());
        for (flow, scopes, missing) in [
            (Flow::Web, "refresh_token id", "api"),
            (Flow::Web, "api id", "refresh_token"),
            (Flow::Web, "full", "refresh_token"),
            (Flow::Jwt, "id", "api"),
        ] {
            let error = granted(flow, scopes).expect_err(scopes);
            assert_eq!(
                (error.code, error.facts.unwrap()["missing"].as_str()),
                (Code::ScopeMissing, Some(missing))
            );
        }
    }

    #[test]
    fn scopes_that_nobody_asked_for_are_listed() {
        assert_eq!(
            granted(Flow::Web, "api web refresh_token full").unwrap(),
            ["web", "full"]
        );
    }
}
