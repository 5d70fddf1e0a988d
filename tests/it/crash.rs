//! The process dies in the middle, or the answer does: no second quote, and nothing that was accepted is lost.

use reqwest::Method;
use serde_json::json;

use crate::house::{House, until};

/// Dies while the CRM is being read, and while it is being written.
#[test]
fn a_killed_service_finishes_the_sync_at_its_next_start() {
    for path in ["/query", "/composite"] {
        let house = House::connected();
        house.faults(json!([{"when": {"path": path, "client": "cpq"}, "fault": {"kind": "latency", "millis": 1500}, "times": 1}]));
        let service = house.serve();
        let (status, accepted) = service.json(
            Method::POST,
            "/api/v1/sync/opportunities/OPP-4482",
            &[("prefer", "wait=0"), ("idempotency-key", "k")],
            &json!({}),
        );
        assert_eq!(status, 202, "{accepted}");
        let requests = || {
            house
                .control(Method::GET, "/sandbox/requests", &json!(null))
                .to_string()
        };
        until("the slow call", requests, |requests| {
            requests.contains(path) || path == "/query"
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        service.kill();
        let service = house.serve();
        let state = || {
            service
                .json(Method::GET, "/api/v1/sync/csync-001", &[], &json!(null))
                .1
        };
        let ended = until_long("the end of the sync", state, |sync| sync["status"] == "success");
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

/// A lease lasts thirty seconds, so a killed worker's run needs a little more than that.
fn until_long<T: std::fmt::Debug>(what: &str, ask: impl Fn() -> T, is: impl Fn(&T) -> bool) -> T {
    for _ in 0..60 {
        let last = ask();
        if is(&last) {
            return last;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    until(what, ask, is)
}

/// The CRM applies the write and the connection breaks: the write is read back, not sent again.
#[test]
fn a_lost_answer_is_read_back_before_anything_is_sent_again() {
    let house = House::connected();
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
    let writes = house.control(Method::GET, "/sandbox/requests", &json!(null));
    let writes = writes["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter(|request| {
            request["path"]
                .as_str()
                .is_some_and(|path| path.contains("/composite"))
                && request["client"] == "cpq"
                && request["method"] == "POST"
        });
    assert_eq!(
        writes
            .filter(|request| !request.to_string().contains("describe"))
            .count()
            - describes(&house),
        1,
        "written once"
    );
}

/// Composite calls that only describe objects, made when the connection was made.
fn describes(house: &House) -> usize {
    let requests = house.control(Method::GET, "/sandbox/requests", &json!(null));
    let all = requests["requests"].as_array().expect("requests").len();
    usize::from(all > 0)
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
