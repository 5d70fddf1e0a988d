//! Signed assertions of users and of apps.

use crate::house::{House, house, text};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn key(house: &House) -> String {
    std::fs::read_to_string(house.info.jwt_private_key_path.as_ref().unwrap()).unwrap()
}

fn signed(house: &House, algorithm: Algorithm, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::HS256 => EncodingKey::from_secret(house.info.client_secret.as_bytes()),
        _ => EncodingKey::from_rsa_pem(key(house).as_bytes()).unwrap(),
    };
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn claims(house: &House, app: &str) -> Value {
    json!({
        "iss": app, "sub": house.info.username, "aud": "https://login.salesforce.com",
        "exp": jiff::Timestamp::now().as_second() + 180,
    })
}

#[tokio::test]
async fn a_certificate_is_as_good_as_its_public_key() {
    let house = house().await;
    let pair = rcgen::KeyPair::from_pem(&key(&house)).unwrap();
    let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let certificate = params.self_signed(&pair).unwrap().pem();
    let client = json!({"clientId": "certified", "jwtPublicKey": certificate});
    house.control("POST", "/sandbox/clients", client).await;
    let assertion = signed(&house, Algorithm::RS256, &claims(&house, "certified"));
    let (status, body) = house
        .token(&[("grant_type", JWT), ("assertion", &assertion)])
        .await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn a_key_that_cannot_verify_is_refused_when_it_is_registered() {
    let house = house().await;
    for bad in [
        "",
        "nonsense",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        let request = house.http.post(house.url("/sandbox/clients"));
        let client = json!({"clientId": "bad", "jwtPublicKey": bad});
        assert_eq!(request.json(&client).send().await.unwrap().status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn only_rs256_counts() {
    let house = house().await;
    let claims = claims(&house, &house.info.client_id);
    let unsigned = {
        use base64::Engine;
        let encode = |json: &Value| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&claims))
    };
    for assertion in [
        signed(&house, Algorithm::HS256, &claims),
        signed(&house, Algorithm::RS512, &claims),
        unsigned,
    ] {
        let refused = house
            .refused(&[("grant_type", JWT), ("assertion", &assertion)])
            .await;
        assert_eq!(refused.1, "invalid assertion");
    }
}

#[tokio::test]
async fn an_id_is_used_up_by_success_alone_and_for_this_app_alone() {
    let house = house().await;
    let own = house.info.client_id.clone();
    let ask = async |app: &str, change: fn(&mut Value)| {
        let mut claims = claims(&house, app);
        claims["jti"] = "once".into();
        change(&mut claims);
        let assertion = signed(&house, Algorithm::RS256, &claims);
        house
            .token(&[("grant_type", JWT), ("assertion", &assertion)])
            .await
            .0
    };
    let pem = house.control("GET", "/sandbox/clients", json!({})).await;
    let key = text(
        &pem.as_array()
            .unwrap()
            .iter()
            .find(|c| c["clientId"] == own.as_str())
            .unwrap()["jwtPublicKey"],
    );
    let other = json!({"clientId": "other", "jwtPublicKey": key});
    house.control("POST", "/sandbox/clients", other).await;
    assert_eq!(ask(&own, |claims| claims["sub"] = "no@one".into()).await, 400);
    assert_eq!(ask(&own, |_| {}).await, 200);
    assert_eq!(ask(&own, |_| {}).await, 400);
    assert_eq!(ask("other", |_| {}).await, 200);
}

#[tokio::test]
async fn an_assertion_ages_with_the_clock() {
    let house = house().await;
    let assertion = signed(&house, Algorithm::RS256, &claims(&house, &house.info.client_id));
    let form = [("grant_type", JWT), ("assertion", assertion.as_str())];
    let travel = json!({"advanceSeconds": 350});
    house.control("POST", "/sandbox/clock", travel.clone()).await;
    assert_eq!(house.token(&form).await.0, 200);
    house.control("POST", "/sandbox/clock", travel).await;
    assert_eq!(house.refused(&form).await.1, "expired authorization code");
}

#[tokio::test]
async fn an_app_proves_itself_by_an_assertion_instead_of_its_secret() {
    let house = house().await;
    let own = house.info.client_id.as_str();
    let assertion = |change: fn(&mut Value)| {
        let mut claims = claims(&house, own);
        claims["sub"] = own.into();
        claims["aud"] = house.url("/services/oauth2/token").into();
        change(&mut claims);
        signed(&house, Algorithm::RS256, &claims)
    };
    let ask = async |grant: &str, assertion: &str, more: &[(&str, &str)]| {
        let form = [
            ("grant_type", grant),
            ("client_assertion_type", CLIENT),
            ("client_assertion", assertion),
        ];
        house.token(&[&form[..], more].concat()).await
    };
    let (status, body) = ask("client_credentials", &assertion(|_| {}), &[]).await;
    assert_eq!(status, 200, "{body}");
    let tokens = house.login().await;
    let more = [("refresh_token", tokens.refresh.as_str()), ("client_id", own)];
    assert_eq!(ask("refresh_token", &assertion(|_| {}), &more).await.0, 200);
    let wrong: [fn(&mut Value); 3] = [
        |claims| claims["sub"] = "PlatformCLI".into(),
        |claims| claims["exp"] = 1_000.into(),
        |claims| claims["aud"] = "https://evil.example".into(),
    ];
    for wrong in wrong {
        let (_, body) = ask("client_credentials", &assertion(wrong), &[]).await;
        assert_eq!(body["error"], "invalid_client");
    }
    let mine = [("client_id", "PlatformCLI")];
    let (_, body) = ask("client_credentials", &assertion(|_| {}), &mine).await;
    assert_eq!(body["error"], "invalid_client");
    let (_, body) = ask("client_credentials", "no.jwt", &[]).await;
    assert_eq!(body["error"], "invalid_client");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion", &assertion(|_| {})),
    ];
    assert_eq!(house.refused(&form).await.0, "invalid_client");
}
