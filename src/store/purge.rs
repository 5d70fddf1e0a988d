//! Removing values for good, while the log stays provable.
//!
//! No row of the journal, of the decisions or of the conflicts goes away: each keeps its place, and a marker says what was
//! removed, when and under which rule ([`cpq_domain::purge`]). Every operation here does a few rows, so that one writer
//! is not held up for long: call it again while it finds any.

use cpq_domain::conflict::Conflict;
use cpq_domain::error::Report;
use cpq_domain::id::{ConnectionName, OpportunityKey, RecordId};
use cpq_domain::purge::Purged;
use cpq_domain::resolve::Held;
use cpq_domain::value::Value;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::encode::json;
use crate::journal::Sealed;
use crate::limits::TEXT_BYTES;
use crate::row::Row;
use crate::tx::{Param, Tx, params};

/// Runs, decisions or conflicts of one step: their rows are a few hundred, some milliseconds of work.
pub const STEP: i64 = 50;

const OLD_RUNS: &str = "SELECT id, error FROM runs WHERE purged_at IS NULL
  AND state IN ('succeeded', 'superseded', 'cancelled') AND updated_at < $1 ORDER BY updated_at, id LIMIT $2";
const RUNS_OF: &str =
    "SELECT id, error FROM runs WHERE opportunity IN ($1, $2) AND connection = $3 AND purged_at IS NULL
  AND state IN ('succeeded', 'superseded', 'cancelled', 'dead') ORDER BY id LIMIT $4";
const LIVE_OF: &str = "SELECT COUNT(*) FROM runs WHERE opportunity IN ($1, $2) AND connection = $3
  AND state IN ('queued', 'running', 'parked', 'waiting')";
const ROWS_OF: &str =
    "SELECT run_id, sequence, kind, step, attempt, at, duration_us, octet_length(data) FROM journal
  WHERE run_id = $1 AND kind NOT IN ('accepted', 'intent', 'requeued') AND data NOT LIKE '{\"purged\":%'
  ORDER BY sequence";
const BLANK_ROW: &str = "UPDATE journal SET data = $3, checksum = $4 WHERE run_id = $1 AND sequence = $2";
const BLANK_RUN: &str = "UPDATE runs SET purged_at = $2, error = $3 WHERE id = $1";
const BURY_KEYS: &str = "UPDATE idempotency SET state = 'expired', status = NULL, headers = NULL, body = NULL
  WHERE run_id = $1 AND state = 'done'";
const OLD_DECISIONS: &str =
    "UPDATE decisions SET crm = $1, cpq = $1, lost = NULL, given = NULL, reason = $2, purged = $3
  WHERE purged IS NULL AND position IN (SELECT position FROM decisions WHERE purged IS NULL AND at < $4
    ORDER BY position LIMIT $5)";
const DECISIONS_OF: &str =
    "UPDATE decisions SET crm = $1, cpq = $1, lost = NULL, given = NULL, reason = $2, purged = $3
  WHERE connection = $4 AND opportunity_id = $5 AND purged IS NULL";
const OLD_CONFLICTS: &str =
    "SELECT body FROM conflicts WHERE purged IS NULL AND state <> 'open' AND number > $1
  ORDER BY number LIMIT $2";
const CONFLICTS_OF: &str =
    "SELECT body FROM conflicts WHERE opportunity_id = $2 AND purged IS NULL AND state <> 'open'
  AND number > $1 ORDER BY number LIMIT $3";
const OPEN_OF: &str =
    "SELECT COUNT(*) FROM conflicts WHERE opportunity_id = $1 AND connection = $2 AND state = 'open'";
const BLANK_CONFLICT: &str = "UPDATE conflicts SET body = $2, purged = $3 WHERE number = $1";
const BASE_OF: &str = "DELETE FROM bases WHERE connection = $1 AND opportunity_id = $2";
const CERTIFICATES: &str = "DELETE FROM certificates WHERE (connection, hour, object) IN
  (SELECT connection, hour, object FROM certificates WHERE TRUE AND made_at < $1 LIMIT $2)";

