//! Opening files: ours, newer ones, damaged ones, and those of others.

use std::fs;
use std::path::Path;

use cpq_domain::error::Written;
use cpq_domain::{Code, Error};
use cpq_store::{Store, StoreOptions};

use crate::{count, counted, open};

/// Makes a store and closes it. Its threads end after it was dropped; the last one folds the log into the file and
/// removes the log.
async fn made_and_closed(path: &Path) {
    drop(open(path).await);
    let log = path.with_file_name("cpq.db-wal");
    let gone = async {
        while log.exists() {
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), gone).await;
    ended.expect("a store that nobody holds is closed");
}

async fn refused(path: &Path) -> Error {
    let before = fs::read(path).expect("the file is there");
    let error = Store::open(StoreOptions::at(path))
        .await
        .expect_err("it is refused");
    let after = fs::read(path).expect("still there");
    assert!(after == before, "the file was changed");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert_eq!(error.written, Written::No);
    error
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state/deep/cpq.db");
    let store = open(&path).await;
    count(&store).await.expect("counted");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("state")), 0o700);
    assert_eq!(mode(&directory.path().join("state/deep")), 0o700);
    for file in ["cpq.db", "cpq.db-wal", "cpq.db-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn it_is_opened_for_durability() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(&directory.path().join("cpq.db")).await;
    let settings = store.write(|tx| {
        Box::pin(async move {
            let sync: i64 = tx.query("PRAGMA synchronous", &[]).await?.remove(0).take()?;
            let mode: String = tx.query("PRAGMA journal_mode", &[]).await?.remove(0).take()?;
            let keys: i64 = tx.query("PRAGMA foreign_keys", &[]).await?.remove(0).take()?;
            let wait: i64 = tx.query("PRAGMA busy_timeout", &[]).await?.remove(0).take()?;
            Ok((sync, mode, keys, wait))
        })
    });
    let full = 2;
    assert_eq!(settings.await.expect("read"), (full, "wal".to_owned(), 1, 10_000));
}

#[tokio::test]
async fn a_newer_store_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    made_and_closed(&path).await;
    let newer = rusqlite::Connection::open(&path).expect("opens");
    let add = "PRAGMA user_version = 999; INSERT INTO schema_migrations VALUES (999, 'x', 'x', '9.9.9')";
    newer.execute_batch(add).expect("written");
    // Closed with a checkpoint, so that the file itself says so.
    newer.close().expect("closed");
    let error = refused(&path).await;
    assert_eq!(error.code, Code::StoreTooNew);
    let message = error.to_string();
    assert!(message.contains("999") && message.contains("9.9.9"), "{message}");
    assert!(message.contains(env!("CARGO_PKG_VERSION")), "{message}");
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    made_and_closed(&path).await;
    let other = rusqlite::Connection::open(&path).expect("opens");
    other
        .execute("UPDATE schema_migrations SET checksum = 'other'", [])
        .expect("written");
    other.close().expect("closed");
    assert_eq!(refused(&path).await.code, Code::StoreUnavailable);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = directory.path().join("notes.txt");
    fs::write(
        &text,
        "These are my notes, and they are longer than the header of a database. ".repeat(20),
    )
    .expect("written");
    let error = refused(&text).await;
    assert_eq!(error.code, Code::StoreUnavailable);
    assert!(error.to_string().contains("not a store"), "{error}");

    let foreign = directory.path().join("foreign.db");
    let other = rusqlite::Connection::open(&foreign).expect("opens");
    other.execute_batch("CREATE TABLE theirs (x)").expect("written");
    other.close().expect("closed");
    let error = refused(&foreign).await;
    assert_eq!(error.code, Code::StoreUnavailable);
    assert!(error.to_string().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_damaged_store_is_refused_or_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    made_and_closed(&path).await;
    let raw = rusqlite::Connection::open(&path).expect("opens");
    raw.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("checkpointed");
    raw.close().expect("closed");
    let mut bytes = fs::read(&path).expect("read");
    bytes[100..4_096].fill(0xa5);
    fs::write(&path, bytes).expect("written");
    let error = refused(&path).await;
    assert_eq!(error.code, Code::StoreUnavailable);
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "x").expect("written");
    let error = Store::open(StoreOptions::at(file.join("cpq.db")))
        .await
        .expect_err("it is refused");
    assert_eq!(error.code, Code::StoreUnavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_share_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    let opened = (0..4).map(|_| {
        let path = path.clone();
        tokio::spawn(async move {
            let store = open(&path).await;
            for _ in 0..50 {
                count(&store).await.expect("counted");
            }
            store
        })
    });
    for store in opened.collect::<Vec<_>>() {
        store.await.expect("no panic");
    }
    assert_eq!(counted(&open(&path).await).await, 200);
}
