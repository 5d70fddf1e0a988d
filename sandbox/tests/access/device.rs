//! Devices without a browser.

use crate::house::{House, house, house_with, text};
use serde_json::{Value, json};

async fn begun(house: &House, scope: &str) -> (String, String) {
    let form = [
        ("response_type", "device_code"),
        ("client_id", "PlatformCLI"),
        ("scope", scope),
    ];
    let (status, body) = house.token(&form).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["verification_uri"], house.url("/setup/connect").as_str());
    assert_eq!(body["interval"], "5");
    let user_code = text(&body["user_code"]);
    assert_eq!(user_code.len(), 8);
    (text(&body["device_code"]), user_code)
}

async fn poll(house: &House, code: &str) -> Value {
    let form = [
        ("grant_type", "device"),
        ("client_id", "PlatformCLI"),
        ("code", code),
    ];
    house.token(&form).await.1
}

async fn enter(house: &House, pairs: &[(&str, &str)]) -> String {
    let request = house.http.post(house.url("/setup/connect")).form(pairs);
    request.send().await.unwrap().text().await.unwrap()
}

async fn travel(house: &House, seconds: u32) {
    let travel = json!({"advanceSeconds": seconds});
    house.control("POST", "/sandbox/clock", travel).await;
}

#[tokio::test]
async fn a_person_enters_the_code_and_the_device_gets_its_tokens() {
    let house = house().await;
    let (code, user_code) = begun(&house, "api refresh_token").await;
    assert_eq!(poll(&house, &code).await["error"], "authorization_pending");
    assert_eq!(poll(&house, &code).await["error"], "slow_down");
    travel(&house, 10).await;
    assert_eq!(poll(&house, &code).await["error"], "authorization_pending");
    let page = house
        .http
        .get(house.url(&format!("/setup/connect?user_code={user_code}")));
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains(&format!("value=\"{user_code}\"")), "{html}");
    let user = house.info.username.as_str();
    let wrong = [
        ("user_code", user_code.as_str()),
        ("username", user),
        ("password", "x"),
        ("decision", "allow"),
    ];
    assert!(enter(&house, &wrong).await.contains("check your username"));
    let spelt = format!("{}-{}", &user_code[..4], user_code[4..].to_lowercase());
    let right = [
        ("user_code", spelt.as_str()),
        ("username", user),
        ("password", house.info.password.as_str()),
        ("decision", "allow"),
    ];
    assert!(enter(&house, &right).await.contains("is connected"));
    // The device may ask as often as it likes once there is an answer.
    let tokens = poll(&house, &code).await;
    assert!(house.works(&text(&tokens["access_token"])).await, "{tokens}");
    assert!(tokens.get("expires_in").is_none());
    let refresh = text(&tokens["refresh_token"]);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "PlatformCLI"),
        ("refresh_token", &refresh),
    ];
    assert_eq!(house.token(&form).await.0, 200);
    assert_eq!(poll(&house, &code).await["error"], "invalid_grant");
    assert!(enter(&house, &right).await.contains("not valid"));
}

#[tokio::test]
async fn a_person_may_say_no_and_codes_age() {
    let house = house().await;
    let (code, user_code) = begun(&house, "api").await;
    let deny = [("user_code", user_code.as_str()), ("decision", "deny")];
    assert!(enter(&house, &deny).await.contains("was refused"));
    assert_eq!(poll(&house, &code).await["error"], "access_denied");
    let (code, user_code) = begun(&house, "api").await;
    travel(&house, 600).await;
    let user = house.info.username.as_str();
    let late = [("user_code", user_code.as_str()), ("sandbox_user", user)];
    assert!(enter(&house, &late).await.contains("not valid"));
    assert_eq!(poll(&house, &code).await["error"], "invalid_grant");
}

#[tokio::test]
async fn a_test_approves_by_name_or_by_setting() {
    let house = house().await;
    let (code, user_code) = begun(&house, "api").await;
    let user = house.info.username.as_str();
    enter(
        &house,
        &[("user_code", user_code.as_str()), ("sandbox_user", user)],
    )
    .await;
    let other = [
        ("grant_type", "device"),
        ("client_id", house.info.client_id.as_str()),
        ("code", code.as_str()),
    ];
    assert_eq!(house.refused(&other).await.0, "invalid_grant");
    let tokens = poll(&house, &code).await;
    assert!(tokens.get("refresh_token").is_none() && house.works(&text(&tokens["access_token"])).await);
    let house = house_with(|options| options.settings.auto_approve = true).await;
    let (code, _) = begun(&house, "api").await;
    assert!(
        house
            .works(&text(&poll(&house, &code).await["access_token"]))
            .await
    );
}
