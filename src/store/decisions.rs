//! Every decision about a field, for ever: what `cpq why` tells from.

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, CorrelationId, LineKey, RecordId, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::resolve::Decision;
use cpq_domain::view::FieldName;
use jiff::Timestamp;
use serde::Serialize;

use crate::encode::{bounded, json, word};
use crate::limits::{DECISIONS, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, correlation, connection, opportunity_id, matrix_version, at,
  field, line, verdict, owner, policy, crm, cpq, lost, reason FROM decisions ",
            $rest
        )
    };
}

const APPEND: &str =
    "INSERT INTO decisions (run_id, correlation, connection, opportunity_id, matrix_version, at,
  field, line, verdict, owner, policy, crm, cpq, lost, reason)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const OF_RUN: &str = select!("WHERE run_id = $1 ORDER BY position LIMIT $2");
const OF_FIELD: &str =
    select!("WHERE connection = $1 AND opportunity_id = $2 AND field = $3 ORDER BY position DESC LIMIT $4");

pub(crate) const STATEMENTS: &[&str] = &[APPEND, OF_RUN, OF_FIELD];

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
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
}

/// Keeps the decisions of a sync.
pub async fn append(tx: &mut dyn Tx, circumstances: &Circumstances, decisions: &[Decision]) -> Result<()> {
    bounded("the decisions of a run", decisions.len(), DECISIONS as usize)?;
    for decision in decisions {
        write(tx, circumstances, decision).await?;
    }
    Ok(())
}

async fn write(tx: &mut dyn Tx, circumstances: &Circumstances, decision: &Decision) -> Result<()> {
    let value = |value| json("a field's value", value, TEXT_BYTES);
    let values = params![
        circumstances.run_id,
        &circumstances.correlation,
        &circumstances.connection,
        &circumstances.opportunity_id,
        &circumstances.matrix_version,
        circumstances.at,
        decision.field.as_str(),
        decision.line.as_ref().map(LineKey::as_str),
        word(&decision.verdict)?,
        word(&decision.owner)?,
        word(&decision.policy)?,
        value(&decision.crm)?,
        value(&decision.cpq)?,
        decision.lost.as_ref().map(value).transpose()?,
        &decision.reason,
    ];
    tx.execute(APPEND, values).await.map(drop)
}

/// The decisions of a run, in the order in which they were made.
pub async fn of_run(tx: &mut dyn Tx, run_id: RunId) -> Result<Vec<StoredDecision>> {
    tx.query(OF_RUN, params![run_id, DECISIONS])
        .await?
        .into_iter()
        .map(read)
        .collect()
}

/// What was decided about a field of an opportunity, newest first; at most [`PAGE_ROWS`].
pub async fn of_field(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    opportunity: &RecordId,
    field: &FieldName,
    limit: u32,
) -> Result<Vec<StoredDecision>> {
    let values = params![connection, opportunity, field.as_str(), limit.min(PAGE_ROWS)];
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
        },
    })
}
