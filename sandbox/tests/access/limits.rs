//! API calls: counted, shown, refused.

use crate::house::house;
use serde_json::{Value, json};

#[tokio::test]
async fn every_call_is_counted_in_the_header_and_the_last_one_is_refused() {
    let house = house().await;
    house
        .control("PATCH", "/sandbox/config", json!({"dailyApiRequests": 3}))
        .await;
    let tokens = house.login().await;
    for used in 1..=3 {
        let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.headers()["sforce-limit-info"],
            format!("api-usage={used}/3").as_str()
        );
    }
    let refused = house.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.headers()["sforce-limit-info"], "api-usage=3/3");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(
        body,
        json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    );
    // The allowance is a rolling day.
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 86_400}))
        .await;
    let tokens = house.login().await;
    assert!(house.works(&tokens.access).await);
}

#[tokio::test]
async fn the_log_tells_what_was_called_at_what_cost() {
    let house = house().await;
    let tokens = house.login().await;
    house.control("DELETE", "/sandbox/requests", json!({})).await;
    let url = house.url("/services/data/v68.0/limits?x=1");
    let call = house
        .http
        .get(url)
        .bearer_auth(&tokens.access)
        .header("x-correlation-id", "csync-001");
    call.header("sforce-call-options", "client=probe, defaultNamespace=x")
        .send()
        .await
        .unwrap();
    house
        .http
        .get(house.url("/services/oauth2/userinfo?oauth_token=secret"))
        .send()
        .await
        .unwrap();
    let log = house.control("GET", "/sandbox/requests", json!({})).await;
    let entries = log["requests"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{log}");
    assert_eq!(entries[0]["path"], "/services/data/v68.0/limits?x=1");
    assert_eq!(entries[0]["client"], "probe");
    assert_eq!(entries[0]["correlationId"], "csync-001");
    assert_eq!(
        (entries[0]["status"].as_u64(), entries[0]["cost"].as_u64()),
        (Some(200), Some(1))
    );
    assert_eq!(
        log["routes"]["GET /services/data/{version}/limits"],
        json!({"requests": 1, "apiCalls": 1})
    );
    assert_eq!(log["apiCalls"], 1);
    assert!(!log.to_string().contains("secret"));
    let seq = entries[0]["seq"].as_u64().unwrap();
    let rest = house
        .control("GET", &format!("/sandbox/requests?after={seq}"), json!({}))
        .await;
    assert_eq!(rest["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_allowance_may_be_soft() {
    let house = house().await;
    let settings = json!({"dailyApiRequests": 1, "dailyApiOverrun": 1});
    house.control("PATCH", "/sandbox/config", settings).await;
    let tokens = house.login().await;
    for expected in ["api-usage=1/1", "api-usage=2/1"] {
        let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["sforce-limit-info"], expected);
    }
    assert_eq!(
        house
            .get("/services/data/v68.0/limits", &tokens.access)
            .await
            .status(),
        403
    );
}

#[tokio::test]
async fn an_app_with_an_allotment_sees_its_own_use() {
    let house = house().await;
    let app = house.info.client_id.clone();
    let settings = json!({"dailyApiRequests": 100, "appAllotments": {&app: 10}});
    house.control("PATCH", "/sandbox/config", settings).await;
    let tokens = house.login().await;
    house.get("/services/data/v68.0/limits", &tokens.access).await;
    let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(
        answer.headers()["sforce-limit-info"],
        format!("api-usage=2/100; per-app-api-usage=2/10(appName={app})").as_str()
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["DailyApiRequests"][&app], json!({"Max": 10, "Remaining": 9}));
}

#[tokio::test]
async fn unknown_and_retired_versions_cost_nothing() {
    let house = house().await;
    let tokens = house.login().await;
    for (version, status, code) in [
        ("v99.0", 404, "NOT_FOUND"),
        ("v30.0", 410, "UNSUPPORTED_API_VERSION"),
    ] {
        let answer = house
            .get(&format!("/services/data/{version}/limits"), &tokens.access)
            .await;
        assert_eq!(answer.status(), status, "{version}");
        assert!(answer.headers().get("sforce-limit-info").is_none());
        assert_eq!(answer.json::<Value>().await.unwrap()[0]["errorCode"], code);
    }
    let old = house.get("/services/data/v31.0/limits", &tokens.access).await;
    assert!(old.headers()["warning"].to_str().unwrap().starts_with("299 - "));
    assert_eq!(old.headers()["sforce-limit-info"], "api-usage=1/5000000");
    let new = house.get("/services/data/v41.0/limits", &tokens.access).await;
    assert!(new.headers().get("warning").is_none());
}

#[tokio::test]
async fn only_long_requests_count_against_the_concurrency_limit() {
    let house = house().await;
    let tokens = house.login().await;
    house
        .control("PATCH", "/sandbox/config", json!({"concurrentRequests": 1}))
        .await;
    house
        .control("POST", "/sandbox/clock", json!({"freeze": true}))
        .await;
    let slow = json!([{"when": {"path": "slow"}, "fault": {"kind": "latency", "millis": 600_000}}]);
    house.control("PUT", "/sandbox/faults", slow).await;
    let held = house
        .http
        .get(house.url("/services/data/v68.0/limits?slow"))
        .bearer_auth(&tokens.access)
        .send();
    let held = tokio::spawn(held);
    while house.control("GET", "/sandbox/health", json!({})).await["inFlight"] != 1 {
        tokio::task::yield_now().await;
    }
    assert!(
        house.works(&tokens.access).await,
        "the other one is not a long one yet"
    );
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 20}))
        .await;
    let refused = house.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(refused.status(), 403);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body[0]["errorCode"], "REQUEST_LIMIT_EXCEEDED");
    assert_eq!(
        body[0]["message"],
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    );
    assert_eq!(
        house
            .get("/services/data/v68.0/limits", "no session")
            .await
            .status(),
        401
    );
    // Whoever hangs up makes room.
    held.abort();
    while house.control("GET", "/sandbox/health", json!({})).await["inFlight"] != 0 {
        tokio::task::yield_now().await;
    }
    assert!(house.works(&tokens.access).await);
}

