//! Log lines of the real binary: each names the request or the sync that it belongs to.

use std::fs::File;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, http, until};

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

/// One request of each kind that gets nobody anywhere.
#[expect(
    clippy::disallowed_methods,
    reason = "a signature holds for five minutes of real time"
)]
fn attempts(house: &House, service: &Service) {
    let narrow = house.cpq(&["token", "create", "--client", "narrow", "--scope", "sync:read"]);
    let bearer = format!("Bearer {}", narrow.ok().out.trim());
    let narrow = [("authorization", bearer.as_str())];
    let send = |method, path: &str, headers: &[(&str, &str)]| {
        http(method, &format!("{}{path}", service.url), headers, "{}").0
    };
    let sync = "/api/v1/sync/opportunities/OPP-4482";
    assert_eq!(send(Method::POST, sync, &narrow), 403);
    let now = jiff::Timestamp::now().as_second().to_string();
    let signed = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", now.as_str()),
        (
            "webhook-signature",
            "v1,bm90IHRoZSBzaWduYXR1cmUgb2YgYW55Ym9keSBoZXJl",
        ),
    ];
    assert_eq!(send(Method::POST, "/api/v1/webhooks/flow", &signed), 401);
    let guessed = "/api/v1/outbound-messages/workflow/guessed";
    assert_eq!(send(Method::POST, guessed, &[("content-type", "text/xml")]), 401);
    let other_site = [("sec-fetch-site", "cross-site")];
    assert_eq!(send(Method::POST, "/login", &other_site), 403);
    let asked = |_| send(Method::GET, "/api/v1/sync", &narrow);
    assert!(
        (0..4).map(asked).any(|status| status == 429),
        "nobody is asked to wait"
    );
}

#[test]
fn what_gets_nobody_anywhere_is_a_warning_with_its_code_and_where_it_came_from() {
    let house = House::connected();
    let config = "[log]\nformat = \"json\"\n[service]\nrequests_per_second = 1\nrequests_burst = 3\n\
        [webhooks]\nsources = { flow = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }\n\
        [outbound_messages]\nsources = { workflow = [\"env:OUTBOUND\"] }\n";
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let path = house.path().join("log");
    let secret = ("OUTBOUND", "a-secret-that-nobody-guesses-6f1c9a0c5c0f4a1f");
    let service = house.serve_at("127.0.0.1:0", &[secret], File::create(&path).expect("a file"));
    attempts(&house, &service);
    service.end();
    let text = std::fs::read_to_string(path).expect("the log");
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let mut told: Vec<(String, String)> = lines
        .filter(|line| line["level"] == "WARN" && line["address"] == "127.0.0.1")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (
                text("code"),
                format!("{} {}", text("client"), text("route")).trim().to_owned(),
            )
        })
        .collect();
    told.sort();
    told.dedup();
    let expected = [
        ("FORM_FORGED", ""),
        ("OVERLOADED", "narrow /api/v1/sync"),
        ("SCOPE_INSUFFICIENT", "narrow /api/v1/sync/opportunities/{id}"),
        ("SIGNATURE_INVALID", "/api/v1/outbound-messages/{source}/{secret}"),
        ("SIGNATURE_INVALID", "/api/v1/webhooks/{source}"),
    ];
    let expected = expected.map(|(code, what)| (code.to_owned(), what.to_owned()));
    assert_eq!(told, expected, "{text}");
}
