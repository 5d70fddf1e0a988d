//! Writing opportunities and the records of their quotes: one call that writes each under its own condition and reads
//! all of them back.
//!
//! Source: REST API Developer Guide, "Conditional Request Headers" (`If-Unmodified-Since`, one second fine) and
//! "Composite". A part that writes one record is atomic by itself, so of several opportunities each stands alone.
//! Where a quote record is written too, its two parts must stand or fall together, and only the call as a whole can
//! promise that: then all parts are `allOrNone`, and what fell because of another opportunity is sent again without it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::adapter::{Call, CrmWrite, CrmWritten};
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::Written;
use cpq_domain::id::LineKey;
use cpq_domain::view::{FieldName, Fields};
use cpq_domain::{Code, Error, Result};

use super::Org;
use super::composite::{self, Manner, Part};
use super::fields::Rows;
use super::layout::{Layout, distinct};
use super::query;
use super::rest::{Effect, Rest};
use super::snapshot::Row;
use super::soql::{Path, Select};
use crate::batch::{self, Job};
use crate::json::Node;
use crate::limits::WRITE_PARTS;

mod apart;
mod body;
mod changes;
mod line;
mod outcome;
mod plan;

pub(super) use body::Bodies;
pub(super) use changes::raw;
use outcome::Answered;
pub(super) use plan::all_or_none;
use plan::{Answer, Plan};

/// One write.
#[derive(Clone)]
pub(super) struct Ordered {
    pub(super) call: Call,
    pub(super) write: CrmWrite,
    pub(super) bodies: Bodies,
}

/// Writes of one connection.
pub(super) struct Writes(pub(super) Arc<Org>);

#[async_trait]
impl Job for Writes {
    type Item = Ordered;
    type Answer = CrmWritten;
    const MOST: usize = WRITE_PARTS - 1;
    const NAME: &'static str = "write";
    const BROKEN: (Code, Written) = (Code::OutcomeUnknown, Written::Unknown);

    fn purpose(item: &Ordered) -> Purpose {
        item.call.purpose
    }

    fn correlation(item: &Ordered) -> &str {
        item.call.correlation.as_str()
    }

    fn in_flight(&self) -> usize {
        self.0.rest.in_flight()
    }

    fn fitting<'a>(waiting: impl Iterator<Item = &'a Ordered>) -> usize {
        plan::fitting(waiting)
    }

    async fn run(&self, items: &[Ordered]) -> Result<Vec<Result<CrmWritten>>> {
        let layout = self.0.layout(&items[0].call).await?;
        if let [one] = items
            && one.bodies.is_alone()
        {
            return Ok(vec![self.in_calls(&layout, one).await]);
        }
        let mut results = self.send(&layout, items).await?;
        let mut sent = items.len();
        // Nothing of a call that fell is in place. What only fell with others goes again without those that have a
        // reason of their own, or alone where nobody has one.
        loop {
            let again: Vec<usize> = (0..results.len())
                .filter(|at| outcome::is_bystander(&results[*at]))
                .collect();
            if again.is_empty() || items.len() == 1 {
                return Ok(results);
            }
            let stuck = again.len() == sent;
            let each = if stuck { 1 } else { again.len() };
            sent = again.len();
            for some in again.chunks(each) {
                let open: Vec<Ordered> = some.iter().map(|at| items[*at].clone()).collect();
                let answers = self
                    .send(&layout, &open)
                    .await
                    .unwrap_or_else(|error| open.iter().map(|_| Err(batch::copy(&error))).collect());
                some.iter()
                    .zip(answers)
                    .for_each(|(at, answer)| results[*at] = answer);
            }
            if stuck {
                return Ok(results);
            }
        }
    }
}

