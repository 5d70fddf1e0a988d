//! The page for Prometheus: its formats, and what is on it.

use crate::house::House;

/// The value of a series, by the beginning of its line.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap_or_else(|_| panic!("{series} is {value}")))
}

async fn page(house: &House) -> String {
    let answer = house.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn the_figures_come_in_the_format_that_is_asked_for() {
    let house = House::new().await;
    let answer = house.get("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(
        answer.body.contains("# TYPE cpq_build_info gauge\n"),
        "{}",
        answer.body
    );
    let accept = (
        "accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    );
    let request = house.request(http::Method::GET, "/metrics", &[accept], "");
    let answer = house.send(request).await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(answer.body.ends_with("# EOF\n"));
}

/// A path is told by its template and a sync by its code, whatever a caller sends.
#[tokio::test]
async fn nothing_that_a_caller_sends_becomes_a_label() {
    let house = House::new().await;
    let _ = house.get("/api/v1/sync/csync-canary").await;
    let _ = house.get("/nowhere/canary").await;
    let path = "/api/v1/webhooks/canary";
    let refused = house
        .send(house.request(http::Method::POST, path, &[], "{}"))
        .await;
    refused.is(401, "SIGNATURE_INVALID");
    let page = page(&house).await;
    assert!(!page.contains("canary"), "{page}");
    let series = "cpq_http_requests_total{method=\"GET\",route=\"/api/v1/sync/{correlationId}\",status=\"404\",from=\"client\"}";
    assert!(value(&page, series) >= Some(1.0), "{page}");
    let refused = "cpq_webhooks_total{source=\"unknown\",result=\"refused\"}";
    assert!(value(&page, refused) >= Some(1.0), "{page}");
}

/// The exemplar of a slow request is the sync that it waited for.
#[tokio::test]
async fn an_example_leads_to_its_sync() {
    let house = House::new().await;
    let route = "/api/v1/sync/opportunities/{id}";
    let done = house.post("/api/v1/sync/opportunities/OPP-9001", &[], "{}").await;
    let id = done.json()["correlationId"].as_str().expect("an id").to_owned();
    let request = house.request(
        http::Method::GET,
        "/metrics",
        &[("accept", "application/openmetrics-text")],
        "",
    );
    let page = house.send(request).await.body;
    let example = format!("# {{correlation_id=\"{id}\"}}");
    let of = |name: &str| {
        page.lines()
            .any(|line| line.starts_with(name) && line.contains(&example))
    };
    assert!(of("cpq_http_request_duration_seconds_bucket"), "{route}: {page}");
    assert!(
        of("cpq_step_duration_seconds_bucket") && of("cpq_sync_duration_seconds_bucket"),
        "{page}"
    );
}

/// Many may ask; the store is read again only when a reading is old.
#[tokio::test]
async fn a_reading_of_the_store_is_used_again() {
    let house = House::new().await;
    let first = page(&house).await;
    assert_eq!(value(&first, "cpq_store_up"), Some(1.0), "{first}");
    let took = |page: &str| value(page, "cpq_store_reading_duration_seconds");
    assert_eq!(took(&first), took(&page(&house).await));
}
