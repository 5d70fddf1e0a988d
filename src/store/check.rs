//! The proof that what is stored follows from the log, and that the log is whole.
//!
//! One walk over every table in one snapshot, a page at a time, so that it needs the same memory for a hundred runs and
//! for a hundred thousand. It changes nothing; a service may go on writing meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cpq_domain::{Code, Result};
use serde::Serialize;

use crate::store::Store;
use crate::tx::Tx;

mod documents;
mod keys;
mod log;
mod tables;

/// Examples that are told of each kind of finding.
const EXAMPLES: usize = 10;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The database itself: pages, indexes, constraints.
    Damaged,
    /// A row of a run's journal is missing.
    JournalGap,
    /// A position of the whole journal is missing, or out of order.
    PositionGap,
    /// A row cannot have happened when it did.
    JournalOrder,
    /// A row is not what was written.
    JournalContent,
    /// A run is in another state than its journal leads to.
    RunState,
    /// A run's outcome or error is another than its journal tells.
    RunEnd,
    /// A run that was accepted is not there.
    RunLost,
    /// An idempotency key and its run contradict each other.
    Key,
    /// A link names a quote that is not there.
    Link,
    /// What both sides agreed on has no link, or cannot be read.
    Base,
    /// A decision and its sync contradict each other.
    Decision,
    /// A dead letter and its sync contradict each other.
    DeadLetter,
    /// A conflict contradicts itself, or what it is about.
    Conflict,
    /// A quote cannot be read, or is another than its row says.
    Quote,
    /// An event of a quote is missing.
    QuoteEvent,
}

/// One kind of finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What is wrong.
    pub kind: Kind,
    /// How often.
    pub count: u64,
    /// The first ones, in words.
    pub examples: Vec<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Runs looked at.
    pub runs: u64,
    /// Rows of the journal looked at.
    pub rows: u64,
    /// Those whose data was purged; their place, kind and time still count.
    pub purged_rows: u64,
    /// Those from before there were checksums.
    pub rows_without_checksum: u64,
    /// What is wrong, by kind.
    pub findings: Vec<Finding>,
}

/// How to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether quotes live in this store; else links name quotes of another system.
    pub quotes_live_here: bool,
    /// Counts what was looked at, for a bar.
    pub seen: Arc<AtomicU64>,
}

/// Every statement of the check, for the registry.
pub(crate) fn statements() -> Vec<&'static str> {
    [
        log::STATEMENTS,
        keys::STATEMENTS,
        tables::STATEMENTS,
        documents::STATEMENTS,
    ]
    .concat()
}

/// Checks the whole store. An error means that the check itself could not be done, e.g. because a page of the file
/// cannot be read at all.
pub async fn check(store: &Store, options: Options) -> Result<Report> {
    let damages = store.integrity().await?;
    let dense = store.numbers_without_gaps();
    store
        .read(move |tx| {
            Box::pin(async move {
                let mut notes = Notes::new(options.seen.clone());
                for damage in damages {
                    notes.add(Kind::Damaged, 1, || damage);
                }
                match walk(tx, &options, dense, &mut notes).await {
                    // In a damaged file the walk ends where a page cannot be read.
                    Err(error) if notes.is_damaged() || error.code == Code::StoreUnavailable => {
                        notes.add(Kind::Damaged, 1, || {
                            format!("the rest could not be looked at: {error}")
                        });
                    }
                    walked => walked?,
                }
                Ok(notes.report())
            })
        })
        .await
}

async fn walk(tx: &mut dyn Tx, options: &Options, dense: bool, notes: &mut Notes) -> Result<()> {
    log::walk(tx, notes).await?;
    if dense {
        log::positions(tx, notes).await?;
    }
    keys::walk(tx, notes).await?;
    tables::ask(tx, options.quotes_live_here, notes).await?;
    documents::walk(tx, notes).await
}

/// What was seen so far.
pub(crate) struct Notes {
    report: Report,
    seen: Arc<AtomicU64>,
}

impl Notes {
    fn new(seen: Arc<AtomicU64>) -> Notes {
        Notes {
            report: Report::default(),
            seen,
        }
    }

    fn is_damaged(&self) -> bool {
        self.report.findings.iter().any(|one| one.kind == Kind::Damaged)
    }

    fn look(&self) {
        self.seen.fetch_add(1, Ordering::Relaxed);
    }

    fn add(&mut self, kind: Kind, count: u64, example: impl FnOnce() -> String) {
        let findings = &mut self.report.findings;
        let at = match findings.iter().position(|one| one.kind == kind) {
            Some(at) => at,
            None => {
                findings.push(Finding {
                    kind,
                    count: 0,
                    examples: Vec::new(),
                });
                findings.len() - 1
            }
        };
        findings[at].count += count;
        if findings[at].examples.len() < EXAMPLES {
            findings[at].examples.push(example());
        }
    }

    fn report(mut self) -> Report {
        self.report.findings.sort_by_key(|finding| finding.kind);
        self.report.ok = self.report.findings.is_empty();
        self.report
    }
}
