//! Who we are there, and whether the API works.
//!
//! Sources: REST API Developer Guide, "Limits"; Salesforce Help, "UserInfo endpoint".

use cpq_domain::Result;
use cpq_domain::adapter::{Call, CallBudget, Probe};
use cpq_domain::connection::Identity;
use http::Method;

use super::rest::{Effect, Request, Rest};
use crate::json::Node;

/// Asks for the limits, which counts as one call and shows that the API may be used, and for the user, which counts
/// as none. A token without the scope for the user's identity still probes well.
pub(crate) async fn probe(rest: &Rest, call: &Call) -> Result<Probe> {
    limits(rest, call).await?;
    let user = get(rest, call, "/services/oauth2/userinfo")
        .await
        .unwrap_or(Node::Null);
    let text = |name: &str| user.get(name).and_then(Node::text).unwrap_or_default().to_owned();
    Ok(Probe {
        identity: Identity {
            instance_url: rest.instance_url().await?,
            organization_id: text("organization_id"),
            user_id: text("user_id"),
            username: text("preferred_username"),
            scopes: Vec::new(),
        },
        api_version: rest.version().to_owned(),
        budget: rest.budget(),
    })
}

/// Asks for the limits, and keeps what they say about our calls.
pub(crate) async fn limits(rest: &Rest, call: &Call) -> Result<()> {
    let limits = get(rest, call, &rest.data("limits")).await?;
    if let Some(budget) = daily(&limits) {
        rest.note_budget(budget);
    }
    Ok(())
}

async fn get(rest: &Rest, call: &Call, path: &str) -> Result<Node> {
    let request = Request {
        method: Method::GET,
        path,
        body: None,
        unmodified_since: None,
        effect: Effect::Read,
        operation: "probe",
        object: "",
        record: "",
    };
    Node::parse(&rest.send(&[call], &request).await?.body)
}

fn daily(limits: &Node) -> Option<CallBudget> {
    let count = |name| {
        limits
            .at(["DailyApiRequests", name])?
            .number()?
            .to_string()
            .parse::<u64>()
            .ok()
    };
    let (max, remaining) = (count("Max")?, count("Remaining")?);
    Some(CallBudget {
        used: max.saturating_sub(remaining),
        max,
    })
}
