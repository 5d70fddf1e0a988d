//! What became of an opportunity that a query does not show.
//!
//! Source: REST API Developer Guide, "QueryAll": it shows deleted records too, with `IsDeleted`, for as long as they are
//! in the bin. Opportunities are not merged, so one that is deleted has no other in its place.

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::deletion::Fate;
use cpq_domain::id::RecordId;

use super::query;
use super::rest::Rest;
use super::soql::Literal;
use crate::json::Node;

/// The fate of the opportunity with this id. One call.
pub(super) async fn of(rest: &Rest, call: &Call, opportunity: &RecordId) -> Result<Fate> {
    let soql = format!(
        "SELECT Id, IsDeleted FROM Opportunity WHERE Id = {}",
        Literal(opportunity.as_str())
    );
    let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    let path = rest.data(&format!("queryAll?q={encoded}"));
    let page = query::page(rest, &[call], &path, opportunity.as_str()).await?;
    let rows = page.get("records").map(Node::list).unwrap_or_default();
    let deleted = rows.first().map(|row| row.get("IsDeleted").and_then(Node::flag));
    Ok(match deleted {
        Some(Some(true)) => Fate::Deleted,
        Some(Some(false)) => Fate::Present,
        // A row that does not say, and no row, tell nothing.
        Some(None) | None => Fate::Unknown,
    })
}
