//! Authorization: the page, the redirect, and what must never be redirected.

use crate::house::{CALLBACK, challenge, house, house_with, redirected, text};
use serde_json::json;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[tokio::test]
async fn a_code_becomes_tokens_of_the_shape_that_clients_check() {
    let house = house().await;
    let answer = house.authorize(&[("state", "a b&c")]).await;
    assert_eq!(answer["state"], "a b&c");
    let tokens = house.exchange(&answer["code"]).await;
    let (organization, rest) = tokens.access.split_once('!').unwrap();
    assert_eq!(organization, &house.info.organization_id[..15]);
    assert!(
        rest.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_'))
    );
    let body = &tokens.body;
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["instance_url"], house.info.instance_url.as_str());
    assert_eq!(body["scope"], "id api refresh_token");
    assert!(body.get("expires_in").is_none());
    assert!(text(&body["issued_at"]).parse::<i64>().unwrap() > 1_600_000_000_000);
    assert!(text(&body["id"]).starts_with(&house.url(&format!("/id/{}/005", house.info.organization_id))));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, house.info.client_secret.as_bytes());
    let signed = format!("{}{}", text(&body["id"]), text(&body["issued_at"]));
    let signature =
        base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text(&body["signature"])).unwrap();
    aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    assert!(house.works(&tokens.access).await);
}

#[tokio::test]
async fn a_person_logs_in_on_the_page_or_denies() {
    let house = house().await;
    let query = [
        ("response_type", "code"),
        ("client_id", &house.info.client_id),
        ("redirect_uri", CALLBACK),
        ("state", "\"><script>"),
    ];
    let url = house.url("/services/oauth2/authorize");
    let page = house.http.get(&url).query(&query).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(
        html.contains("name=\"password\"") && !html.contains("<script>"),
        "{html}"
    );
    let mut form = query.to_vec();
    form.extend([
        ("username", house.info.username.as_str()),
        ("password", "wrong"),
        ("decision", "allow"),
    ]);
    let again = house.http.post(&url).form(&form).send().await.unwrap();
    assert!(again.text().await.unwrap().contains("check your username"));
    form.retain(|(name, _)| *name != "password");
    form.push(("password", &house.info.password));
    let allowed = house.http.post(&url).form(&form).send().await.unwrap();
    assert_eq!(allowed.status(), 302);
    house.exchange(&redirected(&allowed)["code"]).await;
    form.retain(|(name, _)| *name != "decision");
    form.push(("decision", "deny"));
    let denied = redirected(&house.http.post(&url).form(&form).send().await.unwrap());
    assert_eq!(denied["error"], "access_denied");
    assert_eq!(denied["error_description"], "end-user denied authorization");
    assert_eq!(denied["state"], "\"><script>");
}

#[tokio::test]
async fn an_unknown_app_or_callback_is_told_to_the_person_and_not_redirected() {
    let house = house().await;
    for (client_id, callback, error) in [
        ("nobody", CALLBACK, "invalid_client_id"),
        (
            house.info.client_id.as_str(),
            "https://evil.example/cb",
            "redirect_uri_mismatch",
        ),
        (
            house.info.client_id.as_str(),
            "http://localhost.evil.example/cb",
            "redirect_uri_mismatch",
        ),
    ] {
        let query = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", callback),
        ];
        let page = house
            .http
            .get(house.url("/services/oauth2/authorize"))
            .query(&query)
            .send()
            .await
            .unwrap();
        assert_eq!(page.status(), 400);
        assert!(
            page.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        assert!(page.text().await.unwrap().contains(error));
    }
}

