//! Time that no org can have.

use crate::house::house;
use serde_json::json;

#[tokio::test]
async fn time_that_no_org_can_have_is_refused_and_the_clock_stays() {
    let house = house().await;
    house
        .control(
            "POST",
            "/sandbox/clock",
            json!({"freeze": "2026-03-01T12:00:00Z"}),
        )
        .await;
    for change in [
        json!({"advanceSeconds": i64::MAX}),
        json!({"offsetSeconds": i64::MIN}),
        json!({"freeze": "4001-01-01T00:00:00Z"}),
        json!({"freeze": "1969-12-31T23:59:59Z"}),
        json!({"freeze": "1970-01-02T00:00:00Z", "advanceSeconds": -172_800}),
        json!({"freeze": "soon"}),
    ] {
        let url = house.url("/sandbox/clock");
        let answer = house.http.post(url).json(&change).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{change}");
        let shown = house.control("GET", "/sandbox/clock", json!({})).await;
        assert_eq!(shown["now"], "2026-03-01T12:00:00Z", "{change}");
    }
}
