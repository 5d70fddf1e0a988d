//! Access tokens in JWT format.

use crate::house::{CALLBACK, House, house, text};
use serde_json::{Value, json};

async fn app(house: &House) -> Value {
    let client = json!({"clientId": "jwt-app", "clientSecret": "s", "jwtAccessTokens": true});
    house.control("POST", "/sandbox/clients", client).await;
    let code = house
        .authorize(&[("client_id", "jwt-app")])
        .await
        .remove("code")
        .unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "jwt-app"),
        ("client_secret", "s"),
        ("redirect_uri", CALLBACK),
        ("code", code.as_str()),
    ];
    let (status, body) = house.token(&form).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn the_token_is_signed_by_a_published_key_and_says_what_it_is() {
    let house = house().await;
    let body = app(&house).await;
    assert_eq!(body["token_format"], "jwt");
    assert_eq!(body["api_instance_url"], house.info.instance_url.as_str());
    let token = text(&body["access_token"]);
    let header = jsonwebtoken::decode_header(&token).unwrap();
    let id = header.kid.clone().unwrap();
    assert!(
        id.starts_with(&format!("CORE_ATJWT.{}.", &house.info.organization_id[..15])),
        "{id}"
    );
    let keys = house.http.get(house.url("/id/keys")).send().await.unwrap();
    let keys: jsonwebtoken::jwk::JwkSet = keys.json().await.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&id).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[&house.info.instance_url]);
    validation.set_issuer(&[&house.info.instance_url]);
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["scp"], "id api refresh_token");
    assert_eq!(claims["client_id"], "jwt-app");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        7_200
    );
    assert_eq!(
        claims["iat"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(),
        15
    );
    assert!(text(&claims["sub"]).starts_with("uid:005"));
    assert!(claims.get("jti").is_none());
}

#[tokio::test]
async fn it_is_for_rest_and_ends_when_it_says() {
    let house = house().await;
    let body = app(&house).await;
    let token = text(&body["access_token"]);
    assert!(house.works(&token).await);
    let said = house.call(&token, "<getUserInfo/>").await;
    assert_eq!(said.fault(), (500, "sf:INVALID_SESSION_ID".to_owned()));
    let travel = |seconds: u32| json!({"advanceSeconds": seconds});
    house.control("POST", "/sandbox/clock", travel(7_000)).await;
    assert!(house.works(&token).await);
    house.control("POST", "/sandbox/clock", travel(200)).await;
    assert!(!house.works(&token).await);
}

#[tokio::test]
async fn nobody_can_revoke_it_and_nobody_can_change_it() {
    let house = house().await;
    let body = app(&house).await;
    let token = text(&body["access_token"]);
    let revoke = async |token: &str| {
        let request = house.http.post(house.url("/services/oauth2/revoke"));
        let answer = request.form(&[("token", token)]).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, said) = revoke(&token).await;
    assert!(status == 400 && said.contains("unsupported_token_type"), "{said}");
    assert_eq!(revoke(&text(&body["refresh_token"])).await.0, 200);
    assert!(house.works(&token).await);
    let (head, rest) = token.split_at(token.len() - 10);
    for forged in [
        format!("{head}AAAAAAAAAA"),
        head.to_owned(),
        format!("{head}{rest}A"),
    ] {
        assert!(!house.works(&forged).await);
    }
}
