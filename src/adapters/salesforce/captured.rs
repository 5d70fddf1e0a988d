//! Which objects' changes become events.
//!
//! Source: Tooling API Developer Guide, "PlatformEventChannelMember". To see it, a user needs to view the setup; one that
//! may not is told what an object that does not exist would be.

use std::collections::BTreeSet;

use cpq_domain::adapter::Call;
use cpq_domain::error::Class;
use cpq_domain::{Error, Result};

use super::query;
use super::rest::Rest;
use crate::json::Node;

const MEMBERS: &str = "SELECT SelectedEntity FROM PlatformEventChannelMember";
/// What follows the object in the name of its change event.
const EVENT: &str = "ChangeEvent";

/// Objects that are selected for change events, on whatever channel; `None` where our user may not see it.
pub(super) async fn captured(rest: &Rest, call: &Call) -> Result<Option<BTreeSet<String>>> {
    let encoded: String = url::form_urlencoded::byte_serialize(MEMBERS.as_bytes()).collect();
    let path = rest.data(&format!("tooling/query?q={encoded}"));
    match query::counted(rest, &[call], path, "").await {
        Ok((rows, _)) => Ok(Some(rows.iter().filter_map(object).collect())),
        Err(error) if is_hidden(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_hidden(error: &Error) -> bool {
    matches!(
        error.class(),
        Class::Forbidden | Class::NotFound | Class::Validation | Class::SchemaDrift
    )
}

/// `OpportunityChangeEvent` → `Opportunity`, `Offer__ChangeEvent` → `Offer__c`.
fn object(row: &Node) -> Option<String> {
    let base = row.get("SelectedEntity")?.text()?.strip_suffix(EVENT)?;
    Some(match base.strip_suffix("__") {
        Some(custom) => format!("{custom}__c"),
        None => base.to_owned(),
    })
}
