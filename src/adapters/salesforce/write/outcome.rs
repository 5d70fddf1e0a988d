//! What became of each write: the state that was read back, or the reason why there is none.

use cpq_domain::adapter::CrmWritten;
use cpq_domain::error::Written;
use cpq_domain::view::{Fields, View};
use cpq_domain::{Code, Error, Result};

use super::Ordered;
use super::changes::Collection;
use super::plan::Answer;
use crate::json::Node;
use crate::salesforce::errors::{self, About};
use crate::salesforce::fields::Rows;
use crate::salesforce::layout::Layout;
use crate::salesforce::lines::OBJECT;
use crate::salesforce::quote_record::Upsert;
use crate::salesforce::snapshot::Row;

/// The answers to one call.
pub(super) struct Answered<'a> {
    connection: &'a str,
    layout: &'a Layout,
    /// Answer to the part that read back.
    after: &'a Answer,
    pub(super) rows: Vec<Node>,
}

impl<'a> Answered<'a> {
    pub(super) fn new(connection: &'a str, layout: &'a Layout, after: &'a Answer, rows: Vec<Node>) -> Self {
        Answered {
            connection,
            layout,
            after,
            rows,
        }
    }

    /// What became of a write, given the answers to its parts: the opportunity, then the quote if it has one.
    pub(super) fn outcome(&self, item: &Ordered, parts: &[Answer]) -> Result<CrmWritten> {
        let about = self.about(item.write.opportunity.id.as_str());
        if let Some(refused) = self.refused(item, parts)? {
            return Err(refused);
        }
        let row = self
            .rows
            .iter()
            .find(|row| row.get("Id").and_then(Node::text) == Some(about.record));
        let Some(row) = row else {
            return Err(unseen(about, self.after));
        };
        let row = Row {
            connection: self.connection,
            layout: self.layout,
            row,
        };
        let mut fields = self.values(&row, row.row, item, Rows::Opportunity)?;
        if let Some(upsert) = &item.bodies.quote {
            let record = record(&row, upsert).ok_or_else(|| unseen(about, self.after))?;
            fields.extend(self.values(&row, record, item, Rows::Quote)?);
        }
        let view = View {
            fields,
            ..View::default()
        };
        Ok(CrmWritten {
            view,
            modified_at: row.modified_at().map_err(stands)?,
        })
    }

    /// The written fields, as they are now.
    fn values(&self, row: &Row, node: &Node, item: &Ordered, rows: Rows) -> Result<Fields> {
        let written = &item.write.patch.fields;
        let fields = self.layout.fields.iter().filter(|field| field.rows == rows);
        let fields = fields.filter(|field| written.contains_key(&field.name));
        let values: Result<Fields> = fields
            .filter_map(|field| row.value(node, field).transpose())
            .collect();
        values.map_err(stands)
    }

    fn about<'b>(&'b self, record: &'b str) -> About<'b> {
        About {
            connection: self.connection,
            object: "Opportunity",
            record,
            verb: "write",
        }
    }

    /// Why a write was refused, if it was: the part that has a reason of its own says it.
    fn refused(&self, item: &Ordered, parts: &[Answer]) -> Result<Option<Error>> {
        let mut fell = None;
        for (at, answer) in parts
            .iter()
            .enumerate()
            .map(|(at, answer)| Ok((at, answer, rows_refused(answer)?)))
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .filter(|(_, answer, rows)| !answer.is_success() || *rows)
            .map(|(at, answer, _)| (at, answer))
        {
            let said = errors::said(answer.node()?);
            if !said.is_empty() && said.iter().all(|said| errors::is_collateral(&said.code)) {
                fell = Some(said);
                continue;
            }
            return Ok(Some(match (at, &item.bodies.quote) {
                _ if collection(item, at).is_some() => self.line_error(item, at, answer)?,
                (1, Some(upsert)) => self.quote_error(upsert, answer, parts[0].is_success())?,
                _ => self.opportunity_error(item, answer)?,
            }));
        }
        let Some(said) = fell else { return Ok(None) };
        // Every part only fell with another one. If that was the read-back, it says why.
        let about = self.about(item.write.opportunity.id.as_str());
        Ok(Some(match self.after.is_success() {
            true => errors::of(about, 400, &said),
            false => errors::of(about, self.after.status, &errors::said(self.after.node()?)),
        }))
    }

    fn opportunity_error(&self, item: &Ordered, answer: &Answer) -> Result<Error> {
        let about = self.about(item.write.opportunity.id.as_str());
        let mut error = errors::of(about, answer.status, &errors::said(answer.node()?));
        if error.code == Code::RecordNotFound && is_gone(&error) {
            error.code = Code::OpportunityNotFound;
        }
        Ok(error)
    }

