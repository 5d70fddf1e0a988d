//! Statements that PostgreSQL needs in words of its own. All others are one text for both engines.

use std::borrow::Cow;

use crate::{
    bases, browser_sessions, certificates, journal, purge, quote_events, reconcile_records, replays, runs,
    webhooks,
};

/// Takes runs that no other node is taking. The list of ids is made once: in an `IN (…)` a planner may make it again for
/// every row, and then lock more runs than it was asked for.
const CLAIM: &str = "UPDATE runs SET state = 'running', attempt = attempt + 1, node = $2, lease_until = $3, updated_at = $1
  WHERE id = ANY (ARRAY(SELECT r.id FROM runs r WHERE r.ready_at <= $1
    AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.connection = r.connection AND o.opportunity = r.opportunity
      AND o.state = 'running')
    AND NOT EXISTS (SELECT 1 FROM runs e WHERE e.connection = r.connection AND e.opportunity = r.opportunity
      AND e.ready_at <= r.ready_at AND (e.ready_at < r.ready_at OR e.id < r.id))
    AND NOT EXISTS (SELECT 1 FROM circuits c WHERE c.connection = r.connection)
    AND (r.crashes < 2 OR r.id = (SELECT s.id FROM runs s WHERE s.ready_at <= $1 AND s.crashes >= 2
      AND NOT EXISTS (SELECT 1 FROM circuits c WHERE c.connection = s.connection)
      AND NOT EXISTS (SELECT 1 FROM runs t WHERE t.lease_until IS NOT NULL AND t.crashes >= 2)
      ORDER BY s.ready_at, s.id LIMIT 1))
    ORDER BY r.ready_at, r.id LIMIT $4 FOR UPDATE OF r SKIP LOCKED))
  RETURNING id, connection, opportunity, correlation, caller_correlation, traceparent, cause, state, attempt, tries,
    restarts, created_at, updated_at, due_at, outcome, error, superseded_by";
const EXPIRE: &str = "UPDATE runs SET state = 'queued', crashes = crashes + 1,
  due_at = CASE WHEN due_at < $1 THEN due_at ELSE $1 END, updated_at = $1, node = NULL, lease_until = NULL
  WHERE id = ANY (ARRAY(SELECT r.id FROM runs r WHERE r.lease_until <= $1
    ORDER BY r.lease_until LIMIT $2 FOR UPDATE OF r SKIP LOCKED))
  RETURNING id, connection, opportunity, correlation, caller_correlation, traceparent, cause, state, attempt, tries,
    restarts, created_at, updated_at, due_at, outcome, error, superseded_by, crashes";
const LOOK: &str = "UPDATE bases SET looked_at = $3 WHERE connection = $1 AND opportunity_id = ANY (ARRAY(
  SELECT b.opportunity_id FROM bases b WHERE b.connection = $1 AND b.looked_at <= $2
    ORDER BY b.looked_at LIMIT $4 FOR UPDATE OF b SKIP LOCKED))
  RETURNING opportunity_id, opportunity_number";

/// Rows behind a position, in the order in which transactions began, as far as all before them have ended. The position
/// names the transaction that its row belongs to, or that of the last row before it when that is gone.
macro_rules! behind {
    ($table:literal, $alias:literal) => {
        concat!(
            "(",
            $alias,
            ".tx, ",
            $alias,
            ".position) > (COALESCE((SELECT l.tx FROM ",
            $table,
            " l WHERE l.position <= $1 ORDER BY l.position DESC LIMIT 1), 0), $1)
  AND ",
            $alias,
            ".tx < pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT
  ORDER BY ",
            $alias,
            ".tx, ",
            $alias,
            ".position LIMIT $2"
        )
    };
}

const JOURNAL_AFTER: &str = concat!(
    "SELECT j.position, j.run_id, r.connection, r.opportunity, r.correlation,
  j.sequence, j.kind, j.step, j.attempt, j.at, j.duration_us, j.data
  FROM journal j JOIN runs r ON r.id = j.run_id WHERE ",
    behind!("journal", "j")
);
const EVENTS_AFTER: &str = concat!(
    "SELECT e.position, e.root_id, e.sequence, e.quote_id, e.kind, e.at, e.correlation, e.data FROM quote_events e WHERE ",
    behind!("quote_events", "e")
);

/// The last row that a reader has to have seen who wants to miss nothing from now on.
const JOURNAL_HEAD: &str = "SELECT COALESCE((SELECT position FROM journal
  WHERE tx < pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT ORDER BY tx DESC, position DESC LIMIT 1), 0)";

/// Some of the rows that a condition holds for, by their places: by their keys the server would look for them in the
/// whole table, once for each such statement.
macro_rules! delete_some {
    ($table:literal, $condition:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ",
            $table,
            " WHERE ",
            $condition,
            " LIMIT $2))"
        )
    };
}

const PURGE_DRAFTS: &str = delete_some!(
    "certificate_drafts",
    "reconciliation < $1 ORDER BY reconciliation"
);
const PURGE_CERTIFICATES: &str = delete_some!("certificates", "made_at < $1");
const PURGE_RECORDS: &str = delete_some!("reconcile_records", "reconciliation < $1 ORDER BY reconciliation");
const PURGE_ITEMS: &str = delete_some!("replay_items", "plan <= $1 ORDER BY plan, position");
const PURGE_BROWSERS: &str = delete_some!("browser_sessions", "ends_at <= $1 ORDER BY ends_at");
const PURGE_DELIVERIES: &str = delete_some!("webhook_deliveries", "seen_at <= $1 ORDER BY seen_at");

const PURGE_DECISIONS: &str =
    "UPDATE decisions SET crm = $1, cpq = $1, lost = NULL, given = NULL, reason = $2, purged = $3
  WHERE position = ANY (ARRAY(SELECT position FROM decisions WHERE purged IS NULL AND at < $4
    ORDER BY at, position LIMIT $5))";

/// The operation's text, and ours.
const OWN: &[(&str, &str)] = &[
    (runs::CLAIM, CLAIM),
    (runs::EXPIRE, EXPIRE),
    (bases::LOOK, LOOK),
    (browser_sessions::PURGE, PURGE_BROWSERS),
    (certificates::PURGE, PURGE_DRAFTS),
    (purge::OLD_DECISIONS, PURGE_DECISIONS),
    (purge::CERTIFICATES, PURGE_CERTIFICATES),
    (reconcile_records::PURGE, PURGE_RECORDS),
    (replays::PURGE, PURGE_ITEMS),
    (webhooks::PURGE, PURGE_DELIVERIES),
    (journal::AFTER, JOURNAL_AFTER),
    (journal::HEAD, JOURNAL_HEAD),
    (quote_events::AFTER, EVENTS_AFTER),
];

/// The statement as the server gets it. One that only reads locks nothing.
pub(super) fn of(sql: &'static str, reading: bool) -> Cow<'static, str> {
    let own = OWN
        .iter()
        .find(|(theirs, _)| std::ptr::eq(*theirs, sql) || *theirs == sql);
    let sql = own.map_or(sql, |(_, ours)| *ours);
    match reading && sql.ends_with(LOCK) {
        true => Cow::Borrowed(&sql[..sql.len() - LOCK.len()]),
        false => Cow::Borrowed(sql),
    }
}

/// Keeps other transactions from a row that is read and then written, at the end of a statement.
const LOCK: &str = " FOR UPDATE";
