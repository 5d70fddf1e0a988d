//! Files of a real service that something changed while it was down: the next start says so, and touches nothing.

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;

use crate::house::{House, Said};

/// A house whose service was killed after a sync, so that the sync is in the log and not yet in the file.
fn killed() -> (House, PathBuf) {
    let house = House::connected();
    let service = house.serve();
    for _ in 0..3 {
        let path = "/api/v1/sync/opportunities/OPP-4482";
        let (status, said) = service.json(Method::POST, path, &[], &json!(null));
        assert_eq!(status, 200, "{said}");
    }
    service.kill();
    let log = house.state().join("cpq.db-wal");
    (house, log)
}

fn refused(house: &House, args: &[&str]) -> Said {
    let said = house.cpq(args);
    assert_eq!(said.code, 2, "{args:?}: {said:?}");
    for part in ["STORE_UNAVAILABLE", "damaged", "restore a backup"] {
        assert!(
            said.err.contains(part),
            "{args:?} says nothing of {part}: {said:?}"
        );
    }
    said
}

#[test]
fn a_log_that_was_changed_is_told_at_the_next_start_and_nothing_is_lost_by_that() {
    let (house, log) = killed();
    let whole = fs::read(&log).expect("the log of a service that was killed");
    let file = fs::read(house.state().join("cpq.db")).expect("the store");
    // A byte of the first page in it: whole transactions lie behind.
    let mut changed = whole.clone();
    changed[32 + 24 + 1_000] ^= 0x40;
    fs::write(&log, &changed).expect("a changed log");

    let said = refused(&house, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.err.contains("frame 1 of"), "{said:?}");
    refused(&house, &["sync", "run", "--opportunity", "OPP-4482"]);
    refused(&house, &["sync", "status", "--correlation", "csync-001"]);
    assert_eq!(fs::read(&log).expect("the log"), changed, "the log was touched");
    assert_eq!(
        fs::read(house.state().join("cpq.db")).expect("the store"),
        file,
        "the store was touched"
    );

    // Whoever puts back what was there has all of it again.
    fs::write(&log, &whole).expect("the log as it was");
    let status = house
        .cpq(&["--json", "sync", "status", "--correlation", "csync-003"])
        .ok()
        .json();
    assert_eq!(status["status"], "success", "{status}");
    house.cpq(&["store", "check"]).ok();
}

#[test]
fn a_store_that_was_cut_short_is_told_at_the_next_start() {
    let house = House::synced();
    let path = house.state().join("cpq.db");
    // Everything goes from the log into the file.
    let store = rusqlite::Connection::open(&path).expect("the store");
    let busy: i64 = store
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .expect("a checkpoint");
    assert_eq!(busy, 0);
    drop(store);
    let whole = fs::read(&path).expect("the store");
    fs::write(&path, &whole[..whole.len() / 2]).expect("half of it");
    let said = refused(&house, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.err.contains("bytes"), "{said:?}");
    fs::write(&path, &whole).expect("all of it");
    house.cpq(&["store", "check"]).ok();
    house.cpq(&["sync", "status", "--correlation", "csync-001"]).ok();
}
