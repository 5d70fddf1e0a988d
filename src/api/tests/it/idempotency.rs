//! One key, one sync.

use std::sync::Arc;

use cpq_domain::{Code, Error};
use jiff::SignedDuration;

use crate::house::House;

#[tokio::test]
async fn a_repeat_gets_the_same_bytes_and_says_so() {
    let house = House::new().await;
    let first = house.sync(&[("idempotency-key", "order-1")]).await;
    let again = house.sync(&[("idempotency-key", "\"order-1\"")]).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(
        (
            first.header("idempotent-replayed"),
            again.header("idempotent-replayed")
        ),
        ("", "true")
    );
    assert_eq!(again.header("x-correlation-id"), "csync-001");
    assert_eq!(house.runs().await.len(), 1);
}

#[tokio::test]
async fn a_definite_failure_is_repeated_to_the_byte_too() {
    let house = House::new().await;
    let uri = "/api/v1/sync/opportunities/OPP-0000";
    let first = house.post(uri, &[("idempotency-key", "k")], "").await;
    let again = house.post(uri, &[("idempotency-key", "k")], "").await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (404, "true")
    );
    assert_eq!(first.body, again.body);
    assert_eq!(house.runs().await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_client() {
    let house = House::new().await;
    let first = house.sync(&[("idempotency-key", "k")]).await;
    let other = house
        .post(
            "/api/v1/sync/opportunities/OPP-0000",
            &[("idempotency-key", "k")],
            "",
        )
        .await;
    other.is(422, "IDEMPOTENCY_KEY_REUSED");
    assert!(
        !other.body.contains("Q-2026-0137"),
        "the stored answer leaked: {}",
        other.body
    );
    let with_body = house
        .post(
            "/api/v1/sync/opportunities/OPP-4482",
            &[("idempotency-key", "k")],
            r#"{"connection":"crm"}"#,
        )
        .await;
    with_body.is(422, "IDEMPOTENCY_KEY_REUSED");

    let fresh = house.token_of("tester", &["sync:write"]).await;
    let bearer = format!("Bearer {fresh}");
    let rotated = house
        .sync(&[("idempotency-key", "k"), ("authorization", &bearer)])
        .await;
    assert_eq!(
        (rotated.header("idempotent-replayed"), &rotated.body),
        ("true", &first.body)
    );

    let stranger = house.token_of("stranger", &["sync:write"]).await;
    let bearer = format!("Bearer {stranger}");
    let own = house
        .sync(&[("idempotency-key", "k"), ("authorization", &bearer)])
        .await;
    assert_eq!(
        (own.header("idempotent-replayed"), own.header("x-correlation-id")),
        ("", "csync-002")
    );
}

#[tokio::test]
async fn a_body_written_differently_is_the_same_request() {
    let house = House::new().await;
    let uri = "/api/v1/sync/opportunities/OPP-4482";
    let key = ("idempotency-key", "k");
    house.post(uri, &[key], r#"{"connection":"crm"}"#).await;
    let again = house
        .post(uri, &[key], "{ \"connection\" : \"\\u0063rm\" }\n")
        .await;
    assert_eq!(again.header("idempotent-replayed"), "true", "{}", again.body);
}

#[tokio::test]
async fn sixty_four_at_once_with_one_key_are_one_sync() {
    let house = Arc::new(House::new().await);
    house.systems.close();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let house = house.clone();
        calls.spawn(async move {
            house
                .sync(&[("idempotency-key", "one"), ("prefer", "wait=25")])
                .await
        });
    }
    let mut answers = Vec::new();
    while answers.len() < 63 {
        answers.push(calls.join_next().await.expect("63 end early").expect("no panic"));
    }
    for answer in &answers {
        answer.is(409, "IDEMPOTENCY_IN_PROGRESS");
        assert!(
            answer
                .header("retry-after")
                .parse::<u64>()
                .is_ok_and(|seconds| seconds >= 1)
        );
    }
    house.systems.open();
    let last = calls.join_next().await.expect("one waits").expect("no panic");
    assert_eq!(last.status, 200, "{}", last.body);
    assert_eq!((house.runs().await.len(), house.systems.reads()), (1, 1));
    assert_eq!(house.sync(&[("idempotency-key", "one")]).await.body, last.body);
}

#[tokio::test]
async fn a_repeat_of_a_202_gets_the_same_202_until_the_end() {
    let house = House::new().await;
    house.systems.close();
    let headers = [("idempotency-key", "k"), ("prefer", "respond-async")];
    let first = house.sync(&headers).await;
    let again = house.sync(&headers).await;
    assert_eq!(
        (first.status.as_u16(), again.status.as_u16()),
        (202, 202),
        "{}",
        again.body
    );
    assert_eq!(first.header("location"), again.header("location"));
    house.systems.open();
    house.ended("csync-001").await;
    let last = house.sync(&headers).await;
    assert_eq!(
        (last.status.as_u16(), last.header("idempotent-replayed")),
        (200, "true"),
        "{}",
        last.body
    );
    assert_eq!(house.runs().await.len(), 1);
}

#[tokio::test]
async fn a_key_whose_answer_is_gone_is_never_done_again() {
    let house = House::new().await;
    house.sync(&[("idempotency-key", "k")]).await;
    house.world.advance(SignedDuration::from_hours(24 * 31));
    house
        .sync(&[("idempotency-key", "k")])
        .await
        .is(410, "IDEMPOTENCY_KEY_EXPIRED");
    assert_eq!(house.runs().await.len(), 1);
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let house = House::new().await;
    let uri = "/api/v1/sync/opportunities/OPP-4482";
    house
        .post(uri, &[("idempotency-key", "k")], "{")
        .await
        .is(400, "REQUEST_INVALID");
    let answer = house.post(uri, &[("idempotency-key", "k")], "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for bad in ["", "a b", "\"open"] {
        house
            .sync(&[("idempotency-key", bad)])
            .await
            .is(400, "IDEMPOTENCY_KEY_INVALID");
    }
}

#[tokio::test]
async fn a_failure_of_ours_does_not_use_the_key_up() {
    let house = House::new().await;
    house.systems.fail_next(Error::new(
        Code::ProtocolViolation,
        "the CRM answered with a page",
    ));
    house
        .sync(&[("idempotency-key", "k")])
        .await
        .is(502, "PROTOCOL_VIOLATION");
    let again = house.sync(&[("idempotency-key", "k")]).await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (200, ""),
        "{}",
        again.body
    );
}
