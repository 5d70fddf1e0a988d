//! Bad input: each a clear error in the one shape, with the right exit code, and nothing lost.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Said, http};

/// Every error says code, message, whether anything was written, the next step and its page.
fn in_the_one_shape(report: &Json, code: &str) {
    assert_eq!(report["code"], code, "{report}");
    assert!(
        report["message"].as_str().is_some_and(|text| text.len() > 10),
        "{report}"
    );
    assert!(report["details"]["written"].is_string(), "{report}");
    assert!(
        report["details"]["next"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{report}"
    );
    assert_eq!(
        report["details"]["docs"],
        format!("docs/errors/{code}.md"),
        "{report}"
    );
}

fn refused(said: &Said, code: &str, exit: i32) {
    in_the_one_shape(&said.json(), code);
    assert_eq!(said.code, exit, "{said:?}");
}

#[test]
fn an_unknown_opportunity_or_correlation_is_told_apart_from_a_malformed_one() {
    let house = House::connected();
    let run = |opportunity| house.cpq(&["--json", "sync", "run", "--opportunity", opportunity]);
    refused(&run("OPP-9999"), "OPPORTUNITY_NOT_FOUND", 1);
    refused(&run("OPP 44' OR Id != '"), "REQUEST_INVALID", 1);
    let key = [
        "--json",
        "sync",
        "run",
        "--opportunity",
        "OPP-4482",
        "--idempotency-key",
        "a b",
    ];
    refused(&house.cpq(&key), "IDEMPOTENCY_KEY_INVALID", 1);
    let status = |id| house.cpq(&["--json", "sync", "status", "--correlation", id]);
    refused(&status("csync-777"), "CORRELATION_NOT_FOUND", 1);
    refused(&status(""), "REQUEST_INVALID", 1);
    refused(
        &house.cpq(&["--json", "quote", "show", "Q-1999-0001"]),
        "QUOTE_NOT_FOUND",
        1,
    );
}

#[test]
fn for_people_an_error_has_a_hint_and_standard_output_stays_empty() {
    let house = House::connected();
    let said = house.cpq(&["sync", "run", "--opportunity", "OPP-9999"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    for part in [
        "error: ",
        "OPPORTUNITY_NOT_FOUND",
        "written: nothing was changed",
        "hint: ",
    ] {
        assert!(said.err.contains(part), "{part:?} is missing in {}", said.err);
    }
}

#[test]
fn an_opportunity_without_account_or_lines_says_what_is_missing() {
    let house = House::connected();
    let lines = house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4483"]);
    refused(&lines, "OPPORTUNITY_INCOMPLETE", 1);
    assert!(
        lines.json()["message"]
            .as_str()
            .is_some_and(|text| text.contains("no products")),
        "{lines:?}"
    );
    let account = house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4484"]);
    refused(&account, "OPPORTUNITY_INCOMPLETE", 1);
    assert!(
        account.json()["message"]
            .as_str()
            .is_some_and(|text| text.contains("no account")),
        "{account:?}"
    );
}

#[test]
fn the_api_refuses_reused_keys_large_bodies_broken_json_and_strangers() {
    let house = House::connected();
    let service = house.serve();
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let key = [("idempotency-key", "one")];
    assert_eq!(service.call(Method::POST, path, &key, "{}").0, 200);
    let (status, report) = service.json(Method::POST, path, &key, &json!({"connection": "crm"}));
    assert_eq!(status, 422);
    in_the_one_shape(&report, "IDEMPOTENCY_KEY_REUSED");
    let (status, body) = service.call(
        Method::POST,
        path,
        &[],
        &format!("{{\"connection\":\"{}\"}}", "x".repeat(1 << 20)),
    );
    assert_eq!(status, 413);
    in_the_one_shape(&serde_json::from_str(&body).expect("JSON"), "REQUEST_TOO_LARGE");
    for broken in ["{", "[]", "{\"conection\":\"crm\"}", "{\"connection\":1}", "nul"] {
        let (status, body) = service.call(Method::POST, path, &[], broken);
        assert_eq!(status, 400, "{broken}: {body}");
        in_the_one_shape(&serde_json::from_str(&body).expect("JSON"), "REQUEST_INVALID");
    }
    let (status, body) = http(Method::GET, &format!("{}/api/v1/sync", service.url), &[], "");
    assert_eq!(status, 401);
    in_the_one_shape(&serde_json::from_str(&body).expect("JSON"), "UNAUTHENTICATED");
    let (status, body) = service.call(Method::GET, "/api/v1/nowhere", &[], "");
    assert_eq!(status, 404);
    in_the_one_shape(&serde_json::from_str(&body).expect("JSON"), "NOT_FOUND");
}

#[test]
fn an_unknown_configuration_key_is_named() {
    let house = House::empty();
    std::fs::write(house.path().join("cpq.toml"), "[crm]\ncurency = \"EUR\"\n").expect("it is written");
    let said = house.cpq(&["--json", "sync", "list"]);
    refused(&said, "CONFIG_INVALID", 1);
    assert!(
        said.json()["message"]
            .as_str()
            .is_some_and(|text| text.contains("curency")),
        "{said:?}"
    );
    std::fs::write(house.path().join("cpq.toml"), "[crm\n").expect("it is written");
    refused(&house.cpq(&["--json", "sync", "list"]), "CONFIG_INVALID", 1);
    refused(
        &house.cpq(&["--json", "--config", "absent.toml", "sync", "list"]),
        "CONFIG_INVALID",
        1,
    );
}

#[test]
fn a_wrong_sealing_key_opens_nothing_and_loses_nothing() {
    let house = House::connected();
    let key = house.state().join("sealing.key");
    let right = std::fs::read(&key).expect("the key");
    std::fs::remove_file(&key).expect("it goes");
    refused(
        &house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"]),
        "SEALING_KEY_WRONG",
        1,
    );
    std::fs::write(&key, right).expect("the key comes back");
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
}

#[test]
fn a_store_of_a_newer_version_or_no_store_at_all_is_left_alone() {
    let house = House::connected();
    let path = house.state().join("cpq.db");
    let store = rusqlite::Connection::open(&path).expect("it opens");
    store
        .execute_batch("PRAGMA user_version = 9999")
        .expect("a newer version is noted");
    drop(store);
    let said = house.cpq(&["--json", "sync", "list"]);
    refused(&said, "STORE_TOO_NEW", 1);
    let other = House::empty();
    std::fs::create_dir_all(other.state()).expect("a directory");
    std::fs::write(
        other.state().join("cpq.db"),
        "this is no database, and somebody may need it",
    )
    .expect("a file");
    refused(&other.cpq(&["--json", "sync", "list"]), "STORE_UNAVAILABLE", 2);
    let kept = std::fs::read_to_string(other.state().join("cpq.db")).expect("still there");
    assert!(kept.starts_with("this is no database"));
}

#[test]
fn ports_in_use_are_named() {
    let house = House::empty();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    refused(
        &house.cpq(&["--json", "serve", "--listen", &address]),
        "PORT_IN_USE",
        2,
    );
    refused(
        &house.cpq(&[
            "--json",
            "sandbox",
            "--listen",
            &address,
            "--tls-listen",
            "127.0.0.1:0",
            "--pubsub-listen",
            "127.0.0.1:0",
        ]),
        "PORT_IN_USE",
        2,
    );
    refused(
        &house.cpq(&["--json", "serve", "--listen", "0.0.0.0:0"]),
        "CONFIG_INVALID",
        1,
    );
}

#[test]
fn a_sandbox_that_is_down_is_said_and_the_sync_is_kept_and_goes_on() {
    let house = House::connected();
    house.cpq(&["sandbox", "stop"]).ok();
    let said = house.cpq(&[
        "--json",
        "sync",
        "run",
        "--opportunity",
        "OPP-4482",
        "--wait",
        "1",
    ]);
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(said.json()["error"]["code"], "CRM_UNAVAILABLE", "{said:?}");
    assert_eq!(said.json()["error"]["details"]["written"], "no", "{said:?}");
    let kept = house.cpq(&["--json", "sync", "list"]).ok().json();
    assert_eq!(kept["syncs"][0]["correlationId"], "csync-001", "{kept}");
    assert_eq!(kept["syncs"][0]["status"], "parked", "{kept}");
}

#[test]
fn nobody_connected_and_no_sandbox_say_what_to_do() {
    let house = House::empty();
    std::fs::write(
        house.path().join("cpq.toml"),
        "[sandbox]\nlisten = \"127.0.0.1:1\"\n",
    )
    .expect("it is written");
    refused(&house.cpq(&["--json", "auth", "connect-crm"]), "NOT_CONNECTED", 1);
    refused(
        &house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"]),
        "NOT_CONNECTED",
        1,
    );
    refused(
        &house.cpq(&["--json", "seed", "--scenario", "nonsense"]),
        "REQUEST_INVALID",
        1,
    );
    refused(
        &house.cpq(&["--json", "test", "--suite", "nonsense"]),
        "REQUEST_INVALID",
        1,
    );
}

/// A device, a folder and bytes that are no text, wherever a file is named: each is refused in words, and none is read
/// without end.
#[test]
fn what_is_no_file_of_ours_is_refused_before_it_fills_the_memory() {
    let house = House::empty();
    let binary = house.path().join("binary");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).expect("a file");
    let binary = binary.to_str().expect("UTF-8");
    let config = house.path().join("cpq.toml");
    for (path, why) in [
        ("/dev/zero", "larger than 4 MiB"),
        ("/etc", "directory"),
        (binary, "no text"),
    ] {
        for (section, code) in [
            ("[ownership]\nfile", "OWNERSHIP_INVALID"),
            ("[crm]\nfields_file", "CONFIG_INVALID"),
        ] {
            std::fs::write(&config, format!("{section} = {path:?}\n")).expect("the configuration");
            let said = house.cpq(&["--json", "ownership", "check"]);
            refused(&said, code, said.code);
            assert!(said.json().to_string().contains(why), "{said:?}");
        }
        std::fs::remove_file(&config).expect("the configuration");
        let said = house.cpq(&["--json", "--config", path, "config", "show"]);
        refused(&said, "CONFIG_INVALID", 1);
        assert!(said.json().to_string().contains(why), "{said:?}");
        let said = house.cpq(&["--json", "ownership", "apply", path]);
        assert_ne!(said.code, 0, "{said:?}");
        assert!(said.json().to_string().contains(why), "{said:?}");
    }
}
