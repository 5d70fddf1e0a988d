//! What happened: as a stream, in numbers, and decision by decision.

use axum::http::Method;
use futures_util::StreamExt;

use crate::house::House;

/// The first events of a stream, as they are on the wire.
async fn first(house: &House, headers: &[(&str, &str)], wanted: usize) -> String {
    use tower::ServiceExt;
    let request = house.request(Method::GET, "/api/v1/events", headers, "");
    let answer = house.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut stream = answer.into_body().into_data_stream();
    let mut told = String::new();
    while told.matches("event: sync").count() < wanted {
        let chunk = stream.next().await.expect("more").expect("bytes");
        told.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    told
}

#[tokio::test]
async fn a_reader_follows_what_happens_and_misses_nothing_when_it_comes_back() {
    let house = House::new().await;
    let (from_now, _) = tokio::join!(first(&house, &[], 2), async {
        // The stream has begun where nothing had happened yet.
        tokio::task::yield_now().await;
        house.sync(&[]).await
    });
    assert!(from_now.contains(r#""kind":"accepted""#), "{from_now}");
    assert!(
        from_now.starts_with("id: 0\n\n"),
        "it says where it begins: {from_now}"
    );
    let all = first(&house, &[("last-event-id", "0")], 3).await;
    let ids: Vec<i64> = all
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .map(|id| id.parse().unwrap())
        .collect();
    let back = ids[1].to_string();
    let rest = first(&house, &[("last-event-id", &back)], 1).await;
    assert!(rest.contains(&format!("id: {}", ids[2])), "{rest}");
    assert!(all.contains(r#""correlationId":"csync-001""#), "{all}");
    let wrong = house.request(Method::GET, "/api/v1/events", &[("last-event-id", "x")], "");
    house.send(wrong).await.is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn there_are_only_so_many_readers() {
    use tower::ServiceExt;
    let house =
        House::with(|state| state.readers = std::sync::Arc::new(tokio::sync::Semaphore::new(1))).await;
    let follow = || house.request(Method::GET, "/api/v1/events", &[], "");
    let one = house.router.clone().oneshot(follow()).await.unwrap();
    house.send(follow()).await.is(429, "OVERLOADED");
    drop(one);
    let again = house.router.clone().oneshot(follow()).await.unwrap();
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn a_stream_ends_with_the_service() {
    let stopping = tokio_util::sync::CancellationToken::new();
    let house = House::with(|state| state.stopping = stopping.clone()).await;
    stopping.cancel();
    assert_eq!(house.get("/api/v1/events").await.status, 200);
}

#[tokio::test]
async fn syncs_are_counted_by_the_hour_and_no_hour_is_missing() {
    let house = House::new().await;
    house.sync(&[]).await;
    house.world.advance(jiff::SignedDuration::from_hours(2));
    let counted = house.get("/api/v1/statistics/sync?hours=4").await.json();
    let hours = counted["hours"].as_array().expect("hours");
    let succeeded: Vec<u64> = hours
        .iter()
        .map(|hour| hour["states"]["succeeded"].as_u64().unwrap_or(0))
        .collect();
    assert_eq!(succeeded, [0, 1, 0, 0], "{counted}");
    house
        .get("/api/v1/statistics/sync?hours=169")
        .await
        .is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_sync_tells_what_it_decided() {
    let house = House::new().await;
    house.sync(&[]).await;
    let told = house.get("/api/v1/sync/csync-001/decisions").await.json();
    let decisions = told["decisions"].as_array().expect("decisions");
    let name = decisions.iter().find(|one| one["field"] == "account.name");
    let name = name.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(name["verdict"], "to_cpq", "{name}");
    assert!(
        name["reason"].is_string() && name["matrixVersion"].is_string(),
        "{name}"
    );
    house
        .get("/api/v1/sync/csync-999/decisions")
        .await
        .is(404, "CORRELATION_NOT_FOUND");
}
