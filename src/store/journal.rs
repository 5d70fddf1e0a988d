//! The journal of every run.
//!
//! Rows are numbered per run, without gaps. Beside it each row has a position over all runs, for readers that follow
//! the whole journal. On SQLite positions are given under the one writer's lock, so they appear in order; PostgreSQL gives
//! them before it commits, so there a reader goes by transactions, and stays behind the oldest one that is still open.

use std::sync::LazyLock;

use cpq_domain::change::Hint;
use cpq_domain::event::SyncEvent;
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::{Code, Error, Result, purge};
use jiff::Timestamp;
use serde::Serialize;

use crate::checksum::Checksum;
use crate::encode::{bounded, count, word};
use crate::limits::{HINTS_READ, JOURNAL_DATA_BYTES, JOURNAL_ROWS};
use crate::many;
use crate::row::Row;
use crate::tx::{Param, Tx, params};

const LAST: &str = "SELECT COALESCE(MAX(sequence), 0) FROM journal WHERE run_id = $1";
/// Rows of one statement: most commits of a sync bring that many or fewer.
const ROWS: usize = 8;
/// Types of the columns of a row, but for its run.
const COLUMNS: [&str; 8] = [
    "BIGINT", "TEXT", "TEXT", "BIGINT", "BIGINT", "BIGINT", "TEXT", "BIGINT",
];
/// Rows without a number fill the statement up.
static APPEND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO journal (run_id, sequence, kind, step, attempt, at, duration_us, data, checksum)
  SELECT $1, n.column2, n.column3, n.column4, n.column5, n.column6, n.column7, n.column8, n.column9
  FROM (VALUES {}) AS n WHERE n.column2 IS NOT NULL ORDER BY n.column1",
        many::values(1, ROWS, &COLUMNS)
    )
});
const OF_RUN: &str = "SELECT sequence, kind, step, attempt, at, duration_us, data FROM journal
  WHERE run_id = $1 ORDER BY sequence LIMIT $2";
const HINTS: &str =
    "SELECT data FROM journal WHERE run_id = $1 AND kind = 'hint' ORDER BY sequence DESC LIMIT $2";
const MARKS: &str = "SELECT kind, step FROM journal WHERE run_id = $1 ORDER BY sequence LIMIT $2";
pub(crate) const AFTER: &str = "SELECT j.position, j.run_id, r.connection, r.opportunity, r.correlation,
  j.sequence, j.kind, j.step, j.attempt, j.at, j.duration_us, j.data
  FROM journal j JOIN runs r ON r.id = j.run_id WHERE j.position > $1 ORDER BY j.position LIMIT $2";
pub(crate) const HEAD: &str = "SELECT COALESCE(MAX(position), 0) FROM journal";

pub(crate) fn statements() -> Vec<&'static str> {
    vec![LAST, APPEND.as_str(), OF_RUN, HINTS, MARKS, AFTER, HEAD]
}

/// A row of the journal as a reader of all runs sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where the reader stands after it.
    pub position: i64,
    /// The run.
    pub run_id: RunId,
    /// What the run is about.
    pub lane: Lane,
    /// Our correlation id of the run.
    pub correlation: CorrelationId,
    /// The row.
    #[serde(flatten)]
    pub event: SyncEvent,
}

/// Appends rows to the journal of a run and numbers them: the first row of a run is 1, then without gaps.
pub async fn append(tx: &mut dyn Tx, run_id: RunId, events: &mut [SyncEvent]) -> Result<()> {
    let last = length(tx, run_id).await?;
    append_behind(tx, run_id, last, events).await
}

/// The same behind the `last` row of the journal: 0 for a new run, else what [`runs::fence`](crate::runs::fence) told in
/// this transaction.
pub async fn append_behind(
    tx: &mut dyn Tx,
    run_id: RunId,
    last: u32,
    events: &mut [SyncEvent],
) -> Result<()> {
    if i64::from(last) + events.len() as i64 > JOURNAL_ROWS {
        let message = format!("the journal of run {run_id} is full: it has {last} of {JOURNAL_ROWS} rows");
        return Err(Error::new(Code::Internal, message));
    }
    #[cfg(feature = "planted-bugs")]
    let last = last + u32::from(cpq_domain::planted::Bug::LeavesGaps.is_on() && last > 3);
    for (event, sequence) in events.iter_mut().zip(last + 1..) {
        event.sequence = sequence;
    }
    for some in events.chunks(ROWS) {
        let mut values = params![run_id].to_vec();
        for event in some {
            values.extend(columns(run_id, event)?);
        }
        values.resize(1 + ROWS * COLUMNS.len(), Param::Null);
        tx.execute(APPEND.as_str(), &values).await?;
    }
    Ok(())
}