#[tokio::test]
async fn an_org_has_room_for_as_many_long_requests_as_its_edition() {
    let house = house().await;
    let tokens = house.login().await;
    let edition = house
        .get(
            "/services/data/v68.0/query?q=SELECT+OrganizationType+FROM+Organization",
            &tokens.access,
        )
        .await;
    let edition: Value = edition.json().await.unwrap();
    let room: usize = match edition["records"][0]["OrganizationType"].as_str() {
        Some("Developer Edition") => 5,
        _ => 25,
    };
    house
        .control("POST", "/sandbox/clock", json!({"freeze": true}))
        .await;
    let slow = json!([{"when": {"path": "slow"}, "fault": {"kind": "latency", "millis": 600_000}}]);
    house.control("PUT", "/sandbox/faults", slow).await;
    let mut held = tokio::task::JoinSet::new();
    for number in 1..=room {
        if number == room {
            // One short of it: there is still room, however long the others take.
            house
                .control("POST", "/sandbox/clock", json!({"advanceSeconds": 20}))
                .await;
            assert!(house.works(&tokens.access).await);
        }
        let url = house.url("/services/data/v68.0/limits?slow");
        held.spawn(house.http.get(url).bearer_auth(&tokens.access).send());
        while house.control("GET", "/sandbox/health", json!({})).await["inFlight"] != number {
            tokio::task::yield_now().await;
        }
    }
    assert!(
        house.works(&tokens.access).await,
        "the last one is not a long one yet"
    );
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 20}))
        .await;
    let before = house.control("GET", "/sandbox/health", json!({})).await["apiCallsUsed"].clone();
    let refused = house.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(refused.status(), 403);
    assert!(refused.headers().contains_key("sforce-limit-info"));
    assert!(refused.headers().get("retry-after").is_none());
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body[0]["errorCode"], "REQUEST_LIMIT_EXCEEDED");
    let health = house.control("GET", "/sandbox/health", json!({})).await;
    assert_eq!(health["apiCallsUsed"], before, "what is refused is not counted");
    assert_eq!(health["inFlight"], room);
}
