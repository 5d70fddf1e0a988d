//! The journal: whole, unchanged, possible, and leading to what is stored of each run.
//!
//! Runs and rows come in the order of their ids and are walked side by side.

use std::str::FromStr;

use cpq_domain::Result;
use cpq_domain::event::EventKind;
use cpq_domain::fold::{self, Fold, Misfit};
use cpq_domain::purge;
use cpq_domain::run::RunState;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Kind, Notes};
use crate::journal::Sealed;
use crate::row::Row;
use crate::tx::{Tx, params};

const RUNS: &str = "SELECT id, state, attempt, correlation, outcome, error FROM runs
  WHERE id > $1 ORDER BY id LIMIT $2";
/// Large data is fetched by itself, so that a page stays small.
const ROWS: &str = "SELECT position, run_id, sequence, kind, step, attempt, at, duration_us, checksum,
  CASE WHEN octet_length(data) <= $3 THEN data END FROM journal
  WHERE (run_id, sequence) > ($1, $2) ORDER BY run_id, sequence LIMIT $4";
const DATA: &str = "SELECT data FROM journal WHERE run_id = $1 AND sequence = $2";
const SPAN: &str = "SELECT COUNT(*), COALESCE(MAX(position), 0) FROM journal WHERE TRUE";
const NUMBERED: &str =
    "SELECT COUNT(DISTINCT correlation) FROM runs WHERE TRUE AND correlation LIKE 'csync-%'";
const COUNTED: &str = "SELECT COALESCE(MAX(value), 0) FROM counters WHERE name = 'correlation'";

pub(super) const STATEMENTS: &[&str] = &[RUNS, ROWS, DATA, SPAN, NUMBERED, COUNTED];

/// Rows of a page.
const PAGE: i64 = 500;
/// Bytes of data that come with the page; the usual row has two or three thousand.
const INLINE_BYTES: i64 = 32 * 1024;

/// A run as it is stored.
struct Stored {
    id: String,
    state: String,
    attempt: u32,
    correlation: String,
    outcome: Option<String>,
    error: Option<String>,
}

/// A row as it is stored.
struct Entry {
    position: i64,
    run_id: String,
    sequence: u32,
    kind: String,
    step: String,
    attempt: u32,
    at: Timestamp,
    duration_us: Option<i64>,
    checksum: Option<i64>,
    data: Option<String>,
}

pub(super) async fn walk(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let mut rows = Rows::default();
    let mut after = String::new();
    loop {
        let page = tx.query(RUNS, params![&after, PAGE]).await?;
        let full = page.len() as i64 == PAGE;
        for row in page {
            let run = stored(row)?;
            after.clone_from(&run.id);
            notes.report.runs += 1;
            one(tx, &run, &mut rows, notes).await?;
        }
        if !full {
            break;
        }
    }
    while let Some(row) = rows.next(tx).await? {
        stray(&row, notes);
    }
    lost(tx, notes).await
}

/// The journal of one run. What comes before it belongs to no run.
async fn one(tx: &mut dyn Tx, run: &Stored, rows: &mut Rows, notes: &mut Notes) -> Result<()> {
    let mut fold = Fold::new();
    let (mut position, mut end) = (0, None);
    while let Some(row) = rows.next_up_to(tx, &run.id).await? {
        if row.run_id != run.id {
            stray(&row, notes);
            continue;
        }
        let name = |what: &str| format!("{}: {what}", run.correlation);
        if row.position <= position {
            notes.add(Kind::PositionGap, 1, || {
                name(&format!(
                    "row {} has position {} behind {position}",
                    row.sequence, row.position
                ))
            });
        }
        position = row.position;
        let data = content(tx, &row, &run.correlation, notes).await?;
        let Some(kind) = EventKind::parse(&row.kind) else {
            notes.add(Kind::JournalContent, 1, || {
                name(&format!(
                    "row {} is of the unknown kind `{}`",
                    row.sequence, row.kind
                ))
            });
            continue;
        };
        let entry = fold::Entry {
            sequence: row.sequence,
            kind,
            attempt: row.attempt,
        };
        if let Err(misfit) = fold.take(entry) {
            notes.add(kind_of(&misfit), 1, || name(&misfit.to_string()));
        }
        if fold::tells_the_end(kind) {
            end = Some((kind, data));
        }
    }
    led_to(run, &fold, notes);
    ended(run, end, notes);
    Ok(())
}

fn kind_of(misfit: &Misfit) -> Kind {
    match misfit {
        Misfit::Gap { .. } => Kind::JournalGap,
        Misfit::Stale { .. } | Misfit::Impossible { .. } => Kind::JournalOrder,
        Misfit::Other { .. } => Kind::RunState,
    }
}

/// A row whose run is not there.
fn stray(row: &Entry, notes: &mut Notes) {
    notes.add(Kind::RunLost, 1, || {
        format!(
            "row {} of the journal is of run {}, which is not there",
            row.position, row.run_id
        )
    });
}