fn columns(run_id: RunId, event: &SyncEvent) -> Result<[Param<'_>; COLUMNS.len()]> {
    let duration = event
        .duration_us
        .map(|duration| count("a duration", duration))
        .transpose()?;
    let data = event.data.text();
    bounded("the data of a journal row", data.len(), JOURNAL_DATA_BYTES)?;
    let kind = word(&event.kind)?;
    let checksum = Sealed {
        run_id: &run_id.to_string(),
        sequence: event.sequence,
        kind: &kind,
        step: &event.step,
        attempt: event.attempt,
        at: event.at,
        duration_us: duration,
        data,
    }
    .checksum();
    Ok([
        event.sequence.into(),
        kind.into(),
        event.step.as_str().into(),
        event.attempt.into(),
        event.at.into(),
        duration.into(),
        data.into(),
        checksum.into(),
    ])
}

/// A row as it is stored, for its checksum.
pub(crate) struct Sealed<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) sequence: u32,
    pub(crate) kind: &'a str,
    pub(crate) step: &'a str,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) duration_us: Option<i64>,
    pub(crate) data: &'a str,
}

impl Sealed<'_> {
    /// Over everything but the position, which an engine may give anew when a store is copied. The lengths of texts are
    /// in it, so that nothing can move from one column into the next.
    pub(crate) fn checksum(&self) -> i64 {
        let mut sum = Checksum::new();
        for text in [self.run_id, self.kind, self.step, self.data] {
            sum.number(text.len() as i64);
            sum.add(text.as_bytes());
        }
        sum.number(self.sequence.into());
        sum.number(self.attempt.into());
        sum.number(self.at.as_microsecond());
        sum.number(self.duration_us.unwrap_or(-1));
        sum.value().cast_signed()
    }
}

/// Rows of a run's journal so far.
pub async fn length(tx: &mut dyn Tx, run_id: RunId) -> Result<u32> {
    let row = tx.first(LAST, params![run_id]).await?;
    row.map_or(Ok(0), |mut row| row.take())
}

/// The journal of a run, in order.
pub async fn of_run(tx: &mut dyn Tx, run_id: RunId) -> Result<Vec<SyncEvent>> {
    let rows = tx.query(OF_RUN, params![run_id, JOURNAL_ROWS]).await?;
    rows.into_iter().map(|mut row| read(&mut row)).collect()
}

/// What told a run to look, newest first.
pub async fn hints(tx: &mut dyn Tx, run_id: RunId) -> Result<Vec<Hint>> {
    let rows = tx.query(HINTS, params![run_id, HINTS_READ]).await?;
    // What a purged hint said is gone; that it came is not.
    let told = rows.into_iter().map(|mut row| row.json::<serde_json::Value>());
    let told = told.filter(|data| !data.as_ref().is_ok_and(purge::is_marker));
    told.map(|data| serde_json::from_value(data?).map_err(unreadable))
        .collect()
}

/// Kind and step of each row of a run, in order: its course, without what it read.
pub async fn marks(tx: &mut dyn Tx, run_id: RunId) -> Result<Vec<(String, String)>> {
    let rows = tx.query(MARKS, params![run_id, JOURNAL_ROWS]).await?;
    rows.into_iter()
        .map(|mut row| Ok((row.take()?, row.take()?)))
        .collect()
}

/// Rows of all runs behind `position` (0 for the start), in order; at most [`PAGE_ROWS`].
pub async fn after(tx: &mut dyn Tx, position: i64, limit: u32) -> Result<Vec<Entry>> {
    let rows = tx.query(AFTER, params![position, limit.min(PAGE_ROWS)]).await?;
    rows.into_iter().map(read_entry).collect()
}

/// Position of the newest row; 0 when there is none.
pub async fn head(tx: &mut dyn Tx) -> Result<i64> {
    tx.first(HEAD, &[]).await?.map_or(Ok(0), |mut row| row.take())
}

fn unreadable(why: serde_json::Error) -> Error {
    Error::new(Code::Internal, "the store holds a hint that cannot be read").cause(why)
}

fn read_entry(mut row: Row) -> Result<Entry> {
    Ok(Entry {
        position: row.take()?,
        run_id: row.take()?,
        lane: Lane {
            connection: row.take::<ConnectionName>()?,
            opportunity: row.take::<OpportunityKey>()?,
        },
        correlation: row.take()?,
        event: read(&mut row)?,
    })
}

fn read(row: &mut Row) -> Result<SyncEvent> {
    Ok(SyncEvent {
        sequence: row.take()?,
        kind: row.word()?,
        step: row.take()?,
        attempt: row.take()?,
        at: row.take()?,
        duration_us: row.take()?,
        data: row.data()?,
    })
}
