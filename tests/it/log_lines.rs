//! Log lines of the real binary: each names the request or the sync that it belongs to.

use std::fs::File;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, http, until};

/// Members that are always first, and in this order.
const FIRST: [&str; 5] = ["timestamp", "level", "target", "message", "correlation"];

/// The lines of a session in which syncs share calls, one fails once, and a session ends.
fn session(format: &str) -> (Vec<String>, Vec<String>) {
    let house = House::connected();
    let generate = json!({"opportunities": 5, "prefix": "MANY-"});
    let seed = json!({"add": true, "name": "many", "generate": generate});
    house.control(Method::POST, "/sandbox/seed", &seed);
    let config = format!("[log]\nlevel = \"info,cpq=debug\"\nformat = \"{format}\"\n");
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let path = house.path().join("log");
    let service = house.serve_at("127.0.0.1:0", &[], File::create(&path).expect("a file"));
    house.control(Method::POST, "/sandbox/sessions/expire", &json!({}));
    house.faults(json!([
        {"when": {"path": "/query", "client": "cpq"}, "times": 3, "fault": {"kind": "latency", "millis": 700}},
        {"when": {"path": "/composite", "client": "cpq"}, "times": 1, "fault": {"kind": "server_error", "status": 503}}
    ]));
    for number in 1..=5 {
        let path = format!("/api/v1/sync/opportunities/MANY-{number:06}");
        let headers = [("prefer", "wait=0")];
        assert_eq!(service.call(Method::POST, &path, &headers, "{}").0, 202);
    }
    let missing = "/api/v1/sync/opportunities/NOBODY-1";
    assert_eq!(service.call(Method::POST, missing, &[], "{}").0, 404);
    let stranger = [("authorization", "Bearer cpq_nobody")];
    let url = format!("{}/api/v1/sync", service.url);
    assert_eq!(http(Method::GET, &url, &stranger, "").0, 401);
    let ended = "/api/v1/sync?state=succeeded";
    let ended = until(
        "the end of all",
        || service.json(Method::GET, ended, &[], &json!(null)).1["syncs"].clone(),
        |syncs| syncs.as_array().is_some_and(|syncs| syncs.len() == 5),
    );
    let ids = ended.as_array().expect("syncs").iter();
    let ids = ids.map(|sync| sync["correlationId"].as_str().expect("an id").to_owned());
    let ids = ids.collect();
    service.end();
    let text = std::fs::read_to_string(path).expect("the log");
    // What the command itself says to whoever started it is no log line.
    let lines = text.lines().filter(|line| !line.starts_with("dashboard: "));
    (lines.map(str::to_owned).collect(), ids)
}

#[test]
fn every_json_line_of_a_session_names_its_request_or_sync() {
    let (lines, ids) = session("json");
    let lines: Vec<Json> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        let members: Vec<&String> = line.as_object().expect("an object").keys().collect();
        assert_eq!(members[..FIRST.len()], FIRST, "{line}");
        assert!(
            line["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{line}"
        );
        let nested = line.as_object().expect("an object").values();
        assert!(!nested.into_iter().any(|value| value.is_object()), "{line}");
    }
    let named =
        |message: &str| -> Vec<&Json> { lines.iter().filter(|line| line["message"] == message).collect() };
    let calls = named("called Salesforce");
    let is_shared = |line: &&&Json| line["correlation"].as_str().is_some_and(|ids| ids.contains(','));
    assert!(calls.iter().filter(is_shared).count() > 0, "{calls:#?}");
    for id in &ids {
        let is_named = |line: &&Json| {
            let all = line["correlation"].as_str().unwrap_or_default();
            all.split(',').any(|one| one == id)
        };
        assert!(calls.iter().any(is_named), "no call for {id} in {calls:#?}");
        let synced: Vec<&Json> = named("sync").into_iter().filter(is_named).collect();
        let last = synced.last().unwrap_or_else(|| panic!("no end of {id}"));
        assert_eq!(
            (&last["connection"], &last["state"]),
            (&json!("crm"), &json!("succeeded"))
        );
        assert!(
            last["opportunity"]
                .as_str()
                .is_some_and(|name| name.starts_with("MANY-"))
        );
    }
    for id in &ids {
        let led_here = named("request")
            .into_iter()
            .filter(|line| line["sync"] == *id.as_str());
        let led_here: Vec<&Json> = led_here.collect();
        assert_eq!(led_here.len(), 1, "{id}");
        assert_eq!(
            (&led_here[0]["client"], &led_here[0]["address"]),
            (&json!("tests"), &json!("127.0.0.1"))
        );
    }
    let refused = named("request refused");
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(
        (&refused[0]["level"], &refused[0]["code"]),
        (&json!("WARN"), &json!("UNAUTHENTICATED"))
    );
    assert_eq!(refused[0]["address"], "127.0.0.1");
    assert_eq!(named("access token renewed").len(), 1);
    let failed = named("sync")
        .into_iter()
        .filter(|line| line["code"] == "CRM_UNAVAILABLE");
    assert!(failed.count() > 0, "{lines:#?}");
}

#[test]
fn a_line_for_people_names_its_request_or_sync_too() {
    let (lines, ids) = session("human");
    for line in &lines {
        assert!(line.contains(" correlation="), "{line}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
    for id in &ids {
        let end = |line: &&String| {
            line.contains(": sync ")
                && line.contains(&format!("correlation={id}"))
                && line.contains("state=succeeded")
        };
        assert_eq!(lines.iter().filter(end).count(), 1, "{id} in {lines:#?}");
    }
}
