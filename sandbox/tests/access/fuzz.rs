//! Anything at all at the doors of sign-in is refused in Salesforce's words, at once.

use crate::house::{House, house};
use proptest::prelude::*;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Cases of one property; each is a request or a few.
const CASES: u32 = 256;

/// Runs a property against one house.
fn against(check: impl Fn(&Runtime, &House)) {
    let runtime = Runtime::new().unwrap();
    let house = runtime.block_on(house());
    check(&runtime, &house);
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The refusal of the token endpoint: 400, an object of two texts.
fn refused(runtime: &Runtime, request: reqwest::RequestBuilder) -> Result<(), TestCaseError> {
    let (status, body) = runtime.block_on(async {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    });
    let body: Result<Value, _> = serde_json::from_str(&body);
    let Ok(body) = body else {
        return Err(TestCaseError::fail(format!("{status} without JSON")));
    };
    prop_assert_eq!(status, 400, "{}", body);
    prop_assert!(
        body["error"].is_string() && body["error_description"].is_string(),
        "{}",
        body
    );
    Ok(())
}

fn name() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(vec![
        "grant_type",
        "client_id",
        "client_secret",
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
        "assertion",
        "username",
        "password",
        "scope",
        "client_assertion",
        "client_assertion_type",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,12}"]
}

fn value() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(vec![
        "authorization_code",
        "refresh_token",
        "password",
        "client_credentials",
        "PlatformCLI",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "3MVG9sandbox.default.confidential.app.consumer.key",
        "http://localhost:1717/OauthRedirect",
        "api nonsense",
        "integration@sandbox.example",
        "a.b.c",
        "..",
        "eyJhbGciOiJSUzI1NiJ9.e30.x",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 2 => "\\PC{0,40}", 1 => Just("x".repeat(300_000))]
}

#[test]
fn token_requests_of_any_parameters() {
    against(|runtime, house| {
        let url = house.url("/services/oauth2/token");
        proptest!(config(), |(form in proptest::collection::vec((name(), value()), 0..8))| {
            refused(runtime, house.http.post(&url).form(&form))?;
        });
    });
}

#[test]
fn token_requests_of_any_bytes_and_credentials() {
    against(|runtime, house| {
        let url = house.url("/services/oauth2/token");
        let header = proptest::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..60);
        proptest!(config(), |(body in proptest::collection::vec(any::<u8>(), 0..200), header in header)| {
            let basic = [b"Basic ".as_slice(), &header].concat();
            let value = reqwest::header::HeaderValue::from_bytes(&basic).unwrap();
            refused(runtime, house.http.post(&url).header("authorization", value).body(body))?;
        });
    });
}

#[test]
fn assertions_of_any_claims() {
    against(|runtime, house| {
        let url = house.url("/services/oauth2/token");
        let pem = std::fs::read(house.info.jwt_private_key_path.as_ref().unwrap()).unwrap();
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(&pem).unwrap();
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
            Just(Value::from("NaN")),
            Just(Value::from("1e400")),
            Just(Value::from("https://login.salesforce.com")),
            Just(Value::from(vec![
                Value::Null,
                Value::from("https://login.salesforce.com")
            ])),
        ];
        let names = proptest::sample::select(vec!["sub", "prn", "aud", "exp", "jti", "nbf", "iat"]);
        let claims = proptest::collection::vec((names, leaf), 0..6);
        proptest!(config(), |(claims in claims, grant in any::<bool>())| {
            let mut body = serde_json::json!({"iss": house.info.client_id});
            for (name, value) in claims {
                body[name] = value;
            }
            // Nobody in this org is called so.
            body["sub"] = body["sub"].as_str().map(|name| format!("{name}\u{1}")).unwrap_or_default().into();
            let assertion = jsonwebtoken::encode(&header, &body, &key).unwrap();
            let form = if grant {
                [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion), ("x", "")]
            } else {
                [("grant_type", "client_credentials"), ("client_assertion", &assertion),
                 ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")]
            };
            refused(runtime, house.http.post(&url).form(&form))?;
        });
    });
}

#[test]
fn assertions_of_any_text() {
    against(|runtime, house| {
        let url = house.url("/services/oauth2/token");
        proptest!(config(), |(parts in proptest::collection::vec("[A-Za-z0-9_=+/é-]{0,40}", 0..5))| {
            let assertion = format!("{}.", parts.join("."));
            let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
            refused(runtime, house.http.post(&url).form(&form))?;
        });
    });
}

#[test]
fn authorization_headers_of_any_bytes() {
    against(|runtime, house| {
        let bytes = proptest::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..80);
        let scheme =
            proptest::sample::select(vec!["", "Bearer ", "bearer", "OAuth ", "Basic ", "Bearer 00D!"]);
        proptest!(config(), |(scheme in scheme, rest in bytes)| {
            let value = [scheme.as_bytes(), &rest].concat();
            let value = reqwest::header::HeaderValue::from_bytes(&value).unwrap();
            let ask = |path: &str| {
                let request = house.http.get(house.url(path)).header("authorization", value.clone());
                runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
            };
            prop_assert_eq!(ask("/services/data/v68.0/limits"), 401);
            prop_assert_eq!(ask("/services/oauth2/userinfo"), 403);
            prop_assert_eq!(ask("/services/oauth2/singleaccess"), 403);
        });
    });
}

#[test]
fn authorization_requests_of_any_parameters() {
    against(|runtime, house| {
        let url = house.url("/services/oauth2/authorize");
        let names = proptest::sample::select(vec![
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "prompt",
            "decision",
            "sandbox_user",
            "username",
            "password",
            "nonce",
            "code_challenge_method",
            "immediate",
        ]);
        let values = prop_oneof![
            Just("code".to_owned()),
            Just("token".to_owned()),
            Just("PlatformCLI".to_owned()),
            Just("allow".to_owned()),
            Just("http://localhost/cb".to_owned()),
            Just("http://localhost:x/".to_owned()),
            Just("data:,".to_owned()),
            Just("http://user@localhost/".to_owned()),
            Just("http://localhost/?a=b#c".to_owned()),
            "\\PC{0,30}",
        ];
        proptest!(config(), |(pairs in proptest::collection::vec((names, values), 0..8), post in any::<bool>())| {
            let request = if post { house.http.post(&url).form(&pairs) } else { house.http.get(&url).query(&pairs) };
            let (status, location, body) = runtime.block_on(async {
                let answer = request.send().await.unwrap();
                let location = answer.headers().get("location").cloned();
                (answer.status().as_u16(), location, answer.text().await.unwrap())
            });
            match status {
                302 => {
                    let location = location.unwrap();
                    let to_loopback = location.as_bytes().starts_with(b"http://localhost");
                    prop_assert!(to_loopback, "{:?}", location);
                }
                200 | 400 => prop_assert!(body.starts_with("<!doctype html>"), "{}", body),
                other => prop_assert!(false, "{} {}", other, body),
            }
        });
    });
}
