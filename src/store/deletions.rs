//! Answers about records that are gone on one side.

use cpq_domain::deletion::{Answer, Gone};
use cpq_domain::id::{ConnectionName, Lane, RecordId};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::links::Link;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO deletions (connection, opportunity_id, opportunity_number, record, answer, answered_at)
  VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (connection, opportunity_id, record) DO UPDATE SET opportunity_number = excluded.opportunity_number,
    answer = excluded.answer, answered_at = excluded.answered_at
  WHERE deletions.answer <> excluded.answer";
// `connection || ''` keeps SQLite from the primary key, which begins with the connection.
const OF: &str = "SELECT record, answer FROM deletions WHERE connection = $1 AND opportunity_id = $2
  UNION ALL SELECT record, answer FROM deletions
  WHERE opportunity_number = $2 AND connection || '' = $1 AND opportunity_id <> $2";
const CLEAR: &str = "DELETE FROM deletions WHERE connection = $1 AND opportunity_id = $2 AND record = $3";

pub(crate) const STATEMENTS: &[&str] = &[PUT, OF, CLEAR];

/// Remembers an answer, in place of an earlier one.
pub async fn put(tx: &mut dyn Tx, link: &Link, gone: Gone, answer: Answer, now: Timestamp) -> Result<()> {
    let values = params![
        &link.connection,
        &link.opportunity_id,
        link.opportunity_number.as_ref(),
        gone.as_str(),
        answer.as_str(),
        now,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// The answers about an opportunity, by its CRM id or its business number.
pub async fn of(tx: &mut dyn Tx, lane: &Lane) -> Result<Vec<(Gone, Answer)>> {
    let rows = tx.query(OF, params![&lane.connection, &lane.opportunity]).await?;
    let mut answers = Vec::with_capacity(rows.len());
    for mut row in rows {
        let (record, answer): (String, String) = (row.take()?, row.take()?);
        let known = Gone::parse(&record).zip(Answer::parse(&answer));
        answers.push(known.ok_or_else(|| {
            let message = format!("the store holds the unknown answer {answer} about a {record}");
            Error::new(Code::StoreTooNew, message)
        })?);
    }
    Ok(answers)
}

/// Forgets an answer: the record is there again.
pub async fn clear(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    opportunity: &RecordId,
    gone: Gone,
) -> Result<()> {
    tx.execute(CLEAR, params![connection, opportunity, gone.as_str()])
        .await
        .map(drop)
}
