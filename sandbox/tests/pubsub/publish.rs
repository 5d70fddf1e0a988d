//! Publish and PublishStream.

use crate::house::{CHANGES, House, OPPORTUNITIES, PINGS, error_code, house, house_with, topic};
use crate::subscriber::{Subscriber, Talk, from, told};
use crate::wire::{ErrorCode, ProducerEvent, PublishRequest, PublishResponse, ReplayPreset};
use serde_json::json;
use tonic::{Code, Status};

/// An event with a text, or one of so many bytes of text.
struct Press {
    schema_id: String,
    user_id: String,
}

impl Press {
    async fn of(house: &House) -> Press {
        let mut client = house.plain().await;
        let info = client
            .get_topic(house.signed(topic(PINGS)))
            .await
            .unwrap()
            .into_inner();
        Press {
            schema_id: info.schema_id,
            user_id: "005000000000001AAA".to_owned(),
        }
    }

    /// By hand: a long, a string, and a string in the second branch of a union.
    fn event(&self, id: &str, text: &str) -> ProducerEvent {
        let mut payload = Vec::new();
        long(&mut payload, 1_700_000_000_000);
        string(&mut payload, &self.user_id);
        long(&mut payload, 1);
        string(&mut payload, text);
        ProducerEvent {
            id: id.to_owned(),
            schema_id: self.schema_id.clone(),
            payload,
            headers: Vec::new(),
        }
    }

    fn batch(&self, ids: &[&str]) -> PublishRequest {
        let events = ids.iter().map(|id| self.event(id, "hello")).collect();
        request(PINGS, events)
    }
}

fn request(topic: &str, events: Vec<ProducerEvent>) -> PublishRequest {
    PublishRequest {
        topic_name: topic.to_owned(),
        events,
        auth_refresh: String::new(),
    }
}

fn long(into: &mut Vec<u8>, number: i64) {
    let mut rest = (number << 1 ^ number >> 63) as u64;
    while rest > 127 {
        into.push(rest as u8 | 128);
        rest >>= 7;
    }
    into.push(rest as u8);
}

fn string(into: &mut Vec<u8>, text: &str) {
    long(into, i64::try_from(text.len()).unwrap());
    into.extend(text.as_bytes());
}

