//! Who did what: a log that is only added to, each entry bound to the one before by its hash.
//!
//! An act has an entry before it and one with its end. Where the second is missing, the process ended in between, or the
//! end could not be written: what came of the act is then in the journal, if anywhere.
//!
//! The chain shows every change to an entry, and every entry taken out of the middle. That the last ones were cut off
//! shows to whoever kept a later hash elsewhere: the log of the service tells each.

use aws_lc_rs::digest::{Context, SHA256};
use cpq_domain::Result;
use cpq_domain::act::{Act, Told};

use crate::counters;
use crate::limits::AUDIT_PAGE;
use crate::row::Row;
use crate::tx::{Tx, params};

const COUNTER: &str = "audit";

const INSERT: &str = "INSERT INTO audit
  (position, at, client, person, origin, act, subject, correlation, begun, result, previous, hash)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const HASH_AT: &str = "SELECT hash FROM audit WHERE position = $1";
const AFTER: &str =
    "SELECT position, at, client, person, origin, act, subject, correlation, begun, result, previous, hash
  FROM audit WHERE position > $1 ORDER BY position LIMIT $2";
const BEFORE: &str =
    "SELECT position, at, client, person, origin, act, subject, correlation, begun, result, previous, hash
  FROM audit WHERE position < $1 ORDER BY position DESC LIMIT $2";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, HASH_AT, AFTER, BEFORE];

/// The hash before the first entry.
pub const BEGINNING: [u8; 32] = [0; 32];

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without gaps.
    pub position: i64,
    /// What happened.
    pub told: Told,
    /// Hash of the entry before; [`BEGINNING`] in the first.
    pub previous: Vec<u8>,
    /// SHA-256 over that, the position and what is told.
    pub hash: Vec<u8>,
}

impl Entry {
    /// Whether its hash is that of what it tells, after the entry before.
    pub fn follows(&self, previous: &[u8], position: i64) -> bool {
        self.position == position
            && self.previous == previous
            && self.hash == hash(previous, position, &self.told)
    }
}

/// Adds an entry. Entries are added one after the other, on all nodes.
pub async fn add(tx: &mut dyn Tx, told: &Told) -> Result<Entry> {
    // The counter's row is held until the commit: whoever comes next sees this entry.
    let position = counters::next(tx, COUNTER).await?;
    let previous = match tx.first(HASH_AT, params![position - 1]).await? {
        Some(mut row) => row.take()?,
        None => BEGINNING.to_vec(),
    };
    let (hash, act) = (hash(&previous, position, told), &told.act);
    let values = params![
        position,
        told.at,
        &act.client,
        act.person.as_deref(),
        act.origin.as_deref(),
        &act.act,
        &act.subject,
        act.correlation.as_deref(),
        told.begun,
        told.result.as_deref(),
        previous.as_slice(),
        hash.as_slice(),
    ];
    tx.execute(INSERT, values).await?;
    Ok(Entry {
        position,
        told: told.clone(),
        previous,
        hash,
    })
}

/// A page of entries after a position, oldest first.
pub async fn after(tx: &mut dyn Tx, position: i64) -> Result<Vec<Entry>> {
    read_all(tx.query(AFTER, params![position, AUDIT_PAGE]).await?)
}

/// Entries before a position, newest first.
pub async fn before(tx: &mut dyn Tx, position: i64, limit: u32) -> Result<Vec<Entry>> {
    read_all(
        tx.query(BEFORE, params![position, i64::from(limit).min(AUDIT_PAGE)])
            .await?,
    )
}

/// Position of the newest entry; 0 while there is none.
pub async fn newest(tx: &mut dyn Tx) -> Result<i64> {
    counters::peek(tx, COUNTER).await
}

/// Each field with its length before it, so that no text can pose as two.
fn hash(previous: &[u8], position: i64, told: &Told) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    let mut add = |bytes: Option<&[u8]>| {
        let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(bytes.unwrap_or_default());
    };
    add(Some(b"cpq audit 1"));
    add(Some(previous));
    for number in [Some(position), Some(told.at.as_microsecond()), told.begun] {
        add(number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }
    let act = &told.act;
    for text in [
        Some(&act.client),
        act.person.as_ref(),
        act.origin.as_ref(),
        Some(&act.act),
        Some(&act.subject),
        act.correlation.as_ref(),
        told.result.as_ref(),
    ] {
        add(text.map(String::as_bytes));
    }
    context.finish().as_ref().to_vec()
}

fn read_all(rows: Vec<Row>) -> Result<Vec<Entry>> {
    rows.into_iter().map(read).collect()
}

fn read(mut row: Row) -> Result<Entry> {
    Ok(Entry {
        position: row.take()?,
        told: Told {
            at: row.take()?,
            act: Act {
                client: row.take()?,
                person: row.take()?,
                origin: row.take()?,
                act: row.take()?,
                subject: row.take()?,
                correlation: row.take()?,
            },
            begun: row.take()?,
            result: row.take()?,
        },
        previous: row.take()?,
        hash: row.take()?,
    })
}