pub(crate) const STATEMENTS: &[&[&str]] = &[
    &[
        OLD_RUNS, RUNS_OF, LIVE_OF, ROWS_OF, BLANK_ROW, BLANK_RUN, BURY_KEYS,
    ],
    &[
        OLD_DECISIONS,
        DECISIONS_OF,
        OLD_CONFLICTS,
        CONFLICTS_OF,
        OPEN_OF,
        BLANK_CONFLICT,
    ],
    &[BASE_OF, CERTIFICATES],
];

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// Runs whose journal was emptied.
    pub runs: u64,
    /// Rows of the journal that hold a marker now.
    pub rows: u64,
    /// Bytes that were there.
    pub bytes: u64,
    /// Decisions without values now.
    pub decisions: u64,
    /// Closed conflicts without values now.
    pub conflicts: u64,
    /// Agreements of both sides that were forgotten.
    pub bases: u64,
    /// Stored answers of idempotency keys that were removed.
    pub answers: u64,
    /// Idempotency keys that were forgotten.
    pub keys: u64,
    /// Ids of webhook deliveries that were forgotten.
    pub deliveries: u64,
    /// Certificates that were removed.
    pub certificates: u64,
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, more: Removed) {
        self.runs += more.runs;
        self.rows += more.rows;
        self.bytes += more.bytes;
        self.decisions += more.decisions;
        self.conflicts += more.conflicts;
        self.bases += more.bases;
        self.answers += more.answers;
        self.keys += more.keys;
        self.deliveries += more.deliveries;
        self.certificates += more.certificates;
    }
}

/// Empties the journals of some runs that ended well before `before`, the oldest first.
pub async fn journals(tx: &mut dyn Tx, before: Timestamp, mark: &Purged) -> Result<Removed> {
    let runs = tx.query(OLD_RUNS, params![before, STEP]).await?;
    empty(tx, runs, mark, false).await
}

/// Removes the values of some decisions from before `before`.
pub async fn decisions(tx: &mut dyn Tx, before: Timestamp, mark: &Purged) -> Result<u64> {
    let (nothing, marker) = (nothing()?, marker(mark)?);
    let values = params![nothing, mark.words(), marker, before, STEP * 10];
    tx.execute(OLD_DECISIONS, values).await
}

/// Removes the values of some closed conflicts from before `before`, behind the conflict `after`. Open ones keep theirs.
/// Returns how many, and the last that was looked at; `None` when there is none behind it.
pub async fn conflicts(
    tx: &mut dyn Tx,
    after: i64,
    before: Timestamp,
    mark: &Purged,
) -> Result<(u64, Option<i64>)> {
    let rows = tx.query(OLD_CONFLICTS, params![after, STEP]).await?;
    let (mut removed, mut last) = (0, None);
    for mut row in rows {
        let conflict: Conflict = row.json()?;
        last = Some(conflict.id.number());
        if conflict.closed_at.unwrap_or(conflict.updated_at) < before {
            blank_conflict(tx, conflict, mark).await?;
            removed += 1;
        }
    }
    Ok((removed, last))
}

/// Removes some certificates from before `before`.
pub async fn certificates(tx: &mut dyn Tx, before: Timestamp) -> Result<u64> {
    tx.execute(CERTIFICATES, params![before, STEP * 10]).await
}

/// What stands against emptying everything about an opportunity: syncs that have not ended, and open conflicts.
pub async fn obstacles(tx: &mut dyn Tx, who: &Subject) -> Result<(u64, u64)> {
    let live = params![&who.opportunity_id, who.number(), &who.connection];
    let open = params![&who.opportunity_id, &who.connection];
    Ok((count(tx, LIVE_OF, live).await?, count(tx, OPEN_OF, open).await?))
}

/// An opportunity whose values are to be removed.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The CRM's id.
    pub opportunity_id: RecordId,
    /// Its business number, if it has one.
    pub opportunity_number: Option<OpportunityKey>,
}

impl Subject {
    /// Syncs go by the number, or by the id.
    fn number(&self) -> &str {
        self.opportunity_number
            .as_ref()
            .map_or(self.opportunity_id.as_str(), OpportunityKey::as_str)
    }
}

