//! A store moves from its file to a server or to another file: all of it or nothing, and the service goes on there.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::house::{House, Said, until};

/// Rows that take a copy some seconds.
const MANY: usize = 200_000;

fn file(house: &House) -> PathBuf {
    house.state().join("cpq.db")
}

/// Many rows in one table, as years of webhooks leave them.
fn enlarge(house: &House) {
    let raw = Connection::open(file(house)).expect("opens");
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
      INSERT INTO webhook_deliveries SELECT 'hooks', printf('delivery-%030d', i), i FROM n";
    raw.execute(sql, [MANY as i64]).expect("written");
}

/// The command ended with status 1, as JSON, with words in its message; nothing was changed.
fn refused(said: Said, code: &str, words: &str) -> Json {
    let told = said.json();
    assert_eq!(told["code"], code, "{told}");
    assert!(
        told["message"].as_str().is_some_and(|text| text.contains(words)),
        "{told}"
    );
    assert_eq!(told["details"]["written"], "no", "{told}");
    told
}

fn rows_of(copied: &Json, table: &str) -> u64 {
    let tables = copied["tables"].as_array().expect("tables").iter();
    let mut found = tables.filter(|one| one["table"] == table);
    found
        .next()
        .and_then(|one| one["rows"].as_u64())
        .expect("a count")
}

fn begun(house: &House, args: &[&str]) -> Child {
    let mut command = house.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the copy begins")
}

fn kill(mut child: Child) {
    child.kill().expect("killed");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), None, "it was killed in the middle");
}

#[test]
fn a_file_is_copied_whole_or_not_at_all() {
    let house = House::synced();
    let service = house.serve();
    let to = "sqlite:new/cpq.db";
    let copy = ["--json", "store", "copy", "--to", to];
    refused(house.cpq(&copy), "REQUEST_INVALID", "open in another process");
    service.kill();
    enlarge(&house);
    let child = begun(&house, &copy);
    let log = house.path().join("new/cpq.db-wal");
    let size = || std::fs::metadata(&log).map_or(0, |log| log.len());
    until("rows in the target", size, |size| *size > 1_000_000);
    // Whoever could read the source now could write to it too, and the copy would lack that.
    let other = Connection::open(file(&house)).expect("opens");
    other.busy_timeout(std::time::Duration::ZERO).expect("set");
    let look = other.query_row("SELECT COUNT(*) FROM runs", [], |row| row.get::<_, i64>(0));
    let code = look.expect_err("the file is held shut").sqlite_error_code();
    assert_eq!(code, Some(rusqlite::ErrorCode::DatabaseBusy));
    drop(other);
    kill(child);
    let copied = house.cpq(&copy).ok().json();
    assert_eq!(
        (&copied["check"]["ok"], rows_of(&copied, "runs")),
        (&json!(true), 1),
        "{copied}"
    );
    assert_eq!(rows_of(&copied, "webhook_deliveries"), MANY as u64, "{copied}");
    refused(house.cpq(&copy), "REQUEST_INVALID", "not empty");
    // The source is as it was, and serves.
    house.cpq(&["store", "check"]).ok();
    drop(house.serve());
}

#[test]
fn what_makes_no_sense_is_told_before_anything_is_made() {
    let house = House::synced();
    let copy = |to: &str| house.cpq(&["--json", "store", "copy", "--to", to]);
    let told = refused(copy("mysql://db/x"), "CONFIG_INVALID", "neither postgres");
    assert_eq!(told["details"]["field"], "--to", "{told}");
    let told = refused(
        copy("postgres://ann:CANARY@localhost/x"),
        "REQUEST_INVALID",
        "list of processes",
    );
    assert!(!told.to_string().contains("CANARY"), "{told}");
    refused(copy("env:NO_SUCH_VARIABLE"), "CONFIG_INVALID", "NO_SUCH_VARIABLE");
    refused(
        copy("postgres://ann@127.0.0.1:1/x"),
        "STORE_UNAVAILABLE",
        "127.0.0.1:1",
    );
    refused(copy("sqlite:.cpq/cpq.db"), "REQUEST_INVALID", "into itself");
    let from = |file: &str| {
        let to = "sqlite:new.db";
        house.cpq(&["--json", "store", "copy", "--to", to, "--from", file])
    };
    refused(from("none.db"), "REQUEST_INVALID", "none.db");
    std::fs::write(
        house.path().join("text.db"),
        "this is a text, and longer than a head",
    )
    .expect("written");
    refused(from("text.db"), "STORE_UNAVAILABLE", "text.db");
    let raw = Connection::open(file(&house)).expect("opens");
    raw.execute_batch("PRAGMA user_version = 999").expect("written");
    drop(raw);
    refused(copy("sqlite:new.db"), "STORE_TOO_NEW", "schema 999");
    for made in ["new.db", "none.db"] {
        assert!(!house.path().join(made).exists(), "{made}");
    }
}

