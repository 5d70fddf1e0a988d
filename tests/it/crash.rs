//! The process dies in the middle, or the answer does: no second quote, and nothing that was accepted is lost.

use reqwest::Method;
use serde_json::json;

use crate::house::{House, until};

/// Dies while the CRM is being read, and while it is being written.
#[test]
fn a_killed_service_finishes_the_sync_at_its_next_start() {
    for path in ["/query", "/composite"] {
        let house = House::connected();
        std::fs::write(house.path().join("cpq.toml"), "[service]\nlease_seconds = 2\n")
            .expect("the configuration");
        house.faults(json!([{"when": {"path": path, "client": "cpq"}, "fault": {"kind": "latency", "millis": 1500}, "times": 1}]));
        let service = house.serve();
        let (status, accepted) = service.json(
            Method::POST,
            "/api/v1/sync/opportunities/OPP-4482",
            &[("prefer", "wait=0"), ("idempotency-key", "k")],
            &json!({}),
        );
        assert_eq!(status, 202, "{accepted}");
        until("the slow call", || house.fired(), |fired| *fired == 1);
        service.kill();
        let service = house.serve();
        let state = || {
            service
                .json(Method::GET, "/api/v1/sync/csync-001", &[], &json!(null))
                .1
        };
        let ended = until("the end of the sync", state, |sync| sync["status"] == "success");
        assert_eq!(ended["quoteId"], "Q-2026-0137", "{ended}");
        let quotes = service.json(Method::GET, "/api/v1/quotes", &[], &json!(null)).1;
        assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
        let again = service.json(
            Method::POST,
            "/api/v1/sync/opportunities/OPP-4482",
            &[("idempotency-key", "k")],
            &json!({}),
        );
        assert_eq!(
            (again.0, &again.1["correlationId"]),
            (200, &json!("csync-001")),
            "the key is answered from memory"
        );
    }
}

/// The CRM applies the write and the connection breaks: the write is read back, not sent again.
#[test]
fn a_lost_answer_is_read_back_before_anything_is_sent_again() {
    let house = House::connected();
    house.control(Method::DELETE, "/sandbox/requests", &json!(null));
    house.faults(json!([{"when": {"path": "/composite", "client": "cpq"}, "fault": {"kind": "reset_after"}, "times": 1}]));
    let service = house.serve();
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let (status, done) = service.json(Method::POST, path, &[("prefer", "wait=20")], &json!({}));
    assert_eq!((status, &done["quoteId"]), (200, &json!("Q-2026-0137")), "{done}");
    let history = service
        .json(
            Method::GET,
            "/api/v1/sync/csync-001?events=true",
            &[],
            &json!(null),
        )
        .1;
    let text = history.to_string();
    assert!(
        text.contains("OUTCOME_UNKNOWN"),
        "the lost answer is in the journal: {text}"
    );
    let requests = house.control(Method::GET, "/sandbox/requests", &json!(null));
    let writes = requests["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter(|request| {
            request["method"] == "POST"
                && request["path"]
                    .as_str()
                    .is_some_and(|path| path.ends_with("/composite"))
        });
    assert_eq!(writes.count(), 1, "written once: {requests}");
}

/// Row locks and short unavailability pass by themselves.
#[test]
fn what_passes_with_time_is_tried_again() {
    let house = House::connected();
    house.faults(json!([
        {"when": {"object": "Opportunity"}, "fault": {"kind": "row_lock"}, "times": 1},
        {"when": {"path": "/query", "client": "cpq"}, "fault": {"kind": "server_error", "status": 503}, "times": 1}
    ]));
    let service = house.serve();
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let (status, done) = service.json(Method::POST, path, &[("prefer", "wait=25")], &json!({}));
    assert_eq!((status, &done["quoteId"]), (200, &json!("Q-2026-0137")), "{done}");
    let history = service
        .json(
            Method::GET,
            "/api/v1/sync/csync-001?events=true",
            &[],
            &json!(null),
        )
        .1
        .to_string();
    assert!(
        history.contains("CRM_LOCKED") && history.contains("CRM_UNAVAILABLE"),
        "{history}"
    );
}

/// The grant dies: the sync waits, the caller is told to reconnect, and reconnecting resumes it.
#[test]
fn a_dead_grant_parks_the_sync_and_reconnecting_resumes_it() {
    let house = House::connected();
    let service = house.serve();
    house.control(Method::POST, "/sandbox/grants/revoke", &json!({}));
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let (status, report) = service.json(Method::POST, path, &[("idempotency-key", "k")], &json!({}));
    assert_eq!(status, 424, "{report}");
    assert_eq!(
        (&report["code"], &report["message"]),
        (&json!("TOKEN_EXPIRED"), &json!("Reconnect CRM integration"))
    );
    assert_eq!(report["correlationId"], "csync-001");
    house.cpq(&["auth", "connect-crm"]).ok();
    let state = || {
        service
            .json(Method::GET, "/api/v1/sync/csync-001", &[], &json!(null))
            .1
    };
    let ended = until("the resumed sync", state, |sync| sync["status"] == "success");
    assert_eq!(ended["quoteId"], "Q-2026-0137");
}
