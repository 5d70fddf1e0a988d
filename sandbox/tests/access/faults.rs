//! Every kind of fault, seen from a client.

use crate::house::{House, house, house_with, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn rules(house: &House, rules: Value) {
    house.control("PUT", "/sandbox/faults", rules).await;
}

async fn fired(house: &House) -> Vec<u64> {
    let shown = house.control("GET", "/sandbox/faults", json!({})).await;
    shown["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["fired"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn latency_is_what_was_asked_for() {
    let house = house().await;
    let tokens = house.login().await;
    rules(
        &house,
        json!([{"fault": {"kind": "latency", "millis": 100}, "when": {"path": "/limits"}}]),
    )
    .await;
    for _ in 0..3 {
        let began = Instant::now();
        assert!(house.works(&tokens.access).await);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(100), "{took:?}");
    }
    assert_eq!(fired(&house).await, [3]);
    let log = house.control("GET", "/sandbox/requests", json!({})).await;
    assert_eq!(
        log["requests"].as_array().unwrap().last().unwrap()["faults"],
        json!(["latency"])
    );
}

#[tokio::test]
async fn an_expired_session_is_dead_until_the_client_refreshes() {
    let house = house().await;
    let tokens = house.login().await;
    rules(
        &house,
        json!([{"times": 1, "fault": {"kind": "session_expired"}}]),
    )
    .await;
    let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.json::<Value>().await.unwrap()[0]["errorCode"],
        "INVALID_SESSION_ID"
    );
    assert!(
        !house.works(&tokens.access).await,
        "repeating without a refresh must not help"
    );
    let (_, body) = house.token(&house.refresh_form(&tokens.refresh)).await;
    assert!(house.works(&text(&body["access_token"])).await);
    assert_eq!(fired(&house).await, [1]);
}

