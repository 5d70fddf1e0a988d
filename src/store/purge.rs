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

use crate::dead_letters;
use crate::encode::json;
use crate::idempotency;
use crate::journal::Sealed;
use crate::limits::TEXT_BYTES;
use crate::row::Row;
use crate::tx::{Param, Tx, params};
use crate::webhooks;

/// Runs, decisions or conflicts of one step: their rows are a few hundred, some milliseconds of work.
const STEP: i64 = 50;

const OLD_RUNS: &str = "SELECT id, error FROM runs WHERE purged_at IS NULL
  AND state IN ('succeeded', 'superseded', 'cancelled') AND updated_at < $1 ORDER BY updated_at, id LIMIT $2 FOR UPDATE";
const RUNS_OF: &str =
    "SELECT id, error FROM runs WHERE opportunity IN ($1, $2) AND connection || '' = $3 AND purged_at IS NULL
  AND state IN ('succeeded', 'superseded', 'cancelled', 'dead') ORDER BY id LIMIT $4 FOR UPDATE";
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
/// What the embedded CPQ answered to the run's own writes: the whole quote.
const BURY_WRITES: &str =
    "UPDATE idempotency SET state = 'expired', status = NULL, headers = NULL, body = NULL
  WHERE client = 'cpq-sync' AND key BETWEEN $1 AND $2 AND state = 'done'";
pub(crate) const OLD_DECISIONS: &str =
    "UPDATE decisions SET crm = $1, cpq = $1, lost = NULL, given = NULL, reason = $2, purged = $3
  WHERE purged IS NULL AND position IN (SELECT position FROM decisions WHERE purged IS NULL AND at < $4
    ORDER BY at, position LIMIT $5)";
const DECISIONS_OF: &str =
    "UPDATE decisions SET crm = $1, cpq = $1, lost = NULL, given = NULL, reason = $2, purged = $3
  WHERE connection = $4 AND opportunity_id = $5 AND purged IS NULL";
const OLD_CONFLICTS: &str =
    "SELECT body FROM conflicts WHERE purged IS NULL AND state <> 'open' AND number > $1
  ORDER BY number LIMIT $2 FOR UPDATE";
const CONFLICTS_OF: &str =
    "SELECT body FROM conflicts WHERE opportunity_id = $2 AND purged IS NULL AND state <> 'open'
  AND number > $1 ORDER BY number LIMIT $3 FOR UPDATE";
const OPEN_OF: &str =
    "SELECT COUNT(*) FROM conflicts WHERE opportunity_id = $1 AND connection = $2 AND state = 'open'";
const BLANK_CONFLICT: &str = "UPDATE conflicts SET body = $2, purged = $3 WHERE number = $1";
const BASE_OF: &str = "DELETE FROM bases WHERE connection = $1 AND opportunity_id = $2";
pub(crate) const CERTIFICATES: &str = "DELETE FROM certificates WHERE (connection, hour, object) IN
  (SELECT connection, hour, object FROM certificates WHERE TRUE AND made_at < $1 LIMIT $2)";

const COUNT_RUNS: &str = "SELECT COUNT(*) FROM runs WHERE purged_at IS NULL
  AND state IN ('succeeded', 'superseded', 'cancelled') AND updated_at < $1";
const COUNT_ROWS: &str =
    "SELECT COUNT(*) FROM runs r JOIN journal j ON j.run_id = r.id WHERE r.purged_at IS NULL
  AND r.state IN ('succeeded', 'superseded', 'cancelled') AND r.updated_at < $1
  AND j.kind NOT IN ('accepted', 'intent', 'requeued')";
const COUNT_DECISIONS: &str = "SELECT COUNT(*) FROM decisions WHERE TRUE AND purged IS NULL AND at < $1";
const COUNT_CERTIFICATES: &str = "SELECT COUNT(*) FROM certificates WHERE TRUE AND made_at < $1";
const COUNT_RUNS_OF: &str =
    "SELECT COUNT(*) FROM runs WHERE opportunity IN ($1, $2) AND connection = $3 AND purged_at IS NULL";
