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
use cpq_domain::error::Written;
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Result};

use super::Org;
use super::composite::{self, Manner, Part};
use super::fields::Rows;
use super::layout::{Layout, distinct};
use super::query;
use super::rest::{Effect, Rest};
use super::soql::{Path, Select};
use crate::batch::{self, Job};
use crate::limits::WRITE_BATCH;

mod body;
mod outcome;

pub(super) use body::Bodies;
use outcome::Answered;

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
    const MOST: usize = WRITE_BATCH;
    const NAME: &'static str = "write";
    const BROKEN: (Code, Written) = (Code::OutcomeUnknown, Written::Unknown);

    fn weight(item: &Ordered) -> usize {
        1 + usize::from(item.bodies.quote.is_some())
    }

    async fn run(&self, items: &[Ordered]) -> Result<Vec<Result<CrmWritten>>> {
        let layout = self.0.layout(&items[0].call).await?;
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
    /// One call.
    async fn send(&self, layout: &Layout, items: &[Ordered]) -> Result<Vec<Result<CrmWritten>>> {
        let rest = &self.0.rest;
        let calls: Vec<&Call> = items.iter().map(|item| &item.call).collect();
        let mut parts: Vec<Part> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            parts.push(change(rest, at, item));
            parts.extend(item.bodies.quote.as_ref().map(|upsert| upsert.part(rest, at)));
        }
        parts.push(Part::get(query::path(rest, &read_back(layout, items)?), "after"));
        let manner = Manner {
            all_or_none: items.len() == 1 || items.iter().any(|item| item.bodies.quote.is_some()),
            effect: Effect::Write,
            operation: "write",
        };
        composite::send(rest, &calls, manner, &parts, |answers| {
            let (after, mut changes) = answers
                .split_last()
                .expect("as many answers as parts, and one part reads back");
            let answered = Answered::new(rest.connection(), layout, after);
            let outcome = |item| {
                let (own, others) = changes.split_at(Writes::weight(item));
                changes = others;
                answered.outcome(item, own)
            };
            Ok(items.iter().map(outcome).collect())
        })
        .await
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
