//! Flow control: how many events come, in which portions, and when a silent stream speaks or ends.

use crate::house::{CHANGES, OPPORTUNITIES, house, house_with};
use crate::subscriber::{Subscriber, from, more, told};
use crate::wire::{FetchRequest, ReplayPreset};
use sandbox::events::ReplayId;
use tonic::Code;

#[tokio::test]
async fn no_more_events_come_than_were_asked_for_and_requests_add_up() {
    let house = house().await;
    let at = house.append("OpportunityChangeEvent", 12);
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 5)).await;
    let batch = subscriber.next().await;
    assert_eq!((batch.events.len(), batch.pending_num_requested), (5, 0));
    assert_eq!(batch.latest_replay_id, at[4].to_bytes());
    assert_eq!(batch.rpc_id.len(), 36);
    subscriber.ask(more(3));
    subscriber.ask(more(2));
    assert_eq!(subscriber.events(5).await.last().unwrap(), &at[9].to_bytes());
    // Two are left, ten were asked for: eight are owed, and each keepalive says so.
    subscriber.ask(more(10));
    assert_eq!(subscriber.events(2).await.len(), 2);
    assert_eq!(subscriber.stands().await.pending_num_requested, 8);
    subscriber.ask(more(4));
    subscriber
        .stands_with(|answer| answer.pending_num_requested == 12)
        .await;
    house.append("OpportunityChangeEvent", 1);
    assert_eq!(subscriber.batch().await.pending_num_requested, 11);
}

#[tokio::test]
async fn more_than_a_hundred_are_a_hundred_however_they_are_asked_for() {
    let house = house().await;
    for requests in [vec![1_000_000], vec![60, 60], vec![i32::MAX, i32::MAX]] {
        let mut subscriber =
            Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, requests[0])).await;
        requests[1..]
            .iter()
            .for_each(|wanted| subscriber.ask(more(*wanted)));
        subscriber
            .stands_with(|answer| answer.pending_num_requested == 100)
            .await;
        assert_eq!(
            subscriber.stands().await.pending_num_requested,
            100,
            "{requests:?}"
        );
    }
    house.append("OpportunityChangeEvent", 150);
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 150)).await;
    let batch = subscriber.next().await;
    assert_eq!((batch.events.len(), batch.pending_num_requested), (100, 0));
}

#[tokio::test]
async fn requests_for_nothing_are_refused_first_and_later() {
    let house = house().await;
    let invalid = (
        Code::InvalidArgument,
        "subscription.fetch.requested.events.invalid".to_owned(),
    );
    for wanted in [0, -1, i32::MIN] {
        let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, wanted)).await;
        assert_eq!(told(&subscriber.error().await), invalid);
        let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
        subscriber.stands().await;
        subscriber.ask(more(wanted));
        assert_eq!(told(&subscriber.error().await), invalid);
    }
}

#[tokio::test]
async fn the_first_request_settles_the_topic_and_where_to_begin() {
    let house = house().await;
    house.append("OpportunityChangeEvent", 3);
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
    subscriber.stands().await;
    // Another preset and a position that is none mean nothing now.
    subscriber.ask(FetchRequest {
        replay_id: b"rubbish".to_vec(),
        ..from(OPPORTUNITIES, ReplayPreset::Earliest, 1)
    });
    subscriber
        .stands_with(|answer| answer.pending_num_requested == 2)
        .await;
    let fresh = house.append("OpportunityChangeEvent", 1);
    assert_eq!(subscriber.batch().await.events[0].replay_id, fresh[0].to_bytes());
    subscriber.ask(from(CHANGES, ReplayPreset::Latest, 1));
    let (code, error_code) = told(&subscriber.error().await);
    assert_eq!(
        (code, error_code.as_str()),
        (Code::InvalidArgument, "subscription.fetch.topic.mismatch")
    );
}

