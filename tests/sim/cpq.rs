//! The CPQ: quotes with revisions, versions and prices, and a memory of keys.

use std::collections::BTreeMap;

use cpq_domain::adapter::{CpqWrite, QuoteTarget};
use cpq_domain::id::{LineKey, OpportunityKey, QuoteId, RecordId};
use cpq_domain::paging::{QuoteMark, QuoteMarkPage};
use cpq_domain::quote::{Discount, Line, OpportunityRef, Quote, Status, Transition};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{FieldName, Fields, LineChange, Patch};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::blank;

/// Quotes as they are, and as they were before the last change.
#[derive(Default)]
pub struct Cpq {
    /// All revisions.
    pub quotes: Vec<Quote>,
    before: Vec<Quote>,
    answers: BTreeMap<String, Quote>,
    /// How often a write under a key changed something.
    pub effects: BTreeMap<String, u32>,
    /// Whether the repeat of a key is recognised.
    pub remembers_keys: bool,
    made: u64,
}

impl Cpq {
    /// The current revision of the opportunity's quote.
    pub fn find(&self, key: &OpportunityKey, stale: bool) -> Option<Quote> {
        let quotes = if stale { &self.before } else { &self.quotes };
        let of = |quote: &&Quote| {
            quote.opportunity.number.as_ref() == Some(key) || quote.opportunity.id.as_str() == key.as_str()
        };
        let current = |quote: &&Quote| quote.status != Status::Superseded;
        quotes
            .iter()
            .filter(of)
            .filter(current)
            .max_by_key(|quote| quote.revision)
            .cloned()
    }

    /// The same for a sync. Once somebody was shown how things are, nobody is shown any more how they were.
    pub fn look(&mut self, key: &OpportunityKey, stale: bool) -> Option<Quote> {
        if !stale {
            self.before = self.quotes.clone();
        }
        self.find(key, stale)
    }

    /// One revision.
    pub fn get(&self, id: &QuoteId) -> Result<Quote> {
        let held = self.quotes.iter().find(|quote| &quote.id == id).cloned();
        held.ok_or_else(|| Error::new(Code::QuoteNotFound, format!("no quote {id}")))
    }

    /// The quotes of these opportunities.
    pub fn find_many(&self, ids: &[RecordId]) -> Vec<Quote> {
        let find = |id: &RecordId| self.find(&OpportunityKey::new(id.as_str()).ok()?, false);
        ids.iter().filter_map(find).collect()
    }

    /// A page of current quotes, in the order of the opportunities' ids.
    pub fn page(&self, since: Option<Timestamp>, after: Option<&str>, limit: u32) -> QuoteMarkPage {
        let mut all: Vec<&Quote> = self
            .quotes
            .iter()
            .filter(|quote| quote.status != Status::Superseded)
            .collect();
        all.sort_by_key(|quote| quote.opportunity.id.clone());
        let behind = |quote: &&Quote| after.is_none_or(|after| quote.opportunity.id.as_str() > after);
        let recent = |quote: &&Quote| since.is_none_or(|since| quote.updated_at >= since);
        let rows: Vec<_> = all
            .into_iter()
            .filter(behind)
            .filter(recent)
            .take(limit as usize)
            .collect();
        let full = rows.len() == limit as usize;
        let mark = |quote: &&Quote| QuoteMark {
            opportunity: quote.opportunity.clone(),
            updated_at: quote.updated_at,
        };
        QuoteMarkPage {
            next: rows
                .last()
                .filter(|_| full)
                .map(|last| last.opportunity.id.to_string()),
            quotes: rows.iter().map(mark).collect(),
        }
    }

    /// Applies a write once for each key, if the quote is still what it was.
    pub fn write(&mut self, key: &str, write: &CpqWrite, at: Timestamp) -> Result<Quote> {
        if let (true, Some(answer)) = (self.remembers_keys, self.answers.get(key)) {
            return Ok(answer.clone());
        }
        let quote = self.outcome(write, at)?;
        self.done(key, quote)
    }

    /// What a write leads to.
    pub fn outcome(&self, write: &CpqWrite, at: Timestamp) -> Result<Quote> {
        let mut quote = match &write.target {
            QuoteTarget::New(of) => self.fresh(of, at)?,
            QuoteTarget::Existing { id, etag } => self.current(id, etag)?,
        };
        apply(&mut quote, &write.patch);
        Ok(price(quote, at))
    }

    /// Moves a quote along, once for each key.
    pub fn transition(
        &mut self,
        key: &str,
        target: &QuoteTarget,
        to: Transition,
        at: Timestamp,
    ) -> Result<Quote> {
        if let (true, Some(answer)) = (self.remembers_keys, self.answers.get(key)) {
            return Ok(answer.clone());
        }
        let QuoteTarget::Existing { id, etag } = target else {
            return Err(Error::new(Code::InvalidTransition, "there is no quote yet"));
        };
        let mut quote = self.current(id, etag)?;
        quote.status = quote
            .status
            .after(to)
            .ok_or_else(|| Error::new(Code::InvalidTransition, format!("no {to} from {}", quote.status)))?;
        self.done(key, price(quote, at))
    }

