//! What was delivered, or tried: a bounded log, and totals per rule that never forget.

use super::item::Kind;
use crate::log::{Log, Numbered};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Entries kept; older ones fall out.
const LOG_CAPACITY: usize = 2_000;

/// Distinct rules counted by name; names come from outside, so their number must be bounded.
const MAX_RULES: usize = 1_000;

/// One try.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the order of answers, from 1, never reused.
    pub seq: u64,
    /// When the answer was there, in the sandbox's time.
    pub at: Timestamp,
    /// What was sent.
    pub kind: Kind,
    /// Name of the rule.
    pub rule: String,
    /// Where to.
    pub url: String,
    /// Ids of the notifications, or of the callout.
    pub ids: Vec<String>,
    /// The records they are about.
    pub records: Vec<String>,
    /// Which try this was, from 1; of the notifications of an envelope the highest.
    pub attempt: u32,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it was no success.
    pub error: Option<String>,
    /// From the connection to the whole answer, in microseconds of the machine's time.
    pub duration_micros: u64,
    /// Names of the fault rules that have a hand in it.
    pub faults: Vec<String>,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Acknowledged, or for callouts a 2xx.
    Delivered,
    /// Answered, but not like this.
    Refused,
    /// Not answered.
    NoAnswer,
    /// Never sent, by a fault rule.
    Lost,
}

/// Totals of one rule.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// Requests that were sent.
    pub requests: u64,
    /// Requests that were delivered.
    pub delivered: u64,
    /// Items that a fault rule lost.
    pub lost: u64,
}

impl Numbered for Entry {
    fn number(&mut self, seq: u64) {
        self.seq = seq;
    }

    fn seq(&self) -> u64 {
        self.seq
    }
}

/// The log.
#[derive(Debug, Default)]
pub struct Deliveries(Log<Entry, Count, LOG_CAPACITY, MAX_RULES>);

impl Deliveries {
    /// Appends one entry and counts it.
    pub fn record(&self, entry: Entry) {
        let name = named(entry.kind, &entry.rule);
        self.0.record(name, entry, |count, entry| match entry.outcome {
            Outcome::Lost => count.lost += 1,
            Outcome::Delivered => {
                (count.requests, count.delivered) = (count.requests + 1, count.delivered + 1)
            }
            Outcome::Refused | Outcome::NoAnswer => count.requests += 1,
        });
    }

    /// The last `limit` entries with a sequence number above `after`, oldest first, then totals per rule.
    pub fn read(&self, after: u64, limit: usize) -> (Vec<Entry>, BTreeMap<String, Count>) {
        self.0.read(after, limit)
    }

    /// Forgets entries and totals.
    pub fn clear(&self) {
        self.0.clear();
    }
}

fn named(kind: Kind, rule: &str) -> String {
    match kind {
        Kind::OutboundMessage => format!("outbound_message/{rule}"),
        Kind::Callout => format!("callout/{rule}"),
    }
}
