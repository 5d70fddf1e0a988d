//! Authorization codes: good once, and proven by their verifier.

use crate::house::{CALLBACK, House, challenge, house, house_in, text};
use serde_json::json;

#[tokio::test]
async fn a_code_that_comes_twice_revokes_what_came_of_it() {
    let house = house().await;
    for scope in ["api refresh_token", "api"] {
        let code = house.authorize(&[("scope", scope)]).await.remove("code").unwrap();
        let tokens = house.exchange(&code).await;
        let bystander = house.login().await;
        assert!(house.works(&tokens.access).await);
        let refused = house.refused(&house.code_form(&code)).await;
        assert_eq!(refused.1, "invalid authorization code");
        assert!(!house.works(&tokens.access).await, "{scope}");
        if !tokens.refresh.is_empty() {
            let refused = house.refused(&house.refresh_form(&tokens.refresh)).await;
            assert_eq!(refused.1, "expired access/refresh token");
        }
        assert!(house.works(&bystander.access).await);
    }
}

#[tokio::test]
async fn a_code_survives_a_restart_and_so_does_its_use() {
    let first = house().await;
    let unused = first.authorize(&[]).await.remove("code").unwrap();
    let used = first.authorize(&[]).await.remove("code").unwrap();
    let tokens = first.exchange(&used).await;
    first.running.shutdown().await;
    let second = house_in(first.dir, |_| {}).await;
    second.exchange(&unused).await;
    assert!(second.works(&tokens.access).await);
    second.refused(&second.code_form(&used)).await;
    assert!(!second.works(&tokens.access).await);
}

async fn exchange_with(house: &House, length: usize) -> reqwest::StatusCode {
    let verifier = "v".repeat(length);
    let digest = challenge(&verifier);
    let asked = [("client_id", "PlatformCLI"), ("code_challenge", digest.as_str())];
    let code = house.authorize(&asked).await.remove("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", CALLBACK),
        ("code", code.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    house.token(&form).await.0
}

#[tokio::test]
async fn a_verifier_is_as_long_as_the_rfc_or_salesforce_have_it() {
    let house = house().await;
    // jsforce and Salesforce's CLI send 171 letters.
    for length in [43, 128, 171] {
        assert_eq!(exchange_with(&house, length).await, 200, "{length}");
    }
    for length in [42, 172] {
        assert_eq!(exchange_with(&house, length).await, 400, "{length}");
    }
}

#[tokio::test]
async fn a_challenge_is_a_digest_or_the_app_is_told() {
    let house = house().await;
    for bad in [
        "x",
        "plain-text-of-forty-three-letters-and-one!!!",
        &"ä".repeat(22),
    ] {
        let answer = house.authorize(&[("code_challenge", bad)]).await;
        assert_eq!(answer["error"], "invalid_request");
        assert_eq!(answer["error_description"], "invalid code challenge");
    }
    house
        .control(
            "POST",
            "/sandbox/clients",
            json!({"clientId": "strict", "pkceRequired": true}),
        )
        .await;
    let answer = house.authorize(&[("client_id", "strict")]).await;
    assert_eq!(answer["error_description"], "missing required code challenge");
}

#[tokio::test]
async fn an_app_may_need_its_secret_even_with_pkce() {
    let house = house().await;
    let verifier = "v".repeat(43);
    let digest = challenge(&verifier);
    for (app, expected) in [("lenient", None), ("strict", Some("invalid_client"))] {
        let client = json!({"clientId": app, "clientSecret": "s", "secretForCode": app == "strict"});
        house.control("POST", "/sandbox/clients", client).await;
        let asked = [("client_id", app), ("code_challenge", digest.as_str())];
        let code = house.authorize(&asked).await.remove("code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", app),
            ("redirect_uri", CALLBACK),
            ("code", code.as_str()),
            ("code_verifier", verifier.as_str()),
        ];
        let (_, body) = house.token(&form).await;
        assert_eq!(body["error"].as_str(), expected, "{body}");
        let secret = [&form[..], &[("client_secret", "s")]].concat();
        // A refused app has not used the code up.
        assert_eq!(house.token(&secret).await.0 == 200, expected.is_some());
    }
}

#[tokio::test]
async fn tokens_come_in_the_fragment_when_the_app_asks_for_them() {
    let house = house().await;
    let query = [
        ("response_type", "token id_token"),
        ("client_id", house.info.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("sandbox_user", house.info.username.as_str()),
        ("scope", "api openid refresh_token"),
        ("state", "a b"),
        ("nonce", "n"),
    ];
    let url = house.url("/services/oauth2/authorize");
    let answer = house.http.get(&url).query(&query).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    let url = reqwest::Url::parse(location).unwrap();
    assert_eq!(url.query(), None);
    let fragment = url.fragment().unwrap().as_bytes();
    let pairs: std::collections::HashMap<String, String> =
        url::form_urlencoded::parse(fragment).into_owned().collect();
    assert!(house.works(&pairs["access_token"]).await);
    assert_eq!(pairs["state"], "a b");
    assert_eq!(pairs["instance_url"], house.info.instance_url);
    assert!(pairs.contains_key("id_token") && pairs.contains_key("signature"));
    // Without a server of its own an app gets nothing lasting.
    assert!(!pairs.contains_key("refresh_token"));
    let mut query = query.to_vec();
    query.retain(|(name, _)| *name != "scope");
    query.push(("scope", "nonsense"));
    let url = house.url("/services/oauth2/authorize");
    let answer = house.http.get(url).query(&query).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.contains("#error=invalid_scope"), "{location}");
}

#[tokio::test]
async fn the_form_of_the_page_leads_a_browser_to_the_app() {
    let house = house().await;
    let query = [
        ("response_type", "code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", "http://localhost:1717/OauthRedirect"),
        ("state", "<&\">"),
        ("login_hint", house.info.username.as_str()),
    ];
    let url = house.url("/services/oauth2/authorize");
    let page = house.http.get(&url).query(&query).send().await.unwrap();
    let html = page.text().await.unwrap();
    // All that a browser without scripts would send.
    let mut form: Vec<(String, String)> = html
        .split("<input ")
        .skip(1)
        .map(|input| (attribute(input, "name"), attribute(input, "value")))
        .filter(|(name, _)| name != "password")
        .collect();
    assert!(form.contains(&("username".into(), house.info.username.clone())));
    form.push(("password".into(), house.info.password.clone()));
    form.push(("decision".into(), "allow".into()));
    let action = attribute(html.split("<form ").nth(1).unwrap(), "action");
    let answer = house
        .http
        .post(house.url(&action))
        .form(&form)
        .send()
        .await
        .unwrap();
    let answer = crate::house::redirected(&answer);
    assert_eq!(answer["state"], "<&\">");
    assert!(text(&json!(answer["code"])).starts_with("aPrx"));
}

fn attribute(tag: &str, name: &str) -> String {
    let tag = tag.split('>').next().unwrap();
    let value = tag.split(&format!("{name}=\"")).nth(1).unwrap_or_default();
    let value = value.split('"').next().unwrap_or_default();
    let unescaped = value
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    unescaped.replace("&amp;", "&")
}
