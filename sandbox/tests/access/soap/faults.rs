//! Fault rules and limits, in SOAP's words.

use crate::house::{House, house};
use serde_json::{Value, json};

async fn with_fault(fault: Value, when: Value) -> (House, String) {
    let house = house().await;
    let session = house.soap_session().await;
    let rules = json!([{"when": when, "fault": fault}]);
    house.control("PUT", "/sandbox/faults", rules).await;
    (house, session)
}

#[tokio::test]
async fn an_ended_session_is_really_over_and_login_is_not_disturbed() {
    let (house, session) = with_fault(json!({"kind": "session_expired"}), json!({"nth": [1]})).await;
    let said = house.call(&session, "<getUserInfo/>").await;
    assert_eq!(said.fault(), (500, "sf:INVALID_SESSION_ID".to_owned()));
    assert_eq!(house.call(&session, "<getUserInfo/>").await.status, 500);
    let again = house.soap_session().await;
    assert_eq!(house.call(&again, "<getUserInfo/>").await.status, 200);
}

#[tokio::test]
async fn limits_and_stumbles_are_faults() {
    let (house, session) =
        with_fault(json!({"kind": "request_limit", "scope": "concurrent"}), json!({})).await;
    let said = house.call(&session, "<getUserInfo/>").await;
    assert_eq!(said.fault(), (500, "sf:REQUEST_LIMIT_EXCEEDED".to_owned()));
    assert!(said.first("faultstring").contains("ConcurrentRequests"));
    let (house, session) = with_fault(json!({"kind": "server_error"}), json!({})).await;
    let said = house.call(&session, "<getUserInfo/>").await;
    assert_eq!(said.fault(), (500, "sf:UNKNOWN_EXCEPTION".to_owned()));
    let (house, session) = with_fault(json!({"kind": "server_error", "status": 503}), json!({})).await;
    let said = house.call(&session, "<getUserInfo/>").await;
    assert!(said.status == 503 && said.text.starts_with("<html>"));
}

#[tokio::test]
async fn a_locked_row_is_a_row_error() {
    let (house, session) = with_fault(
        json!({"kind": "row_lock"}),
        json!({"object": "Account", "nth": [2]}),
    )
    .await;
    let row = "<sObjects><type>Account</type><Name>A</Name></sObjects>";
    let said = house
        .call(&session, &format!("<create>{row}{row}</create>"))
        .await;
    assert_eq!(said.all("success"), ["true", "false"]);
    assert_eq!(said.first("statusCode"), "UNABLE_TO_LOCK_ROW");
}

#[tokio::test]
async fn rules_find_objects_in_the_body() {
    let rule = json!({"kind": "server_error"});
    let (house, session) = with_fault(rule, json!({"object": "Opportunity"})).await;
    let query = |object: &str| format!("<query><queryString>SELECT Id FROM {object}</queryString></query>");
    assert_eq!(house.call(&session, &query("OpportunityStage")).await.status, 200);
    assert_eq!(house.call(&session, &query("Opportunity")).await.status, 500);
    let create = "<create><sObjects><type>Opportunity</type></sObjects></create>";
    assert_eq!(house.call(&session, create).await.status, 500);
}

#[tokio::test]
async fn calls_count_and_the_allowance_ends() {
    let house = house().await;
    let session = house.soap_session().await;
    house
        .control("PATCH", "/sandbox/config", json!({"dailyApiRequests": 2}))
        .await;
    for _ in 0..2 {
        assert_eq!(house.call(&session, "<getUserInfo/>").await.status, 200);
    }
    let said = house.call(&session, "<getUserInfo/>").await;
    assert_eq!(said.fault(), (500, "sf:REQUEST_LIMIT_EXCEEDED".to_owned()));
    assert_eq!(
        said.first("faultstring"),
        "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded."
    );
    let log = house.control("GET", "/sandbox/requests", json!({})).await;
    assert_eq!(log["apiCalls"], 2);
    // As over REST, an org may be let overrun it.
    house
        .control("PATCH", "/sandbox/config", json!({"dailyApiOverrun": 1}))
        .await;
    assert_eq!(house.call(&session, "<getUserInfo/>").await.status, 200);
    assert_eq!(house.call(&session, "<getUserInfo/>").await.status, 500);
}
