//! Many events, slow readers, and readers that give up waiting.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::house::{House, becomes, house, house_with, in_time};

/// Makes so many opportunities in portions, named in their order.
async fn make(house: &House, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for portion in 0..count.div_ceil(200) {
        let record = |n: usize| {
            json!({"attributes": {"type": "Opportunity"}, "Name": format!("{portion}-{n}"),
                "StageName": "Qualification", "CloseDate": "2027-01-31"})
        };
        let records: Vec<Json> = (0..200.min(count - portion * 200)).map(record).collect();
        let made = house
            .rest(
                "POST",
                "composite/sobjects",
                json!({"allOrNone": true, "records": records}),
            )
            .await;
        let made = made.as_array().expect("a list").iter();
        ids.extend(made.map(|made| made["id"].as_str().expect("an id").to_owned()));
    }
    ids
}

/// Events that the sandbox has sent on the stream that is open.
fn sent(house: &House) -> u64 {
    let streams = house.running.sandbox.pubsub.streams();
    streams.iter().map(|stream| stream.events).max().unwrap_or(0)
}

#[tokio::test]
async fn a_thousand_events_come_in_order_and_whole() {
    let house = house().await;
    let mut stream = house.stands().await;
    let position = stream.position();
    let made = make(&house, 1_000).await;
    for reader in [&mut stream, &mut house.open(&position).await] {
        let told = reader.changes(1_000).await;
        let told: Vec<&str> = told.iter().map(|told| told.opportunity.as_str()).collect();
        assert!(told == made, "in the order of their making");
    }
}

#[tokio::test]
async fn a_reader_that_is_slow_gets_what_waits_and_then_the_rest() {
    let house = house().await;
    let position = house.stands().await.position();
    let made = make(&house, 1_600).await;
    let mut stream = house.open(&position).await;
    // Nobody reads, and still a thousand come; not more.
    becomes(async || sent(&house) == 1_000).await;
    let told = stream.changes(1_600).await;
    let told: Vec<&str> = told.iter().map(|told| told.opportunity.as_str()).collect();
    assert!(told == made, "in the order of their making");
}

#[tokio::test]
async fn a_reader_that_stops_for_long_keeps_its_place() {
    let mut house = house_with(|settings| settings.pubsub_idle_millis = 2_500).await;
    house.feed.silence = Duration::from_secs(2);
    let position = house.stands().await.position();
    let made = make(&house, 1_200).await;
    let mut stream = house.open(&position).await;
    // The queue is full, and the line is held by asking for one more now and then.
    becomes(async || sent(&house) >= 1_004).await;
    let told = stream.changes(1_200).await;
    let told: Vec<&str> = told.iter().map(|told| told.opportunity.as_str()).collect();
    assert!(told == made, "in the order of their making");
}

#[tokio::test]
async fn a_reader_that_gives_up_waiting_in_the_middle_loses_nothing() {
    let house = house().await;
    let account = house
        .id("SELECT Id FROM Account WHERE Name = 'Lakeside Packaging'")
        .await;
    let mut stream = house.stands().await;
    let slow = json!({"kind": "latency", "millis": 300});
    house
        .faults(json!([{"when": {"path": "/composite"}, "times": 2, "fault": slow}]))
        .await;
    house
        .update("Account", &account, json!({"Industry": "Banking"}))
        .await;
    let mut given_up = 0;
    let waiting = async {
        loop {
            match tokio::time::timeout(Duration::from_millis(60), stream.stream.next()).await {
                Err(_) => given_up += 1,
                Ok(batch) => {
                    let batch = batch.expect("the feed goes on");
                    if !batch.changes.is_empty() {
                        return batch;
                    }
                }
            }
        }
    };
    let batch = in_time(waiting).await;
    assert!(
        given_up > 0 && house.fired().await == [2],
        "it was in the middle of a look-up"
    );
    assert_eq!(batch.changes.len(), 1);
}
