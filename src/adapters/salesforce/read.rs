//! Reading opportunities, each with account, contact and lines: one query for all that gathered.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::adapter::{Call, CrmSnapshot};
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::Written;
use cpq_domain::id::OpportunityKey;
use cpq_domain::{Code, Error, Result};

use super::Org;
use super::layout::Layout;
use super::query;
use super::record_id;
use super::snapshot;
use super::soql::Path;
use crate::batch::Job;
use crate::json::Node;
use crate::limits::READ_BATCH;

/// One read.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) call: Call,
    pub(super) key: OpportunityKey,
}

/// Reads of one connection.
pub(super) struct Reads(pub(super) Arc<Org>);

#[async_trait]
impl Job for Reads {
    type Item = Wanted;
    type Answer = CrmSnapshot;
    const MOST: usize = READ_BATCH;
    const NAME: &'static str = "read";
    const BROKEN: (Code, Written) = (Code::CrmUnavailable, Written::No);

    fn purpose(item: &Wanted) -> Purpose {
        item.call.purpose
    }

    fn correlation(item: &Wanted) -> &str {
        item.call.correlation.as_str()
    }

    fn in_flight(&self) -> usize {
        self.0.rest.in_flight()
    }

    async fn run(&self, items: &[Wanted]) -> Result<Vec<Result<CrmSnapshot>>> {
        let calls: Vec<&Call> = items.iter().map(|wanted| &wanted.call).collect();
        let layout = self.0.layout(calls[0]).await?;
        let soql = soql(&layout, items)?;
        let mut rows = query::rows(&self.0.rest, &calls, &soql, record(items)).await?;
        for row in &mut rows {
            query::complete(&self.0.rest, &calls, row).await?;
        }
        Ok(items
            .iter()
            .map(|wanted| pick(&self.0, &layout, &rows, &wanted.key))
            .collect())
    }
}

/// What the call is about, for its errors: the one opportunity, or none of many.
fn record(items: &[Wanted]) -> &str {
    match items {
        [one] => one.key.as_str(),
        _ => "",
    }
}

fn soql(layout: &Layout, items: &[Wanted]) -> Result<String> {
    let keys = || items.iter().map(|wanted| wanted.key.as_str());
    let ids: Vec<String> = keys().filter_map(record_id::opportunity).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let id = Path::new("Id")?;
    let mut any_of = vec![(&id, ids)];
    if let Some(number) = &layout.number {
        any_of.push((number, keys().collect()));
    }
    if any_of.iter().all(|(_, values)| values.is_empty()) {
        let message =
            "the org has no field for the business number of an opportunity, so it can only be named by id";
        return Err(Error::new(Code::SchemaDrift, message).object("Opportunity"));
    }
    Ok(layout.select.matching(&any_of))
}

/// The row that a key means: the one with that id, else the one with that number.
fn pick(org: &Org, layout: &Layout, rows: &[Node], key: &OpportunityKey) -> Result<CrmSnapshot> {
    let id = record_id::opportunity(key.as_str());
    let has_id = |row: &&Node| id.is_some() && row.get("Id").and_then(Node::text) == id.as_deref();
    if let Some(row) = rows.iter().find(has_id) {
        return snapshot::of(org.rest.connection(), layout, row);
    }
    let numbered: Vec<&Node> = rows
        .iter()
        .filter(|row| has_number(layout, row, key.as_str()))
        .collect();
    match numbered.as_slice() {
        [] => Err(absent(org, key)),
        [row] => snapshot::of(org.rest.connection(), layout, row),
        many => Err(ambiguous(org, key, many)),
    }
}

/// Text compares in SOQL without regard to case.
fn has_number(layout: &Layout, row: &Node, key: &str) -> bool {
    let number = layout.number.as_ref().and_then(|number| row.get(number.as_str()));
    number
        .and_then(Node::text)
        .is_some_and(|number| number.eq_ignore_ascii_case(key))
}

fn absent(org: &Org, key: &OpportunityKey) -> Error {
    let message = format!("no opportunity {key} is in Salesforce, or it is hidden from our user");
    Error::new(Code::OpportunityNotFound, message)
        .connection(org.rest.connection())
        .object("Opportunity")
        .record(key.as_str())
}

fn ambiguous(org: &Org, key: &OpportunityKey, rows: &[&Node]) -> Error {
    let ids: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.get("Id").and_then(Node::text))
        .collect();
    let message = format!(
        "{} opportunities in Salesforce carry the number {key}",
        rows.len()
    );
    Error::new(Code::CrmAmbiguous, message)
        .connection(org.rest.connection())
        .object("Opportunity")
        .record(key.as_str())
        .fact("records", ids)
}
