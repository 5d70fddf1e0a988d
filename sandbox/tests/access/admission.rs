//! What stands between right credentials and a session: lockout, rate, network, hours, the org.

use crate::house::{House, house, text};
use serde_json::json;

async fn password(house: &House, password: &str) -> String {
    let mut form = house.app();
    form.extend([
        ("grant_type", "password"),
        ("username", house.info.username.as_str()),
        ("password", password),
    ]);
    let (_, body) = house.token(&form).await;
    text(&body["error_description"])
}

#[tokio::test]
async fn wrong_passwords_lock_the_user_out_for_a_while() {
    let house = house().await;
    let right = house.info.password.clone();
    for _ in 0..9 {
        assert_eq!(password(&house, "wrong").await, "authentication failure");
    }
    // A right one in between begins the count again.
    assert_eq!(password(&house, &right).await, "");
    for _ in 0..10 {
        assert_eq!(password(&house, "wrong").await, "authentication failure");
    }
    assert_eq!(password(&house, &right).await, "authentication failure");
    let body = crate::soap::login(&house.info.username, &right);
    let said = house.soap("/services/Soap/u/59.0", body).await;
    assert_eq!(said.fault().1, "INVALID_LOGIN");
    let travel = json!({"advanceSeconds": 901});
    house.control("POST", "/sandbox/clock", travel).await;
    assert_eq!(password(&house, &right).await, "");
}

#[tokio::test]
async fn lockout_can_be_switched_off() {
    let house = house().await;
    house
        .control("PATCH", "/sandbox/config", json!({"maxInvalidLogins": 0}))
        .await;
    for _ in 0..12 {
        password(&house, "wrong").await;
    }
    let right = house.info.password.clone();
    assert_eq!(password(&house, &right).await, "");
}

#[tokio::test]
async fn logins_have_a_rate_per_user_and_hour_and_refreshes_do_not() {
    let house = house().await;
    let tokens = house.login().await;
    house
        .control("PATCH", "/sandbox/config", json!({"loginsPerHour": 2}))
        .await;
    let mut form = house.app();
    form.push(("grant_type", "client_credentials"));
    for _ in 0..2 {
        assert_eq!(house.token(&form).await.0, 200);
    }
    let exceeded = ("invalid_grant".to_owned(), "login rate exceeded".to_owned());
    assert_eq!(house.refused(&form).await, exceeded);
    assert_eq!(house.token(&house.refresh_form(&tokens.refresh)).await.0, 200);
    let travel = json!({"advanceSeconds": 3_600});
    house.control("POST", "/sandbox/clock", travel).await;
    assert_eq!(house.token(&form).await.0, 200);
}

#[tokio::test]
async fn barriers_are_told_apart_for_every_flow() {
    let house = house().await;
    let tokens = house.login().await;
    let mut service = house.app();
    service.push(("grant_type", "client_credentials"));
    let refresh = house.refresh_form(&tokens.refresh);
    for (barrier, error, description) in [
        ("ipRestricted", "invalid_grant", "ip restricted"),
        (
            "outsideHours",
            "invalid_grant",
            "ip restricted or invalid login hours",
        ),
        (
            "organizationInactive",
            "inactive_org",
            "organization is inactive or locked",
        ),
    ] {
        let settings = json!({"admission": barrier});
        house.control("PATCH", "/sandbox/config", settings).await;
        for form in [&service, &refresh] {
            let refused = house.refused(form).await;
            assert_eq!((refused.0.as_str(), refused.1.as_str()), (error, description));
        }
    }
    house
        .control("PATCH", "/sandbox/config", json!({"admission": "open"}))
        .await;
    assert_eq!(house.token(&refresh).await.0, 200);
}

#[tokio::test]
async fn the_page_complains_and_stays() {
    let house = house().await;
    let form = [
        ("response_type", "code"),
        ("client_id", house.info.client_id.as_str()),
        ("redirect_uri", crate::house::CALLBACK),
        ("username", house.info.username.as_str()),
        ("password", house.info.password.as_str()),
        ("decision", "allow"),
    ];
    for (settings, complaint) in [
        (json!({"admission": "ipRestricted"}), "network address"),
        (
            json!({"admission": "open", "securityTokenRequired": true}),
            "security token",
        ),
    ] {
        house.control("PATCH", "/sandbox/config", settings).await;
        let url = house.url("/services/oauth2/authorize");
        let page = house.http.post(url).form(&form).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let html = page.text().await.unwrap();
        assert!(
            html.contains("role=\"alert\"") && html.contains(complaint),
            "{html}"
        );
        assert!(!html.contains(&house.info.password));
    }
}

#[tokio::test]
async fn an_inactive_user_is_told_so_only_with_the_right_password() {
    let house = house().await;
    let admin = house.login().await.access;
    let user = json!({
        "Username": "off@sandbox.example", "LastName": "Off", "Email": "off@sandbox.example", "Alias": "off",
        "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        "IsActive": false, "ProfileId": profile(&house, &admin).await,
    });
    let url = house.url("/services/data/v68.0/sobjects/User");
    let made = house
        .http
        .post(url)
        .bearer_auth(&admin)
        .json(&user)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    for (password, error) in [
        (house.info.password.as_str(), "inactive_user"),
        ("wrong", "invalid_grant"),
    ] {
        let mut form = house.app();
        form.extend([
            ("grant_type", "password"),
            ("username", "off@sandbox.example"),
            ("password", password),
        ]);
        assert_eq!(house.refused(&form).await.0, error);
    }
}

async fn profile(house: &House, token: &str) -> String {
    let path = "/services/data/v68.0/query?q=SELECT+Id+FROM+Profile+LIMIT+1";
    let body: serde_json::Value = house.get(path, token).await.json().await.unwrap();
    text(&body["records"][0]["Id"])
}
