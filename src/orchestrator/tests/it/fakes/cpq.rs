//! A CPQ in memory: quotes with versions, prices by plain sums, and a memory of idempotency keys.

use std::collections::BTreeMap;

use cpq_domain::adapter::{CpqWrite, QuoteTarget};
use cpq_domain::id::{OpportunityKey, QuoteId, RecordId};
use cpq_domain::paging::{QuoteMark, QuoteMarkPage};
use cpq_domain::quote::{OpportunityRef, Quote, Transition};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use super::blank;
use super::cpq_patch::{apply, price};

/// Quotes as they are, and as they were before the last change.
#[derive(Default)]
pub struct Cpq {
    pub quotes: Vec<Quote>,
    before: Vec<Quote>,
    answers: BTreeMap<String, (CpqWrite, Quote)>,
    moved: BTreeMap<String, Quote>,
    /// Writes that were done, by their key.
    pub effects: Vec<String>,
    /// Does not recognise the repeat of a key, as many CPQs do not.
    pub forgets_keys: bool,
}

impl Cpq {
    pub fn find(&self, key: &OpportunityKey, stale: bool) -> Option<Quote> {
        let quotes = if stale { &self.before } else { &self.quotes };
        let of = |quote: &&Quote| {
            quote.opportunity.number.as_ref() == Some(key) || quote.opportunity.id.as_str() == key.as_str()
        };
        quotes.iter().find(of).cloned()
    }

    /// A page in the order of the opportunities' ids, which is not the CRM's.
    pub fn page(&self, since: Option<Timestamp>, after: Option<&str>, limit: u32) -> QuoteMarkPage {
        let mut all: Vec<&Quote> = self.quotes.iter().collect();
        all.sort_by_key(|quote| quote.opportunity.id.clone());
        let behind = |quote: &&&Quote| after.is_none_or(|after| quote.opportunity.id.as_str() > after);
        let recent = |quote: &&&Quote| since.is_none_or(|since| quote.updated_at >= since);
        let rows: Vec<_> = all
            .iter()
            .filter(behind)
            .filter(recent)
            .take(limit as usize)
            .collect();
        let mark = |quote: &&&Quote| QuoteMark {
            opportunity: quote.opportunity.clone(),
            updated_at: quote.updated_at,
        };
        QuoteMarkPage {
            next: rows
                .last()
                .filter(|_| rows.len() == limit as usize)
                .map(|last| last.opportunity.id.to_string()),
            quotes: rows.iter().map(mark).collect(),
        }
    }

    pub fn find_many(&self, ids: &[RecordId]) -> Vec<Quote> {
        let of = |quote: &&Quote| ids.contains(&quote.opportunity.id);
        self.quotes.iter().filter(of).cloned().collect()
    }

    pub fn write(&mut self, key: &str, write: &CpqWrite, at: Timestamp) -> Result<Quote> {
        match self.answers.get(key) {
            Some((sent, answer)) if !self.forgets_keys && sent == write => return Ok(answer.clone()),
            Some(_) if !self.forgets_keys => {
                let message = "another write was done under this key";
                return Err(Error::new(Code::IdempotencyKeyReused, message));
            }
            _ => {}
        }
        let quote = self.outcome(write, at)?;
        self.keep(quote.clone());
        self.effects.push(key.to_owned());
        self.answers
            .insert(key.to_owned(), (write.clone(), quote.clone()));
        Ok(quote)
    }

    /// Moves a quote along, once for each key.
    pub fn transition(
        &mut self,
        key: &str,
        target: &QuoteTarget,
        transition: Transition,
        reason: &str,
        at: Timestamp,
    ) -> Result<Quote> {
        if let Some(quote) = self.moved.get(key) {
            return Ok(quote.clone());
        }
        let QuoteTarget::Existing { id, etag } = target else {
            panic!("a new quote cannot {transition}")
        };
        let mut quote = self.current(id, etag)?;
        let after = quote.status.after(transition);
        quote.status = after.ok_or_else(|| {
            Error::new(
                Code::InvalidTransition,
                format!("no {transition} from {}", quote.status),
            )
        })?;
        quote.reason = Some(reason.to_owned());
        let quote = price(quote, at);
        self.keep(quote.clone());
        self.effects.push(key.to_owned());
        self.moved.insert(key.to_owned(), quote.clone());
        Ok(quote)
    }

    /// What the write leads to.
    pub fn outcome(&self, write: &CpqWrite, at: Timestamp) -> Result<Quote> {
        let mut quote = match &write.target {
            QuoteTarget::New(of) => self.fresh(of, at)?,
            QuoteTarget::Existing { id, etag } => self.current(id, etag)?,
        };
        apply(&mut quote, &write.patch);
        Ok(price(quote, at))
    }

    /// Changes a quote as a person does in the CPQ.
    pub fn change(&mut self, key: &OpportunityKey, at: Timestamp, change: impl FnOnce(&mut Quote)) {
        let mut quote = self.find(key, false).expect("it is there");
        quote.version += 1;
        change(&mut quote);
        self.keep(price(quote, at));
    }

    fn keep(&mut self, quote: Quote) {
        self.before = self.quotes.clone();
        self.quotes.retain(|held| held.id != quote.id);
        self.quotes.push(quote);
    }

    fn current(&self, id: &QuoteId, etag: &str) -> Result<Quote> {
        let held = self.quotes.iter().find(|quote| &quote.id == id);
        let held = held.ok_or_else(|| Error::new(Code::QuoteNotFound, format!("no quote {id}")))?;
        if held.etag() != etag {
            return Err(Error::new(
                Code::QuoteConflict,
                format!("quote {id} is not {etag} any more"),
            ));
        }
        let mut quote = held.clone();
        quote.version += 1;
        Ok(quote)
    }

    fn fresh(&self, of: &OpportunityRef, at: Timestamp) -> Result<Quote> {
        let number = of.number.as_ref().expect("a number");
        if self.quotes.iter().any(|quote| quote.opportunity.id == of.id) {
            return Err(Error::new(
                Code::QuoteDuplicate,
                format!("{number} has a quote already"),
            ));
        }
        let next = 137 + self.quotes.len() as u64;
        Ok(blank::quote(next, of, at))
    }
}