    fn done(&mut self, key: &str, quote: Quote) -> Result<Quote> {
        *self.effects.entry(key.to_owned()).or_default() += 1;
        self.made += u64::from(self.get(&quote.id).is_err());
        self.keep(quote.clone());
        // Whoever writes reads what was written.
        self.before = self.quotes.clone();
        self.answers.insert(key.to_owned(), quote.clone());
        Ok(quote)
    }

    /// Changes a quote as a person does.
    pub fn change(&mut self, id: &QuoteId, at: Timestamp, change: impl FnOnce(&mut Quote)) {
        if let Ok(mut quote) = self.get(id) {
            quote.version += 1;
            change(&mut quote);
            self.keep(price(quote, at));
        }
    }

    /// Replaces a quote by a new revision in draft.
    pub fn revise(&mut self, id: &QuoteId, at: Timestamp) {
        let Ok(old) = self.get(id) else { return };
        self.made += 1;
        let fresh = QuoteId::new(format!("{}-r{}", old.root_id, old.revision + 1)).expect("an id");
        let next = Quote {
            id: fresh.clone(),
            revision: old.revision + 1,
            previous_revision_id: Some(old.id.clone()),
            status: Status::Draft,
            version: 1,
            ..old.clone()
        };
        self.change(id, at, |quote| {
            quote.status = Status::Superseded;
            quote.superseded_by_id = Some(fresh);
        });
        self.keep(price(next, at));
    }

    /// Takes all revisions of an opportunity's quote away. Where no keys are remembered, their effects go with them: who
    /// repeats a create of which no answer came finds nothing, cannot know that it was done and undone, and makes the
    /// quote. It is the only one under its key.
    pub fn delete(&mut self, key: &OpportunityKey) {
        self.before = self.quotes.clone();
        let of = |quote: &Quote| quote.opportunity.number.as_ref() == Some(key);
        self.quotes.retain(|quote| !of(quote));
        if !self.remembers_keys {
            let answers = &self.answers;
            self.effects.retain(|key, _| !answers.get(key).is_some_and(&of));
        }
    }

    fn keep(&mut self, quote: Quote) {
        self.before = self.quotes.clone();
        self.quotes.retain(|held| held.id != quote.id);
        self.quotes.push(quote);
    }

    fn current(&self, id: &QuoteId, etag: &str) -> Result<Quote> {
        let mut quote = self.get(id)?;
        if quote.etag() != etag {
            return Err(Error::new(
                Code::QuoteConflict,
                format!("quote {id} is not {etag} any more"),
            ));
        }
        quote.version += 1;
        Ok(quote)
    }

    fn fresh(&self, of: &OpportunityRef, at: Timestamp) -> Result<Quote> {
        let key = of.number.as_ref().expect("a number");
        if self.find(key, false).is_some() {
            return Err(Error::new(
                Code::QuoteDuplicate,
                format!("{key} has a quote already"),
            ));
        }
        let next = 100 + self.made;
        Ok(blank::quote(next, of, at))
    }
}

fn apply(quote: &mut Quote, patch: &Patch) {
    for (field, value) in &patch.fields {
        match field.as_str() {
            "quote.name" => quote.name = text(value),
            "quote.currency" => quote.currency = text(value),
            _ => drop(quote.context.insert(field.clone(), value.clone())),
        }
    }
    for (key, change) in &patch.lines {
        match change {
            LineChange::Remove => quote.lines.retain(|line| &line.line_key != key),
            LineChange::Put(fields) => put(quote, key, fields),
        }
    }
}

fn put(quote: &mut Quote, key: &LineKey, fields: &Fields) {
    if quote.line(key).is_none() {
        quote.lines.push(blank::line(key));
    }
    let line = quote.lines.iter_mut().find(|line| &line.line_key == key);
    let Some(line) = line else { return };
    for (field, value) in fields {
        set(line, field, value);
    }
}

fn set(line: &mut Line, field: &FieldName, value: &Value) {
    match field.as_str() {
        "line.sku" => line.sku = text(value),
        "line.name" => line.name = text(value),
        "line.quantity" => line.quantity = value.as_decimal().unwrap_or_default(),
        "line.list_unit" => line.list_unit = value.as_decimal().unwrap_or_default(),
        _ => {}
    }
}

fn price(mut quote: Quote, at: Timestamp) -> Quote {
    let percent = match &quote.header_discount {
        Some(Discount::Percent(percent)) => *percent,
        _ => Decimal::ZERO,
    };
    for line in &mut quote.lines {
        line.totals.list = line.quantity * line.list_unit;
        line.totals.header_share = line.totals.list * percent / Decimal::ONE_HUNDRED;
        line.totals.net = line.totals.list - line.totals.header_share;
    }
    let list: Decimal = quote.lines.iter().map(|line| line.totals.list).sum();
    let off = list * percent / Decimal::ONE_HUNDRED;
    let money = |amount| Money::new(amount, "USD").to_minor_unit();
    quote.totals.list = money(list);
    quote.totals.header_discount = money(off);
    quote.totals.net = money(list - off);
    quote.totals.discount_percent = percent;
    quote.updated_at = at;
    quote
}

fn text(value: &Value) -> String {
    value.as_text().unwrap_or_default().to_owned()
}
