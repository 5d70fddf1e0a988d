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