/// The data of the row, if it is what was written.
async fn content(tx: &mut dyn Tx, row: &Entry, correlation: &str, notes: &mut Notes) -> Result<Option<Json>> {
    notes.report.rows += 1;
    notes.look();
    let fetched = match &row.data {
        Some(_) => None,
        None => tx.first(DATA, params![&row.run_id, row.sequence]).await?,
    };
    let fetched: Option<String> = fetched.map(|mut row| row.take()).transpose()?;
    let text = row.data.as_deref().or(fetched.as_deref()).unwrap_or_default();
    let told = |what: &str| {
        format!(
            "{correlation}: row {} ({} {}) {what}",
            row.sequence, row.kind, row.step
        )
    };
    match row.checksum {
        None => notes.report.rows_without_checksum += 1,
        Some(checksum) if checksum == sum(row, text) => {}
        Some(_) => notes.add(Kind::JournalContent, 1, || told("is not what was written")),
    }
    let data = serde_json::from_str::<Json>(text).ok();
    match &data {
        None => notes.add(Kind::JournalContent, 1, || told("holds no JSON")),
        Some(data) => notes.report.purged_rows += u64::from(purge::is_marker(data)),
    }
    Ok(data)
}

fn sum(row: &Entry, data: &str) -> i64 {
    Sealed {
        run_id: &row.run_id,
        sequence: row.sequence,
        kind: &row.kind,
        step: &row.step,
        attempt: row.attempt,
        at: row.at,
        duration_us: row.duration_us,
        data,
    }
    .checksum()
}

fn led_to(run: &Stored, fold: &Fold, notes: &mut Notes) {
    let name = |what: String| format!("{}: {what}", run.correlation);
    match RunState::parse(&run.state) {
        None => notes.add(Kind::RunState, 1, || {
            name(format!("the state `{}` is unknown", run.state))
        }),
        Some(state) => {
            if let Err(misfit) = fold.leads_to(state, run.attempt) {
                notes.add(Kind::RunState, 1, || name(misfit.to_string()));
            }
        }
    }
}

/// The last row that tells how the run stood holds what is stored with the run.
fn ended(run: &Stored, end: Option<(EventKind, Option<Json>)>, notes: &mut Notes) {
    let Some((kind, Some(told))) = end else { return };
    let (what, stored) = match kind {
        EventKind::Succeeded => ("outcome", &run.outcome),
        _ => ("error", &run.error),
    };
    let stored = stored.as_deref().map(Json::from_str).transpose();
    let Ok(Some(stored)) = stored else {
        let missing = stored.is_ok();
        let why = if missing { "is not there" } else { "is no JSON" };
        return notes.add(Kind::RunEnd, 1, || {
            format!("{}: its {what} {why}", run.correlation)
        });
    };
    if !fold::same(&told, &stored) {
        notes.add(Kind::RunEnd, 1, || {
            format!(
                "{}: its {what} is another than its journal tells",
                run.correlation
            )
        });
    }
}

/// Runs are numbered without gaps among what is committed: one that was accepted and is gone leaves its number behind.
async fn lost(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let number = async |tx: &mut dyn Tx, sql| -> Result<i64> {
        tx.first(sql, &[]).await?.map_or(Ok(0), |mut row| row.take())
    };
    let (there, given) = (number(tx, NUMBERED).await?, number(tx, COUNTED).await?);
    if there < given {
        let missing = given.abs_diff(there);
        notes.add(Kind::RunLost, missing, || {
            format!("{given} correlation ids were given, and {there} have a sync")
        });
    }
    Ok(())
}

/// Positions are given one after the other and never taken away.
pub(super) async fn positions(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let Some(mut row) = tx.first(SPAN, &[]).await? else {
        return Ok(());
    };
    let (rows, last): (i64, i64) = (row.take()?, row.take()?);
    if rows != last {
        notes.add(Kind::PositionGap, last.abs_diff(rows), || {
            format!("the last position is {last}, and there are {rows} rows")
        });
    }
    Ok(())
}

/// Rows of all runs, a page at a time.
#[derive(Default)]
struct Rows {
    page: std::collections::VecDeque<Entry>,
    after: (String, u32),
    done: bool,
}

impl Rows {
    async fn next(&mut self, tx: &mut dyn Tx) -> Result<Option<Entry>> {
        self.fill(tx).await?;
        Ok(self.page.pop_front())
    }

    /// The next row, if it is of this run or of one before it.
    async fn next_up_to(&mut self, tx: &mut dyn Tx, run_id: &str) -> Result<Option<Entry>> {
        self.fill(tx).await?;
        let is_due = self.page.front().is_some_and(|row| row.run_id.as_str() <= run_id);
        Ok(if is_due { self.page.pop_front() } else { None })
    }

    async fn fill(&mut self, tx: &mut dyn Tx) -> Result<()> {
        if !self.page.is_empty() || self.done {
            return Ok(());
        }
        let values = params![&self.after.0, self.after.1, INLINE_BYTES, PAGE];
        let found = tx.query(ROWS, values).await?;
        self.done = (found.len() as i64) < PAGE;
        for row in found {
            self.page.push_back(entry(row)?);
        }
        if let Some(last) = self.page.back() {
            self.after = (last.run_id.clone(), last.sequence);
        }
        Ok(())
    }
}

fn stored(mut row: Row) -> Result<Stored> {
    Ok(Stored {
        id: row.take()?,
        state: row.take()?,
        attempt: row.take()?,
        correlation: row.take()?,
        outcome: row.take()?,
        error: row.take()?,
    })
}

fn entry(mut row: Row) -> Result<Entry> {
    Ok(Entry {
        position: row.take()?,
        run_id: row.take()?,
        sequence: row.take()?,
        kind: row.take()?,
        step: row.take()?,
        attempt: row.take()?,
        at: row.take()?,
        duration_us: row.take()?,
        checksum: row.take()?,
        data: row.take()?,
    })
}
