//! The ledger of idempotency keys: at most one operation per client and key.
//!
//! [`begin`] belongs into the transaction that starts the operation. An operation that is wholly inside the store
//! begins and finishes its key in that one transaction, so no crash can leave the key running; an operation that goes
//! on outside hangs its key on a run, and the run finishes it.

use std::collections::BTreeMap;

use cpq_domain::id::{ClientId, IdempotencyKey, RunId};
use cpq_domain::limits::{IDEMPOTENCY_BODY_BYTES, IDEMPOTENCY_DAYS, IDEMPOTENCY_TOMBSTONE_DAYS};
use cpq_domain::{Code, Error, Result};
use jiff::{SignedDuration, Timestamp};

use crate::encode::{bounded, json};
use crate::limits::{PURGE_ROWS, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

const BEGIN: &str =
    "INSERT INTO idempotency (client, key, fingerprint, run_id, state, created_at, expires_at)
  VALUES ($1, $2, $3, $4, 'running', $5, $6) ON CONFLICT (client, key) DO NOTHING";
const LOOK: &str =
    "SELECT fingerprint, state, expires_at, run_id, accepted, created_at, status, headers, body
  FROM idempotency WHERE client = $1 AND key = $2";
const ATTACH: &str =
    "UPDATE idempotency SET run_id = $3 WHERE client = $1 AND key = $2 AND state = 'running'";
const ACCEPTED: &str =
    "UPDATE idempotency SET accepted = 1 WHERE client = $1 AND key = $2 AND state = 'running'";
const FINISH: &str = "UPDATE idempotency SET state = 'done', status = $3, headers = $4, body = $5
  WHERE client = $1 AND key = $2 AND state = 'running'";
const FINISH_RUN: &str = "UPDATE idempotency SET state = 'done', status = $2, headers = $3, body = $4
  WHERE run_id = $1 AND state = 'running'";
const RELEASE: &str = "DELETE FROM idempotency WHERE client = $1 AND key = $2 AND state = 'running'";
const RELEASE_RUN: &str = "DELETE FROM idempotency WHERE run_id = $1 AND state = 'running'";
const MOVE: &str = "UPDATE idempotency SET run_id = $2 WHERE run_id = $1 AND state = 'running'";
const BURY: &str = "UPDATE idempotency SET state = 'expired', status = NULL, headers = NULL, body = NULL
  WHERE (client, key) IN (SELECT client, key FROM idempotency WHERE state = 'done' AND expires_at <= $1
    ORDER BY expires_at LIMIT $2)";
const FORGET: &str = "DELETE FROM idempotency
  WHERE (client, key) IN (SELECT client, key FROM idempotency WHERE state = 'expired' AND expires_at <= $1
    ORDER BY expires_at LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[
    BEGIN,
    LOOK,
    ATTACH,
    ACCEPTED,
    FINISH,
    FINISH_RUN,
    RELEASE,
    RELEASE_RUN,
    MOVE,
    BURY,
    FORGET,
];

/// Longest fingerprint; a SHA-256 has 32 bytes.
const FINGERPRINT_BYTES: usize = 64;
/// How often [`begin`] may meet a row that is gone at the next look. Once is rare already.
const BEGIN_TRIES: u32 = 10;

/// What is known about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It is new, and now ours: do the work, then [`finish`] or [`release`] it.
    Fresh,
    /// The first request is at work.
    Running {
        /// The run that does it, if it is a run.
        run_id: Option<RunId>,
        /// Whether a 202 was answered, so that this request gets the same.
        accepted_202: bool,
        /// When the key was first seen.
        since: Timestamp,
    },
    /// It is done: answer the same again.
    Done(Answer),
    /// It was used for another request. Nothing about that request is told.
    Reused,
    /// It was done, and its answer is past its retention.
    Expired {
        /// The run that did it, to look it up.
        run_id: Option<RunId>,
    },
}

/// A stored answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to the answer, e.g. `location` and `etag`, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// Body, to the byte.
    pub body: Vec<u8>,
}

/// Takes the key, or says what is known about it. The row itself decides between two requests at the same moment.
pub async fn begin(
    tx: &mut dyn Tx,
    client: &ClientId,
    key: &IdempotencyKey,
    fingerprint: &[u8],
    run_id: Option<RunId>,
    now: Timestamp,
) -> Result<Begin> {
    bounded("a fingerprint", fingerprint.len(), FINGERPRINT_BYTES)?;
    let expires = after_days(now, IDEMPOTENCY_DAYS);
    for _ in 0..BEGIN_TRIES {
        let values = params![client, key, fingerprint, run_id, now, expires];
        if tx.execute(BEGIN, values).await? == 1 {
            return Ok(Begin::Fresh);
        }
        // The insert has just met a row. On a server another transaction may release it before we look: then anew.
        if let Some(row) = tx.first(LOOK, params![client, key]).await? {
            return known(row, fingerprint, now);
        }
    }
    Err(contended())
}

