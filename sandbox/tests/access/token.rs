//! The token endpoint: flows without a browser, credentials, and the table of errors.

use crate::house::{House, house, house_with, text};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn assertion(house: &House, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "iss": house.info.client_id, "sub": house.info.username, "aud": "https://login.salesforce.com",
        "exp": jiff::Timestamp::now().as_second() + 180,
    });
    change(&mut claims);
    let pem = std::fs::read(house.info.jwt_private_key_path.as_ref().unwrap()).unwrap();
    let key = EncodingKey::from_rsa_pem(&pem).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

#[tokio::test]
async fn a_signed_assertion_gets_a_bare_answer() {
    let house = house().await;
    let (status, body) = house
        .token(&[("grant_type", JWT), ("assertion", &assertion(&house, |_| {}))])
        .await;
    assert_eq!(status, 200, "{body}");
    let mut keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["access_token", "id", "instance_url", "scope", "token_type"]
    );
    assert!(house.works(&text(&body["access_token"])).await);
}

#[tokio::test]
async fn liberties_of_real_clients_are_accepted() {
    let house = house().await;
    let now = jiff::Timestamp::now();
    let base = house.info.instance_url.clone();
    let liberties: [fn(&mut Value, i64, &str); 6] = [
        |claims, now, _| claims["exp"] = (now * 1_000 + 300).into(),
        |claims, now, _| claims["exp"] = (now + 180).to_string().into(),
        |claims, now, _| claims["exp"] = (now - 100).into(),
        |claims, _, _| claims["aud"] = "https://acme.my.salesforce.com".into(),
        |claims, _, base| claims["aud"] = base.into(),
        |claims, _, _| {
            claims["prn"] = claims["sub"].take();
            claims["sub"] = "ignored@example.com".into();
        },
    ];
    for (number, liberty) in liberties.into_iter().enumerate() {
        let assertion = assertion(&house, |claims| liberty(claims, now.as_second(), &base));
        let (status, body) = house
            .token(&[("grant_type", JWT), ("assertion", &assertion)])
            .await;
        assert_eq!(status, 200, "{number}: {body}");
    }
}

#[tokio::test]
async fn wrong_assertions_are_told_apart() {
    let house = house().await;
    let refusals: [(fn(&mut Value), &str, &str); 5] = [
        (
            |claims| claims["iss"] = "nobody".into(),
            "invalid_client_id",
            "client identifier invalid",
        ),
        (
            |claims| claims["sub"] = "no@one".into(),
            "invalid_grant",
            "user hasn't approved this consumer",
        ),
        (
            |claims| claims["aud"] = "https://evil.example".into(),
            "invalid_grant",
            "audience is invalid",
        ),
        (
            |claims| claims["exp"] = 1_000.into(),
            "invalid_grant",
            "expired authorization code",
        ),
        (
            |claims| claims["exp"] = Value::Null,
            "invalid_grant",
            "invalid assertion",
        ),
    ];
    for (change, error, description) in refusals {
        let assertion = assertion(&house, change);
        let refused = house
            .refused(&[("grant_type", JWT), ("assertion", &assertion)])
            .await;
        assert_eq!(refused, (error.to_owned(), description.to_owned()));
    }
    let mut forged = assertion(&house, |_| {});
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    assert_eq!(
        house
            .refused(&[("grant_type", JWT), ("assertion", &forged)])
            .await
            .1,
        "invalid assertion"
    );
    assert_eq!(
        house
            .refused(&[("grant_type", JWT), ("assertion", "no.jwt")])
            .await
            .1,
        "invalid assertion"
    );
    let once = assertion(&house, |claims| claims["jti"] = "j-1".into());
    assert_eq!(
        house.token(&[("grant_type", JWT), ("assertion", &once)]).await.0,
        200
    );
    assert_eq!(
        house
            .refused(&[("grant_type", JWT), ("assertion", &once)])
            .await
            .1,
        "invalid assertion"
    );
}