#[test]
fn a_schema_is_planned_then_brought_up_to_date_then_left_alone() {
    let house = House::empty();
    let migrate = |more: &[&str]| house.cpq(&[&["--json", "store", "migrate"], more].concat());
    let plan = migrate(&["--plan"]).ok().json();
    let names = plan["migrations"].as_array().expect("names").clone();
    assert_eq!(
        (&plan["from"], &plan["to"]),
        (&json!(0), &json!(names.len())),
        "{plan}"
    );
    assert!(!house.state().exists(), "a plan makes nothing");
    let done = migrate(&[]).ok().json();
    let applied: Vec<Json> = done["migrations"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!((&done["from"], applied), (&json!(0), names.clone()), "{done}");
    // Beside a log that the command before left, SQLite makes its index (-shm) anew; it holds nothing of the store.
    let files = || {
        let read = |name: &str| std::fs::read(house.state().join(name)).ok();
        (read("cpq.db"), read("cpq.db-wal"))
    };
    let before = files();
    let plan = migrate(&["--plan"]).ok().json();
    assert_eq!(
        (&plan["from"], &plan["migrations"]),
        (&json!(names.len()), &json!([])),
        "{plan}"
    );
    assert!(files() == before, "a plan changes nothing");
    let again = house.cpq(&["store", "migrate"]).ok();
    assert!(again.out.starts_with("nothing to do"), "{again:?}");
    let raw = Connection::open(file(&house)).expect("opens");
    raw.execute_batch("PRAGMA user_version = 999").expect("written");
    drop(raw);
    for more in [&["--plan"][..], &[]] {
        refused(migrate(more), "STORE_TOO_NEW", "schema 999");
    }
}

/// `./test` starts these by a part of their path.
mod on_a_server {
    use cpq_store::Store;

    use super::*;
    use crate::schema::{SHORT_LEASE, Schema};

    /// The service dies while the CRM is being written, and another one goes on with that sync from the copy.
    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn a_sync_that_was_under_way_in_the_file_ends_on_the_server() {
        let (house, schema) = (House::connected(), Schema::new("moved"));
        std::fs::write(house.path().join("cpq.toml"), "[service]\nlease_seconds = 2\n")
            .expect("the configuration");
        house.faults(json!([{"when": {"path": "/composite", "client": "cpq"}, "fault": {"kind": "latency", "millis": 1500}, "times": 1}]));
        let service = house.serve();
        let path = "/api/v1/sync/opportunities/OPP-4482";
        let key = [("prefer", "wait=0"), ("idempotency-key", "k")];
        let (status, accepted) = service.json(Method::POST, path, &key, &json!({}));
        assert_eq!(status, 202, "{accepted}");
        until("the slow call", || house.fired(), |fired| *fired == 1);
        service.kill();
        let to = ["--json", "store", "copy", "--to", "env:NEW_STORE"];
        let mut copy = house.command(&to);
        let copied = crate::house::said(copy.env("NEW_STORE", &schema.url)).ok().json();
        assert_eq!(
            (&copied["check"]["ok"], rows_of(&copied, "runs")),
            (&json!(true), 1),
            "{copied}"
        );
        schema.configure(&house, SHORT_LEASE);
        let service = house.serve();
        let look = || {
            service
                .json(Method::GET, "/api/v1/sync/csync-001", &[], &json!(null))
                .1
        };
        let ended = until("the end of the sync", look, |sync| sync["status"] == "success");
        assert_eq!(ended["quoteId"], "Q-2026-0137", "{ended}");
        let quotes = service.json(Method::GET, "/api/v1/quotes", &[], &json!(null)).1;
        assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
        let again = service.json(Method::POST, path, &key[1..], &json!({}));
        assert_eq!(
            (again.0, &again.1["correlationId"]),
            (200, &json!("csync-001")),
            "{again:?}"
        );
        service.kill();
        cared_for(&house);
        schema.remove();
    }

    /// Check, purge and migrate on a server with data.
    fn cared_for(house: &House) {
        let check = house.cpq(&["--json", "store", "check"]).ok().json();
        assert_eq!(
            (&check["ok"], &check["runs"]),
            (&json!(true), &json!(1)),
            "{check}"
        );
        let plan = house.cpq(&["store", "migrate", "--plan"]).ok();
        assert!(plan.out.starts_with("nothing to do"), "{plan:?}");
        let purge = ["--json", "store", "purge", "--opportunity", "OPP-4482"];
        let foreseen = house.cpq(&[&purge[..], &["--dry-run"]].concat()).ok().json();
        let removed = house.cpq(&purge).ok().json();
        for key in ["runs", "rows", "decisions", "bases"] {
            assert_eq!(foreseen["removed"][key], removed["removed"][key], "{key}");
            assert_ne!(removed["removed"][key], json!(0), "{key}");
        }
        house
            .cpq(&["--json", "store", "purge", "--before", "2040-01-01T00:00:00Z"])
            .ok();
        let check = house.cpq(&["--json", "store", "check"]).ok().json();
        assert_ne!(check["purgedRows"], json!(0), "{check}");
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
        house.cpq(&["store", "check"]).ok();
    }

    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn a_copy_that_is_killed_leaves_an_empty_server_and_the_next_one_works() {
        let (house, schema, beside) = (House::synced(), Schema::new("killed"), Schema::new("beside"));
        enlarge(&house);
        let copy = ["--json", "store", "copy", "--to", &schema.url];
        let child = begun(&house, &copy);
        let watch = schema
            .runtime
            .block_on(Store::open(beside.options()))
            .expect("a store");
        let copying = || {
            let asked = watch.read(|tx| {
                Box::pin(async move {
                    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active'
                      AND query LIKE 'COPY \"webhook_deliveries\"%'";
                    tx.query(sql, &[]).await?.remove(0).take::<i64>()
                })
            });
            schema.runtime.block_on(asked).expect("an answer")
        };
        until("rows on their way", copying, |copies| *copies == 1);
        kill(child);
        let plan = schema
            .runtime
            .block_on(Store::plan(schema.options()))
            .expect("a plan");
        assert_eq!(plan.from, 0, "not a table is left");
        let copied = house.cpq(&copy).ok().json();
        assert_eq!(rows_of(&copied, "webhook_deliveries"), MANY as u64, "{copied}");
        refused(house.cpq(&copy), "REQUEST_INVALID", "webhook_deliveries (200000)");
        schema.configure(&house, SHORT_LEASE);
        refused(house.cpq(&copy), "UNSUPPORTED", "the source is none");
        drop(watch);
        beside.remove();
        schema.remove();
    }
}
