//! Every statement is valid, and those of the queue never walk the history.

use super::statements;
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
            let prepared = raw.prepare(&sql.replace('$', "?"));
            assert!(prepared.is_ok(), "{module}: {sql}: {:?}", prepared.err());
        }
    }
}

/// Whatever a sync runs must stay fast with a million finished runs behind it. Whole-table walks are left to the few
/// statements that are meant to walk.
#[tokio::test]
async fn no_statement_walks_a_table_by_accident() {
    let meant = [
        "SELECT state, COUNT(*)",
        "FROM grants WHERE removed = 0",
        "FROM api_tokens ORDER BY",
        "WHERE TRUE",
    ];
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory).await;
    for (module, texts) in statements() {
        for sql in texts
            .into_iter()
            .filter(|sql| !meant.iter().any(|text| sql.contains(text)))
        {
            let mut explained = raw
                .prepare(&format!("EXPLAIN QUERY PLAN {}", sql.replace('$', "?")))
                .expect("explains");
            let nothing = vec![rusqlite::types::Null; explained.parameter_count()];
            let plan = explained
                .query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>(3))
                .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
                .expect("a plan");
            let walks = |line: &String| line.starts_with("SCAN") && !line.contains("INDEX runs_ready");
            let sorts =
                |line: &String| module == "runs" && line.contains("TEMP B-TREE") && !sql.contains(" OR ");
            assert!(
                !plan.iter().any(|line| walks(line) || sorts(line)),
                "{module}: {sql}\n{plan:#?}"
            );
        }
    }
}
