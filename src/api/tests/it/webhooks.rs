//! Signed webhooks.

use axum::body::Body;
use axum::http::Request;
use cpq_api::WebhookSecret;
use cpq_domain::run::{RunState, Trigger};
use cpq_domain::world::World;
use jiff::SignedDuration;

use crate::house::{Answer, House, WEBHOOK_SECRET};

const ONE: &str = r#"{"opportunity":"OPP-4482"}"#;

fn secret() -> WebhookSecret {
    WebhookSecret::parse(&WEBHOOK_SECRET.to_owned().into()).unwrap()
}

async fn send(house: &House, source: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post(format!("/api/v1/webhooks/{source}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

/// A delivery signed now, as a sender would do it.
async fn deliver(house: &House, id: &str, body: &str) -> Answer {
    let sent = house.world.now().as_second();
    let signature = secret().sign(id, sent, body.as_bytes());
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &sent.to_string()),
        ("webhook-signature", &signature),
        ("content-type", "application/json"),
    ];
    send(house, "erp", &headers, body).await
}

#[tokio::test]
async fn a_signed_hint_becomes_a_sync() {
    let house = House::new().await;
    let answer = deliver(&house, "msg_1", ONE).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(
        answer.json()["accepted"],
        serde_json::json!([{"opportunity":"OPP-4482","correlationId":"csync-001","duplicate":false}])
    );
    let run = house.ended("csync-001").await;
    assert_eq!((run.trigger, run.state), (Trigger::Webhook, RunState::Succeeded));
}

#[tokio::test]
async fn a_repeated_delivery_starts_nothing_even_when_signed_anew() {
    let house = House::new().await;
    deliver(&house, "msg_1", ONE).await;
    house.ended("csync-001").await;
    for wait in [0, 60, 24 * 3600, 29 * 24 * 3600] {
        house.world.advance(SignedDuration::from_secs(wait));
        let answer = deliver(&house, "msg_1", ONE).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["accepted"][0]["duplicate"]),
            (202, &true.into())
        );
    }
    assert_eq!(house.runs().await.len(), 1);
    deliver(&house, "msg_2", ONE).await;
    assert_eq!(house.runs().await.len(), 2);
}

#[tokio::test]
async fn a_list_becomes_one_sync_per_opportunity() {
    let house = House::new().await;
    let body =
        r#"[{"opportunity":"OPP-1"},{"opportunity":"OPP-2","connection":"crm"},{"opportunity":"OPP-1"}]"#;
    let answer = deliver(&house, "msg_1", body).await;
    assert_eq!(
        answer.json()["accepted"].as_array().unwrap().len(),
        2,
        "{}",
        answer.body
    );
    assert_eq!(house.runs().await.len(), 2);
    let many: Vec<_> = (0..201)
        .map(|n| serde_json::json!({"opportunity": format!("OPP-{n}")}))
        .collect();
    deliver(&house, "msg_2", &serde_json::to_string(&many).unwrap())
        .await
        .is(400, "REQUEST_INVALID");
    assert_eq!(
        house.runs().await.len(),
        2,
        "a list that is too long starts nothing"
    );
}

#[tokio::test]
async fn whatever_is_wrong_with_a_signature_gets_one_answer() {
    let house = House::new().await;
    let now = house.world.now().as_second();
    let good = secret().sign("m", now, ONE.as_bytes());
    // A key of zeros: whatever stands in for an unknown source must not open the door.
    let other = WebhookSecret::parse(
        &"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
            .to_owned()
            .into(),
    )
    .unwrap();
    let (stale, early) = (now - 301, now + 301);
    let zeros = other.sign("m", now, ONE.as_bytes());
    let at = |id, sent| secret().sign(id, sent, ONE.as_bytes());
    let bare = good.trim_start_matches("v1,").to_owned();
    let cases = [
        ("unknown source", "nobody", "m", now, good.clone(), ONE),
        ("other secret", "erp", "m", now, zeros.clone(), ONE),
        ("unknown source, zeros", "nobody", "m", now, zeros, ONE),
        ("other body", "erp", "m", now, good.clone(), "{}"),
        ("other id", "erp", "n", now, good.clone(), ONE),
        ("stale", "erp", "m", stale, at("m", stale), ONE),
        ("early", "erp", "m", early, at("m", early), ONE),
        ("no version", "erp", "m", now, bare, ONE),
        ("empty", "erp", "m", now, String::new(), ONE),
        ("empty id", "erp", "", now, at("", now), ONE),
    ];
    let mut told = std::collections::BTreeSet::new();
    for (what, source, id, sent, signature, body) in cases {
        let sent = sent.to_string();
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", sent.as_str()),
            ("webhook-signature", &signature),
        ];
        let mut refusal = send(&house, source, &headers, body)
            .await
            .is(401, "SIGNATURE_INVALID");
        refusal["correlationId"] = "the same".into();
        assert!(
            told.insert(refusal.to_string()) == (what == "unknown source"),
            "{what}: {refusal}"
        );
    }
    send(&house, "erp", &[], ONE).await.is(401, "SIGNATURE_INVALID");
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn one_good_signature_among_several_is_enough() {
    let house = House::new().await;
    let now = house.world.now().as_second();
    let signature = format!("v1,AAAA v1a,xx {}", secret().sign("m", now, ONE.as_bytes()));
    let now = now.to_string();
    let headers = [
        ("webhook-id", "m"),
        ("webhook-timestamp", now.as_str()),
        ("webhook-signature", &signature),
    ];
    assert_eq!(send(&house, "erp", &headers, ONE).await.status, 202);
}

#[tokio::test]
async fn nothing_is_read_before_the_signature_and_too_much_not_even_then() {
    let house = House::new().await;
    send(&house, "erp", &[], "not JSON")
        .await
        .is(401, "SIGNATURE_INVALID");
    deliver(&house, "m1", "not JSON").await.is(400, "REQUEST_INVALID");
    deliver(&house, "m2", r#"{"opportunity":"OPP-1","opportunity":"OPP-2"}"#)
        .await
        .is(400, "REQUEST_INVALID");
    deliver(&house, "m3", &" ".repeat(1024 * 1024 + 1))
        .await
        .is(413, "REQUEST_TOO_LARGE");
}
