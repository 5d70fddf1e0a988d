//! One look: what was stamped in a span of time, page by page, all kinds of records in one call.

use std::collections::BTreeMap;

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::deleted;
use super::sources::{Row, Source, Watched};
use crate::json::Node;
use crate::salesforce::Org;
use crate::salesforce::composite::{self, Manner, Part, PartAnswer};
use crate::salesforce::errors::{self, About};
use crate::salesforce::rest::{Effect, Rest};

/// A span of time, and what of it is still to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    /// Stamps from here on,
    pub(super) since: Timestamp,
    /// and before this one.
    pub(super) until: Timestamp,
    /// Kinds that are not read to their end, each with its last row so far.
    rest: BTreeMap<Watched, Option<Cursor>>,
    /// From when on deletions are still to be asked for.
    pub(super) deleted_since: Option<Timestamp>,
}

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) stamp: Timestamp,
    pub(super) id: String,
}

/// What a page brought.
#[derive(Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    /// Deletions before this moment are among the rows of this or an earlier page.
    pub(super) deletes_covered: Option<Timestamp>,
    /// Deletions were forgotten by the CRM before they were asked for.
    pub(super) deletes_lost: bool,
}

impl Window {
    pub(super) fn between(
        since: Timestamp,
        until: Timestamp,
        deleted_since: Timestamp,
        watched: &[Watched],
    ) -> Window {
        Window {
            since,
            until,
            rest: watched.iter().map(|watched| (*watched, None)).collect(),
            deleted_since: Some(deleted_since),
        }
    }

    /// Whether everything was read.
    pub(super) fn is_read(&self) -> bool {
        self.rest.is_empty() && self.deleted_since.is_none()
    }
}

/// Reads the next page of everything that has one. One call, whatever is asked for: a composite request takes five
/// queries, and there are five kinds.
pub(super) async fn page(org: &Org, call: &Call, window: &mut Window, rows: u32) -> Result<Page> {
    let layout = org.layout(call).await?;
    let kinds = window.rest.keys();
    let sources: Vec<Source> = kinds
        .filter_map(|watched| Source::of(*watched, &layout))
        .collect();
    let mut parts: Vec<Part> = sources
        .iter()
        .map(|source| part(&org.rest, source, window, rows))
        .collect();
    let span = window
        .deleted_since
        .map(|since| deleted::Span::of(since, window.until));
    parts.extend(span.iter().map(|span| span.part(&org.rest)));
    let manner = Manner {
        all_or_none: false,
        effect: Effect::Read,
        operation: "poll",
    };
    let mut next = Window {
        rest: BTreeMap::new(),
        deleted_since: None,
        ..window.clone()
    };
    let page = composite::send(&org.rest, &[call], manner, &parts, |answers| {
        let mut page = Page::default();
        for (source, answer) in sources.iter().zip(answers) {
            let node = taken(&org.rest, source.watched, answer)?;
            if let Some(cursor) = read(source, &node, rows, &mut page)? {
                next.rest.insert(source.watched, Some(cursor));
            }
        }
        if let (Some(span), Some(answer)) = (&span, answers.get(sources.len())) {
            span.read(&taken(&org.rest, Watched::Opportunity, answer)?, &mut page)?;
        }
        Ok(page)
    })
    .await?;
    *window = next;
    Ok(page)
}

fn part(rest: &Rest, source: &Source, window: &Window, rows: u32) -> Part {
    let after = window.rest.get(&source.watched).and_then(Option::as_ref);
    let soql = source.soql(window, after, rows);
    let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    let url = rest.data(&format!("{}?q={encoded}", source.resource()));
    Part::get(url, format!("{:?}", source.watched))
}

fn taken(rest: &Rest, watched: Watched, answer: &PartAnswer) -> Result<Node> {
    let node = answer.node()?;
    if answer.is_success() {
        return Ok(node);
    }
    let object = format!("{watched:?}");
    let about = About {
        connection: rest.connection(),
        object: &object,
        record: "",
        verb: "look for changes",
    };
    Err(errors::of(about, answer.status, &errors::said(&node)))
}

/// Takes the rows of a source. Gives the last one if more may follow.
fn read(source: &Source, answer: &Node, most: u32, page: &mut Page) -> Result<Option<Cursor>> {
    let rows = answer.get("records").map(Node::list).unwrap_or_default();
    let mut last = None;
    for node in rows {
        let (cursor, row) = source.row(node)?;
        page.rows.extend(row);
        last = Some(cursor);
    }
    let is_full = rows.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    // A server may give fewer rows than asked for and say that there are more.
    let has_more = answer.get("done").and_then(Node::flag) == Some(false);
    Ok(last.filter(|_| is_full || has_more))
}
