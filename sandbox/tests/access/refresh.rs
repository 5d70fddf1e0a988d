//! Refresh tokens: exchange, rotation, reuse, limits per user and app, two at once.

use crate::house::{house, house_with, text};
use serde_json::json;

const EXPIRED: &str = "expired access/refresh token";

#[tokio::test]
async fn without_rotation_the_refresh_token_stays_and_is_not_repeated() {
    let house = house().await;
    let tokens = house.login().await;
    for _ in 0..2 {
        let (status, body) = house.token(&house.refresh_form(&tokens.refresh)).await;
        assert_eq!(status, 200, "{body}");
        assert!(body.get("refresh_token").is_none());
        assert!(house.works(&text(&body["access_token"])).await);
    }
}

#[tokio::test]
async fn under_rotation_a_spent_token_revokes_the_whole_grant() {
    let house = house_with(|options| options.settings.rotation = true).await;
    let tokens = house.login().await;
    let (_, body) = house.token(&house.refresh_form(&tokens.refresh)).await;
    let (access, second) = (text(&body["access_token"]), text(&body["refresh_token"]));
    assert!(!second.is_empty() && second != tokens.refresh);
    assert!(house.works(&access).await);
    assert_eq!(
        house.refused(&house.refresh_form(&tokens.refresh)).await.1,
        EXPIRED
    );
    // Everything that came of the grant is dead, the newest refresh token too.
    assert!(!house.works(&access).await);
    assert!(!house.works(&tokens.access).await);
    assert_eq!(house.refused(&house.refresh_form(&second)).await.1, EXPIRED);
}

#[tokio::test]
async fn without_reuse_detection_a_spent_token_is_only_refused() {
    let house = house_with(|options| {
        options.settings.rotation = true;
        options.settings.reuse_detection = false;
    });
    let house = house.await;
    let tokens = house.login().await;
    let (_, body) = house.token(&house.refresh_form(&tokens.refresh)).await;
    assert_eq!(
        house.refused(&house.refresh_form(&tokens.refresh)).await.1,
        EXPIRED
    );
    assert_eq!(
        house
            .token(&house.refresh_form(&text(&body["refresh_token"])))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn rotation_can_be_the_apps_own() {
    let house = house().await;
    let app = json!({"clientId": "rotating", "rotation": true});
    house.control("POST", "/sandbox/clients", app).await;
    let code = house
        .authorize(&[("client_id", "rotating")])
        .await
        .remove("code")
        .unwrap();
    let mut form = house.code_form(&code);
    form.retain(|(name, _)| !name.starts_with("client"));
    form.push(("client_id", "rotating"));
    let (_, body) = house.token(&form).await;
    let token = text(&body["refresh_token"]);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "rotating"),
        ("refresh_token", token.as_str()),
    ];
    assert!(house.token(&form).await.1["refresh_token"].is_string());
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_is_told_to_wait() {
    let house = house_with(|options| options.settings.refresh_window_millis = 150).await;
    let tokens = house.login().await;
    let form = house.refresh_form(&tokens.refresh);
    let (first, second) = tokio::join!(house.token(&form), house.token(&form));
    let mut statuses = [first.0.as_u16(), second.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let loser = if first.0 == 400 { first.1 } else { second.1 };
    assert_eq!(
        loser["error_description"],
        "token request is already being processed"
    );
    // It was no revocation.
    assert_eq!(house.token(&form).await.0, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_leaves_no_mark() {
    let house = house_with(|options| options.settings.refresh_window_millis = 200).await;
    let tokens = house.login().await;
    let form = house.refresh_form(&tokens.refresh);
    let impatient = tokio::time::timeout(std::time::Duration::from_millis(50), house.token(&form)).await;
    assert!(impatient.is_err());
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(house.token(&form).await.0, 200);
}

#[tokio::test]
async fn the_sixth_grant_revokes_the_first() {
    let house = house().await;
    let mut grants = Vec::new();
    for _ in 0..6 {
        grants.push(house.login().await);
    }
    assert_eq!(
        house.refused(&house.refresh_form(&grants[0].refresh)).await.1,
        EXPIRED
    );
    assert!(!house.works(&grants[0].access).await);
    for grant in &grants[1..] {
        assert_eq!(house.token(&house.refresh_form(&grant.refresh)).await.0, 200);
    }
}

#[tokio::test]
async fn the_confidential_app_needs_its_secret_and_another_app_gets_nothing() {
    let house = house().await;
    let tokens = house.login().await;
    let own = house.info.client_id.as_str();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", own),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    assert_eq!(house.refused(&form).await.0, "invalid_client");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "PlatformCLI"),
        ("refresh_token", &tokens.refresh),
    ];
    assert_eq!(house.refused(&form).await.1, EXPIRED);
    assert_eq!(house.token(&house.refresh_form(&tokens.refresh)).await.0, 200);
}

#[tokio::test]
async fn sessions_and_grants_end_on_demand() {
    let house = house().await;
    let tokens = house.login().await;
    house.control("POST", "/sandbox/sessions/expire", json!({})).await;
    assert!(!house.works(&tokens.access).await);
    let (_, body) = house.token(&house.refresh_form(&tokens.refresh)).await;
    let access = text(&body["access_token"]);
    assert!(house.works(&access).await);
    let revoked = house
        .control(
            "POST",
            "/sandbox/grants/revoke",
            json!({"username": house.info.username}),
        )
        .await;
    assert_eq!(revoked["revoked"], 1);
    assert!(!house.works(&access).await);
    assert_eq!(
        house.refused(&house.refresh_form(&tokens.refresh)).await.1,
        EXPIRED
    );
}