const COUNT_ROWS_OF: &str = "SELECT COUNT(*) FROM runs r JOIN journal j ON j.run_id = r.id
  WHERE r.opportunity IN ($1, $2) AND r.connection = $3 AND r.purged_at IS NULL
  AND j.kind NOT IN ('accepted', 'intent', 'requeued')";
const COUNT_DECISIONS_OF: &str =
    "SELECT COUNT(*) FROM decisions WHERE connection = $1 AND opportunity_id = $2 AND purged IS NULL";
const COUNT_CONFLICTS_OF: &str = "SELECT COUNT(*) FROM conflicts WHERE connection = $1 AND opportunity_id = $2 AND purged IS NULL AND state <> 'open'";
const COUNT_BASE_OF: &str = "SELECT COUNT(*) FROM bases WHERE connection = $1 AND opportunity_id = $2";

pub(crate) const STATEMENTS: &[&[&str]] = &[
    &[
        OLD_RUNS,
        RUNS_OF,
        LIVE_OF,
        ROWS_OF,
        BLANK_ROW,
        BLANK_RUN,
        BURY_KEYS,
        BURY_WRITES,
    ],
    &[
        OLD_DECISIONS,
        DECISIONS_OF,
        OLD_CONFLICTS,
        CONFLICTS_OF,
        OPEN_OF,
        BLANK_CONFLICT,
    ],
    &[
        BASE_OF,
        CERTIFICATES,
        COUNT_RUNS,
        COUNT_ROWS,
        COUNT_DECISIONS,
        COUNT_CERTIFICATES,
    ],
    &[
        COUNT_RUNS_OF,
        COUNT_ROWS_OF,
        COUNT_DECISIONS_OF,
        COUNT_CONFLICTS_OF,
        COUNT_BASE_OF,
    ],
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

/// What to remove.
#[derive(Clone, Debug)]
pub enum Task {
    /// Journals of runs that ended well before the moment, the oldest first. Dead letters keep theirs.
    Journals(Timestamp, Purged),
    /// Values of decisions from before the moment.
    Decisions(Timestamp, Purged),
    /// Values of conflicts that were closed before the moment, behind the conflict of that number. Open ones keep theirs.
    Conflicts(Timestamp, Purged, i64),
    /// Certificates from before the moment.
    Certificates(Timestamp),
    /// Answers and keys past what the API promises, at this moment.
    Keys(Timestamp),
    /// Ids of deliveries past the same.
    Deliveries(Timestamp),
    /// Whatever is kept of an opportunity's values; its link stays.
    Opportunity(Subject, Purged),
}

/// Does some of it. Returns what was removed, and what is left to do.
pub async fn step(tx: &mut dyn Tx, task: Task) -> Result<(Removed, Option<Task>)> {
    let mut removed = Removed::default();
    let again = match &task {
        Task::Journals(before, mark) => {
            let runs = tx.query(OLD_RUNS, params![*before, STEP]).await?;
            removed = empty(tx, runs, mark, false).await?;
            removed.runs > 0
        }
        Task::Decisions(before, mark) => {
            let values = params![nothing()?, mark.words(), marker(mark)?, *before, STEP * 10];
            removed.decisions = tx.execute(OLD_DECISIONS, values).await?;
            removed.decisions > 0
        }
        Task::Conflicts(before, mark, after) => {
            let (closed, last) = closed_before(tx, *before, *after).await?;
            for conflict in closed {
                blank_conflict(tx, conflict, mark).await?;
                removed.conflicts += 1;
            }
            let next = last.map(|last| Task::Conflicts(*before, mark.clone(), last));
            return Ok((removed, next));
        }
        Task::Certificates(before) => {
            removed.certificates = tx.execute(CERTIFICATES, params![*before, STEP * 10]).await?;
            removed.certificates > 0
        }
        Task::Keys(now) => {
            let gone = idempotency::purge(tx, *now).await?;
            (removed.answers, removed.keys) = (gone.answers, gone.keys);
            gone != idempotency::Purged::default()
        }
        Task::Deliveries(now) => {
            removed.deliveries = webhooks::purge(tx, *now).await?;
            removed.deliveries > 0
        }
        Task::Opportunity(who, mark) => {
            removed = opportunity(tx, who, mark).await?;
            removed != Removed::default()
        }
    };
    Ok((removed, again.then_some(task)))
}

/// How much there is of what can be counted without doing it: everything but keys, deliveries and bytes.
pub async fn foresee(tx: &mut dyn Tx, task: &Task) -> Result<Removed> {
    let mut there = Removed::default();
    match task {
        Task::Journals(before, _) => {
            there.runs = count(tx, COUNT_RUNS, params![*before]).await?;
            there.rows = count(tx, COUNT_ROWS, params![*before]).await?;
        }
        Task::Decisions(before, _) => there.decisions = count(tx, COUNT_DECISIONS, params![*before]).await?,
        Task::Conflicts(before, _, after) => {
            let mut after = Some(*after);
            while let Some(behind) = after {
                let (closed, last) = closed_before(tx, *before, behind).await?;
                there.conflicts += closed.len() as u64;
                after = last;
            }
        }
        Task::Certificates(before) => {
            there.certificates = count(tx, COUNT_CERTIFICATES, params![*before]).await?;
        }
        Task::Keys(_) | Task::Deliveries(_) => {}
        Task::Opportunity(who, _) => {
            free_to_go(tx, who).await?;
            let of = params![&who.opportunity_id, who.number(), &who.connection];
            there.runs = count(tx, COUNT_RUNS_OF, of).await?;
            there.rows = count(tx, COUNT_ROWS_OF, of).await?;
            let of = params![&who.connection, &who.opportunity_id];
            there.decisions = count(tx, COUNT_DECISIONS_OF, of).await?;
            there.conflicts = count(tx, COUNT_CONFLICTS_OF, of).await?;
            there.bases = count(tx, COUNT_BASE_OF, of).await?;
        }
    }
    Ok(there)
}

/// Closed conflicts of a page that are old enough, and the last number of the page; `None` when there is no page.
async fn closed_before(
    tx: &mut dyn Tx,
    before: Timestamp,
    after: i64,
) -> Result<(Vec<Conflict>, Option<i64>)> {
    let (mut old, mut last) = (Vec::new(), None);
    for mut row in tx.query(OLD_CONFLICTS, params![after, STEP]).await? {
        let conflict: Conflict = row.json()?;
        last = Some(conflict.id.number());
        if conflict.closed_at.unwrap_or(conflict.updated_at) < before {
            old.push(conflict);
        }
    }
    Ok((old, last))
}

/// What stands against emptying everything about an opportunity: syncs that have not ended, and open conflicts.
async fn free_to_go(tx: &mut dyn Tx, who: &Subject) -> Result<()> {
    let live = params![&who.opportunity_id, who.number(), &who.connection];
    let open = params![&who.opportunity_id, &who.connection];
    match (count(tx, LIVE_OF, live).await?, count(tx, OPEN_OF, open).await?) {
        (0, 0) => Ok(()),
        (live, open) => Err(in_the_way(who, live, open)),
    }
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
async fn opportunity(tx: &mut dyn Tx, who: &Subject, mark: &Purged) -> Result<Removed> {
    free_to_go(tx, who).await?;
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
        dead_letters::without_words(tx, &id, &mark.words()).await?;
        let writes = (format!("cpq:{id}:"), format!("cpq:{id}:zzzz"));
        removed.answers += tx.execute(BURY_WRITES, params![&writes.0, &writes.1]).await?;
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
