//! From an API session to a browser.

use crate::house::{House, house, text};
use serde_json::{Value, json};

async fn web_token(house: &House, scope: &str) -> String {
    let code = house.authorize(&[("scope", scope)]).await.remove("code").unwrap();
    house.exchange(&code).await.access
}

#[tokio::test]
async fn a_ticket_opens_the_front_door_once() {
    let house = house().await;
    let token = web_token(&house, "api web").await;
    let path = "/services/oauth2/singleaccess?redirect_uri=/lightning/%3Cb%3E";
    let body: Value = house.get(path, &token).await.json().await.unwrap();
    let uri = text(&body["frontdoor_uri"]);
    assert!(uri.starts_with(&house.url("/secur/frontdoor.jsp?otp=")), "{uri}");
    assert!(!uri.contains(&token));
    let page = house.http.get(&uri).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(
        html.contains(&house.info.username) && html.contains("/lightning/&lt;b&gt;"),
        "{html}"
    );
    assert_eq!(house.http.get(&uri).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_ticket_ages_and_needs_a_session_for_the_web() {
    let house = house().await;
    let token = web_token(&house, "web").await;
    let path = "/services/oauth2/singleaccess";
    let body: Value = house.get(path, &token).await.json().await.unwrap();
    let travel = json!({"advanceSeconds": 61});
    house.control("POST", "/sandbox/clock", travel).await;
    let uri = text(&body["frontdoor_uri"]);
    assert_eq!(house.http.get(uri).send().await.unwrap().status(), 400);
    let api_only = web_token(&house, "api").await;
    assert_eq!(house.get(path, &api_only).await.status(), 403);
    let bad = house.get(path, "00Dx!bad").await;
    assert_eq!(
        (bad.status().as_u16(), bad.text().await.unwrap().as_str()),
        (403, "Bad_OAuth_Token")
    );
}
