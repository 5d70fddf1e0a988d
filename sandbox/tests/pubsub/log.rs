//! Calls are written down, and what is written down tells no secret.

use crate::house::{OPPORTUNITIES, house, topic};
use crate::subscriber::{Subscriber, from, more};
use crate::wire::ReplayPreset;
use serde_json::json;

#[tokio::test]
async fn calls_are_in_the_log_with_their_status_and_without_tokens() {
    let house = house().await;
    let mut client = house.plain().await;
    let mut request = house.signed(topic(OPPORTUNITIES));
    request
        .metadata_mut()
        .insert("x-client-trace-id", "trace-1".parse().unwrap());
    client.get_topic(request).await.unwrap();
    client
        .get_topic(house.signed(topic("/event/Nothing__e")))
        .await
        .unwrap_err();
    client
        .get_topic(house.signed_with("00D!nobody-canary", topic(OPPORTUNITIES)))
        .await
        .unwrap_err();
    let entries = house.calls("GetTopic").await;
    let statuses: Vec<_> = entries
        .iter()
        .map(|entry| entry["grpcStatus"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["OK", "NOT_FOUND", "UNAUTHENTICATED"]);
    let first = &entries[0];
    assert_eq!(
        (&first["method"], &first["status"], &first["topic"]),
        (&json!("GRPC"), &json!(200), &json!(OPPORTUNITIES))
    );
    assert_eq!(
        (&first["correlationId"], &first["cost"]),
        (&json!("trace-1"), &json!(0))
    );
    assert!(first["client"].as_str().unwrap().contains("tonic"));
    let log = house.control("GET", "/sandbox/requests", json!({})).await;
    assert!(
        log["routes"]["GRPC /eventbus.v1.PubSub/GetTopic"]["requests"] == 3,
        "{}",
        log["routes"]
    );
    let text = log.to_string();
    assert!(!text.contains(&house.token) && !text.contains("canary"));
}

#[tokio::test]
async fn open_streams_are_shown_with_what_they_are_owed() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 3);
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 2)).await;
    subscriber.events(2).await;
    subscriber.ask(more(5));
    subscriber.events(1).await;
    let shown = house.control("GET", "/sandbox/streams", json!({})).await;
    assert_eq!(shown["eventsDelivered"], 3);
    let stream = &shown["streams"][0];
    assert_eq!(
        (&stream["topic"], &stream["events"], &stream["pending"]),
        (&json!(OPPORTUNITIES), &json!(3), &json!(4))
    );
    assert_eq!(stream["path"], "/eventbus.v1.PubSub/Subscribe");
    assert!(!shown.to_string().contains(&house.token));
}