#[tokio::test]
async fn without_preauthorization_an_assertion_needs_an_earlier_grant() {
    let house = house().await;
    let clients = house.control("GET", "/sandbox/clients", json!({})).await;
    let own = |client: &&Value| client["clientId"] == house.info.client_id.as_str();
    let mut client = clients.as_array().unwrap().iter().find(own).unwrap().clone();
    client["preauthorized"] = false.into();
    house.control("POST", "/sandbox/clients", client).await;
    let ask = || {
        [
            ("grant_type", JWT.to_owned()),
            ("assertion", assertion(&house, |_| {})),
        ]
    };
    let form = ask();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(house.refused(&form).await.1, "user hasn't approved this consumer");
    house.login().await;
    assert_eq!(house.token(&form).await.0, 200);
}

#[tokio::test]
async fn client_credentials_run_as_the_apps_user_by_basic_or_body() {
    let house = house().await;
    let url = house.url("/services/oauth2/token");
    let basic = house
        .http
        .post(&url)
        .basic_auth(&house.info.client_id, Some(&house.info.client_secret));
    let answer = basic
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-cache, no-store");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["api_instance_url"], house.info.instance_url.as_str());
    assert!(body.get("refresh_token").is_none());
    let scope = text(&body["scope"]);
    assert!(
        !scope.contains("refresh_token") && !scope.contains("full") && scope.contains("api"),
        "{scope}"
    );
    let mut form = house.app();
    form.push(("grant_type", "client_credentials"));
    assert_eq!(house.token(&form).await.0, 200);
}

#[tokio::test]
async fn only_a_post_is_a_token_request() {
    let house = house().await;
    let get = house
        .http
        .get(house.url("/services/oauth2/token"))
        .send()
        .await
        .unwrap();
    assert_eq!(get.status(), 400);
    assert_eq!(
        get.json::<Value>().await.unwrap()["error_description"],
        "must use HTTP POST"
    );
}

