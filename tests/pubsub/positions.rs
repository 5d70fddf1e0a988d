//! Where the reader stands, and what becomes of that.

use cpq_adapters::credentials::Credentials as _;
use cpq_adapters::salesforce::pubsub::PlatformEvent;
use cpq_domain::Code;
use cpq_domain::change::Position;
use serde_json::json;

use crate::house::{House, Stream, house};

async fn steps(house: &House, id: &str, count: usize) {
    for n in 0..count {
        house
            .update(
                "Opportunity",
                id,
                json!({"NextStep": format!("Step {n} of {count}")}),
            )
            .await;
    }
}

#[tokio::test]
async fn a_feed_goes_on_exactly_behind_each_position() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let mut stream = house.stands().await;
    let mut behind: Vec<(Position, Vec<Option<String>>)> = Vec::new();
    for n in 0..5 {
        let position = stream.position();
        house
            .update("Opportunity", &id, json!({"NextStep": n.to_string()}))
            .await;
        let event = stream.change().await.hint.event;
        behind.push((position, Vec::new()));
        behind
            .iter_mut()
            .for_each(|(_, events)| events.push(event.clone()));
    }
    assert!(
        behind[0]
            .1
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            == 5
    );
    for (position, events) in behind {
        let mut again = house.open(&position).await;
        let told = again.changes(events.len()).await;
        assert_eq!(
            told.iter()
                .map(|told| told.hint.event.clone())
                .collect::<Vec<_>>(),
            events
        );
        assert!(again.next().await.changes.is_empty());
    }
}

#[tokio::test]
async fn an_idle_feed_moves_its_mark_on_and_what_it_saw() {
    let mut house = house().await;
    house.feed.topics = vec!["/data/OpportunityChangeEvent".to_owned()];
    let mut stream = house.stands().await;
    let begin = stream.position();
    house.create("Account", json!({"Name": "Elsewhere"})).await;
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 3_600}))
        .await;
    // An event of the past hour: what was committed since is seen when nothing more comes.
    let id = house.new_opportunity("Line 5").await;
    let told = stream.change().await;
    let behind = stream.position();
    assert!(behind.seen_until > begin.seen_until, "{behind:?} {begin:?}");
    assert!(
        behind.seen_until < told.hint.at.expect("a commit"),
        "a margin stays"
    );
    house.create("Account", json!({"Name": "Elsewhere again"})).await;
    while stream.position().mark == behind.mark {
        assert!(stream.next().await.changes.is_empty());
    }
    let idle = stream.position();
    house.update("Opportunity", &id, json!({"NextStep": "On"})).await;
    stream.change().await;
    assert_eq!(house.open(&idle).await.change().await.opportunity.as_str(), id);
}

#[tokio::test]
async fn the_first_delivery_says_where_a_new_reader_stands_and_the_second_what_to_look_at() {
    let house = house().await;
    let mut stream = house.try_open(None).await.expect("it opens");
    let first = stream.next().await;
    assert!(first.changes.is_empty() && first.sweep_from.is_none());
    let second = stream.next().await;
    assert_eq!(second.sweep_from, Some(first.position.seen_until));
    // Stopped in between: nothing is missed.
    house.new_opportunity("Line 5").await;
    let mut again = house.open(&first.position).await;
    assert_eq!(again.next().await.position.seen_until, first.position.seen_until);
    assert_eq!(again.next().await.sweep_from, Some(first.position.seen_until));
}

#[tokio::test]
async fn a_topic_that_is_new_to_the_position_is_opened_at_its_end_with_a_sweep() {
    let mut house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let stream = house.stands().await;
    let position = stream.position();
    drop(stream);
    house.update("Opportunity", &id, json!({"NextStep": "On"})).await;
    house.feed.events.push(PlatformEvent {
        topic: "/event/CPQ_Quote_Changed__e".to_owned(),
        field: "Opportunity_Number__c".to_owned(),
    });
    let mut both = house.open(&position).await;
    let (mut changes, mut sweep) = (Vec::new(), None);
    while changes.is_empty() || sweep.is_none() {
        let batch = both.next().await;
        changes.extend(batch.changes);
        sweep = sweep.or(batch.sweep_from);
    }
    assert_eq!(changes[0].opportunity.as_str(), id);
    assert_eq!(sweep, Some(position.seen_until));
}

/// Opens behind the position and gives the error that says that it is worth nothing.
async fn expired(house: &House, position: &Position) {
    let opened = house.try_open(Some(position)).await;
    let error = match opened {
        Ok(mut stream) => stream.error().await,
        Err(error) => error,
    };
    assert_eq!(error.code, Code::CursorExpired, "{error}");
}

/// The way out that the contract names.
async fn begins_anew(house: &House) -> Stream {
    let mut stream = house.stands().await;
    let id = house.new_opportunity("Later").await;
    assert_eq!(stream.change().await.opportunity.as_str(), id);
    stream
}

#[tokio::test]
async fn a_position_that_is_too_old_is_an_error_and_no_jump() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let stream = house.stands().await;
    let position = stream.position();
    drop(stream);
    steps(&house, &id, 3).await;
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 4 * 86_400}))
        .await;
    house.grant.renew(0).await.expect("a new session");
    steps(&house, &id, 1).await;
    expired(&house, &position).await;
    begins_anew(&house).await;
}

#[tokio::test]
async fn a_stream_that_began_anew_voids_positions_and_so_does_rubbish() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let mut stream = house.stands().await;
    steps(&house, &id, 1).await;
    stream.change().await;
    let position = stream.position();
    drop(stream);
    house.control("POST", "/sandbox/events/reset", json!({})).await;
    expired(&house, &position).await;
    let stream = begins_anew(&house).await;
    let rubbish = Position {
        mark: b"rubbish".to_vec(),
        ..stream.position()
    };
    expired(&house, &rubbish).await;
}
