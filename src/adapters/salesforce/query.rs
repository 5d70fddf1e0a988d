//! Running a query to its last page.
//!
//! Source: REST API Developer Guide, "Query". A page says where the next one is; a sub-query of many rows has pages of
//! its own. A query too long for a URL goes into the body of a composite call, which takes up to 100,000 characters.

use cpq_domain::adapter::Call;
use cpq_domain::{Code, Error, Result};
use http::Method;

use super::composite::{self, Manner, Part};
use super::errors::{self, About};
use super::rest::{Effect, Request, Rest};
use crate::json::Node;
use crate::limits::{PAGES, QUERY_URL_BYTES};

/// Path of a query in the data API.
pub(crate) fn path(rest: &Rest, soql: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    rest.data(&format!("query?q={encoded}"))
}

/// All rows of a query over opportunities.
pub(crate) async fn rows(rest: &Rest, calls: &[&Call], soql: &str, record: &str) -> Result<Vec<Node>> {
    counted(rest, calls, path(rest, soql), record)
        .await
        .map(|(rows, _)| rows)
}

/// All rows of the query at a path, and how many calls they took.
pub(crate) async fn counted(
    rest: &Rest,
    calls: &[&Call],
    path: String,
    record: &str,
) -> Result<(Vec<Node>, u32)> {
    let first = match path.len() > QUERY_URL_BYTES {
        true => long(rest, calls, path, record).await?,
        false => page(rest, calls, &path, record).await?,
    };
    let (rows, more) = all(rest, calls, first).await?;
    Ok((rows, more + 1))
}

/// Fetches the pages that a row's sub-queries left open. Returns how many calls that took.
pub(crate) async fn complete(rest: &Rest, calls: &[&Call], row: &mut Node) -> Result<u32> {
    let Node::Object(members) = row else { return Ok(0) };
    let mut took = 0;
    for (_, member) in members {
        if member.get("nextRecordsUrl").is_some() {
            let (rows, more) = all(rest, calls, std::mem::replace(member, Node::Null)).await?;
            took += more;
            *member = Node::List(rows);
        } else if member.get("records").is_some() {
            *member = Node::List(records(member));
        }
    }
    Ok(took)
}

/// The rows of a page and of those behind it, and how many of those there were.
pub(super) async fn all(rest: &Rest, calls: &[&Call], first: Node) -> Result<(Vec<Node>, u32)> {
    let mut rows = records(&first);
    let mut next = next_page(&first);
    for took in 0..PAGES as u32 {
        let Some(path) = next else { return Ok((rows, took)) };
        let more = page(rest, calls, &path, "").await?;
        rows.append(&mut records(&more));
        next = next_page(&more);
    }
    let message = format!("a query of opportunities did not end after {PAGES} pages");
    Err(Error::new(Code::ProtocolViolation, message).connection(rest.connection()))
}

fn records(page: &Node) -> Vec<Node> {
    page.get("records").map(Node::list).unwrap_or_default().to_vec()
}

fn next_page(page: &Node) -> Option<String> {
    page.get("nextRecordsUrl").and_then(Node::text).map(str::to_owned)
}

pub(crate) async fn page(rest: &Rest, calls: &[&Call], path: &str, record: &str) -> Result<Node> {
    let request = Request {
        method: Method::GET,
        path,
        body: None,
        unmodified_since: None,
        effect: Effect::Read,
        operation: "read",
        object: "Opportunity",
        record,
    };
    let answer = rest.send(calls, &request).await?;
    Node::parse(&answer.body).map_err(|error| error.connection(rest.connection()))
}

async fn long(rest: &Rest, calls: &[&Call], path: String, record: &str) -> Result<Node> {
    let manner = Manner {
        all_or_none: false,
        effect: Effect::Read,
        operation: "read",
    };
    composite::send(rest, calls, manner, &[Part::get(path, "rows")], |answers| {
        let (answer, node) = (&answers[0], answers[0].node()?);
        if answer.is_success() {
            return Ok(node);
        }
        let about = About {
            connection: rest.connection(),
            object: "Opportunity",
            record,
            verb: "read",
        };
        Err(errors::of(about, answer.status, &errors::said(&node)))
    })
    .await
}
