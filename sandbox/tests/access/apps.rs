//! Policies of an app: who may use it, how long its refresh tokens live, what a new secret does.

use crate::house::{CALLBACK, House, house, redirected, text};
use serde_json::{Value, json};

const EXPIRED: &str = "expired access/refresh token";

async fn register(house: &House, mut client: Value) {
    client["clientId"] = "app".into();
    house.control("POST", "/sandbox/clients", client).await;
}

/// Access and refresh token of the app.
async fn tokens(house: &House) -> (String, String) {
    let code = house
        .authorize(&[("client_id", "app")])
        .await
        .remove("code")
        .unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("client_secret", "s"),
        ("redirect_uri", CALLBACK),
        ("code", code.as_str()),
    ];
    let (status, body) = house.token(&form).await;
    assert_eq!(status, 200, "{body}");
    (text(&body["access_token"]), text(&body["refresh_token"]))
}

async fn refreshed(house: &House, token: &str) -> String {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "s"),
        ("refresh_token", token),
    ];
    text(&house.token(&form).await.1["error_description"])
}

async fn travel(house: &House, seconds: u32) {
    let travel = json!({"advanceSeconds": seconds});
    house.control("POST", "/sandbox/clock", travel).await;
}

#[tokio::test]
async fn a_refresh_token_ends_when_nobody_uses_it() {
    let house = house().await;
    register(&house, json!({"refreshIdleSeconds": 86_400})).await;
    let (_, token) = tokens(&house).await;
    for _ in 0..2 {
        travel(&house, 86_399).await;
        assert_eq!(refreshed(&house, &token).await, "");
    }
    travel(&house, 86_400).await;
    assert_eq!(refreshed(&house, &token).await, EXPIRED);
    // Going back does not bring it back.
    house
        .control("POST", "/sandbox/clock", json!({"offsetSeconds": 0}))
        .await;
    assert_eq!(refreshed(&house, &token).await, EXPIRED);
}

#[tokio::test]
async fn a_refresh_token_ends_after_its_time_however_often_it_is_used() {
    let house = house().await;
    register(
        &house,
        json!({"refreshLifetimeSeconds": 100_000, "rotation": true}),
    )
    .await;
    let (_, mut token) = tokens(&house).await;
    for _ in 0..3 {
        travel(&house, 33_000).await;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", token.as_str()),
        ];
        token = text(&house.token(&form).await.1["refresh_token"]);
    }
    travel(&house, 1_000).await;
    assert_eq!(refreshed(&house, &token).await, EXPIRED);
}

#[tokio::test]
async fn another_secret_revokes_what_the_old_one_stood_for() {
    let house = house().await;
    register(&house, json!({"clientSecret": "s"})).await;
    let (access, refresh) = tokens(&house).await;
    register(&house, json!({"clientSecret": "s", "pkceRequired": false})).await;
    assert!(house.works(&access).await);
    let bystander = house.login().await;
    register(&house, json!({"clientSecret": "other"})).await;
    assert!(!house.works(&access).await);
    register(&house, json!({"clientSecret": "s"})).await;
    assert_eq!(refreshed(&house, &refresh).await, EXPIRED);
    assert!(house.works(&bystander.access).await);
}

#[tokio::test]
async fn users_whom_nobody_approved_stay_out() {
    let house = house().await;
    let run_as = house.info.username.clone();
    let app = |approved: &str| json!({"clientSecret": "s", "runAs": run_as, "approvedUsers": [approved]});
    register(&house, app(&run_as.to_uppercase())).await;
    let (_, refresh) = tokens(&house).await;
    register(&house, app("somebody@else.example")).await;
    let refused = (
        "invalid_app_access",
        "user is not admin approved to access this app",
    );
    let service = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "s"),
    ];
    let said = house.refused(&service).await;
    assert_eq!((said.0.as_str(), said.1.as_str()), refused);
    assert_eq!(refreshed(&house, &refresh).await, refused.1);
    let answer = house.authorize(&[("client_id", "app")]).await;
    assert_eq!(answer["error"], "OAUTH_APP_ACCESS_DENIED");
}

#[tokio::test]
async fn an_app_that_is_not_installed_cannot_be_authorized() {
    let house = house().await;
    register(&house, json!({"installed": false})).await;
    let query = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("sandbox_user", house.info.username.as_str()),
    ];
    let url = house.url("/services/oauth2/authorize");
    let page = house.http.get(&url).query(&query).send().await.unwrap();
    assert_eq!(page.status(), 400);
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("OAUTH_APPROVAL_ERROR_GENERIC")
    );
    register(&house, json!({})).await;
    let answer = house.http.get(&url).query(&query).send().await.unwrap();
    assert!(redirected(&answer).contains_key("code"));
}

#[tokio::test]
async fn scopes_without_the_api_do_not_open_it() {
    let house = house().await;
    let code = house
        .authorize(&[("scope", "openid id")])
        .await
        .remove("code")
        .unwrap();
    let token = house.exchange(&code).await.access;
    let answer = house.get("/services/data/v68.0/limits", &token).await;
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.unwrap();
    // jsforce knows by this text that no refresh helps.
    assert_eq!(
        body[0]["message"],
        "This session is not valid for use with the REST API"
    );
    assert_eq!(house.get("/services/oauth2/userinfo", &token).await.status(), 200);
}
