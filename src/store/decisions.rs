//! Every decision about a field, for ever: what `cpq why` tells from.

use std::collections::HashSet;
use std::sync::LazyLock;

use cpq_domain::id::{ConnectionName, CorrelationId, LineKey, RecordId, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::resolve::{Decision, Held, Origin};
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::Serialize;

use crate::encode::{bounded, json, word};
use crate::limits::{DECISIONS, TEXT_BYTES};
use crate::many;
use crate::row::Row;
use crate::tx::{Param, Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, correlation, connection, opportunity_id, matrix_version, at,
  field, line, verdict, owner, policy, crm, cpq, lost, reason, origin, given, conflict, position FROM decisions ",
            $rest
        )
    };
}

/// Decisions of one statement, of few and of many: a first sync of three lines keeps some sixty, and each statement is a way
/// to the server; most syncs keep a few.
const FEW: usize = 16;
const MANY: usize = 64;
/// Types of the columns of a decision itself.
const COLUMNS: [&str; 12] = ["TEXT"; 12];
/// Parameters of its circumstances, which all rows share.
const SHARED: usize = 6;

/// Not when the last decision about the field was the same: one that leaves things as they are is made anew at every
/// look, and a run that started over tells again what it told before. Rows without a field fill the statement up.
///
/// The last decision is a sub-select, and the newest by a sum: by `NOT EXISTS` or the bare position PostgreSQL reads the
/// whole table for it.
fn append_rows(rows: usize) -> String {
    format!(
        "INSERT INTO decisions (run_id, correlation, connection, opportunity_id, matrix_version, at,
  field, line, verdict, owner, policy, crm, cpq, lost, reason, origin, given, conflict)
  SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), n.column2, n.column3, n.column4, n.column5, n.column6, n.column7,
    n.column8, n.column9, n.column10, n.column11, n.column12, n.column13
  FROM (VALUES {}) AS n
  WHERE n.column2 IS NOT NULL
    AND (SELECT d.verdict = n.column4 AND d.crm = n.column7 AND d.cpq = n.column8
        AND (d.reason = n.column10 OR d.verdict = 'review') AND (d.run_id = $1 OR d.verdict IN ('keep', 'review'))
      FROM decisions d WHERE d.connection = $3 AND d.opportunity_id = $4 AND d.field = n.column2
        AND COALESCE(d.line, '') = COALESCE(n.column3, '') ORDER BY d.position + 0 DESC LIMIT 1) IS NOT TRUE
  ORDER BY n.column1 RETURNING field, line",
        many::values(SHARED, rows, &COLUMNS)
    )
}
static APPEND_FEW: LazyLock<String> = LazyLock::new(|| append_rows(FEW));
static APPEND_MANY: LazyLock<String> = LazyLock::new(|| append_rows(MANY));
const OF_RUN: &str = select!("WHERE run_id = $1 ORDER BY position LIMIT $2");
const OF_FIELD: &str = select!(
    "WHERE connection = $1 AND opportunity_id = $2 AND field = $3 AND COALESCE(line, '') = COALESCE($4, '')
  AND position < COALESCE($5, 9223372036854775807) ORDER BY position DESC LIMIT $6"
);

pub(crate) fn statements() -> Vec<&'static str> {
    vec![APPEND_FEW.as_str(), APPEND_MANY.as_str(), OF_RUN, OF_FIELD]
}

/// Under what a sync decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Circumstances {
    /// The run.
    pub run_id: RunId,
    /// Its correlation id.
    pub correlation: CorrelationId,
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The CRM's id of the opportunity.
    pub opportunity_id: RecordId,
    /// The matrix in force.
    pub matrix_version: String,
    /// When.
    pub at: Timestamp,
}

/// A decision with its circumstances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredDecision {
    /// Under what it was made.
    #[serde(flatten)]
    pub circumstances: Circumstances,
    /// The decision. What both sides held before is in the decision before.
    #[serde(flatten)]
    pub decision: Decision,
    /// Its place among all decisions.
    pub position: i64,
}

/// Keeps the decisions of a sync, each unless it only repeats the last one about its field. Returns which were kept.
pub async fn append(
    tx: &mut dyn Tx,
    circumstances: &Circumstances,
    decisions: &[Decision],
) -> Result<Vec<bool>> {
    bounded("the decisions of a run", decisions.len(), DECISIONS as usize)?;
    let mut kept = Vec::with_capacity(decisions.len());
    let mut rest = decisions;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(of_different_fields(rest));
        kept.extend(write(tx, circumstances, now).await?);
        rest = later;
    }
    Ok(kept)
}

