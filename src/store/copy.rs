//! A copy of a store in an empty store of another engine: from one file to a server, or to another file.
//!
//! The copy is one transaction in the target, whose last step is to read every row back and compare it with what was
//! sent; so there is a whole copy or none, wherever the process dies. The source is held shut meanwhile by a lock of its
//! file: nobody has it open, and nobody can open it, so that nothing can be written to it that the copy would lack.
//!
//! Tables and columns are those that the databases themselves name, so a table that a migration adds is copied too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cpq_domain::{Code, Error, Result};
use tokio::sync::mpsc;

use crate::checksum::Checksum;
use crate::limits::COPY_PAGES;
use crate::postgres;
use crate::row::Cell;
use crate::sqlite;

/// A table as the source has it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Those that are stored; a generated one is not.
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: u64,
    /// The last number that the table has given to a row; `None` if it numbers none.
    pub(crate) last_number: Option<i64>,
}

/// A column, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
}

/// What a column holds. There are no others in our tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Number,
    Text,
    Bytes,
}

/// Rows on their way, each in the order of the table's columns.
pub(crate) type Page = Vec<Vec<Cell>>;

/// The sum over all rows of a table, in whatever order they come, so that neither side has to sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    sum: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, row: &[Cell]) {
        let mut sum = Checksum::new();
        for cell in row {
            match cell {
                Cell::Null => sum.add(&[0]),
                Cell::Int(number) => {
                    sum.add(&[1]);
                    sum.number(*number);
                }
                Cell::Text(text) => with_length(&mut sum, 2, text.as_bytes()),
                Cell::Bytes(bytes) => with_length(&mut sum, 3, bytes),
            }
        }
        self.rows += 1;
        self.sum = self.sum.wrapping_add(sum.value());
    }
}

fn with_length(sum: &mut Checksum, kind: u8, bytes: &[u8]) {
    sum.add(&[kind]);
    sum.number(bytes.len() as i64);
    sum.add(bytes);
}

/// How far a copy is, for whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows that there are to copy.
    pub all: AtomicU64,
    /// Rows that were handed to the target.
    pub copied: AtomicU64,
    /// Rows that were read back and compared.
    pub compared: AtomicU64,
}

/// What was copied: every row was read back in the target before it was committed, and is as it was in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// By table, in the order of copying.
    pub tables: Vec<CopiedTable>,
}

/// A table of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: String,
    /// Rows that it has in both stores.
    pub rows: u64,
    /// Sum of the checksums of its rows (FNV-1a, 64 bits), the same in both stores.
    pub checksum: String,
}

/// Where a copy goes.
pub(crate) enum Target {
    File(PathBuf),
    Server(Box<postgres::Address>),
}

/// The transaction in the target.
enum Taker {
    File(sqlite::Taker),
    Server(postgres::Taker),
}

impl Taker {
    async fn begin(target: Target, tables: &[Table]) -> Result<Taker> {
        Ok(match target {
            Target::File(path) => Taker::File(sqlite::Taker::begin(&path, tables)?),
            Target::Server(address) => Taker::Server(postgres::Taker::begin(&address, tables).await?),
        })
    }

    async fn take(&mut self, table: &Table, pages: mpsc::Receiver<Page>, progress: &Progress) -> Result<()> {
        match self {
            Taker::File(taker) => taker.take(table, pages, progress).await,
            Taker::Server(taker) => taker.take(table, pages, progress).await,
        }
    }

    async fn read_back(&mut self, table: &Table, progress: &Progress) -> Result<Sum> {
        match self {
            Taker::File(taker) => taker.read_back(table, progress),
            Taker::Server(taker) => taker.read_back(table, progress).await,
        }
    }

    async fn commit(self) -> Result<()> {
        match self {
            Taker::File(taker) => taker.commit(),
            Taker::Server(taker) => taker.commit().await,
        }
    }

    async fn give_up(self) {
        match self {
            Taker::File(taker) => taker.give_up(),
            Taker::Server(taker) => taker.give_up().await,
        }
    }
}

/// Copies every row of the store in `source` into `target`; see [`crate::Store::copy`].
pub(crate) async fn copy(source: PathBuf, target: Target, progress: Arc<Progress>) -> Result<Copied> {
    if let Target::File(path) = &target
        && is_one(&source, path)
    {
        let message = format!("{} is to be copied into itself", source.display());
        return Err(Error::new(Code::RequestInvalid, message).next("name another target"));
    }
    let opened = tokio::task::spawn_blocking(move || sqlite::Source::open(&source)).await;
    let (source, tables) = opened.map_err(stopped)??;
    let all = tables.iter().map(|table| table.rows).sum();
    progress.all.store(all, Ordering::Relaxed);
    let mut taker = Taker::begin(target, &tables).await?;
    match rows(source, &mut taker, &tables, &progress).await {
        Ok(copied) => taker.commit().await.map(|()| copied),
        Err(error) => {
            taker.give_up().await;
            Err(error)
        }
    }
}

async fn rows(
    mut source: sqlite::Source,
    taker: &mut Taker,
    tables: &[Table],
    progress: &Progress,
) -> Result<Copied> {
    let mut copied = Vec::new();
    for table in tables {
        let (to, pages) = mpsc::channel(COPY_PAGES);
        let wanted = table.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let sent = source.send(&wanted, &to);
            (source, sent)
        });
        // Should it fail, the reader finds nobody to send to, and ends.
        let taken = taker.take(table, pages, progress).await;
        let (back, sent) = reading.await.map_err(stopped)?;
        source = back;
        taken?;
        let sent = sent?;
        let found = taker.read_back(table, progress).await?;
        if found != sent || sent.rows != table.rows {
            return Err(differs(table, sent, found));
        }
        copied.push(CopiedTable {
            name: table.name.clone(),
            rows: found.rows,
            checksum: format!("{:016x}", found.sum),
        });
    }
    Ok(Copied { tables: copied })
}

/// Whether both paths lead to one file.
fn is_one(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path);
    matches!((real(one), real(other)), (Ok(one), Ok(other)) if one == other)
}

fn differs(table: &Table, sent: Sum, found: Sum) -> Error {
    let message = format!(
        "the table {} came out different: {} rows with checksum {:016x} were sent, and {} rows with {:016x} read back",
        table.name, sent.rows, sent.sum, found.rows, found.sum
    );
    Error::new(Code::Internal, message).next("check the source with `cpq store check`, and try again")
}

/// Refuses a target that has rows.
pub(crate) fn refuse_rows(place: &str, found: &[(String, u64)]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = found
        .iter()
        .map(|(table, rows)| format!("{table} ({rows})"))
        .collect();
    let message = format!("the store {place} is not empty; rows in {}", named.join(", "));
    Err(Error::new(Code::RequestInvalid, message)
        .next("name an empty database, schema or file; was this one copied into already, look at it with `cpq store check`"))
}

/// The source has what the target's schema lacks, or the other way round.
pub(crate) fn other_schema(place: &str, what: &str) -> Error {
    let message = format!("the store {place} has another schema than the source: {what}");
    Error::new(Code::StoreUnavailable, message)
        .next("name an empty database, schema or file that nobody but cpq has tables in")
}

pub(crate) fn stopped(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Code::StoreUnavailable, "the copy was stopped").cause(cause)
}
