//! Who comes too often.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use cpq_api::{ApiSettings, Peer, Rate, Throttle, limits};

use crate::house::{Answer, House};

async fn limited(per_second: u32, burst: u32) -> House {
    House::with(|state| {
        state.throttle = Throttle::new(Rate {
            per_second,
            burst,
            ..Rate::default()
        });
        let mut settings = ApiSettings::clone(&state.settings);
        settings.trusted_proxies = vec![IpAddr::from([127, 0, 0, 1])];
        state.settings = Arc::new(settings);
    })
    .await
}

/// A request that comes from this address; through our proxy, if it is another one than the proxy's.
fn from(mut request: Request<Body>, peer: &str, named: &str) -> Request<Body> {
    let address = format!("{peer}:40000").parse().unwrap();
    request.extensions_mut().insert(Peer {
        address,
        secure: false,
    });
    if !named.is_empty() {
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", named.parse().unwrap());
    }
    request
}

fn waits(answer: &Answer) {
    answer.is(429, "OVERLOADED");
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_client_that_sends_too_much_waits_whatever_token_it_uses_and_no_other_does() {
    let house = limited(1, 5).await;
    let second = house.token_of("tester", &["sync:read"]).await;
    let other = house.token_of("portal", &["sync:read"]).await;
    for _ in 0..5 {
        assert_eq!(house.get("/api/v1/sync").await.status, 200);
    }
    waits(&house.get("/api/v1/sync").await);
    let with = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        house
            .send(house.request(Method::GET, "/api/v1/sync", &headers, ""))
            .await
    };
    waits(&with(&second).await);
    assert_eq!(with(&other).await.status, 200);
    let refused = house.sync(&[]).await;
    waits(&refused);
    assert!(house.runs().await.is_empty(), "nothing was begun");
}

#[tokio::test]
async fn an_address_without_a_good_token_is_slowed_and_a_good_one_passes_from_there() {
    let house = limited(0, 0).await;
    let knock = async |named: &str| {
        let bad = house.request(
            Method::GET,
            "/api/v1/sync",
            &[("authorization", "Bearer cpq_x")],
            "",
        );
        house.send(from(bad, "127.0.0.1", named)).await
    };
    for _ in 0..limits::REFUSALS_PER_MINUTE {
        knock("203.0.113.9").await.is(401, "UNAUTHENTICATED");
    }
    waits(&knock("203.0.113.9").await);
    waits(&knock("198.51.100.7, 203.0.113.9").await);
    knock("203.0.113.10").await.is(401, "UNAUTHENTICATED");
    let good = house.request(Method::GET, "/api/v1/sync", &[], "");
    let good = house.send(from(good, "127.0.0.1", "203.0.113.9")).await;
    assert_eq!(
        good.status, 200,
        "a good token is not locked out by its neighbours"
    );
}

#[tokio::test]
async fn nobody_but_a_proxy_of_ours_says_whom_a_request_comes_from() {
    let house = limited(0, 0).await;
    let forged = async |named: &str| {
        let bad = house.request(
            Method::POST,
            "/api/v1/webhooks/erp",
            &[("webhook-id", "msg_1")],
            "{}",
        );
        house.send(from(bad, "192.0.2.1", named)).await
    };
    for number in 0..limits::REFUSALS_PER_MINUTE {
        let named = format!("203.0.113.{number}");
        forged(&named).await.is(401, "SIGNATURE_INVALID");
    }
    waits(&forged("203.0.113.200").await);
}