#[tokio::test]
async fn what_the_app_got_wrong_is_told_to_the_app() {
    let house = house().await;
    let wrong = [
        (("response_type", "code token"), "unsupported_response_type"),
        (("scope", "api nonsense"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
    ];
    for (parameter, error) in wrong {
        assert_eq!(house.authorize(&[parameter]).await["error"], error);
    }
    let query = [
        ("response_type", "code"),
        ("client_id", &house.info.client_id),
        ("redirect_uri", CALLBACK),
        ("immediate", "true"),
    ];
    let silent = house
        .http
        .get(house.url("/services/oauth2/authorize"))
        .query(&query)
        .send()
        .await
        .unwrap();
    assert_eq!(redirected(&silent)["error"], "immediate_unsuccessful");
}

#[tokio::test]
async fn the_public_app_proves_itself_with_its_verifier() {
    let house = house().await;
    let callback = "http://localhost:1717/OauthRedirect";
    let digest = challenge(VERIFIER);
    let asked = [
        ("client_id", "PlatformCLI"),
        ("redirect_uri", callback),
        ("code_challenge", digest.as_str()),
    ];
    let form = |code: &str, verifier: &str| {
        [
            ("grant_type", "authorization_code"),
            ("client_id", "PlatformCLI"),
            ("redirect_uri", callback),
            ("code", code),
            ("code_verifier", verifier),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let borrowed = |form: &[(String, String)]| -> Vec<(String, String)> { form.to_vec() };
    let code = house.authorize(&asked).await.remove("code").unwrap();
    let wrong = borrowed(&form(&code, &"x".repeat(43)));
    let wrong: Vec<(&str, &str)> = wrong
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        house.refused(&wrong).await,
        ("invalid_grant".into(), "invalid code verifier".into())
    );
    let code = house.authorize(&asked).await.remove("code").unwrap();
    let right = borrowed(&form(&code, VERIFIER));
    let right: Vec<(&str, &str)> = right
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(house.token(&right).await.0, 200);
    // A code works once.
    assert_eq!(house.refused(&right).await.1, "invalid authorization code");
}

#[tokio::test]
async fn auto_approval_takes_the_hinted_user() {
    let house = house_with(|options| options.settings.auto_approve = true).await;
    let answer = house
        .authorize(&[("sandbox_user", ""), ("login_hint", &house.info.username)])
        .await;
    house.exchange(&answer["code"]).await;
}

#[tokio::test]
async fn without_an_offline_scope_there_is_no_refresh_token() {
    let house = house().await;
    let code = house
        .authorize(&[("scope", "full")])
        .await
        .remove("code")
        .unwrap();
    let tokens = house.exchange(&code).await;
    assert!(tokens.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn codes_age_and_are_bound_to_app_and_callback() {
    let house = house().await;
    let code = house.authorize(&[]).await.remove("code").unwrap();
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 901}))
        .await;
    assert_eq!(
        house.refused(&house.code_form(&code)).await.1,
        "expired authorization code"
    );
    let code = house.authorize(&[]).await.remove("code").unwrap();
    let mut form = house.code_form(&code);
    form.retain(|(name, _)| *name != "redirect_uri");
    form.push(("redirect_uri", "http://127.0.0.1:1/other"));
    assert_eq!(house.refused(&form).await.0, "redirect_uri_mismatch");
}

#[tokio::test]
async fn openid_gives_an_identity_token_that_the_published_key_verifies() {
    let house = house().await;
    let code = house
        .authorize(&[("scope", "openid api"), ("nonce", "n-1")])
        .await
        .remove("code")
        .unwrap();
    let tokens = house.exchange(&code).await;
    let keys = house.http.get(house.url("/id/keys")).send().await.unwrap();
    let keys: jsonwebtoken::jwk::JwkSet = keys.json().await.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[&house.info.client_id]);
    validation.set_issuer(&[&house.info.instance_url]);
    let token = text(&tokens.body["id_token"]);
    let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["sub"], tokens.body["id"]);
    let discovery = house
        .http
        .get(house.url("/.well-known/openid-configuration"))
        .send()
        .await
        .unwrap();
    let discovery: serde_json::Value = discovery.json().await.unwrap();
    assert_eq!(discovery["jwks_uri"], house.url("/id/keys").as_str());
}
