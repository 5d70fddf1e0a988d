//! What holds for every request.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use cpq_api::{ApiSettings, Hosts};
use cpq_domain::Error;

use crate::house::House;

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_the_one_shape() {
    let house = House::new().await;
    house.get("/api/v1/nothing").await.is(404, "NOT_FOUND");
    house.get("/").await.is(404, "NOT_FOUND");
    let answer = house
        .send(house.request(Method::DELETE, "/api/v1/quotes/q-1", &[], ""))
        .await;
    answer.is(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "GET, PATCH, HEAD");
    let answer = house
        .send(house.request(Method::OPTIONS, "/api/v1/quotes", &[], ""))
        .await;
    answer.is(405, "METHOD_NOT_ALLOWED");
    let head = house
        .send(house.request(Method::HEAD, "/api/v1/ownership", &[], ""))
        .await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let house = House::new().await;
    for uri in [
        "/healthz",
        "/api/v1/nothing",
        "/api/v1/ownership",
        "/api/v1/openapi.json",
    ] {
        let answer = house.get(uri).await;
        assert!(answer.header("x-correlation-id").starts_with("req-"), "{uri}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("access-control-allow-origin", ""),
        ] {
            assert_eq!(answer.header(name), value, "{uri}");
        }
    }
    let named = house.request(
        Method::GET,
        "/api/v1/nothing",
        &[("x-correlation-id", "mine-1")],
        "",
    );
    let answer = house.send(named).await;
    assert_eq!(
        (answer.header("x-correlation-id"), &answer.json()["correlationId"]),
        ("mine-1", &"mine-1".into())
    );
    let bad = house.request(Method::GET, "/healthz", &[("x-correlation-id", "a b")], "");
    assert!(
        house
            .send(bad)
            .await
            .header("x-correlation-id")
            .starts_with("req-")
    );
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_type() {
    let house = House::new().await;
    let uri = "/api/v1/sync/opportunities/OPP-4482";
    let big = format!("\"{}\"", "x".repeat(1024 * 1024));
    house.post(uri, &[], &big).await.is(413, "REQUEST_TOO_LARGE");
    // The same without telling its length.
    let chunks = futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let mut request = house.request(Method::POST, uri, &[], "");
    *request.body_mut() = Body::from_stream(chunks);
    house.send(request).await.is(413, "REQUEST_TOO_LARGE");
    house
        .post(uri, &[("content-type", "text/plain")], "{}")
        .await
        .is(415, "MEDIA_TYPE_UNSUPPORTED");
    house
        .post(uri, &[("content-type", "application/json; charset=utf-8")], "{}")
        .await;
    house
        .post(uri, &[], &"[".repeat(100))
        .await
        .is(400, "REQUEST_INVALID");
    assert_eq!(house.runs().await.len(), 1);
}

#[tokio::test]
async fn the_head_of_a_request_has_limits() {
    let house = House::new().await;
    let long = format!("/api/v1/sync?before={}", "x".repeat(9_000));
    house.get(&long).await.is(413, "REQUEST_TOO_LARGE");
    let fat = "x".repeat(17_000);
    let request = house.request(Method::GET, "/healthz", &[("x-fat", &fat)], "");
    house.send(request).await.is(413, "REQUEST_TOO_LARGE");
    house.get("/api/v1/quotes/%ff").await.is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_panic_is_a_failure_in_the_one_shape_without_its_words() {
    let house = House::with(|state| state.matrix = Arc::new(|| panic!("the secret reason"))).await;
    let answer = house.get("/api/v1/ownership").await;
    answer.is(500, "INTERNAL");
    assert!(!answer.body.contains("secret reason"), "{}", answer.body);
}

#[tokio::test]
async fn on_loopback_only_names_of_this_machine_are_answered() {
    let hosts = Hosts::of_listener([127, 0, 0, 1].into(), vec![]);
    let settings = ApiSettings {
        hosts,
        ..ApiSettings::default()
    };
    let house = House::with(|state| state.settings = Arc::new(settings)).await;
    let ask = async |host: Option<&str>| {
        let mut request = Request::get("/healthz");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        house.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(ask(Some("127.0.0.1:8080")).await.status, 200);
    assert_eq!(ask(Some("localhost:8080")).await.status, 200);
    ask(Some("rebound.example")).await.is(400, "REQUEST_INVALID");
    ask(None).await.is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn readiness_names_its_reasons() {
    let house = House::new().await;
    assert_eq!(house.get("/readyz").await.json()["status"], "ok");
    let house = House::with(|state| {
        state.readiness = Arc::new(|| Box::pin(async { vec!["engine: stopping".to_owned()] }));
    })
    .await;
    let answer = house.get("/readyz").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["reasons"][0]),
        (503, &"engine: stopping".into())
    );
}

#[tokio::test]
async fn an_error_carries_its_pause_in_the_header() {
    let house = House::new().await;
    house
        .systems
        .fail_next(Error::new(cpq_domain::Code::CrmRejected, "no").retry_after_ms(2_500));
    assert_eq!(house.sync(&[]).await.header("retry-after"), "3");
}
