//! Faults of the Pub/Sub API, on demand and counted.

use crate::house::{CHANGES, House, OPPORTUNITIES, PINGS, error_code, house, in_time, topic};
use crate::subscriber::{Subscriber, from, more, told};
use crate::wire::ReplayPreset;
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Code, Status};

const SUBSCRIBE: &str = "/eventbus.v1.PubSub/Subscribe";

/// The one rule, for subscriptions.
async fn rule(house: &House, fault: Value) {
    house
        .faults(json!([{"when": {"path": SUBSCRIBE}, "fault": fault}]))
        .await;
}

async fn early(house: &House) -> Subscriber {
    Subscriber::of(house, from(OPPORTUNITIES, ReplayPreset::Earliest, 10)).await
}

#[tokio::test]
async fn a_status_comes_at_once_or_after_some_events() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 5);
    rule(
        &house,
        json!({"kind": "grpc_status", "errorCode": "service.unavailable"}),
    )
    .await;
    let refused = early(&house).await.error().await;
    assert_eq!(told(&refused), (Code::Internal, "service.unavailable".to_owned()));
    assert!(refused.message().contains("unavailable") && refused.message().contains("rpcId: "));
    let after = json!({"kind": "grpc_status", "code": "UNAVAILABLE", "afterEvents": 3,
        "errorCode": "sfdc.platform.eventbus.grpc.subscription.internal.error", "message": "Three are enough."});
    rule(&house, after).await;
    let mut subscriber = early(&house).await;
    assert_eq!(subscriber.events(3).await.len(), 3);
    let refused = subscriber.error().await;
    assert_eq!(
        told(&refused),
        (Code::Unavailable, "subscription.internal.error".to_owned())
    );
    assert!(
        refused.message().starts_with("Three are enough. rpcId: "),
        "{}",
        refused.message()
    );
    assert_eq!(house.fired().await, [1]);
    let entry = house.calls("Subscribe").await.pop().unwrap();
    assert_eq!(
        (&entry["faults"], &entry["grpcStatus"]),
        (&json!(["grpc_status"]), &json!("UNAVAILABLE"))
    );
}

#[tokio::test]
async fn an_error_of_the_network_has_no_code_of_the_service() {
    let house = house().await;
    rule(
        &house,
        json!({"kind": "grpc_status", "code": "UNAVAILABLE", "message": "io exception"}),
    )
    .await;
    let refused = early(&house).await.error().await;
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unavailable, "io exception")
    );
    assert!(refused.metadata().get("error-code").is_none() && refused.metadata().get("rpc-id").is_none());
}

#[tokio::test]
async fn a_session_ends_in_the_middle_of_a_stream() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 5);
    rule(&house, json!({"kind": "stream_auth_error", "afterEvents": 2})).await;
    let mut subscriber = early(&house).await;
    assert_eq!(subscriber.events(2).await.len(), 2);
    assert_eq!(
        told(&subscriber.error().await),
        (Code::Unauthenticated, "service.auth.error".to_owned())
    );
    // It really ended.
    assert!(!house.is_well().await);
}

#[tokio::test]
async fn a_stalled_stream_says_nothing_and_its_client_can_still_leave() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 5);
    rule(&house, json!({"kind": "stream_stall", "afterEvents": 1})).await;
    let mut subscriber = early(&house).await;
    assert_eq!(subscriber.events(1).await.len(), 1);
    subscriber.ask(more(5));
    // Ten keepalives would have come.
    let silence = tokio::time::timeout(Duration::from_millis(200), subscriber.next()).await;
    assert!(silence.is_err());
    drop(subscriber);
    house.is_idle().await;
    assert_eq!(house.calls("Subscribe").await[0]["grpcStatus"], "CANCELLED");
}

#[tokio::test]
async fn a_stream_ends_well_for_no_reason() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 5);
    rule(&house, json!({"kind": "stream_close", "afterEvents": 4})).await;
    let answers = early(&house).await.end().await;
    assert_eq!(answers.iter().map(|answer| answer.events.len()).sum::<usize>(), 4);
    rule(&house, json!({"kind": "stream_close"})).await;
    assert!(early(&house).await.end().await.is_empty());
}

/// Gets the events before the fault, then the error.
async fn broken(house: &House, fault: &str, after: usize) -> Status {
    rule(house, json!({"kind": fault, "afterEvents": after})).await;
    let mut subscriber = early(house).await;
    assert_eq!(subscriber.events(after).await.len(), after);
    let status = subscriber.error().await;
    assert!(error_code(&status).is_empty(), "{status:?}");
    let entry = house.calls("Subscribe").await.pop().unwrap();
    assert_eq!((&entry["status"], &entry["faults"]), (&json!(0), &json!([fault])));
    assert!(entry.get("grpcStatus").is_none());
    status
}

