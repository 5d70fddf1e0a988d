//! Quotes of the embedded CPQ over HTTP.

use axum::http::Method;

use crate::house::House;

const NEW: &str = r#"{"opportunity":{"system":"crm","id":"006000000000001AAA","number":"OPP-4482"},
    "patch":{"fields":{"account.name":{"text":"Acme"}}}}"#;

async fn made(house: &House) -> String {
    let answer = house
        .post("/api/v1/quotes", &[("idempotency-key", "make")], NEW)
        .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.header("etag").to_owned()
}

#[tokio::test]
async fn a_quote_is_made_once_per_key() {
    let house = House::new().await;
    let first = house
        .post("/api/v1/quotes", &[("idempotency-key", "k")], NEW)
        .await;
    assert_eq!(
        (first.status.as_u16(), first.header("location")),
        (201, "/api/v1/quotes/q-1"),
        "{}",
        first.body
    );
    assert_eq!(first.header("etag"), "\"q-1.1\"");
    let again = house
        .post("/api/v1/quotes", &[("idempotency-key", "k")], NEW)
        .await;
    assert_eq!(
        (again.status, &again.body, again.header("etag")),
        (first.status, &first.body, first.header("etag"))
    );
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = NEW.replace("Acme", "Other");
    house
        .post("/api/v1/quotes", &[("idempotency-key", "k")], &other)
        .await
        .is(422, "IDEMPOTENCY_KEY_REUSED");
    house
        .post("/api/v1/quotes", &[("idempotency-key", "l")], NEW)
        .await
        .is(409, "QUOTE_DUPLICATE");
    house
        .post("/api/v1/quotes", &[], NEW)
        .await
        .is(400, "IDEMPOTENCY_KEY_MISSING");
}

#[tokio::test]
async fn a_quote_is_read_by_id_or_number_and_not_sent_twice() {
    let house = House::new().await;
    let etag = made(&house).await;
    let answer = house.get("/api/v1/quotes/Q-2026-0137").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["id"]),
        (200, &"q-1".into())
    );
    assert_eq!(answer.header("etag"), etag);
    for tags in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".into(),
    ] {
        let request = house.request(Method::GET, "/api/v1/quotes/q-1", &[("if-none-match", &tags)], "");
        let answer = house.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (304, ""),
            "{tags}"
        );
        assert_eq!(answer.header("etag"), etag);
    }
    let request = house.request(
        Method::GET,
        "/api/v1/quotes/q-1",
        &[("if-none-match", "\"q-1.9\"")],
        "",
    );
    assert_eq!(house.send(request).await.status, 200);
    house.get("/api/v1/quotes/q-2").await.is(404, "QUOTE_NOT_FOUND");
}

#[tokio::test]
async fn a_change_names_the_version_it_changes() {
    let house = House::new().await;
    let etag = made(&house).await;
    let change = async |headers: &[(&str, &str)]| {
        let body = r#"{"fields":{"account.name":{"text":"New"}}}"#;
        house
            .send(house.request(Method::PATCH, "/api/v1/quotes/q-1", headers, body))
            .await
    };
    change(&[("idempotency-key", "c")])
        .await
        .is(428, "PRECONDITION_REQUIRED");
    change(&[("if-match", &etag)])
        .await
        .is(400, "IDEMPOTENCY_KEY_MISSING");
    for weak in ["W/\"q-1.1\"", "*", "\"a\", \"b\""] {
        change(&[("idempotency-key", "c"), ("if-match", weak)])
            .await
            .is(400, "REQUEST_INVALID");
    }
    change(&[("idempotency-key", "c"), ("if-match", "\"q-1.7\"")])
        .await
        .is(412, "QUOTE_CONFLICT");
    let answer = change(&[("idempotency-key", "c"), ("if-match", &etag)]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("etag")),
        (200, "\"q-1.2\""),
        "{}",
        answer.body
    );
    let again = change(&[("idempotency-key", "c"), ("if-match", &etag)]).await;
    assert_eq!(
        (again.header("idempotent-replayed"), &again.body),
        ("true", &answer.body)
    );
}

#[tokio::test]
async fn a_quote_moves_along_its_life() {
    let house = House::new().await;
    let etag = made(&house).await;
    let uri = "/api/v1/quotes/q-1/transitions";
    let headers = [("idempotency-key", "t"), ("if-match", etag.as_str())];
    let answer = house
        .post(uri, &headers, r#"{"transition":"cancel","reason":"lost"}"#)
        .await;
    assert_eq!(
        (&answer.json()["status"], &answer.json()["reason"]),
        (&"cancelled".into(), &"lost".into())
    );
    house
        .post(uri, &headers, r#"{"transition":"fly"}"#)
        .await
        .is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_preview_needs_no_key_and_stores_nothing() {
    let house = House::new().await;
    let answer = house.post("/api/v1/quotes/preview", &[], NEW).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        house.get("/api/v1/quotes").await.json()["quotes"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    house
        .post("/api/v1/quotes/preview", &[], "{}")
        .await
        .is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn quotes_are_listed() {
    let house = House::new().await;
    made(&house).await;
    let page = house
        .get("/api/v1/quotes?system=crm&opportunity=OPP-4482&status=draft&limit=5")
        .await
        .json();
    assert_eq!(page["quotes"].as_array().unwrap().len(), 1);
    assert!(
        house.get("/api/v1/quotes?status=sent").await.json()["quotes"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    house
        .get("/api/v1/quotes?status=odd")
        .await
        .is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn unknown_and_repeated_names_are_refused_with_their_place() {
    let house = House::new().await;
    let key = [("idempotency-key", "k")];
    let body = "{\"patch\":{\"fields\":{\"a.b\":{\"text\":\"1\"},\n\"a.b\":{\"text\":\"2\"}}}}";
    let refused = house
        .post("/api/v1/quotes", &key, body)
        .await
        .is(400, "REQUEST_INVALID");
    assert_eq!(refused["details"]["facts"]["line"], 2, "{refused}");
    let body = NEW.replace("\"fields\"", "\"felds\"");
    let refused = house
        .post("/api/v1/quotes", &key, &body)
        .await
        .is(400, "REQUEST_INVALID");
    assert_eq!(refused["details"]["field"], "patch.felds", "{refused}");
}

#[tokio::test]
async fn where_the_cpq_is_elsewhere_the_answer_says_so() {
    let house = House::with(|state| state.desk = None).await;
    for uri in ["/api/v1/quotes", "/api/v1/quotes/q-1"] {
        let body = house.get(uri).await.is(404, "NOT_FOUND");
        assert!(
            body["message"].as_str().unwrap().contains("another CPQ"),
            "{body}"
        );
    }
    house
        .post("/api/v1/quotes", &[("idempotency-key", "k")], NEW)
        .await
        .is(404, "NOT_FOUND");
}
