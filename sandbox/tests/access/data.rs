//! Who may call the data API, and how long.

use crate::house::house;
use serde_json::{Value, json};

#[tokio::test]
async fn versions_need_no_session_and_cost_nothing() {
    let house = house().await;
    for path in ["/services/data", "/services/data/"] {
        let answer = house.http.get(house.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().get("sforce-limit-info").is_none());
    }
}

#[tokio::test]
async fn both_schemes_work_and_everything_else_is_told_apart() {
    let house = house().await;
    let tokens = house.login().await;
    let url = house.url("/services/data/v68.0/limits");
    let with = async |value: &str| {
        let answer = house
            .http
            .get(&url)
            .header("authorization", value)
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.headers().get("www-authenticate").cloned(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    assert_eq!(with(&format!("Bearer {}", tokens.access)).await.0, 200);
    assert_eq!(with(&format!("OAuth {}", tokens.access)).await.0, 200);
    let (status, challenge, body) = with("Bearer garbage").await;
    assert_eq!((status, challenge.unwrap().to_str().unwrap()), (401, "Token"));
    assert_eq!(
        body,
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    );
    let (status, _, body) = with("Basic eDp5").await;
    assert_eq!(status, 401);
    assert_eq!(
        body,
        json!([{"message": "INVALID_HEADER_TYPE", "errorCode": "INVALID_AUTH_HEADER"}])
    );
    let none = house.http.get(&url).send().await.unwrap();
    assert_eq!(
        none.json::<Value>().await.unwrap()[0]["errorCode"],
        "INVALID_AUTH_HEADER"
    );
}

#[tokio::test]
async fn a_session_ends_after_two_idle_hours_and_use_prolongs_it() {
    let house = house().await;
    let tokens = house.login().await;
    let wait = async |seconds: i64| {
        house
            .control("POST", "/sandbox/clock", json!({"advanceSeconds": seconds}))
            .await
    };
    wait(7_000).await;
    assert!(house.works(&tokens.access).await);
    wait(7_000).await;
    assert!(house.works(&tokens.access).await);
    wait(7_300).await;
    let answer = house.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().get("sforce-limit-info").is_none());
    house
        .control("PATCH", "/sandbox/config", json!({"sessionLifetimeSeconds": 60}))
        .await;
    let tokens = house.login().await;
    wait(61).await;
    assert!(!house.works(&tokens.access).await);
}

#[tokio::test]
async fn the_clock_can_be_stopped_set_and_moved() {
    let house = house().await;
    let clock = house
        .control(
            "POST",
            "/sandbox/clock",
            json!({"freeze": "2026-03-01T12:00:00Z"}),
        )
        .await;
    assert_eq!(clock["now"], "2026-03-01T12:00:00Z");
    let clock = house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 30}))
        .await;
    assert_eq!(
        (clock["now"].as_str(), clock["frozen"].as_bool()),
        (Some("2026-03-01T12:00:30Z"), Some(true))
    );
    let answer = house.http.get(house.url("/services/data")).send().await.unwrap();
    assert_eq!(answer.headers()["date"], "Sun, 01 Mar 2026 12:00:30 GMT");
    let clock = house
        .control(
            "POST",
            "/sandbox/clock",
            json!({"freeze": false, "offsetSeconds": -60}),
        )
        .await;
    assert_eq!(
        (clock["offsetMillis"].as_i64(), clock["frozen"].as_bool()),
        (Some(-60_000), Some(false))
    );
}

#[tokio::test]
async fn a_method_can_be_named_in_the_query() {
    let house = house().await;
    let tokens = house.login().await;
    let created: Value = house.create(&tokens.access).await.unwrap().json().await.unwrap();
    let path = format!(
        "/services/data/v68.0/sobjects/Account/{}",
        created["id"].as_str().unwrap()
    );
    let url = house.url(&format!("{path}?_HTTP_METHOD=PATCH"));
    let patched = house
        .http
        .post(url)
        .bearer_auth(&tokens.access)
        .json(&json!({"Name": "New"}))
        .send()
        .await
        .unwrap();
    assert_eq!(patched.status(), 204);
    let read: Value = house.get(&path, &tokens.access).await.json().await.unwrap();
    assert_eq!(read["Name"], "New");
    let head = house
        .http
        .head(house.url(&path))
        .bearer_auth(&tokens.access)
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.bytes().await.unwrap().is_empty());
}
