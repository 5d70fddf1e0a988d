//! Texts that a call of several parts would take for something else.
//!
//! Source: REST API Developer Guide, "Composite Subrequest": `@{id.field}` in a body stands for a value out of an earlier
//! answer, and one that leads nowhere fells the call. Nothing is documented by which such a text could mean itself.
//! A request of its own knows no references. So these texts go in requests of their own, after the call that carries
//! everything else; those of the opportunity itself under the condition that nobody changed it since.

use cpq_domain::adapter::CrmWritten;
use cpq_domain::error::Written;
use cpq_domain::view::FieldName;
use cpq_domain::{Error, Result};

use super::body::Bodies;
use super::changes::{Collection, raw};
use super::outcome::{Answered, stands};
use super::plan::{Answer, Plan};
use super::{Ordered, Writes, read_back};
use crate::json::Node;
use crate::salesforce::composite::{Body, Part};
use crate::salesforce::fields::RECORD_NAME;
use crate::salesforce::layout::Layout;
use crate::salesforce::lines::OBJECT;
use crate::salesforce::query;
use crate::salesforce::quote_record::Upsert;
use crate::salesforce::rest::{Effect, Request};

/// Begins a reference.
const REFERENCE: &str = "@{";

/// The texts of one write.
#[derive(Clone)]
pub(super) struct Apart {
    opportunity: Body,
    quote: Body,
    lines: Vec<Collection>,
}

impl Bodies {
    /// Takes such texts out of the bodies.
    pub(super) fn set_apart(&mut self, layout: &Layout) {
        let opportunity = texts(&mut self.opportunity);
        let mut quote = Body::new();
        for upsert in self.quote.iter_mut().chain(&mut self.opening) {
            quote.extend(of_quote(upsert, layout));
        }
        let key = layout.lines.as_ref().map_or("", |lines| lines.key.as_str());
        let lines = self.lines.iter_mut().map(|lines| lines.set_apart(key));
        let lines: Vec<Collection> = lines.filter(|lines| lines.len() > 0).collect();
        let is_none = opportunity.is_empty() && quote.is_empty() && lines.is_empty();
        self.apart = (!is_none).then_some(Apart {
            opportunity,
            quote,
            lines,
        });
    }
}

/// Takes such texts out of a body.
pub(super) fn texts(body: &mut Body) -> Body {
    body.extract_if(.., |_, json| json.get().contains(REFERENCE))
        .collect()
}

/// A record is not made without a name: until its own comes, it has that of its key.
fn of_quote(upsert: &mut Upsert, layout: &Layout) -> Body {
    let taken = texts(&mut upsert.body);
    let name = layout.field(&FieldName::new(RECORD_NAME));
    let name = name.map_or("", |field| field.path.as_str());
    if upsert.creates && taken.contains_key(name) {
        upsert.body.insert(name.to_owned(), raw(&upsert.key.as_str()));
    }
    taken
}

impl Writes {
    /// Writes the texts, once everything else stands.
    pub(super) async fn apart(
        &self,
        layout: &Layout,
        item: &Ordered,
        apart: &Apart,
        so_far: &CrmWritten,
    ) -> Result<CrmWritten> {
        let mut own = item.clone();
        own.write.unmodified_since = so_far.modified_at;
        own.bodies = Bodies {
            opportunity: apart.opportunity.clone(),
            quote: item.bodies.quote.as_ref().map(|upsert| Upsert {
                creates: false,
                body: apart.quote.clone(),
                ..upsert.clone()
            }),
            lines: apart.lines.clone(),
            reads_lines: item.bodies.reads_lines,
            opening: None,
            apart: None,
        };
        self.one_by_one(layout, &own).await.map_err(partly)
    }

    async fn one_by_one(&self, layout: &Layout, item: &Ordered) -> Result<CrmWritten> {
        let (rest, calls) = (&self.0.rest, [&item.call]);
        let plan = Plan::of(rest, layout, std::slice::from_ref(item));
        let mut answers = Vec::with_capacity(plan.parts.len());
        for (at, part) in plan.parts.iter().enumerate() {
            answers.push(match part.body.as_ref().is_some_and(Body::is_empty) {
                true => Answer::nothing(),
                false => self.alone(item, at, part).await?,
            });
        }
        let query = read_back(layout, std::slice::from_ref(item))?;
        let record = item.write.opportunity.id.as_str();
        let rows = query::rows(rest, &calls, &query, record).await.map_err(stands)?;
        let after = Answer::nothing();
        let answered = Answered::new(rest.connection(), layout, &after, rows);
        let written = answered.outcome(item, &plan.share_out(&answers)[0])?;
        self.with_lines(layout, item, &answered.rows, written).await
    }

    /// A part as a request of its own.
    async fn alone(&self, item: &Ordered, at: usize, part: &Part) -> Result<Answer> {
        let opportunity = item.write.opportunity.id.as_str();
        let (object, record) = match (at, &item.bodies.quote) {
            (0, _) => ("Opportunity", opportunity),
            (1, Some(upsert)) => (upsert.records.object.as_str(), upsert.key.as_str()),
            _ => (OBJECT, opportunity),
        };
        let body = serde_json::to_vec(&part.body).expect("texts and lists of them are JSON");
        let request = Request {
            method: part.method.parse().expect("a method of HTTP"),
            path: &part.url,
            body: Some(body),
            unmodified_since: part.http_headers.get("If-Unmodified-Since").map(String::as_str),
            effect: Effect::Write,
            operation: "write",
            object,
            record,
        };
        let answer = self.0.rest.send(&[&item.call], &request).await?;
        let node = match answer.body.is_empty() {
            true => Node::Null,
            false => Node::parse(&answer.body).map_err(stands)?,
        };
        Ok(Answer::of(answer.status.as_u16(), node))
    }
}

/// An error of what comes last: the rest is in place.
fn partly(mut error: Error) -> Error {
    error.message = format!(
        "{} (texts with \"{REFERENCE}\"; the rest is in place)",
        error.message
    );
    match error.written {
        Written::Unknown => error,
        _ => error.written(Written::Partly),
    }
}