/// Removes some of what is kept of an opportunity's values: journals, decisions, closed conflicts, answers and the
/// agreement. The link stays: it holds ids alone, and keeps a second quote from being made.
///
/// [`Code::InvalidTransition`] when syncs of it have not ended or conflicts are open: they need what would be removed.
pub async fn opportunity(tx: &mut dyn Tx, who: &Subject, mark: &Purged) -> Result<Removed> {
    match obstacles(tx, who).await? {
        (0, 0) => {}
        (live, open) => return Err(in_the_way(who, live, open)),
    }
    let runs = params![&who.opportunity_id, who.number(), &who.connection, STEP];
    let runs = tx.query(RUNS_OF, runs).await?;
    let mut removed = empty(tx, runs, mark, true).await?;
    let values = params![
        nothing()?,
        mark.words(),
        marker(mark)?,
        &who.connection,
        &who.opportunity_id
    ];
    removed.decisions = tx.execute(DECISIONS_OF, values).await?;
    for mut row in tx
        .query(CONFLICTS_OF, params![0_i64, &who.opportunity_id, STEP])
        .await?
    {
        let conflict: Conflict = row.json()?;
        blank_conflict(tx, conflict, mark).await?;
        removed.conflicts += 1;
    }
    removed.bases = tx
        .execute(BASE_OF, params![&who.connection, &who.opportunity_id])
        .await?;
    Ok(removed)
}

fn in_the_way(who: &Subject, live: u64, open: u64) -> Error {
    let message = format!(
        "nothing of opportunity {} can be purged now: {live} syncs have not ended and {open} conflicts are open",
        who.number()
    );
    Error::new(Code::InvalidTransition, message)
        .record(who.number())
        .next("let the syncs end, decide the conflicts (`cpq conflicts list`), then purge again; nothing was removed")
}

async fn empty(tx: &mut dyn Tx, runs: Vec<Row>, mark: &Purged, answers: bool) -> Result<Removed> {
    let mut removed = Removed::default();
    for mut row in runs {
        let (id, error): (String, Option<Report>) = (row.take()?, row.json_or_none()?);
        for mut row in tx.query(ROWS_OF, params![&id]).await? {
            removed.bytes += blank_row(tx, &mut row, mark).await?;
            removed.rows += 1;
        }
        let error = error.map(|report| json("a report", &without_words(report, mark), TEXT_BYTES));
        tx.execute(BLANK_RUN, params![&id, mark.at, error.transpose()?])
            .await?;
        if answers {
            removed.answers += tx.execute(BURY_KEYS, params![&id]).await?;
        }
        removed.runs += 1;
    }
    Ok(removed)
}

/// The code of a report is a fact about a system; its words may quote a value.
fn without_words(report: Report, mark: &Purged) -> Report {
    let mut bare = Error::new(report.code, mark.words()).report(report.correlation_id.as_deref());
    bare.details.written = report.details.written;
    bare
}

async fn blank_row(tx: &mut dyn Tx, row: &mut Row, mark: &Purged) -> Result<u64> {
    let (run_id, sequence): (String, u32) = (row.take()?, row.take()?);
    let (kind, step): (String, String) = (row.take()?, row.take()?);
    let (attempt, at): (u32, Timestamp) = (row.take()?, row.take()?);
    let (duration_us, bytes): (Option<i64>, u64) = (row.take()?, row.take()?);
    let data = marker(&Purged {
        bytes,
        ..mark.clone()
    })?;
    let checksum = Sealed {
        run_id: &run_id,
        sequence,
        kind: &kind,
        step: &step,
        attempt,
        at,
        duration_us,
        data: &data,
    }
    .checksum();
    tx.execute(BLANK_ROW, params![&run_id, sequence, &data, checksum])
        .await?;
    Ok(bytes)
}

async fn blank_conflict(tx: &mut dyn Tx, mut conflict: Conflict, mark: &Purged) -> Result<()> {
    conflict.base = Held::default();
    conflict.crm = Default::default();
    conflict.cpq = Default::default();
    conflict.ruling = None;
    conflict.outcome = None;
    conflict.reason = mark.words();
    let body = json("a conflict", &conflict, TEXT_BYTES)?;
    let values = params![conflict.id.number(), body, marker(mark)?];
    tx.execute(BLANK_CONFLICT, values).await.map(drop)
}

fn nothing() -> Result<String> {
    json("no value", &Value::Null, TEXT_BYTES)
}

fn marker(mark: &Purged) -> Result<String> {
    json("a marker", &mark.marker(), TEXT_BYTES)
}

async fn count(tx: &mut dyn Tx, sql: &'static str, values: &[Param<'_>]) -> Result<u64> {
    tx.first(sql, values).await?.map_or(Ok(0), |mut row| row.take())
}
