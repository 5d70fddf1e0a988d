//! Writing opportunities: one call that writes each under its own condition and reads all of them back.
//!
//! Source: REST API Developer Guide, "Conditional Request Headers" (`If-Unmodified-Since`, one second fine) and
//! "Composite". A part that writes one record is atomic by itself. A single write is `allOrNone` together with its
//! read-back; of several, each stands alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::adapter::{Call, CrmWrite, CrmWritten};
use cpq_domain::error::Written;
use cpq_domain::value::Value;
use cpq_domain::view::{FieldName, View};
use cpq_domain::{Code, Error, Result};
use serde_json::value::RawValue;

use super::Org;
use super::composite::{self, Manner, Part, PartAnswer};
use super::errors::{self, About};
use super::fields::{Field, Kind};
use super::layout::Layout;
use super::query;
use super::rest::{Effect, Rest};
use super::snapshot::Row;
use super::soql::{Path, Select};
use super::values;
use crate::batch::Job;
use crate::json::Node;
use crate::limits::WRITE_BATCH;

/// One write.
#[derive(Clone)]
pub(super) struct Ordered {
    pub(super) call: Call,
    pub(super) write: CrmWrite,
    pub(super) body: BTreeMap<String, Box<RawValue>>,
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

    async fn run(&self, items: &[Ordered]) -> Result<Vec<Result<CrmWritten>>> {
        let calls: Vec<&Call> = items.iter().map(|item| &item.call).collect();
        let layout = self.0.layout(calls[0]).await?;
        let rest = &self.0.rest;
        let mut parts: Vec<Part> = items
            .iter()
            .enumerate()
            .map(|(at, item)| change(rest, at, item))
            .collect();
        parts.push(Part::get(query::path(rest, &read_back(&layout, items)?), "after"));
        let manner = Manner {
            all_or_none: items.len() == 1,
            effect: Effect::Write,
            operation: "write",
        };
        composite::send(rest, &calls, manner, &parts, |answers| {
            let (after, changes) = answers
                .split_last()
                .expect("as many answers as parts, and one part reads back");
            let rows = after_rows(after);
            let outcome = |(item, answer)| outcome(rest, &layout, item, answer, after, &rows);
            Ok(items.iter().zip(changes).map(outcome).collect())
        })
        .await
    }
}

/// The body of a write, checked before anything is sent.
///
/// # Errors
/// [`Code::Unsupported`] for lines, [`Code::SchemaDrift`] for a field that the org lacks, [`Code::CrmForbidden`] for
/// one that we may not write, [`Code::CrmRejected`] for a value that the field cannot hold.
pub(super) fn body(
    layout: &Layout,
    connection: &str,
    call: &Call,
    write: &CrmWrite,
) -> Result<BTreeMap<String, Box<RawValue>>> {
    let at = |code: Code, message: String, field: &FieldName| {
        Error::new(code, message)
            .connection(connection)
            .object("Opportunity")
            .record(write.opportunity.id.as_str())
            .field(field.as_str())
    };
    if let Some(key) = write.patch.lines.keys().next() {
        let message =
            format!("line {key} cannot be written: the lines of a Salesforce opportunity are read only");
        return Err(at(Code::Unsupported, message, &FieldName::new("line.exists")));
    }
    let mut body = BTreeMap::new();
    for (name, value) in &write.patch.fields {
        let Some(field) = layout.field(name) else {
            let message =
                format!("{name} cannot be written: no field of Salesforce is mapped to it, or it is missing");
            return Err(at(Code::SchemaDrift, message, name));
        };
        if !layout
            .mapping
            .fields
            .get(name)
            .is_some_and(|mapped| mapped.writable)
        {
            let message = format!(
                "{name} cannot be written: Opportunity.{} is read-only for us",
                field.path
            );
            return Err(at(Code::CrmForbidden, message, name));
        }
        check_currency(layout, field, value).map_err(|why| at(Code::CrmRejected, why, name))?;
        let json = values::to_crm(field.kind, value).map_err(|why| {
            at(
                Code::CrmRejected,
                format!("{name} cannot be written: {why}"),
                name,
            )
        })?;
        body.insert(field.path.as_str().to_owned(), json);
    }
    if let Some(path) = &layout.correlation {
        let id = Value::text(call.correlation.as_str());
        let json = values::to_crm(Kind::Text, &id).expect("text is text");
        body.insert(path.as_str().to_owned(), json);
    }
    Ok(body)
}

