//! The running service: two clients, quotes that push their status, webhooks, health.

use reqwest::Method;
use serde_json::json;

use crate::house::{House, http, until};

#[test]
fn a_quotes_status_reaches_the_crm_by_itself() {
    let house = House::connected();
    let service = house.serve();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    house.cpq(&["quote", "transition", "Q-2026-0137", "submit"]).ok();
    house.cpq(&["quote", "transition", "Q-2026-0137", "send"]).ok();
    let status = || {
        house.soql("SELECT CPQ_Quote_Status__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]
            ["CPQ_Quote_Status__c"]
            .clone()
    };
    until("the status in the CRM", status, |status| status == "sent");
    let refused = house.cpq(&["--json", "quote", "transition", "Q-2026-0137", "submit"]);
    assert_eq!(refused.json()["code"], "INVALID_TRANSITION", "{refused:?}");
    assert!(
        refused.json()["details"]["facts"]["allowed"].is_array(),
        "{refused:?}"
    );
    drop(service);
}

#[test]
fn a_command_alone_pushes_the_status_too() {
    let house = House::connected();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    house.cpq(&["quote", "transition", "Q-2026-0137", "submit"]).ok();
    let row = || {
        house.soql("SELECT CPQ_Quote_Status__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]
            ["CPQ_Quote_Status__c"]
            .clone()
    };
    until("the status in the CRM", row, |status| status == "approved");
}

#[test]
fn sixty_four_requests_under_one_key_make_one_sync_and_one_quote() {
    let house = House::connected();
    let service = house.serve();
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let call = || service.call(Method::POST, path, &[("idempotency-key", "same")], "{}");
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(call)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let done: Vec<_> = answers.iter().filter(|(status, _)| *status == 200).collect();
    assert!(!done.is_empty());
    assert!(
        done.iter().all(|(_, body)| body == &done[0].1),
        "the same bytes for all"
    );
    assert!(
        answers
            .iter()
            .all(|(status, _)| matches!(status, 200 | 202 | 409)),
        "{answers:?}"
    );
    let syncs = service.json(Method::GET, "/api/v1/sync", &[], &json!(null)).1;
    assert_eq!(syncs["syncs"].as_array().map(Vec::len), Some(1), "{syncs}");
    let quotes = service.json(Method::GET, "/api/v1/quotes", &[], &json!(null)).1;
    assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
}

#[test]
fn sixty_four_requests_without_a_key_make_one_quote() {
    let house = House::connected();
    let service = house.serve();
    let path = "/api/v1/sync/opportunities/OPP-4482";
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                assert_eq!(
                    service.call(Method::POST, path, &[("prefer", "wait=25")], "{}").0,
                    200
                )
            });
        }
    });
    let quotes = service.json(Method::GET, "/api/v1/quotes", &[], &json!(null)).1;
    assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
    assert_eq!(quotes["quotes"][0]["revision"], 1);
}

#[test]
fn the_service_tells_its_health_and_describes_itself() {
    let house = House::empty();
    let service = house.serve();
    let get = |path: &str| http(Method::GET, &format!("{}{path}", service.url), &[], "");
    assert_eq!(get("/healthz").0, 200);
    assert_eq!(get("/readyz").0, 200);
    let document: serde_json::Value = serde_json::from_str(&get("/api/v1/openapi.json").1).expect("JSON");
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    for name in ["SyncRequest", "SyncResult", "SyncEvent", "OwnershipRule"] {
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is not described"
        );
    }
    let metrics = service.call(Method::GET, "/metrics", &[], "");
    assert_eq!(metrics.0, 200, "{}", metrics.1);
}

#[test]
fn a_callers_own_correlation_id_finds_the_sync() {
    let house = House::connected();
    let service = house.serve();
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let (status, done) = service.json(Method::POST, path, &[("x-correlation-id", "mine-1")], &json!({}));
    assert_eq!(
        (status, &done["callerCorrelationId"]),
        (200, &json!("mine-1")),
        "{done}"
    );
    let by_mine = house
        .cpq(&["--json", "sync", "status", "--correlation", "mine-1"])
        .ok()
        .json();
    assert_eq!(by_mine["correlationId"], "csync-001");
}

/// A person edits the opportunity while our write is under way: the write is refused, and both edits end up there.
#[test]
fn a_persons_edit_between_read_and_write_survives() {
    let house = House::connected();
    let service = house.serve();
    house.faults(json!([{"when": {"path": "/composite", "client": "cpq"}, "fault": {"kind": "latency", "millis": 2500}, "times": 1}]));
    let path = "/api/v1/sync/opportunities/OPP-4482";
    assert_eq!(
        service.call(Method::POST, path, &[("prefer", "wait=0")], "{}").0,
        202
    );
    until("our slow write", || house.fired(), |fired| *fired == 1);
    // The CRM's condition is one second fine, so the edit must fall into a later second than the seed.
    house.control(Method::POST, "/sandbox/clock", &json!({"advanceSeconds": 5}));
    let edit = json!({"NextStep": "a person was here"});
    house.crm(
        Method::PATCH,
        "sobjects/Opportunity/Opportunity_Number__c/OPP-4482",
        &edit,
    );
    let state = || {
        service
            .json(
                Method::GET,
                "/api/v1/sync/csync-001?events=true",
                &[],
                &json!(null),
            )
            .1
    };
    let ended = until("the end of the sync", state, |sync| sync["status"] == "success");
    assert!(
        ended["events"].to_string().contains("\"restarted\""),
        "it started over: {ended}"
    );
    let row = &house.soql(
        "SELECT NextStep, CPQ_Quote_Number__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'",
    )[0];
    assert_eq!(row["NextStep"], "a person was here");
    assert_eq!(row["CPQ_Quote_Number__c"], "Q-2026-0137");
}

#[test]
fn two_connections_live_side_by_side_each_with_its_own_grant() {
    let house = House::connected();
    house
        .cpq(&["auth", "connect-crm", "--name", "second", "--flow", "jwt"])
        .ok();
    let status = house.cpq(&["--json", "auth", "status"]).ok().json();
    let names: Vec<_> = status
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["settings"]["name"].clone())
        .collect();
    assert_eq!(names, [json!("crm"), json!("second")]);
    house.cpq(&["auth", "disconnect", "--name", "crm"]).ok();
    let run = [
        "--json",
        "sync",
        "run",
        "--opportunity",
        "OPP-4482",
        "--connection",
    ];
    let gone = house.cpq(&[&run[..], &["crm"]].concat());
    assert_eq!(gone.json()["code"], "NOT_CONNECTED", "{gone:?}");
    let done = house.cpq(&[&run[..], &["second"]].concat()).ok().json();
    assert_eq!(done["quoteId"], "Q-2026-0137", "{done}");
}