#[tokio::test]
async fn limits_differ_in_their_message_only() {
    let house = house().await;
    let tokens = house.login().await;
    for (scope, message) in [
        ("daily", "TotalRequests Limit exceeded."),
        (
            "concurrent",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        ),
        ("long_transactions", "ConcurrentPerOrgLongTxn Limit exceeded."),
    ] {
        rules(
            &house,
            json!([{"fault": {"kind": "request_limit", "scope": scope}}]),
        )
        .await;
        let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
        assert_eq!(answer.status(), 403);
        assert!(answer.headers().contains_key("sforce-limit-info"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            body,
            json!([{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
        );
    }
}

#[tokio::test]
async fn servers_stumble_in_json_in_html_and_wordlessly() {
    let house = house().await;
    let tokens = house.login().await;
    for (status, body, expected) in [
        (503, "json", "SERVER_UNAVAILABLE"),
        (500, "json", "UNKNOWN_EXCEPTION"),
        (502, "html", "<html>"),
        (420, "empty", ""),
    ] {
        rules(
            &house,
            json!([{"fault": {"kind": "server_error", "status": status, "body": body}}]),
        )
        .await;
        let answer = house.create(&tokens.access).await.unwrap();
        assert_eq!(answer.status(), status);
        let text = answer.text().await.unwrap();
        assert!(
            text.contains(expected) && text.is_empty() == (body == "empty"),
            "{text}"
        );
    }
    rules(&house, json!([])).await;
    assert_eq!(
        house.account_count(&tokens.access).await,
        0,
        "nothing was applied"
    );
}

#[tokio::test]
async fn a_row_lock_refuses_the_write_and_names_the_rule() {
    let house = house().await;
    let tokens = house.login().await;
    let lock = json!({"kind": "row_lock"});
    rules(
        &house,
        json!([{"name": "busy account", "times": 1, "when": {"object": "account"}, "fault": lock}]),
    )
    .await;
    let answer = house.create(&tokens.access).await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.json::<Value>().await.unwrap()[0]["errorCode"],
        "UNABLE_TO_LOCK_ROW"
    );
    assert_eq!(house.create(&tokens.access).await.unwrap().status(), 201);
    assert_eq!(fired(&house).await, [1]);
    let log = house.control("GET", "/sandbox/requests", json!({})).await;
    assert!(log.to_string().contains("busy account"));
}

#[tokio::test]
async fn other_row_errors_come_with_their_code() {
    let house = house().await;
    let tokens = house.login().await;
    let error =
        json!({"kind": "row_error", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No."});
    rules(&house, json!([{"fault": error}])).await;
    let body: Value = house.create(&tokens.access).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&body[0]["errorCode"], &body[0]["message"]),
        (&json!("FIELD_CUSTOM_VALIDATION_EXCEPTION"), &json!("No."))
    );
}

#[tokio::test]
async fn a_reset_before_applies_nothing_and_a_reset_after_applies() {
    let house = house().await;
    let tokens = house.login().await;
    for (kind, applied) in [("reset_before", 0), ("reset_after", 1)] {
        rules(
            &house,
            json!([{"times": 1, "when": {"method": "POST"}, "fault": {"kind": kind}}]),
        )
        .await;
        let error = house.create(&tokens.access).await.unwrap_err();
        assert!(error.is_request() || error.is_body(), "{error:?}");
        assert_eq!(house.account_count(&tokens.access).await, applied, "{kind}");
    }
    let log = house.control("GET", "/sandbox/requests", json!({})).await;
    let cut = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["status"] == 0)
        .count();
    assert_eq!(cut, 2);
}

#[tokio::test]
async fn a_duplicated_request_is_applied_twice() {
    let house = house().await;
    let tokens = house.login().await;
    rules(&house, json!([{"times": 1, "fault": {"kind": "duplicate"}}])).await;
    assert_eq!(house.create(&tokens.access).await.unwrap().status(), 201);
    assert_eq!(house.account_count(&tokens.access).await, 2);
}

#[tokio::test]
async fn the_token_endpoint_has_faults_of_its_own() {
    let house = house().await;
    let tokens = house.login().await;
    let plan = json!([
        {"times": 1, "fault": {"kind": "already_processing"}},
        {"times": 1, "fault": {"kind": "invalid_grant", "description": "ip restricted"}},
        {"times": 1, "fault": {"kind": "token_html_maintenance"}}
    ]);
    rules(&house, plan).await;
    assert!(house.works(&tokens.access).await, "data calls are not concerned");
    let form = house.refresh_form(&tokens.refresh);
    assert_eq!(
        house.refused(&form).await.1,
        "token request is already being processed"
    );
    assert_eq!(
        house.refused(&form).await,
        ("invalid_grant".into(), "ip restricted".into())
    );
    let page = house
        .http
        .post(house.url("/services/oauth2/token"))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 503);
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(house.token(&form).await.0, 200);
    assert_eq!(fired(&house).await, [1, 1, 1]);
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let house = house().await;
    let tokens = house.login().await;
    rules(&house, json!([{"fault": {"kind": "slow_body", "millis": 160}}])).await;
    let began = Instant::now();
    let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
    let head = began.elapsed();
    let body: Value = answer.json().await.unwrap();
    assert!(body.is_object());
    assert!(
        began.elapsed() >= Duration::from_millis(150) && head < began.elapsed(),
        "{head:?}"
    );
}

#[tokio::test]
async fn a_skewed_answer_carries_another_date() {
    let house = house().await;
    house
        .control(
            "POST",
            "/sandbox/clock",
            json!({"freeze": "2026-03-01T12:00:00Z"}),
        )
        .await;
    rules(
        &house,
        json!([{"times": 1, "fault": {"kind": "clock_skew", "seconds": -3600}}]),
    )
    .await;
    let date = async || {
        house
            .http
            .get(house.url("/services/data"))
            .send()
            .await
            .unwrap()
            .headers()["date"]
            .clone()
    };
    assert_eq!(date().await, "Sun, 01 Mar 2026 11:00:00 GMT");
    assert_eq!(date().await, "Sun, 01 Mar 2026 12:00:00 GMT");
}

#[tokio::test]
async fn which_requests_is_a_matter_of_count_and_object() {
    let house = house().await;
    let tokens = house.login().await;
    let error = json!({"kind": "server_error", "status": 503});
    rules(&house, json!([{"when": {"nth": [2, 4]}, "fault": error}])).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(house.works(&tokens.access).await);
    }
    assert_eq!(seen, [true, false, true, false, true]);
    rules(
        &house,
        json!([{"when": {"every": 3}, "fault": error}, {"when": {"object": "Contact"}, "fault": error}]),
    )
    .await;
    assert_eq!(house.account_count(&tokens.access).await, 0);
    let contacts = house
        .get(
            "/services/data/v68.0/query?q=SELECT+Id+FROM+Contact",
            &tokens.access,
        )
        .await;
    assert_eq!(contacts.status(), 503);
    assert_eq!(
        house
            .get("/services/data/v68.0/limits", &tokens.access)
            .await
            .status(),
        503
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let house = house().await;
    let tokens = house.login().await;
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let fault = json!({"kind": "server_error"});
        rules(
            &house,
            json!({"seed": seed, "rules": [{"when": {"probability": 0.5}, "fault": fault}]}),
        )
        .await;
        let mut run = Vec::new();
        for _ in 0..24 {
            run.push(house.works(&tokens.access).await);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!(runs[0].contains(&true) && runs[0].contains(&false));
}

#[tokio::test]
async fn a_plan_comes_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("faults.json");
    std::fs::write(
        &file,
        r#"{"rules": [{"name": "x", "fault": {"kind": "server_error", "status": 502}}]}"#,
    )
    .unwrap();
    let house = house_with(|options| options.faults_file = Some(file.clone())).await;
    assert_eq!(
        house
            .http
            .get(house.url("/services/data"))
            .send()
            .await
            .unwrap()
            .status(),
        502
    );
    house.control("DELETE", "/sandbox/faults", json!({})).await;
    assert_eq!(
        house
            .http
            .get(house.url("/services/data"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    std::fs::write(&file, "{").unwrap();
    let options = sandbox::Options {
        faults_file: Some(file.clone()),
        ..Default::default()
    };
    let error = sandbox::start(options).await.err().unwrap();
    assert!(error.to_string().contains("faults.json"), "{error}");
}

#[tokio::test]
async fn a_wrong_plan_is_refused_with_its_reason() {
    let house = house_with(|_| {}).await;
    for (wrong, complaint) in [
        (json!([{"fault": {"kind": "nonsense"}}]), "unknown variant"),
        (
            json!([{"fault": {"kind": "latency", "milis": 1}}]),
            "unknown field",
        ),
        (
            json!([{"fault": {"kind": "row_error", "errorCode": "NOPE"}}]),
            "rule 1: errorCode NOPE",
        ),
        (
            json!([{"when": {"probability": 2.0}, "fault": {"kind": "row_lock"}}]),
            "between 0 and 1",
        ),
        (
            json!([{"fault": {"kind": "server_error", "status": 200}}]),
            "status 200",
        ),
        (
            json!([{"times": 1, "fault": {"kind": "latency", "millis": 9_999_999}}]),
            "at most",
        ),
    ] {
        let answer = house
            .http
            .put(house.url("/sandbox/faults"))
            .json(&wrong)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.unwrap();
        assert!(text.contains(complaint), "{text}");
    }
}

#[tokio::test]
async fn rules_can_be_added_behind_others() {
    let house = house().await;
    rules(&house, json!([{"fault": {"kind": "latency", "millis": 1}}])).await;
    house
        .control(
            "POST",
            "/sandbox/faults",
            json!([{"fault": {"kind": "latency", "millis": 1}, "times": 1}]),
        )
        .await;
    for _ in 0..2 {
        house.http.get(house.url("/services/data")).send().await.unwrap();
    }
    assert_eq!(fired(&house).await, [2, 1]);
}