/// What a decision is about.
fn about(decision: &Decision) -> (&str, Option<&str>) {
    (
        decision.field.as_str(),
        decision.line.as_ref().map(LineKey::as_str),
    )
}

/// How many decisions go together: a statement does not see its own rows, so none is about the field of another.
fn of_different_fields(decisions: &[Decision]) -> usize {
    let mut fields = HashSet::new();
    let first = decisions.iter().take(MANY);
    first
        .take_while(|decision| fields.insert(about(decision)))
        .count()
}

async fn write(tx: &mut dyn Tx, circumstances: &Circumstances, decisions: &[Decision]) -> Result<Vec<bool>> {
    let mut values = params![
        circumstances.run_id,
        &circumstances.correlation,
        &circumstances.connection,
        &circumstances.opportunity_id,
        &circumstances.matrix_version,
        circumstances.at,
    ]
    .to_vec();
    for decision in decisions {
        values.extend(columns(decision)?);
    }
    let (sql, rows) = match decisions.len() <= FEW {
        true => (APPEND_FEW.as_str(), FEW),
        false => (APPEND_MANY.as_str(), MANY),
    };
    values.resize(SHARED + rows * COLUMNS.len(), Param::Null);
    let mut kept = HashSet::new();
    for mut row in tx.query(sql, &values).await? {
        kept.insert((row.take::<String>()?, row.take::<Option<String>>()?));
    }
    let is_kept = |decision| {
        let (field, line) = about(decision);
        kept.contains(&(field.to_owned(), line.map(str::to_owned)))
    };
    Ok(decisions.iter().map(is_kept).collect())
}

fn columns(decision: &Decision) -> Result<[Param<'_>; COLUMNS.len()]> {
    let value = |value| json("a field's value", value, TEXT_BYTES);
    let (field, line) = about(decision);
    Ok([
        field.into(),
        line.into(),
        word(&decision.verdict)?.into(),
        word(&decision.owner)?.into(),
        word(&decision.policy)?.into(),
        value(&decision.crm)?.into(),
        value(&decision.cpq)?.into(),
        decision.lost.as_ref().map(value).transpose()?.into(),
        decision.reason.as_str().into(),
        word(&decision.origin)?.into(),
        decision.given.as_ref().map(value).transpose()?.into(),
        decision.ruling.as_ref().into(),
    ])
}

/// The decisions of a run, in the order in which they were made.
pub async fn of_run(tx: &mut dyn Tx, run_id: RunId) -> Result<Vec<StoredDecision>> {
    tx.query(OF_RUN, params![run_id, DECISIONS])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

/// Which decisions to look for.
#[derive(Clone, Debug)]
pub struct OfField {
    /// Of this connection.
    pub connection: ConnectionName,
    /// The CRM's id of the opportunity.
    pub opportunity: RecordId,
    /// About this field.
    pub field: FieldName,
    /// Of this line, for line fields.
    pub line: Option<LineKey>,
    /// Made before the one at this position.
    pub before: Option<i64>,
    /// Rows, at most [`PAGE_ROWS`].
    pub limit: u32,
}

/// What was decided about a field, newest first.
pub async fn of_field(tx: &mut dyn Tx, which: &OfField) -> Result<Vec<StoredDecision>> {
    let values = params![
        &which.connection,
        &which.opportunity,
        which.field.as_str(),
        which.line.as_ref().map(LineKey::as_str),
        which.before,
        which.limit.min(PAGE_ROWS),
    ];
    tx.query(OF_FIELD, values).await?.into_iter().map(read).collect()
}

fn read(mut row: Row) -> Result<StoredDecision> {
    Ok(StoredDecision {
        circumstances: Circumstances {
            run_id: row.take()?,
            correlation: row.take()?,
            connection: row.take()?,
            opportunity_id: row.take()?,
            matrix_version: row.take()?,
            at: row.take()?,
        },
        decision: Decision {
            field: FieldName::new(&row.take::<String>()?),
            line: row.take()?,
            verdict: row.word()?,
            owner: row.word()?,
            policy: row.word()?,
            crm: row.json()?,
            cpq: row.json()?,
            lost: row.json_or_none()?,
            reason: row.take()?,
            origin: origin(row.take()?)?,
            base: Held::default(),
            given: row.json_or_none()?,
            ruling: row.take()?,
        },
        position: row.take()?,
    })
}

/// Decisions that were kept by the first version name no origin.
fn origin(word: Option<String>) -> Result<Origin> {
    let Some(word) = word else {
        return Ok(Origin::Neither);
    };
    serde_json::from_value(word.into())
        .map_err(|why| Error::new(Code::Internal, "the store holds a decision of unknown origin").cause(why))
}