    /// The refusal of a row of a collection: which line, and why.
    fn line_error(&self, item: &Ordered, at: usize, answer: &Answer) -> Result<Error> {
        let collection = collection(item, at).expect("it was found before");
        let node = answer.node()?;
        let at_fault = |row: &Node| {
            errors::said(row)
                .iter()
                .any(|said| !errors::is_collateral(&said.code))
        };
        let row = node.list().iter().position(at_fault).unwrap_or_default();
        let key = collection.line(row).map_or("", |key| key.as_str());
        let about = About {
            object: OBJECT,
            ..self.about(key)
        };
        let said = node
            .list()
            .get(row)
            .map(errors::said)
            .unwrap_or_else(|| errors::said(node));
        let status = if answer.is_success() { 400 } else { answer.status };
        let mut error = errors::of(about, status, &said);
        if !collection.is_new() && error.code == Code::RecordNotFound {
            error.code = Code::CrmConflict;
            error.message = format!("line {key} is gone from the opportunity since it was read");
        }
        let given_once = ["OpportunityId", "PricebookEntryId"];
        if collection.is_new()
            && error.code == Code::CrmForbidden
            && given_once.iter().any(|field| names(&error, field))
        {
            error.code = Code::CrmDuplicate;
            error.message = format!("line {key} was made since the opportunity was read");
        }
        Ok(error)
    }

    fn quote_error(&self, upsert: &Upsert, answer: &Answer, opportunity_stands: bool) -> Result<Error> {
        let about = About {
            object: upsert.records.object.as_str(),
            ..self.about(upsert.key.as_str())
        };
        let node = answer.node()?;
        let mut error = match answer.status {
            300 => several(about, node),
            // A row of a collection is refused in an answer that was taken.
            status => errors::of(about, status.max(400), &errors::said(node)),
        };
        let (object, key) = (about.object, about.record);
        if !upsert.creates && error.code == Code::RecordNotFound && is_gone(&error) {
            error.code = Code::CrmConflict;
            error.message = format!("the {object} with the key {key} is gone since it was read");
        }
        let parent = upsert.records.parent.as_str();
        if upsert.creates && error.code == Code::CrmForbidden && names(&error, parent) {
            // We may set it on a new record, so this one is not new: another writer was faster, or it was hidden.
            error.code = Code::CrmDuplicate;
            error.message = format!("a {object} with the key {key} was made since the opportunity was read");
        }
        if opportunity_stands {
            error = error.written(Written::Partly);
        }
        Ok(error)
    }
}

/// The collection that a part wrote; none for the opportunity and the quote's record.
fn collection(item: &Ordered, at: usize) -> Option<&Collection> {
    let before = 1 + usize::from(item.bodies.quote.is_some());
    item.bodies.lines.get(at.checked_sub(before)?)
}

/// Whether a collection was taken, but rows of it were not: each says for itself what became of it.
fn rows_refused(answer: &Answer) -> Result<bool> {
    let refused = |row: &Node| row.get("success").and_then(Node::flag) == Some(false);
    Ok(answer.is_success() && answer.node()?.list().iter().any(refused))
}

/// Whether a write only fell because of another one in the same call.
pub(super) fn is_bystander(result: &Result<CrmWritten>) -> bool {
    let said = result.as_ref().err().and_then(|error| error.upstream.as_ref());
    said.is_some_and(|said| errors::is_collateral(&said.code))
}

/// The record that was written, in an opportunity's row.
fn record<'a>(row: &'a Row<'_>, upsert: &Upsert) -> Option<&'a Node> {
    let records = &upsert.records;
    let has_key = |record: &&Node| {
        let key = record.get(records.key.as_str()).and_then(Node::text);
        key.is_some_and(|key| key.eq_ignore_ascii_case(upsert.key.as_str()))
    };
    row.children(records.relationship.as_str()).iter().find(has_key)
}

/// Status 300: the key is not unique. The body lists the addresses of the records that carry it.
fn several(about: About, body: &Node) -> Error {
    let urls = body.list().iter().filter_map(Node::text);
    let ids: Vec<&str> = urls.filter_map(|url| url.rsplit('/').next()).collect();
    let (object, key) = (about.object, about.record);
    let message = format!(
        "{} records of {object} in Salesforce carry the key {key}",
        ids.len()
    );
    Error::new(Code::CrmAmbiguous, message)
        .connection(about.connection)
        .object(object)
        .record(key)
        .upstream(300, "", "")
        .fact("records", ids)
}

fn is_gone(error: &Error) -> bool {
    let code = error.upstream.as_ref().map(|said| said.code.as_str());
    code.is_some_and(|code| matches!(code, "" | "NOT_FOUND" | "ENTITY_IS_DELETED"))
}

fn names(error: &Error, field: &str) -> bool {
    error.place.field.as_deref() == Some(field)
        || error
            .upstream
            .as_ref()
            .is_some_and(|said| said.message.contains(field))
}

/// The write stands, but what the CRM made of it could not be read.
fn unseen(about: About, after: &Answer) -> Error {
    let said = after.node().map(errors::said).unwrap_or_default();
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
pub(super) fn stands(mut error: Error) -> Error {
    error.code = Code::OutcomeUnknown;
    error.written(Written::Unknown)
}