#[tokio::test]
async fn streams_break_off_without_a_status() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 5);
    for after in [0, 3] {
        let missing = broken(&house, "stream_cut", after).await;
        assert!(
            matches!(missing.code(), Code::Unknown | Code::Internal),
            "{missing:?}"
        );
        let reset = broken(&house, "stream_reset", after).await;
        assert!(format!("{reset:?}").contains("Reset(StreamId("), "{reset:?}");
    }
}

#[tokio::test]
async fn a_connection_is_reset_with_everything_on_it() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 5);
    for after in [0, 3] {
        let fault = json!({"kind": "connection_reset", "afterEvents": after});
        house
            .faults(json!([{"when": {"topic": OPPORTUNITIES}, "fault": fault}]))
            .await;
        let client = house.secure().await;
        let mut bystander = Subscriber::over(&house, client.clone(), from(CHANGES, ReplayPreset::Latest, 1));
        bystander.stands().await;
        let mut subscriber =
            Subscriber::over(&house, client, from(OPPORTUNITIES, ReplayPreset::Earliest, 10));
        assert_eq!(subscriber.events(after).await.len(), after);
        let status = subscriber.error().await;
        assert!(
            matches!(status.code(), Code::Unknown | Code::Unavailable),
            "{status:?}"
        );
        bystander.error().await;
    }
    house.faults(json!([])).await;
    assert!(house.is_well().await);
}

#[tokio::test]
async fn latency_and_throttling_take_their_time() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 3);
    house
        .faults(json!([
            {"when": {"path": SUBSCRIBE}, "fault": {"kind": "latency", "millis": 100}},
            {"when": {"path": SUBSCRIBE}, "fault": {"kind": "stream_throttle", "millis": 100}}
        ]))
        .await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 1)).await;
    subscriber.events(1).await;
    subscriber.ask(more(1));
    subscriber.events(1).await;
    drop(subscriber);
    house.is_idle().await;
    let entry = house.calls("Subscribe").await.pop().unwrap();
    assert!(entry["durationMicros"].as_u64().unwrap() >= 300_000, "{entry}");
    assert_eq!(entry["faults"], json!(["latency", "stream_throttle"]));
}

#[tokio::test]
async fn calls_that_are_no_streams_have_faults_too() {
    let house = house().await;
    let ask = async |name: &str| {
        let mut client = house.plain().await;
        client.get_topic(house.signed(topic(name))).await
    };
    house
        .faults(json!([{"when": {"topic": PINGS, "nth": [2]}, "fault":
            {"kind": "grpc_status", "errorCode": "service.protection.triggered"}}]))
        .await;
    assert!(ask(PINGS).await.is_ok() && ask(OPPORTUNITIES).await.is_ok());
    let refused = ask(PINGS).await.unwrap_err();
    assert_eq!(
        told(&refused),
        (Code::ResourceExhausted, "service.protection.triggered".to_owned())
    );
    assert!(ask(PINGS).await.is_ok());
    assert_eq!(house.fired().await, [1]);
    for kind in ["stream_cut", "stream_reset", "connection_reset"] {
        house
            .faults(json!([{"when": {"path": "GetTopic"}, "fault": {"kind": kind}}]))
            .await;
        assert!(in_time(ask(PINGS)).await.is_err(), "{kind}");
        assert_eq!(house.fired().await, [1]);
    }
}

#[tokio::test]
async fn faults_of_http_and_of_grpc_keep_to_themselves() {
    let house = house().await;
    house
        .faults(json!([
            {"fault": {"kind": "server_error"}}, {"fault": {"kind": "reset_before"}},
            {"fault": {"kind": "session_expired"}}
        ]))
        .await;
    assert!(house.is_well().await);
    assert_eq!(house.fired().await, [0, 0, 0]);
    house
        .faults(json!([{"fault": {"kind": "grpc_status", "code": "UNAVAILABLE"}}, {"fault": {"kind": "stream_stall"}}]))
        .await;
    let url = format!("{}/services/data/v68.0/limits", house.info.instance_url);
    let answer = house
        .http
        .get(url)
        .bearer_auth(&house.token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(house.fired().await, [0, 0]);
}

#[tokio::test]
async fn rules_that_cannot_be_are_refused() {
    let house = house().await;
    let url = format!("{}/sandbox/faults", house.info.instance_url);
    for fault in [
        json!({"kind": "grpc_status"}),
        json!({"kind": "grpc_status", "code": "OK"}),
        json!({"kind": "grpc_status", "code": "BUSY"}),
        json!({"kind": "grpc_status", "errorCode": "service.asleep"}),
        json!({"kind": "stream_throttle", "millis": 600_001}),
        json!({"kind": "stream_stall", "afterEvents": -1}),
    ] {
        let answer = house
            .http
            .put(&url)
            .json(&json!([{"fault": fault}]))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{fault}");
    }
}
