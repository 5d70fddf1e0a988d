//! Idempotency keys: each hangs on a run that is there, runs as long as that does, and answers what became of it.

use cpq_domain::Result;
use cpq_domain::run::RunState;
use serde_json::Value as Json;

use super::{Kind, Notes};
use crate::row::Row;
use crate::tx::{Tx, params};

const PAGE_OF: &str = "SELECT i.client, i.key, i.state, i.run_id, i.status, r.state, r.correlation,
  CASE WHEN octet_length(i.body) <= 65536 THEN i.body END
  FROM idempotency i LEFT JOIN runs r ON r.id = i.run_id
  WHERE (i.client, i.key) > ($1, $2) ORDER BY i.client, i.key LIMIT $3";

pub(super) const STATEMENTS: &[&str] = &[PAGE_OF];

/// Keys of a page; an answer has some hundred bytes.
const PAGE: i64 = 200;

struct Key {
    client: String,
    key: String,
    state: String,
    run_id: Option<String>,
    status: Option<i64>,
    run_state: Option<String>,
    correlation: Option<String>,
    body: Option<Vec<u8>>,
}

pub(super) async fn walk(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let mut after = (String::new(), String::new());
    loop {
        let page = tx.query(PAGE_OF, params![&after.0, &after.1, PAGE]).await?;
        let full = page.len() as i64 == PAGE;
        for row in page {
            let key = read(row)?;
            notes.look();
            if let Some(why) = wrong(&key) {
                notes.add(Kind::Key, 1, || {
                    format!("key {} of client {}: {why}", key.key, key.client)
                });
            }
            after = (key.client, key.key);
        }
        if !full {
            return Ok(());
        }
    }
}

fn wrong(key: &Key) -> Option<String> {
    if let (Some(run), None) = (&key.run_id, &key.run_state) {
        return Some(format!("its run {run} is not there"));
    }
    let ended = key
        .run_state
        .as_deref()
        .and_then(RunState::parse)
        .is_some_and(RunState::is_terminal);
    match key.state.as_str() {
        "running" if ended => Some("it runs, and its sync has ended: it would never be answered".into()),
        "done" => key
            .status
            .is_none()
            .then(|| "it is done without an answer".to_owned())
            .or_else(|| answers(key)),
        _ => None,
    }
}

/// The answer names the sync that the key hangs on. Answers of other operations name none.
fn answers(key: &Key) -> Option<String> {
    let body: Json = serde_json::from_slice(key.body.as_deref()?).ok()?;
    let (told, ours) = (body["correlationId"].as_str()?, key.correlation.as_deref()?);
    (told != ours).then(|| format!("it answers for {told}, and hangs on {ours}"))
}

fn read(mut row: Row) -> Result<Key> {
    Ok(Key {
        client: row.take()?,
        key: row.take()?,
        state: row.take()?,
        run_id: row.take()?,
        status: row.take()?,
        run_state: row.take()?,
        correlation: row.take()?,
        body: row.take()?,
    })
}