/// What is refused: form, `error`, `error_description`.
type Refused<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test]
async fn errors_of_the_token_endpoint() {
    let house = house().await;
    house
        .control(
            "POST",
            "/sandbox/clients",
            json!({"clientId": "plain", "clientSecret": "s"}),
        )
        .await;
    let own = house.info.client_id.as_str();
    #[rustfmt::skip]
    let rows: [Refused; 9] = [
        (&[("grant_type", "nonsense")], "unsupported_grant_type", "grant type not supported"),
        (&[("client_id", own)], "unsupported_grant_type", "grant type not supported"),
        (&[("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "s")], "invalid_client_id", "client identifier invalid"),
        (&[("grant_type", "client_credentials"), ("client_id", own), ("client_secret", "wrong")], "invalid_client", "invalid client credentials"),
        (&[("grant_type", "client_credentials"), ("client_id", own)], "invalid_client", "invalid client credentials"),
        (&[("grant_type", "client_credentials"), ("client_id", "plain"), ("client_secret", "s")], "invalid_grant", "no client credentials user enabled"),
        (&[("grant_type", "client_credentials"), ("client_id", "PlatformCLI")], "invalid_client", "invalid client credentials"),
        (&[("grant_type", "refresh_token"), ("client_id", "plain"), ("refresh_token", "5Aep861x")], "invalid_grant", "expired access/refresh token"),
        (&[("grant_type", "authorization_code"), ("client_id", "plain"), ("client_secret", "s"), ("code", "x")], "redirect_uri_missing", "redirect_uri must be provided"),
    ];
    for (form, error, description) in rows {
        assert_eq!(
            house.refused(form).await,
            (error.to_owned(), description.to_owned()),
            "{form:?}"
        );
    }
}

#[tokio::test]
async fn username_and_password_with_or_without_security_token() {
    let house = house_with(|options| options.password = "p&w".into()).await;
    for (password, works) in [
        ("p&w", true),
        ("p&wSANDBOXTOKEN", true),
        ("p&wX", false),
        ("", false),
    ] {
        let mut form = house.app();
        form.extend([
            ("grant_type", "password"),
            ("username", house.info.username.as_str()),
            ("password", password),
        ]);
        let (status, body) = house.token(&form).await;
        assert_eq!(status == 200, works, "{password}: {body}");
        if works {
            assert!(body.get("scope").is_none() && body.get("refresh_token").is_none());
        }
    }
    let mut form = house.app();
    form.extend([
        ("grant_type", "password"),
        ("username", "no@one"),
        ("password", "p&w"),
    ]);
    assert_eq!(house.refused(&form).await.1, "authentication failure");
}

#[tokio::test]
async fn the_answer_comes_in_the_asked_format() {
    let house = house().await;
    for (format, start) in [("urlencoded", "access_token=00D"), ("xml", "<?xml")] {
        let mut form = house.app();
        form.extend([("grant_type", "client_credentials"), ("format", format)]);
        let answer = house
            .http
            .post(house.url("/services/oauth2/token"))
            .form(&form)
            .send()
            .await
            .unwrap();
        assert!(answer.text().await.unwrap().starts_with(start));
    }
}

#[tokio::test]
async fn a_token_can_be_inspected_and_revoked() {
    let house = house().await;
    let tokens = house.login().await;
    let inspect = async |token: &str| {
        let mut form = house.app();
        form.push(("token", token));
        let answer = house
            .http
            .post(house.url("/services/oauth2/introspect"))
            .form(&form)
            .send()
            .await
            .unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let seen = inspect(&tokens.access).await;
    assert_eq!(seen["active"], true);
    assert_eq!(seen["username"], house.info.username.as_str());
    assert_eq!(
        seen["exp"].as_i64().unwrap() - seen["iat"].as_i64().unwrap(),
        7_200
    );
    assert_eq!(inspect("garbage").await, json!({"active": false}));
    let revoke = async |token: &str| {
        house
            .http
            .post(house.url("/services/oauth2/revoke"))
            .form(&[("token", token)])
            .send()
            .await
            .unwrap()
    };
    let revoked = revoke(&tokens.access).await;
    assert_eq!(revoked.status(), 200);
    assert!(revoked.bytes().await.unwrap().is_empty());
    assert_eq!(inspect(&tokens.access).await, json!({"active": false}));
    assert!(!house.works(&tokens.access).await);
    let (_, again) = house.token(&house.refresh_form(&tokens.refresh)).await;
    let second = text(&again["access_token"]);
    assert!(house.works(&second).await);
    assert_eq!(revoke(&tokens.refresh).await.status(), 200);
    assert!(!house.works(&second).await);
    assert_eq!(revoke(&tokens.refresh).await.status(), 400);
}

#[tokio::test]
async fn identity_and_userinfo_know_the_user_and_refuse_in_plain_text() {
    let house = house().await;
    let tokens = house.login().await;
    let id = text(&tokens.body["id"]);
    let path = id.strip_prefix(&house.info.instance_url).unwrap().to_owned();
    let identity: Value = house.get(&path, &tokens.access).await.json().await.unwrap();
    assert_eq!(identity["username"], house.info.username.as_str());
    assert!(text(&identity["urls"]["rest"]).ends_with("/services/data/v{version}/"));
    let latest: Value = house
        .get(&format!("{path}?version=latest"), &tokens.access)
        .await
        .json()
        .await
        .unwrap();
    assert!(text(&latest["urls"]["rest"]).ends_with("/services/data/v68.0/"));
    let by_query = format!("{id}?format=json&oauth_token={}", tokens.access);
    assert_eq!(house.http.get(by_query).send().await.unwrap().status(), 200);
    let info: Value = house
        .get("/services/oauth2/userinfo", &tokens.access)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(info["sub"], id.as_str());
    assert_eq!(info["user_id"], identity["user_id"]);
    for path in [path.as_str(), "/services/oauth2/userinfo"] {
        let bad = house.get(path, "00Dx!bad").await;
        assert_eq!(
            (bad.status().as_u16(), bad.text().await.unwrap().as_str()),
            (403, "Bad_OAuth_Token")
        );
        let none = house.http.get(house.url(path)).send().await.unwrap();
        assert_eq!(
            (none.status().as_u16(), none.text().await.unwrap().as_str()),
            (403, "Missing_OAuth_Token")
        );
    }
    let wrong = path.replace(&house.info.organization_id, "00D000000000000AAA");
    assert_eq!(
        house.get(&wrong, &tokens.access).await.text().await.unwrap(),
        "Wrong_Org"
    );
}
