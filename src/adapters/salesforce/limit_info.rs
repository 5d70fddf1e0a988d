//! `Sforce-Limit-Info`, the header in which Salesforce counts our calls.
//!
//! Source: REST API Developer Guide, "Limit Info Header". It says what was used, not what is left, and it lags.

use cpq_domain::adapter::CallBudget;

/// Reads `api-usage=25/5000` or `api-usage=25/5000; per-app-api-usage=17/250(appName=x)`. Of two counts the one that
/// will be used up first counts.
pub(crate) fn parse(header: &str) -> Option<CallBudget> {
    let counts = header.split(';').filter_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        matches!(name, "api-usage" | "per-app-api-usage")
            .then(|| count(value))
            .flatten()
    });
    counts.min_by_key(|budget| budget.max.saturating_sub(budget.used))
}

fn count(value: &str) -> Option<CallBudget> {
    let value = value.split('(').next()?;
    let (used, max) = value.split_once('/')?;
    Some(CallBudget {
        used: used.trim().parse().ok()?,
        max: max.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_garbage_is_not() {
        let budget = |used, max| Some(CallBudget { used, max });
        assert_eq!(parse("api-usage=20/101000"), budget(20, 101_000));
        assert_eq!(
            parse("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)"),
            budget(17, 250)
        );
        assert_eq!(
            parse("api-usage=4990/5000;per-app-api-usage=17/250(appName=a)"),
            budget(4990, 5000)
        );
        for bad in ["", "api-usage", "api-usage=x/y", "other=1/2", "api-usage=-1/2"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