#[tokio::test]
async fn topics_that_are_not_there_are_refused() {
    let house = house().await;
    for (name, code, error_code) in [
        ("", Code::InvalidArgument, "topic.validation.empty"),
        ("/data/NothingChangeEvent", Code::NotFound, "topic.not.found"),
        ("data/OpportunityChangeEvent", Code::NotFound, "topic.not.found"),
    ] {
        let mut subscriber = Subscriber::of(&house, from(name, ReplayPreset::Latest, 1)).await;
        assert_eq!(
            told(&subscriber.error().await),
            (code, error_code.to_owned()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_keepalive_knows_the_newest_position_though_the_topic_is_quiet() {
    let house = house().await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
    let before = subscriber.stands().await;
    assert_eq!(before.latest_replay_id.len(), 10);
    let elsewhere = house.append("AccountChangeEvent", 3);
    let newest = elsewhere[2].to_bytes().to_vec();
    subscriber
        .stands_with(|answer| answer.latest_replay_id == newest)
        .await;
}

#[tokio::test]
async fn answers_are_split_below_3_mb_and_each_says_how_far_it_went() {
    let house = house().await;
    let at = house.append_of("OpportunityChangeEvent", 9, 1_000_000);
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 10)).await;
    for last in [2, 5, 8] {
        let batch = subscriber.next().await;
        assert_eq!(batch.events.len(), 3);
        assert_eq!(batch.latest_replay_id, at[last].to_bytes());
        assert_eq!(batch.pending_num_requested, 9 - i32::try_from(last).unwrap());
    }
    // One that is too large for the rule still has to go out.
    house.append_of("OpportunityChangeEvent", 1, 3_500_000);
    assert_eq!(subscriber.batch().await.events.len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_owed_nothing_ends_well() {
    let house = house_with(|settings| settings.pubsub_idle_millis = 50).await;
    house.append("OpportunityChangeEvent", 1);
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 1)).await;
    let answers = subscriber.end().await;
    assert_eq!(
        answers.len(),
        1,
        "nothing is said to a client that is owed nothing"
    );
    assert_eq!(house.calls("Subscribe").await[0]["grpcStatus"], "OK");
}

#[tokio::test]
async fn a_client_that_asks_no_more_gets_what_it_asked_for() {
    let house = house().await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 2)).await;
    subscriber.stands().await;
    subscriber.asks = None;
    let at = house.append("OpportunityChangeEvent", 3);
    let got: Vec<_> = subscriber
        .end()
        .await
        .into_iter()
        .flat_map(|answer| answer.events)
        .collect();
    let ids: Vec<_> = got
        .iter()
        .map(|event| ReplayId::from_bytes(&event.replay_id).unwrap())
        .collect();
    assert_eq!(ids, at[..2]);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_forgotten() {
    let house = house().await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 2)).await;
    subscriber.stands().await;
    let streams = || house.running.sandbox.pubsub.streams();
    assert_eq!(streams()[0].topic.as_deref(), Some(OPPORTUNITIES));
    drop(subscriber);
    house.is_idle().await;
    assert_eq!(house.calls("Subscribe").await[0]["grpcStatus"], "CANCELLED");
}

#[tokio::test]
async fn the_allocation_is_shared_by_all_subscribers_and_comes_back_after_a_day() {
    let house = house_with(|settings| settings.daily_delivered_events = 12).await;
    house.append("OpportunityChangeEvent", 5);
    let first = from(OPPORTUNITIES, ReplayPreset::Earliest, 100);
    let mut one = Subscriber::of(&house, first.clone()).await;
    let mut two = Subscriber::of(&house, first.clone()).await;
    assert_eq!((one.events(5).await.len(), two.events(5).await.len()), (5, 5));
    // Two are left of twelve, and three came.
    let mut three = Subscriber::of(&house, first.clone()).await;
    assert_eq!(three.batch().await.events.len(), 2);
    let spent = three.error().await;
    assert_eq!(
        told(&spent),
        (Code::ResourceExhausted, "subscription.limit.exceeded".to_owned())
    );
    assert!(
        spent
            .message()
            .starts_with("You have exceeded the event delivery limit for your org. rpcId: ")
    );
    // Who is owed nothing new does not notice.
    one.stands().await;
    for _ in 0..25 {
        house.advance(3_600).await;
        one.stands().await;
    }
    let mut three = Subscriber::of(&house, first).await;
    assert_eq!(three.events(5).await.len(), 5);
}

/// Looked at by a thread that does nothing else, as a subscriber may look at any moment.
#[tokio::test]
async fn the_events_of_a_transaction_are_seen_together() {
    let house = house().await;
    let sandbox = house.running.sandbox.clone();
    let topic = sandbox
        .events
        .topic(&sandbox.org.lock().unwrap(), OPPORTUNITIES)
        .unwrap();
    let start = sandbox.events.bus.tip();
    let watching = std::thread::spawn(move || {
        let mut sizes = std::collections::BTreeSet::new();
        loop {
            let now = sandbox.clock.now();
            let seen = sandbox.events.bus.read(&topic, start, usize::MAX, now).unwrap();
            sizes.insert(seen.events.len());
            if seen.events.len() == 1_000 {
                return sizes;
            }
        }
    });
    let url = format!(
        "{}/services/data/v68.0/composite/sobjects",
        house.info.instance_url
    );
    for round in 0..5 {
        let record = |at: usize| {
            serde_json::json!({
                "attributes": {"type": "Opportunity"}, "Name": format!("{round}-{at}"),
                "StageName": "Prospecting", "CloseDate": "2027-01-31",
            })
        };
        let records: Vec<_> = (0..200).map(record).collect();
        let body = serde_json::json!({"allOrNone": true, "records": records});
        let request = house.http.post(&url).bearer_auth(&house.token).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let sizes = watching.join().unwrap();
    assert!(sizes.iter().all(|size| size % 200 == 0), "{sizes:?}");
}
