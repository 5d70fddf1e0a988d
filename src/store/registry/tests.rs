//! Every statement is valid, and those of the queue never walk the history.

use super::statements;
use crate::sqlite::rewrite;
use crate::{Store, StoreOptions};

/// A connection to a fresh store's file, without the store between.
async fn raw(directory: &tempfile::TempDir) -> rusqlite::Connection {
    let path = directory.path().join("cpq.db");
    Store::open(StoreOptions::at(&path))
        .await
        .expect("the store opens");
    rusqlite::Connection::open(path).expect("the file opens")
}

#[tokio::test]
async fn every_statement_prepares() {
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    for (module, texts) in statements() {
        for sql in texts {
            let prepared = raw.prepare(&rewrite(sql));
            assert!(prepared.is_ok(), "{module}: {sql}: {:?}", prepared.err());
        }
    }
}

/// How SQLite goes about a statement, line by line.
fn plan(raw: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut explained = raw
        .prepare(&format!("EXPLAIN QUERY PLAN {}", rewrite(sql)))
        .expect("explains");
    let nothing = vec![rusqlite::types::Null; explained.parameter_count()];
    let rows = explained.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3));
    rows.and_then(Iterator::collect).expect("a plan")
}

/// Whatever a sync runs must stay fast with a million finished runs behind it. Whole-table walks are left to the few
/// statements that are meant to walk.
#[tokio::test]
async fn no_statement_walks_a_table_by_accident() {
    let meant = [
        "SELECT state, COUNT(*)",
        "FROM grants WHERE removed = 0",
        "FROM api_tokens ORDER BY",
        "FROM ownership ORDER BY",
        // It holds nothing while all is well.
        "FROM circuits\n  ORDER BY",
        "FROM feed_positions f JOIN",
        "WHERE TRUE",
        "GROUP BY signature",
        "GROUP BY connection, opportunity) AS lanes",
        // What is open, for whoever watches; see `watching_never_looks_at_the_history`.
        "GROUP BY connection, code",
    ];
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    for (module, texts) in statements() {
        for sql in texts
            .into_iter()
            .filter(|sql| !meant.iter().any(|text| sql.contains(text)))
        {
            let plan = plan(&raw, sql);
            let walks = |line: &String| {
                line.starts_with("SCAN")
                    && line != "SCAN CONSTANT ROW"
                    // The rows that a statement brings along.
                    && !line.ends_with("CONSTANT ROWS")
                    && line != "SCAN n"
                    // The newest of a history, as many as a limit says.
                    && line != "SCAN newest"
                    && !line.contains("INDEX runs_ready")
                    && !line.contains("INDEX runs_lease")
                    // Only what is open, once for each plan of a replay.
                    && !line.contains("INDEX dead_letters_open_by_number")
            };
            assert!(!plan.iter().any(walks), "{module}: {sql}\n{plan:#?}");
        }
    }
}

/// A service has one connection or a few, so whoever looks for something by its connection alone reads the whole table: what
/// SQLite calls a search there is a walk.
#[tokio::test]
async fn no_statement_walks_all_of_a_connection() {
    // Of these a connection has one or a few.
    let few = [
        "call_budgets",
        "call_counts",
        "circuits",
        "crm_schemas",
        "grants",
        "reconciliations",
        "c",
        "g",
    ];
    // A limit says how many are read.
    let newest = ["ORDER BY id DESC LIMIT", "ORDER BY hour DESC, object DESC LIMIT"];
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    for (module, texts) in statements() {
        for sql in texts
            .into_iter()
            .filter(|sql| !newest.iter().any(|text| sql.contains(text)))
        {
            let plan = plan(&raw, sql);
            let walks = |line: &String| {
                let table = line
                    .strip_prefix("SEARCH ")
                    .and_then(|rest| rest.split(' ').next());
                line.ends_with("(connection=?)")
                    && table.is_some_and(|table| !few.contains(&table))
                    // Only what waits or runs.
                    && !line.contains("INDEX runs_ready")
                    && !line.contains("INDEX runs_one_per_lane")
            };
            assert!(!plan.iter().any(walks), "{module}: {sql}\n{plan:#?}");
        }
    }
}

/// Each page of a plan and each sync of a replay ask for a lane: neither may read all letters that are open.
#[tokio::test]
async fn letters_of_a_lane_are_found_through_their_index() {
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    let of_lane = |sql: &&&str| sql.contains("opportunity = $7") || sql.contains("($6, $7)");
    let texts: Vec<_> = crate::dead_letters::STATEMENTS.iter().filter(of_lane).collect();
    assert_eq!(
        texts.len(),
        2,
        "a page of lanes, and the letters of one: {texts:#?}"
    );
    for sql in texts {
        let plan = plan(&raw, sql);
        let by_lane =
            |line: &String| line.starts_with("SEARCH") && line.contains("dead_letters_open_by_lane");
        assert!(plan.iter().all(by_lane), "{sql}\n{plan:#?}");
    }
}

/// The queue is found through indexes that hold only what waits or runs, and comes out of them in order.
#[tokio::test]
async fn the_queue_never_looks_at_ended_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    let of_queue = |sql: &&str| {
        sql.contains("ready_at") || sql.contains("r.lease_until") || sql.contains("lease_until IS")
    };
    let texts: Vec<&str> = crate::runs::STATEMENTS
        .concat()
        .into_iter()
        .filter(of_queue)
        .collect();
    assert_eq!(
        texts.len(),
        12,
        "claim, take one, first of a lane, enter a lane, expire, waiting, begun, next due, more due than, next expiry, read by a run, waiting \
         of a connection: {texts:#?}"
    );
    for sql in texts {
        let plan = plan(&raw, sql);
        let looks_back = |line: &String| line.contains("runs_by_") || line.contains("TEMP B-TREE");
        assert!(!plan.iter().any(looks_back), "{sql}\n{plan:#?}");
    }
}

/// Home and the list of connections ask how many wait; they must not count what has ended.
#[tokio::test]
async fn what_waits_is_counted_without_the_history() {
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    let counts = |sql: &&&str| {
        sql.starts_with("SELECT COUNT(*)") && sql.contains("FROM runs") && sql.contains("connection")
    };
    let texts = crate::runs::STATEMENTS.concat();
    let texts: Vec<_> = texts.iter().filter(counts).collect();
    assert_eq!(texts.len(), 2, "ready, and waiting for a person: {texts:#?}");
    for sql in texts {
        let plan = plan(&raw, sql);
        let history = |line: &String| line.contains("runs_by_connection") || line.contains("runs_by_lane");
        assert!(!plan.iter().any(history), "{sql}\n{plan:#?}");
    }
}

/// Prometheus asks every few seconds: what has ended must cost nothing, and the newest rows are few.
#[tokio::test]
async fn watching_never_looks_at_the_history() {
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    let (newest, open): (Vec<&str>, Vec<&str>) = crate::watched::STATEMENTS
        .iter()
        .partition(|sql| sql.contains("LIMIT"));
    assert_eq!((newest.len(), open.len()), (4, 3));
    let unsorted = |line: &String| !line.contains("ORDER BY");
    for sql in newest {
        let plan = plan(&raw, sql);
        assert!(
            plan.iter().all(unsorted),
            "the newest are at hand: {sql}\n{plan:#?}"
        );
    }
    let of_open = |line: &String| {
        line.contains("(state=?)") || line.contains("_open_by_lane") || line.contains("FOR GROUP BY")
    };
    for sql in open {
        let plan = plan(&raw, sql);
        assert!(plan.iter().all(of_open), "{sql}\n{plan:#?}");
    }
}
