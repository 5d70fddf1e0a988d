//! The store from the command line: what is damaged is told, a backup is whole, and purged values leave a provable log.

use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::house::House;

fn check(house: &House) -> (i32, Json) {
    let said = house.cpq(&["--json", "store", "check"]);
    (said.code, said.json())
}

/// Kinds of findings with their counts, after somebody else wrote to the file.
fn found_after(house: &House, sql: &str) -> Vec<(String, u64)> {
    let raw = Connection::open(house.state().join("cpq.db")).expect("opens");
    raw.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
        .expect("written");
    drop(raw);
    let (code, report) = check(house);
    assert_eq!((code, &report["ok"]), (1, &json!(false)), "{sql}: {report}");
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|one| {
            let kind = one["kind"].as_str().expect("a kind").to_owned();
            (kind, one["count"].as_u64().expect("a count"))
        })
        .collect()
}

#[test]
fn what_somebody_changed_in_the_log_or_beside_it_is_told_by_kind() {
    let house = House::synced();
    let (code, report) = check(&house);
    assert_eq!(
        (code, &report["ok"], &report["runs"]),
        (0, &json!(true), &json!(1)),
        "{report}"
    );
    let backup = house.path().join("sound.db");
    house.cpq(&["store", "backup", "sound.db"]).ok();
    let cases = include_str!("store/damages.sql").lines().collect::<Vec<_>>();
    assert!(cases.len() > 20, "a kind and a statement each");
    for case in cases.chunks_exact(2) {
        let (kind, sql) = (case[0].trim_start_matches("-- "), case[1]);
        for suffix in ["-wal", "-shm"] {
            // There may be none.
            let _ = std::fs::remove_file(house.state().join(format!("cpq.db{suffix}")));
        }
        std::fs::copy(&backup, house.state().join("cpq.db")).expect("restored");
        let (code, report) = check(&house);
        assert_eq!(code, 0, "the backup is sound: {report}");
        let found = found_after(&house, sql);
        assert!(
            found.iter().any(|(found, count)| found == kind && *count > 0),
            "{sql}: {found:?}"
        );
    }
}

#[test]
fn a_file_that_was_cut_short_is_refused_at_the_start() {
    let house = House::synced();
    house.cpq(&["store", "backup", "sound.db"]).ok();
    let file = house.state().join("cpq.db");
    let bytes = std::fs::read(house.path().join("sound.db")).expect("read");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(house.state().join(format!("cpq.db{suffix}")));
    }
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("written");
    let said = house.cpq(&["--json", "store", "check"]);
    let told = said.json();
    assert_eq!(
        (said.code, &told["code"]),
        (2, &json!("STORE_UNAVAILABLE")),
        "{told}"
    );
    assert!(
        told["message"]
            .as_str()
            .is_some_and(|text| text.contains("cpq.db")),
        "{told}"
    );
    assert!(
        told["details"]["next"]
            .as_str()
            .is_some_and(|text| text.contains("backup")),
        "{told}"
    );
}

#[test]
fn a_backup_is_never_written_over_another() {
    let house = House::synced();
    house.cpq(&["store", "backup", "one.db"]).ok();
    let before = std::fs::read(house.path().join("one.db")).expect("read");
    let said = house.cpq(&["store", "backup", "one.db"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(std::fs::read(house.path().join("one.db")).expect("read") == before);
}

#[test]
fn purged_values_are_gone_and_the_log_is_provable() {
    let house = House::synced();
    let dry = house
        .cpq(&[
            "--json",
            "store",
            "purge",
            "--opportunity",
            "OPP-4482",
            "--dry-run",
        ])
        .ok();
    // A city of the fixture's account: it is in the journal, among the decisions and in what both sides agreed on.
    let holds_city = |copy: &str| {
        house.cpq(&["store", "backup", copy]).ok();
        let bytes = std::fs::read(house.path().join(copy)).expect("read");
        let of_the_sync = b"account.billing_city\":{\"text\":\"Dresden\"";
        bytes
            .windows(of_the_sync.len())
            .filter(|bytes| *bytes == of_the_sync)
            .count()
    };
    let before = holds_city("before.db");
    assert!(before > 1, "a dry run removes nothing");
    let done = house
        .cpq(&["--json", "store", "purge", "--opportunity", "OPP-4482"])
        .ok();
    for key in ["runs", "rows", "decisions", "bases"] {
        assert_eq!(dry.json()["removed"][key], done.json()["removed"][key], "{key}");
    }
    // What is left of it is the quote in the embedded CPQ.
    assert!(holds_city("after.db") <= 1, "{before} before");
    let (code, report) = check(&house);
    assert_eq!(code, 0, "{report}");
    let under = "under cpq store purge --opportunity";
    let status = house.cpq(&["sync", "status", "--correlation", "csync-001"]).ok();
    assert!(status.out.contains(under), "{status:?}");
    let why = house.cpq(&["why", "OPP-4482/quote.status"]).ok();
    assert!(why.out.contains(under), "{why:?}");
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    assert_eq!(check(&house).0, 0, "and it goes on from there");
}
