//! Streams that break, sessions that end, and refusals.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::change::ChangeKind;
use serde_json::json;

use crate::house::{becomes, house, house_with};

#[tokio::test]
async fn nothing_is_lost_or_told_twice_when_a_stream_breaks() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let mut stream = house.stands().await;
    for kind in ["stream_reset", "stream_cut", "stream_close", "connection_reset"] {
        let position = stream.position();
        drop(stream);
        let mut events = Vec::new();
        for n in 0..6 {
            house
                .update("Opportunity", &id, json!({"NextStep": format!("{kind} {n}")}))
                .await;
        }
        house.disturb(json!({"kind": kind, "afterEvents": 3})).await;
        stream = house.open(&position).await;
        let error = loop {
            match stream.try_next().await {
                Ok(batch) => events.extend(batch.changes),
                Err(error) => break error,
            }
        };
        assert_eq!(error.code, Code::CrmUnavailable, "{kind}: {error}");
        // A reset connection takes along what was on its way.
        assert!(events.len() <= 3, "{kind}: {}", events.len());
        let stands = if events.is_empty() {
            position
        } else {
            stream.position()
        };
        stream = house.open(&stands).await;
        events.extend(stream.changes(6 - events.len()).await);
        let ids: std::collections::BTreeSet<_> = events.iter().map(|told| told.hint.event.clone()).collect();
        assert_eq!(ids.len(), 6, "{kind}");
    }
}

#[tokio::test]
async fn a_session_that_ends_in_mid_stream_is_renewed_and_the_stream_goes_on() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let mut stream = house.stands().await;
    let renewals = || house.grant.renewals.load(Ordering::SeqCst);
    for round in 1..=2 {
        house.control("POST", "/sandbox/sessions/expire", json!({})).await;
        becomes(async || {
            // A sign of life may come before the end.
            let quiet = tokio::time::timeout(Duration::from_millis(10), stream.next()).await;
            quiet.is_ok_and(|batch| batch.changes.is_empty()) && renewals() == round
        })
        .await;
        house
            .update("Opportunity", &id, json!({"NextStep": format!("Round {round}")}))
            .await;
        assert_eq!(stream.change().await.opportunity.as_str(), id);
    }
    let start = stream.position();
    drop(stream);
    for n in 0..5 {
        house
            .update("Opportunity", &id, json!({"NextStep": format!("Later {n}")}))
            .await;
    }
    house
        .disturb(json!({"kind": "stream_auth_error", "afterEvents": 2}))
        .await;
    let told = house.open(&start).await.changes(5).await;
    let ids: std::collections::BTreeSet<_> = told.iter().map(|told| told.hint.event.clone()).collect();
    assert_eq!((ids.len(), renewals()), (5, 3));
}

