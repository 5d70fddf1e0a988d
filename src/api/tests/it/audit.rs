//! Who did what, as the API tells it.

use cpq_api::access::{Access, ROUTES};
use serde_json::Value as Json;

use crate::house::House;

/// What is written without being told here, because it has a journal of its own or writes nothing.
const UNTOLD: [&str; 7] = [
    "POST /api/v1/sync/opportunities/{id}",
    "POST /api/v1/sync/opportunities/{id}/plan",
    "POST /api/v1/quotes",
    "POST /api/v1/quotes/preview",
    "PATCH /api/v1/quotes/{id}",
    "POST /api/v1/webhooks/{source}",
    "POST /api/v1/outbound-messages/{source}/{secret}",
];

async fn entries(house: &House) -> Vec<Json> {
    let page = house.get("/api/v1/audit?limit=200").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let mut entries = page.json()["entries"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

#[tokio::test]
async fn every_act_is_told_before_and_after_and_nothing_else_is() {
    let house = House::new().await;
    for route in ROUTES {
        let name = format!("{} {}", route.method, route.path);
        let path = route
            .path
            .replace("{id}", "1")
            .replace("{correlationId}", "csync-001");
        let path = path.replace("{source}", "erp").replace("{secret}", "no");
        if route.path == "/api/v1/events" {
            continue;
        }
        let before = entries(&house).await.len();
        let method = route.method.parse().unwrap();
        house
            .send(house.request(method, &path, &[("x-acting-person", "anna")], "{}"))
            .await;
        let told = entries(&house).await.split_off(before);
        if route.method == "GET" || UNTOLD.contains(&name.as_str()) {
            assert!(told.is_empty(), "{name}: {told:?}");
            continue;
        }
        assert!(matches!(route.access, Access::Scope(_) | Access::Token), "{name}");
        let [begins, ends] = &told[..] else {
            panic!("{name} is told in two entries: {told:?}");
        };
        for entry in [begins, ends] {
            assert_eq!(entry["act"], name.as_str());
            assert_eq!(entry["subject"], path.as_str());
            assert_eq!(entry["client"], "tester");
            assert_eq!(entry["person"], "anna");
        }
        assert!(
            begins["result"].is_null() && begins["begun"].is_null(),
            "{begins}"
        );
        assert_eq!(ends["begun"], begins["position"]);
        assert!(ends["result"].is_string(), "{ends}");
    }
    for untold in UNTOLD {
        let there = ROUTES
            .iter()
            .any(|route| format!("{} {}", route.method, route.path) == untold);
        assert!(there, "{untold} is no route");
    }
}

#[tokio::test]
async fn who_is_not_let_in_does_nothing_and_leaves_nothing() {
    let house = House::new().await;
    let reader = house.token_of("reader", &["audit:read"]).await;
    let bearer = format!("Bearer {reader}");
    let headers = [("authorization", bearer.as_str())];
    house
        .post("/api/v1/reconciliations", &headers, "{}")
        .await
        .is(403, "SCOPE_INSUFFICIENT");
    let bad = [("authorization", "Bearer no")];
    house
        .post("/api/v1/reconciliations", &bad, "{}")
        .await
        .is(401, "UNAUTHENTICATED");
    assert!(entries(&house).await.is_empty());
    let page = house
        .send(house.request(http::Method::GET, "/api/v1/audit", &headers, ""))
        .await;
    assert_eq!(page.status, 200);
}
