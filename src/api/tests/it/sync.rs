//! Starting syncs and looking at them.

use axum::http::Method;
use cpq_domain::{Code, Error};

use crate::house::House;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_sync_answers_with_its_quote_and_correlation_id() {
    let house = House::new().await;
    let answer = house.sync(&[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let start = r#"{"status":"success","quoteId":"Q-2026-0137","correlationId":"csync-001""#;
    assert!(answer.body.starts_with(start), "{}", answer.body);
    assert_eq!(answer.header("x-correlation-id"), "csync-001");
    let outcome = &answer.json()["outcome"];
    assert_eq!(
        (&outcome["effect"], &outcome["created"]),
        (&"written".into(), &true.into())
    );
}

#[tokio::test]
async fn the_callers_names_are_kept_and_reach_the_crm() {
    let house = House::new().await;
    let answer = house
        .sync(&[("x-correlation-id", "caller-7"), ("traceparent", TRACE)])
        .await;
    assert_eq!(answer.json()["callerCorrelationId"], "caller-7");
    assert_eq!(answer.header("x-correlation-id"), "csync-001");
    let call = house
        .systems
        .memory()
        .last_call
        .lock()
        .unwrap()
        .clone()
        .expect("a call");
    assert_eq!(
        (call.correlation.as_str(), call.traceparent.as_deref()),
        ("csync-001", Some(TRACE))
    );
    let found = house.get("/api/v1/sync/caller-7").await;
    assert_eq!(
        (found.status.as_u16(), &found.json()["correlationId"]),
        (200, &"csync-001".into())
    );
}

#[tokio::test]
async fn who_will_not_wait_gets_202_and_the_place_to_look() {
    let house = House::new().await;
    house.systems.close();
    let answer = house.sync(&[("prefer", "wait=0")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.header("location"), "/api/v1/sync/csync-001");
    assert_eq!(answer.header("retry-after"), "1");
    house.systems.open();
    house.ended("csync-001").await;
    let seen = house.get(answer.header("location")).await.json();
    assert_eq!(
        (&seen["status"], &seen["quoteId"]),
        (&"success".into(), &"Q-2026-0137".into())
    );
}

#[tokio::test]
async fn a_sync_outlives_the_caller_that_hangs_up() {
    let house = std::sync::Arc::new(House::new().await);
    house.systems.close();
    let call = tokio::spawn({
        let house = house.clone();
        async move { house.sync(&[]).await }
    });
    house.systems.memory().entered.notified().await;
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()));
    house.systems.open();
    assert_eq!(
        house.ended("csync-001").await.state,
        cpq_domain::run::RunState::Succeeded
    );
}

#[tokio::test]
async fn a_definite_failure_answers_with_its_status_and_report() {
    let house = House::new().await;
    let answer = house.post("/api/v1/sync/opportunities/OPP-0000", &[], "").await;
    let body = answer.is(404, "OPPORTUNITY_NOT_FOUND");
    assert_eq!(
        (&body["correlationId"], &body["details"]["record"]),
        (&"csync-001".into(), &"OPP-0000".into())
    );
    assert_eq!(answer.header("x-correlation-id"), "csync-001");
}

#[tokio::test]
async fn a_dead_login_answers_424_and_the_sync_waits_for_a_person() {
    let house = House::new().await;
    house
        .systems
        .fail_next(Error::new(Code::TokenExpired, "Reconnect CRM integration"));
    let answer = house.sync(&[("idempotency-key", "k")]).await;
    assert_eq!(
        answer.is(424, "TOKEN_EXPIRED")["message"],
        "Reconnect CRM integration"
    );
    assert_eq!(
        house.get("/api/v1/sync/csync-001").await.json()["status"],
        "waiting"
    );
    let again = house.sync(&[("idempotency-key", "k")]).await;
    again.is(424, "TOKEN_EXPIRED");
    assert_eq!(house.runs().await.len(), 1, "the repeat started no second sync");
}

#[tokio::test]
async fn a_sync_that_must_rest_longer_than_the_caller_waits_is_answered_at_once() {
    let house = House::new().await;
    house
        .systems
        .fail_next(Error::new(Code::CrmLimit, "the CRM's limit is used up").retry_after_ms(60_000));
    let answer = house.sync(&[("idempotency-key", "k")]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (202, &"parked".into()),
        "{}",
        answer.body
    );
    assert!(
        answer.header("retry-after").parse::<u64>().unwrap() >= 60,
        "{:?}",
        answer.headers
    );
    assert_eq!(answer.json()["error"]["code"], "CRM_LIMIT");
    let again = house.sync(&[("idempotency-key", "k")]).await;
    assert_eq!(
        (again.status.as_u16(), again.header("location")),
        (202, answer.header("location"))
    );
}

#[tokio::test]
async fn the_body_may_name_the_connection_and_nothing_unknown() {
    let house = House::new().await;
    let uri = "/api/v1/sync/opportunities/OPP-4482";
    let answer = house.post(uri, &[], r#"{"connection":"other"}"#).await;
    answer.is(424, "NOT_CONNECTED");
    let answer = house.post(uri, &[], "{\n \"conection\": \"crm\"}").await;
    let body = answer.is(400, "REQUEST_INVALID");
    assert_eq!(
        (&body["details"]["facts"]["line"], &body["details"]["field"]),
        (&2.into(), &"conection".into()),
        "{body}"
    );
    house
        .post("/api/v1/sync/opportunities/a'b", &[], "")
        .await
        .is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_plan_tells_what_would_be_done_and_does_nothing() {
    let house = House::new().await;
    let answer = house
        .post("/api/v1/sync/opportunities/OPP-4482/plan", &[], "")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let plan = answer.json();
    assert_eq!(
        (&plan["effect"], &plan["matrixVersion"]),
        (&"written".into(), &"test-1".into())
    );
    assert!(
        plan["calls"].as_array().is_some_and(|calls| calls.len() >= 3),
        "{plan}"
    );
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn the_stages_of_a_sync_can_be_read_and_its_journal_on_request() {
    let house = House::new().await;
    house.sync(&[]).await;
    let seen = house.get("/api/v1/sync/csync-001").await.json();
    let names: Vec<_> = seen["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["name"].as_str().unwrap())
        .collect();
    for name in ["read.crm", "read.cpq", "decide", "write.cpq", "write.crm"] {
        assert_eq!(
            names.iter().filter(|found| **found == name).count(),
            1,
            "{name} in {names:?}"
        );
    }
    let read = stage(&seen, "read.crm");
    assert_eq!((&read["status"], &read["attempt"]), (&"done".into(), &1.into()));
    assert!(
        read["durationMs"].is_f64() && read["startedAt"].is_string(),
        "{read}"
    );
    assert!(seen.get("events").is_none());
    let seen = house.get("/api/v1/sync/csync-001?events=true").await.json();
    let events = seen["events"].as_array().unwrap();
    assert_eq!(
        (&events[0]["kind"], &events[0]["sequence"]),
        (&"accepted".into(), &1.into())
    );
}

/// The stage of that name.
fn stage<'a>(seen: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let stages = seen["stages"].as_array().unwrap();
    let found = stages.iter().find(|stage| stage["name"] == name);
    found.unwrap_or_else(|| panic!("no stage {name} in {seen}"))
}

#[tokio::test]
async fn a_failed_stage_tells_why() {
    let house = House::new().await;
    house.post("/api/v1/sync/opportunities/OPP-0000", &[], "").await;
    let seen = house.get("/api/v1/sync/csync-001").await.json();
    let read = stage(&seen, "read.crm");
    assert_eq!(
        (&read["status"], &read["error"]["code"]),
        (&"failed".into(), &"OPPORTUNITY_NOT_FOUND".into())
    );
    house
        .get("/api/v1/sync/csync-999")
        .await
        .is(404, "CORRELATION_NOT_FOUND");
}

#[tokio::test]
async fn syncs_are_listed_newest_first_page_by_page() {
    let house = House::new().await;
    for _ in 0..3 {
        house.sync(&[]).await;
        house.world.advance(jiff::SignedDuration::from_secs(1));
    }
    let first = house
        .get("/api/v1/sync?limit=2&opportunity=OPP-4482&state=succeeded")
        .await
        .json();
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["syncs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sync| sync["correlationId"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names(&first), ["csync-003", "csync-002"]);
    let rest = house
        .get(&format!(
            "/api/v1/sync?limit=2&before={}",
            first["next"].as_str().unwrap()
        ))
        .await
        .json();
    assert_eq!(names(&rest), ["csync-001"]);
    assert!(rest.get("next").is_none());
    assert!(names(&house.get("/api/v1/sync?state=dead").await.json()).is_empty());
    for bad in [
        "limit=0",
        "limit=201",
        "state=odd",
        "before=x",
        "colour=red",
        "limit=1&limit=2",
    ] {
        house
            .get(&format!("/api/v1/sync?{bad}"))
            .await
            .is(400, "REQUEST_INVALID");
    }
}

#[tokio::test]
async fn the_rules_can_be_read() {
    let house = House::new().await;
    let answer = house
        .send(house.request(Method::GET, "/api/v1/ownership", &[], ""))
        .await
        .json();
    assert_eq!(answer["version"], "test-1");
    let rule = &answer["rules"][0];
    assert_eq!(
        (&rule["fieldName"], &rule["ownerSystem"], &rule["overwritePolicy"]),
        (&"account.name".into(), &"crm".into(), &"always".into())
    );
}

#[tokio::test]
async fn a_caller_cannot_borrow_the_name_of_another_sync() {
    let house = House::new().await;
    house.sync(&[]).await;
    let borrowed = house
        .post(
            "/api/v1/sync/opportunities/OPP-1",
            &[("x-correlation-id", "csync-001")],
            "",
        )
        .await;
    assert_eq!(borrowed.header("x-correlation-id"), "csync-002");
    assert!(borrowed.json().get("callerCorrelationId").is_none());
    assert_eq!(
        house.get("/api/v1/sync/csync-001").await.json()["opportunity"],
        "OPP-4482"
    );
}