#[tokio::test]
async fn a_token_that_is_dead_at_the_opening_is_renewed_once() {
    let house = house().await;
    house.control("POST", "/sandbox/sessions/expire", json!({})).await;
    house.stands().await;
    assert_eq!(house.grant.renewals.load(Ordering::SeqCst), 1);
    *house.grant.hands_out.lock().expect("free") = Some("00D000000000001!dead".to_owned());
    house.control("POST", "/sandbox/sessions/expire", json!({})).await;
    let error = house.try_open(None).await.err().expect("it does not open");
    assert_eq!(error.code, Code::SessionRefused, "{error}");
    assert_eq!(house.grant.renewals.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_renewal_that_does_not_help_ends_a_live_stream() {
    let house = house().await;
    let mut stream = house.stands().await;
    *house.grant.hands_out.lock().expect("free") = Some("00D000000000001!dead".to_owned());
    house.control("POST", "/sandbox/sessions/expire", json!({})).await;
    assert_eq!(stream.error().await.code, Code::SessionRefused);
    assert_eq!(house.grant.renewals.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_dead_and_signs_of_life_are_something() {
    let mut house = house_with(|settings| settings.pubsub_keepalive_millis = 20).await;
    house.feed.silence = Duration::from_secs(2);
    let mut stream = house.stands().await;
    // Longer than the silence, in signs of life.
    for _ in 0..150 {
        stream.next().await;
    }
    let position = stream.position();
    house.disturb(json!({"kind": "stream_stall"})).await;
    let mut stalled = house.open(&position).await;
    let error = stalled.error().await;
    assert_eq!(error.code, Code::CrmUnavailable);
    assert!(error.message.contains("nothing was heard"), "{error}");
    stream.next().await;
}

#[tokio::test]
async fn refusals_have_their_codes_by_the_trailer() {
    let house = house().await;
    let position = house.stands().await.position();
    for (name, code) in [
        ("service.unavailable", Code::CrmUnavailable),
        ("subscription.fetch.replayid.corrupted", Code::CursorExpired),
        ("subscription.limit.exceeded", Code::CrmLimit),
        ("service.protection.triggered", Code::CrmLimit),
        ("subscription.topic.cannot.subscribe", Code::CrmForbidden),
        ("subscription.fetch.topic.mismatch", Code::ProtocolViolation),
    ] {
        house
            .disturb(json!({"kind": "grpc_status", "errorCode": name}))
            .await;
        let error = house.open(&position).await.error().await;
        assert_eq!(error.code, code, "{name}: {error}");
        assert!(error.message.contains("/data/ChangeEvents"), "{error}");
    }
    house
        .disturb(json!({"kind": "grpc_status", "code": "UNAVAILABLE", "message": "io exception"}))
        .await;
    assert_eq!(
        house.open(&position).await.error().await.code,
        Code::CrmUnavailable
    );
}

#[tokio::test]
async fn a_topic_that_is_not_there_says_what_to_enable() {
    let mut house = house().await;
    house.feed.topics = vec!["/data/NoSuchChangeEvent".to_owned()];
    let error = house.try_open(None).await.err().expect("it does not open");
    assert_eq!(error.code, Code::SchemaDrift, "{error}");
    assert!(
        error.advice().contains("Change Data Capture"),
        "{}",
        error.advice()
    );
    house.feed.topics = vec!["/data/Opportunity".to_owned()];
    let error = house.try_open(None).await.err().expect("it is no topic");
    assert_eq!(error.code, Code::ConfigInvalid, "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_trusted_or_not_there_gets_no_token() {
    let mut house = house().await;
    let config =
        cpq_adapters::salesforce::Config::new(cpq_domain::id::ConnectionName::new("crm").expect("a name"));
    let stranger = cpq_adapters::salesforce::SalesforceAdapter::new(
        config,
        house.grant.clone(),
        std::sync::Arc::new(crate::house::Clock::new()),
        None,
    )
    .expect("it is set up");
    let feed = stranger.pubsub(house.feed.clone()).expect("it is set up");
    let error = feed
        .open(&crate::house::call(), None)
        .await
        .err()
        .expect("it is not trusted");
    assert_eq!(error.code, Code::CrmUnavailable);
    assert!(error.message.contains("certificate"), "{error}");
    assert_eq!(house.asked("/eventbus.v1.PubSub/").await, 0);
    house.feed.endpoint = "localhost:1".to_owned();
    let error = house.try_open(None).await.err().expect("nobody is there");
    assert_eq!(error.code, Code::CrmUnavailable, "{error}");
    house.feed.endpoint = "http://api.pubsub.salesforce.com:7443".to_owned();
    let error = house.try_open(None).await.err().expect("not in the clear");
    assert_eq!(error.code, Code::ConfigInvalid, "{error}");
}

#[tokio::test]
async fn schemas_and_look_ups_that_fail_for_a_moment_lose_nothing() {
    let house = house().await;
    let account = house
        .id("SELECT Id FROM Account WHERE Name = 'Lakeside Packaging'")
        .await;
    let position = house.stands().await.position();
    house
        .update("Account", &account, json!({"Industry": "Banking"}))
        .await;
    let schema = json!({"path": "/eventbus.v1.PubSub/GetSchema"});
    for (when, fault) in [
        (
            schema,
            json!({"kind": "grpc_status", "errorCode": "schema.api.unavailable"}),
        ),
        (
            json!({"path": "/composite"}),
            json!({"kind": "server_error", "status": 503}),
        ),
    ] {
        // Only after the org is described: that is a composite call too.
        house.faults(json!([])).await;
        let mut stream = house.open(&position).await;
        house.faults(json!([{"when": when, "fault": fault}])).await;
        assert_eq!(stream.error().await.code, Code::CrmUnavailable);
        house.faults(json!([])).await;
        let told = house.open(&position).await.change().await;
        assert_eq!(told.hint.kind, ChangeKind::Changed);
    }
}