impl Writes {
    /// A write that takes more than one call.
    async fn in_calls(&self, layout: &Layout, item: &Ordered) -> Result<CrmWritten> {
        let written = match item.bodies.opening {
            Some(_) => self.staged(layout, item).await?,
            None => self.one(layout, item).await?,
        };
        match &item.bodies.apart {
            Some(texts) => self.apart(layout, item, texts, &written).await,
            None => Ok(written),
        }
    }

    async fn one(&self, layout: &Layout, item: &Ordered) -> Result<CrmWritten> {
        let mut results = self.send(layout, std::slice::from_ref(item)).await?;
        results.pop().expect("one answer for one write")
    }

    /// A write in several calls. The first marks the quote's record as under way, the last sets everything but lines
    /// and takes the mark away, and each is applied as a whole, under the condition that nobody changed the opportunity
    /// since the call before.
    async fn staged(&self, layout: &Layout, item: &Ordered) -> Result<CrmWritten> {
        let calls = changes::calls(&item.bodies.lines);
        let last = calls.len() - 1;
        let mut step = item.clone();
        for (at, lines) in calls.into_iter().enumerate() {
            step.bodies = match at {
                _ if at == last => Bodies {
                    lines,
                    opening: None,
                    ..item.bodies.clone()
                },
                _ => item.bodies.stage(layout, &item.call, at == 0, lines),
            };
            step.write.patch.fields = match at == last {
                true => item.write.patch.fields.clone(),
                false => Default::default(),
            };
            match self.one(layout, &step).await {
                Ok(written) if at == last => return Ok(written),
                Ok(written) => step.write.unmodified_since = written.modified_at,
                Err(error) => return Err(partly(error, at, last + 1)),
            }
        }
        unreachable!("the last call returns")
    }

    /// One call.
    async fn send(&self, layout: &Layout, items: &[Ordered]) -> Result<Vec<Result<CrmWritten>>> {
        let rest = &self.0.rest;
        let calls: Vec<&Call> = items.iter().map(|item| &item.call).collect();
        let mut plan = Plan::of(rest, layout, items);
        plan.parts
            .push(Part::get(query::path(rest, &read_back(layout, items)?), "after"));
        let manner = Manner {
            all_or_none: items.len() == 1 || items.iter().any(|item| item.bodies.parts() > 1),
            effect: Effect::Write,
            operation: "write",
        };
        let answers = composite::send(rest, &calls, manner, &plan.parts, |answers| {
            Ok(answers.iter().map(Answer::read).collect::<Vec<_>>())
        })
        .await?;
        let after = answers.last().expect("one part reads back");
        let rows = self.read_back(&calls, after).await;
        let answered = Answered::new(rest.connection(), layout, after, rows);
        let shares = plan.share_out(&answers);
        let outcome = |(item, own): (&Ordered, &Vec<Answer>)| answered.outcome(item, own);
        let results: Vec<_> = items.iter().zip(&shares).map(outcome).collect();
        let rows = answered.rows;
        let mut whole = Vec::with_capacity(items.len());
        for (item, result) in items.iter().zip(results) {
            whole.push(match result {
                Ok(written) => self.with_lines(layout, item, &rows, written).await,
                refused => refused,
            });
        }
        Ok(whole)
    }

    /// What was written, with its lines as they are now.
    async fn with_lines(
        &self,
        layout: &Layout,
        item: &Ordered,
        rows: &[Node],
        mut written: CrmWritten,
    ) -> Result<CrmWritten> {
        if item.bodies.reads_lines {
            let lines = self.lines(layout, item, rows).await;
            written.view.lines = lines.map_err(outcome::stands)?;
        }
        Ok(written)
    }