async fn published(house: &House, request: PublishRequest) -> Result<PublishResponse, Status> {
    let mut client = house.plain().await;
    client
        .publish(house.signed(request))
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn what_is_published_is_delivered_with_its_id_and_in_its_order() {
    let house = house().await;
    let press = Press::of(&house).await;
    let mut subscriber = Subscriber::of(&house, from(PINGS, ReplayPreset::Latest, 10)).await;
    subscriber.stands().await;
    let answer = published(&house, press.batch(&["a", "", "c"])).await.unwrap();
    assert_eq!(answer.schema_id, press.schema_id);
    assert!(
        answer
            .results
            .iter()
            .all(|result| result.error.is_none() && result.replay_id.len() == 10)
    );
    let keys: Vec<_> = answer
        .results
        .iter()
        .map(|result| result.correlation_key.clone())
        .collect();
    assert_eq!(
        (keys[0].as_str(), keys[1].len(), keys[2].as_str()),
        ("a", 36, "c")
    );
    let mut events = Vec::new();
    while events.len() < 3 {
        events.extend(subscriber.batch().await.events);
    }
    for (event, (key, result)) in events.iter().zip(keys.iter().zip(&answer.results)) {
        let produced = event.event.as_ref().unwrap();
        assert_eq!((&produced.id, &event.replay_id), (key, &result.replay_id));
        assert_eq!(produced.schema_id, press.schema_id);
        assert_eq!(produced.payload, press.event("", "hello").payload);
    }
}

#[tokio::test]
async fn two_hundred_events_are_no_problem_and_an_event_of_more_than_1_mb_is_its_own() {
    let house = house().await;
    let press = Press::of(&house).await;
    let many: Vec<_> = (0..200).map(|n| press.event(&n.to_string(), "x")).collect();
    let answer = published(&house, request(PINGS, many)).await.unwrap();
    assert_eq!(answer.results.len(), 200);
    assert!(answer.results.iter().all(|result| result.error.is_none()));
    let big = "x".repeat(1024 * 1024);
    let events = vec![
        press.event("small", "x"),
        press.event("big", &big),
        press.event("last", "x"),
    ];
    let answer = published(&house, request(PINGS, events)).await.unwrap();
    let errors: Vec<_> = answer
        .results
        .iter()
        .map(|result| result.error.as_ref().map(|error| error.code))
        .collect();
    assert_eq!(errors, [None, Some(i32::from(ErrorCode::Publish)), None]);
    assert!(answer.results[1].replay_id.is_empty());
    assert_eq!(answer.results[1].correlation_key, "big");
}

#[tokio::test]
async fn an_event_that_is_no_good_leaves_the_others_alone() {
    let house = house().await;
    let press = Press::of(&house).await;
    let bad = ProducerEvent {
        schema_id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        ..press.event("bad", "x")
    };
    let answer = published(&house, request(PINGS, vec![bad, press.event("good", "x")]))
        .await
        .unwrap();
    let error = answer.results[0].error.as_ref().unwrap();
    assert_eq!(error.code(), ErrorCode::Publish);
    assert!(!error.msg.is_empty());
    assert!(answer.results[1].error.is_none());
}

#[tokio::test]
async fn requests_that_are_no_good_are_refused_as_a_whole() {
    let house = house().await;
    let press = Press::of(&house).await;
    let event = || vec![press.event("a", "x")];
    let cases = [
        (
            request("", event()),
            Code::InvalidArgument,
            "publish.topic.validation.empty",
        ),
        (
            request("/event/Nothing__e", event()),
            Code::NotFound,
            "topic.not.found",
        ),
        (
            request(PINGS, Vec::new()),
            Code::InvalidArgument,
            "publish.event.count.invalid",
        ),
        (
            request(OPPORTUNITIES, event()),
            Code::PermissionDenied,
            "topic.meta.permission",
        ),
        (
            request(CHANGES, event()),
            Code::PermissionDenied,
            "topic.meta.permission",
        ),
        (
            PublishRequest {
                auth_refresh: house.token.clone(),
                ..request(PINGS, event())
            },
            Code::InvalidArgument,
            "publish.auth.refresh.invalid",
        ),
    ];
    for (request, code, name) in cases {
        let refused = published(&house, request.clone()).await.unwrap_err();
        assert_eq!(told(&refused), (code, name.to_owned()));
        let mut stream = opened(&house).await;
        stream.ask(request);
        assert_eq!(told(&stream.error().await), (code, name.to_owned()));
    }
}

type Publisher = Talk<PublishRequest, PublishResponse>;

async fn opened(house: &House) -> Publisher {
    let mut client = house.plain().await;
    Talk::open(|requests| {
        let request = house.signed(requests);
        async move { client.publish_stream(request).await }
    })
}

/// The next answer with results.
async fn results(stream: &mut Publisher) -> PublishResponse {
    stream
        .find(|answer| (!answer.results.is_empty()).then_some(answer))
        .await
}

#[tokio::test]
async fn a_stream_answers_each_batch_in_turn_and_keeps_alive_in_between() {
    let house = house().await;
    let press = Press::of(&house).await;
    let mut stream = opened(&house).await;
    for ids in [&["a"][..], &["b", "c"], &["d"]] {
        stream.ask(press.batch(ids));
    }
    for ids in [&["a"][..], &["b", "c"], &["d"]] {
        let answer = results(&mut stream).await;
        let keys: Vec<_> = answer
            .results
            .iter()
            .map(|result| result.correlation_key.as_str())
            .collect();
        assert_eq!(keys, ids);
    }
    let keepalive = stream.next().await;
    assert!(keepalive.results.is_empty());
    stream.ask(PublishRequest {
        topic_name: String::new(),
        ..press.batch(&["e"])
    });
    results(&mut stream).await;
    stream.asks = None;
    stream.end().await;
}

#[tokio::test]
async fn a_stream_has_one_topic_and_no_empty_batches() {
    let house = house().await;
    let press = Press::of(&house).await;
    for (second, name) in [
        (
            request("/event/Other__e", vec![press.event("b", "x")]),
            "publish.topic.mismatch",
        ),
        (request(PINGS, Vec::new()), "publish.event.count.invalid"),
    ] {
        let mut stream = opened(&house).await;
        stream.ask(press.batch(&["a"]));
        results(&mut stream).await;
        stream.ask(second);
        assert_eq!(
            told(&stream.error().await),
            (Code::InvalidArgument, name.to_owned())
        );
    }
}

#[tokio::test]
async fn a_stream_on_which_nothing_is_published_is_swept_away() {
    let house = house_with(|settings| settings.publish_idle_millis = 50).await;
    let press = Press::of(&house).await;
    let mut stream = opened(&house).await;
    stream.ask(press.batch(&["a"]));
    assert_eq!(
        error_code(&stream.error().await),
        "publish.stream.sweeper.timeout"
    );
}

#[tokio::test]
async fn a_publish_stream_ends_with_its_session() {
    let house = house().await;
    let press = Press::of(&house).await;
    let mut stream = opened(&house).await;
    stream.ask(press.batch(&["a"]));
    results(&mut stream).await;
    house.control("POST", "/sandbox/sessions/expire", json!({})).await;
    assert_eq!(
        told(&stream.error().await),
        (Code::Unauthenticated, "service.auth.error".to_owned())
    );
}

#[tokio::test]
async fn publishing_costs_no_api_calls() {
    let house = house().await;
    let used = |health: serde_json::Value| health["apiCallsUsed"].as_u64().unwrap();
    let before = used(house.control("GET", "/sandbox/health", json!({})).await);
    published(&house, Press::of(&house).await.batch(&["a"]))
        .await
        .unwrap();
    assert_eq!(
        used(house.control("GET", "/sandbox/health", json!({})).await),
        before
    );
}