fn contended() -> Error {
    let message = format!("an idempotency key was taken and released {BEGIN_TRIES} times while we asked");
    Error::new(Code::StoreUnavailable, message).next("send the request again; nothing was written")
}

fn known(mut row: Row, fingerprint: &[u8], now: Timestamp) -> Result<Begin> {
    let stored: Vec<u8> = row.take()?;
    let state: String = row.take()?;
    let expires_at: Timestamp = row.take()?;
    let run_id = row.take()?;
    if stored != fingerprint {
        return Ok(Begin::Reused);
    }
    match state.as_str() {
        "running" => Ok(Begin::Running {
            run_id,
            accepted_202: row.take()?,
            since: row.take()?,
        }),
        "done" if now < expires_at => {
            let (_accepted, _since): (bool, Timestamp) = (row.take()?, row.take()?);
            Ok(Begin::Done(Answer {
                status: row.take()?,
                headers: row.json()?,
                body: row.take()?,
            }))
        }
        _ => Ok(Begin::Expired { run_id }),
    }
}

/// Hangs a running key on a run, e.g. one that was already waiting in the lane.
pub async fn attach(tx: &mut dyn Tx, client: &ClientId, key: &IdempotencyKey, run_id: RunId) -> Result<bool> {
    Ok(tx.execute(ATTACH, params![client, key, run_id]).await? == 1)
}

/// Remembers that a 202 was answered.
pub async fn mark_accepted(tx: &mut dyn Tx, client: &ClientId, key: &IdempotencyKey) -> Result<bool> {
    Ok(tx.execute(ACCEPTED, params![client, key]).await? == 1)
}

/// Stores the answer of a running key. `false` when it was not running; then nothing was stored.
pub async fn finish(
    tx: &mut dyn Tx,
    client: &ClientId,
    key: &IdempotencyKey,
    answer: &Answer,
) -> Result<bool> {
    let headers = headers_of(answer)?;
    let values = params![
        client,
        key,
        u32::from(answer.status),
        headers,
        answer.body.as_slice()
    ];
    Ok(tx.execute(FINISH, values).await? == 1)
}

/// Stores the answer of every running key that hangs on the run. Returns how many there were, often none.
pub async fn finish_run(tx: &mut dyn Tx, run_id: RunId, answer: &Answer) -> Result<u64> {
    let headers = headers_of(answer)?;
    tx.execute(
        FINISH_RUN,
        params![run_id, u32::from(answer.status), headers, answer.body.as_slice()],
    )
    .await
}

/// Gives a running key back: its answer is not one to keep, and the next request with it starts anew.
pub async fn release(tx: &mut dyn Tx, client: &ClientId, key: &IdempotencyKey) -> Result<bool> {
    Ok(tx.execute(RELEASE, params![client, key]).await? == 1)
}

/// Gives every running key of a run back. Returns how many there were.
pub async fn release_run(tx: &mut dyn Tx, run_id: RunId) -> Result<u64> {
    tx.execute(RELEASE_RUN, params![run_id]).await
}

/// Moves the running keys of a run to the run that took over. Returns how many there were.
pub async fn move_to_run(tx: &mut dyn Tx, from: RunId, to: RunId) -> Result<u64> {
    tx.execute(MOVE, params![from, to]).await
}

/// What a purge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Answers that were taken away; their keys are remembered.
    pub answers: u64,
    /// Keys that were forgotten.
    pub keys: u64,
}

/// Takes away answers past their retention and forgets keys past theirs; at most [`PURGE_ROWS`] each, so call it again
/// while it does that many.
pub async fn purge(tx: &mut dyn Tx, now: Timestamp) -> Result<Purged> {
    let forget_before = after_days(now, IDEMPOTENCY_DAYS - IDEMPOTENCY_TOMBSTONE_DAYS);
    let keys = tx.execute(FORGET, params![forget_before, PURGE_ROWS]).await?;
    let answers = tx.execute(BURY, params![now, PURGE_ROWS]).await?;
    Ok(Purged { answers, keys })
}

fn headers_of(answer: &Answer) -> Result<String> {
    bounded("the body of an answer", answer.body.len(), IDEMPOTENCY_BODY_BYTES)?;
    json("the headers of an answer", &answer.headers, TEXT_BYTES)
}

/// Days are 24 hours here: a retention knows no time zone.
fn after_days(now: Timestamp, days: i64) -> Timestamp {
    let end = if days < 0 { Timestamp::MIN } else { Timestamp::MAX };
    now.saturating_add(SignedDuration::from_hours(24 * days))
        .unwrap_or(end)
}