/// An org with one currency has nowhere to say that an amount is in another.
fn check_currency(layout: &Layout, field: &Field, value: &Value) -> Result<(), String> {
    match value {
        Value::Money(money) if layout.currency_field.is_none() && money.currency != layout.currency => {
            Err(format!(
                "{} cannot be written: {money} is not in the org's only currency, {}",
                field.name, layout.currency
            ))
        }
        _ => Ok(()),
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
        body: Some(item.body.clone()),
    }
}

/// The query that reads every written field of every record.
fn read_back(layout: &Layout, items: &[Ordered]) -> Result<String> {
    let names: BTreeSet<&FieldName> = items
        .iter()
        .flat_map(|item| item.write.patch.fields.keys())
        .collect();
    let written = layout.fields.iter().filter(|field| names.contains(&field.name));
    let own = [Path::new("Id")?, Path::new("LastModifiedDate")?];
    let select = Select {
        fields: own
            .into_iter()
            .chain(layout.currency_field.clone())
            .chain(written.map(|field| field.path.clone()))
            .collect(),
        children: vec![],
        from: Path::new("Opportunity")?,
        order: vec![],
        limit: None,
    };
    let ids = items
        .iter()
        .map(|item| item.write.opportunity.id.as_str())
        .collect();
    Ok(select.matching(&[(&Path::new("Id")?, ids)]))
}

fn after_rows(after: &PartAnswer) -> Vec<Node> {
    let page = if after.is_success() {
        after.node().ok()
    } else {
        None
    };
    page.as_ref()
        .and_then(|page| page.get("records"))
        .map(Node::list)
        .unwrap_or_default()
        .to_vec()
}

fn outcome(
    rest: &Rest,
    layout: &Layout,
    item: &Ordered,
    answer: &PartAnswer,
    after: &PartAnswer,
    rows: &[Node],
) -> Result<CrmWritten> {
    let id = item.write.opportunity.id.as_str();
    let about = About {
        connection: rest.connection(),
        object: "Opportunity",
        record: id,
        verb: "write",
    };
    if !answer.is_success() {
        return Err(refused(about, answer, after)?);
    }
    let row = rows
        .iter()
        .find(|row| row.get("Id").and_then(Node::text) == Some(id));
    let Some(row) = row else {
        return Err(unseen(about, after));
    };
    let row = Row {
        connection: rest.connection(),
        layout,
        row,
    };
    let fields = layout
        .fields
        .iter()
        .filter(|field| item.write.patch.fields.contains_key(&field.name));
    let fields = fields
        .filter_map(|field| row.value(row.row, field).transpose())
        .collect::<Result<_>>();
    let view = View {
        fields: fields.map_err(stands)?,
        ..View::default()
    };
    Ok(CrmWritten {
        view,
        modified_at: row.modified_at().map_err(stands)?,
    })
}

/// Why a part was refused. Where it only fell with the read-back, the read-back says why.
fn refused(about: About, answer: &PartAnswer, after: &PartAnswer) -> Result<Error> {
    let said = errors::said(&answer.node()?);
    let fell = !said.is_empty() && said.iter().all(|said| errors::is_collateral(&said.code));
    let mut error = match fell {
        true => errors::of(about, after.status, &errors::said(&after.node()?)),
        false => errors::of(about, answer.status, &said),
    };
    let gone = error
        .upstream
        .as_ref()
        .is_some_and(|said| matches!(said.code.as_str(), "" | "NOT_FOUND" | "ENTITY_IS_DELETED"));
    if error.code == Code::RecordNotFound && gone {
        error.code = Code::OpportunityNotFound;
    }
    Ok(error)
}

/// The write stands, but what the CRM made of it could not be read.
fn unseen(about: About, after: &PartAnswer) -> Error {
    let said = after.node().map(|node| errors::said(&node)).unwrap_or_default();
    let why = said.first().map_or("", |said| said.message.as_str());
    let message = format!(
        "opportunity {} was written, but could not be read back",
        about.record
    );
    Error::new(Code::OutcomeUnknown, message)
        .written(Written::Unknown)
        .connection(about.connection)
        .object(about.object)
        .record(about.record)
        .upstream(
            after.status,
            said.first().map_or("", |said| said.code.as_str()),
            why,
        )
}

/// An error about an answer to a write that stands.
fn stands(mut error: Error) -> Error {
    error.code = Code::OutcomeUnknown;
    error.written(Written::Unknown)
}
