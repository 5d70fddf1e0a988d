//! Faults of deliveries, with their counters.

use crate::endpoint::Endpoint;
use crate::site::{Site, site};
use serde_json::{Value, json};

async fn with(fault: Value) -> (Site, Endpoint) {
    let (site, endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    site.control("PUT", "/sandbox/faults", json!([fault])).await;
    (site, endpoint)
}

/// How often the one rule fitted and fired.
async fn counters(site: &Site) -> (u64, u64) {
    let shown = site.control("GET", "/sandbox/faults", Value::Null).await;
    let rule = &shown["rules"][0];
    (rule["matched"].as_u64().unwrap(), rule["fired"].as_u64().unwrap())
}

#[tokio::test]
async fn a_lost_message_is_never_sent() {
    let when = json!({"nth": [2], "object": "account", "client": "Chang", "path": "/in"});
    let (site, mut endpoint) =
        with(json!({"name": "gone", "when": when, "fault": {"kind": "delivery_lost"}})).await;
    let first = site.account("First").await;
    assert_eq!(endpoint.next().await.records(), [first]);
    let second = site.account("Second").await;
    let third = site.account("Third").await;
    assert_eq!(endpoint.next().await.records(), [third]);
    site.empty().await;
    assert_eq!(endpoint.left(), 0);
    assert_eq!(counters(&site).await, (3, 1));
    let entries = site.logged(3).await;
    let lost = entries.iter().find(|entry| entry["outcome"] == "lost").unwrap();
    assert_eq!(
        (&lost["records"], &lost["faults"]),
        (&json!([second]), &json!(["gone"]))
    );
    let body = site.control("GET", "/sandbox/deliveries", Value::Null).await;
    assert_eq!(
        body["rules"]["outbound_message/Changed"],
        json!({"requests": 2, "delivered": 2, "lost": 1})
    );
}

#[tokio::test]
async fn a_duplicated_message_comes_twice_with_one_id() {
    let (site, mut endpoint) = with(json!({"fault": {"kind": "delivery_duplicated"}})).await;
    site.account("Twice").await;
    let (first, second) = (endpoint.next().await, endpoint.next().await);
    assert_eq!(first.notifications(), second.notifications());
    site.empty().await;
    assert_eq!(endpoint.left(), 0);
    assert_eq!(counters(&site).await, (1, 1));
}

#[tokio::test]
async fn a_delayed_message_comes_when_the_time_is_over() {
    let (site, mut endpoint) =
        with(json!({"times": 1, "fault": {"kind": "delivery_delayed", "millis": 90_000}})).await;
    let late = site.account("Late").await;
    site.advance(89).await;
    let prompt = site.account("Prompt").await;
    assert_eq!(endpoint.next().await.records(), [prompt]);
    site.advance(1).await;
    assert_eq!(endpoint.next().await.records(), [late]);
}

#[tokio::test]
async fn a_reordered_message_comes_after_the_next_one() {
    let (site, mut endpoint) =
        with(json!({"when": {"nth": [1, 3]}, "fault": {"kind": "delivery_reordered"}})).await;
    let first = site.account("First").await;
    let second = site.account("Second").await;
    assert_eq!(endpoint.next().await.records(), [second]);
    assert_eq!(endpoint.next().await.records(), [first], "no time had to go by");
    let third = site.account("Third").await;
    site.advance(30).await;
    assert_eq!(endpoint.next().await.records(), [third], "nobody came to pass it");
    site.empty().await;
}

#[tokio::test]
async fn an_ignored_acknowledgement_brings_the_message_again() {
    let (site, mut endpoint) = with(json!({"fault": {"kind": "ack_ignored", "attempts": 2}})).await;
    site.account("Deaf").await;
    let first = endpoint.next().await;
    let item = site.tried(1).await;
    assert!(
        item["last"]["error"].as_str().unwrap().contains("fault rule"),
        "{item}"
    );
    site.advance(30).await;
    endpoint.next().await;
    site.tried(2).await;
    site.advance(60).await;
    assert_eq!(endpoint.next().await.notifications(), first.notifications());
    site.empty().await;
    let entries = site.logged(3).await;
    assert!(
        entries
            .iter()
            .all(|entry| entry["outcome"] == "delivered" && entry["faults"] == json!(["ack_ignored"]))
    );
}

#[tokio::test]
async fn faults_of_requests_leave_deliveries_alone_and_the_other_way_round() {
    let (site, mut endpoint) =
        with(json!({"when": {"path": "/in"}, "fault": {"kind": "reset_before"}})).await;
    site.account("Through").await;
    endpoint.next().await;
    assert_eq!(counters(&site).await, (0, 0));
    site.control(
        "PUT",
        "/sandbox/faults",
        json!([{"fault": {"kind": "delivery_duplicated"}}]),
    )
    .await;
    let (status, _) = site.call("GET", "/limits", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(counters(&site).await, (0, 0));
    let much = json!([{"fault": {"kind": "delivery_delayed", "millis": 86_400_001}}]);
    let (status, body) = site.try_control("PUT", "/sandbox/faults", much).await;
    assert_eq!(status, 400, "{body}");
}