    /// The rows that were read back, to the last page. Whatever is missing could not be read, and its write is looked
    /// up later.
    async fn read_back(&self, calls: &[&Call], after: &Answer) -> Vec<Node> {
        match after.node() {
            Ok(page) if after.is_success() => {
                let rows = query::all(&self.0.rest, calls, page.clone()).await;
                rows.map(|(rows, _)| rows).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The written lines as they are now, to their last page.
    async fn lines(
        &self,
        layout: &Layout,
        item: &Ordered,
        rows: &[Node],
    ) -> Result<BTreeMap<LineKey, Fields>> {
        let (rest, id) = (&self.0.rest, item.write.opportunity.id.as_str());
        let row = rows
            .iter()
            .find(|row| row.get("Id").and_then(Node::text) == Some(id));
        let mut row = row.cloned().unwrap_or(Node::Null);
        query::complete(rest, &[&item.call], &mut row).await?;
        let row = Row {
            connection: rest.connection(),
            layout,
            row: &row,
        };
        let written = |key: &LineKey| item.write.patch.lines.contains_key(key);
        let lines = row.lines()?.into_iter().filter(|(key, _)| written(key));
        Ok(lines.map(|(key, (_, fields))| (key, fields)).collect())
    }
}

/// An error of one of several calls: what came before it is in place.
fn partly(mut error: Error, at: usize, calls: usize) -> Error {
    error.message = format!(
        "{} (call {} of {calls} that write the lines)",
        error.message,
        at + 1
    );
    match (at, error.written) {
        (0, _) | (_, Written::Unknown) => error,
        _ => error.written(Written::Partly),
    }
}

fn change(rest: &Rest, at: usize, item: &Ordered) -> Part {
    // HTTP dates have whole seconds, and so has the CRM's own; the part of a second is cut, never rounded up, so that
    // a later change cannot pass for the one we read.
    let since = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&item.write.unmodified_since)
        .expect("a moment of the CRM has a year with four digits");
    Part {
        method: "PATCH",
        url: rest.data(&format!("sobjects/Opportunity/{}", item.write.opportunity.id)),
        reference_id: format!("write{at}"),
        http_headers: BTreeMap::from([("If-Unmodified-Since", since)]),
        body: Some(item.bodies.opportunity.clone()),
    }
}

/// The query that reads every written field of every record. It runs last, so that it sees the opportunity's date
/// after its quote has moved it.
fn read_back(layout: &Layout, items: &[Ordered]) -> Result<String> {
    let names: BTreeSet<&FieldName> = items
        .iter()
        .flat_map(|item| item.write.patch.fields.keys())
        .collect();
    let written = |rows: Rows| {
        let fields = layout.fields.iter().filter(move |field| field.rows == rows);
        fields
            .filter(|field| names.contains(&field.name))
            .flat_map(|field| field.columns())
    };
    let upserts: Vec<_> = items
        .iter()
        .filter_map(|item| item.bodies.quote.as_ref())
        .collect();
    let records = upserts.first().map(|upsert| &upsert.records);
    let own = [Path::new("Id")?, Path::new("LastModifiedDate")?];
    // All lines as a read asks for them: the keys of new ones are no ids yet, and a list of either would be long.
    let read = layout
        .select
        .children
        .iter()
        .find(|child| child.from.as_str() == "OpportunityLineItems");
    let lines = read
        .filter(|_| items.iter().any(|item| item.bodies.reads_lines))
        .cloned();
    let select = Select {
        fields: distinct(
            own.into_iter()
                .chain(layout.currency_field.clone())
                .chain(layout.record_type.clone())
                .chain(written(Rows::Opportunity)),
        ),
        children: records
            .map(|records| {
                let key = records.key.clone();
                let others = written(Rows::Quote).filter(|path| *path != records.key);
                let keys = upserts.iter().map(|upsert| upsert.key.to_string());
                records.keyed(distinct([key].into_iter().chain(others)), keys.collect())
            })
            .into_iter()
            .chain(lines)
            .collect(),
        from: Path::new("Opportunity")?,
        filter: None,
        order: vec![],
        limit: None,
    };
    let ids = items
        .iter()
        .map(|item| item.write.opportunity.id.as_str())
        .collect();
    Ok(select.matching(&[(&Path::new("Id")?, ids)]))
}
