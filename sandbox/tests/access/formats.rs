//! Token answers in JSON, form encoding and XML, and where parameters may stand.

use crate::house::{House, house};
use serde_json::Value;

struct Asked<'a> {
    format: Option<&'a str>,
    accept: &'a str,
    secret: &'a str,
}

async fn asked(house: &House, asked: Asked<'_>) -> (String, String) {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", house.info.client_id.as_str()),
        ("client_secret", asked.secret),
    ];
    form.extend(asked.format.map(|format| ("format", format)));
    let request = house.http.post(house.url("/services/oauth2/token"));
    let answer = request
        .header("accept", asked.accept)
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-cache, no-store");
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, answer.text().await.unwrap())
}

#[tokio::test]
async fn the_format_parameter_wins_over_accept_and_json_is_the_rest() {
    let house = house().await;
    let (json, urlencoded, xml) = (
        "application/json",
        "application/x-www-form-urlencoded",
        "application/xml",
    );
    for (format, accept, expected) in [
        (None, "*/*", json),
        (None, xml, xml),
        (
            None,
            "text/html, application/x-www-form-urlencoded;q=0.9",
            urlencoded,
        ),
        (Some("json"), xml, json),
        (Some("urlencoded"), json, urlencoded),
        (Some("XML"), "*/*", xml),
        (Some("yaml"), "*/*", json),
    ] {
        for secret in [house.info.client_secret.as_str(), "wrong"] {
            let (kind, body) = asked(
                &house,
                Asked {
                    format,
                    accept,
                    secret,
                },
            )
            .await;
            assert!(kind.starts_with(expected), "{format:?} {accept}: {kind}");
            let (name, value) = match secret {
                "wrong" => ("error", "invalid_client"),
                _ => ("token_type", "Bearer"),
            };
            assert_eq!(value_of(expected, &body, name), value, "{body}");
        }
    }
}

fn value_of(kind: &str, body: &str, name: &str) -> String {
    match kind {
        "application/json" => {
            let body: Value = serde_json::from_str(body).unwrap();
            body[name].as_str().unwrap().to_owned()
        }
        "application/xml" => {
            let document = roxmltree::Document::parse(body).unwrap();
            assert_eq!(document.root_element().tag_name().name(), "OAuth");
            let mut nodes = document.descendants();
            let node = nodes.find(|node| node.tag_name().name() == name).unwrap();
            node.text().unwrap().to_owned()
        }
        _ => {
            let mut pairs = url::form_urlencoded::parse(body.as_bytes());
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        }
    }
}

#[tokio::test]
async fn parameters_may_be_posted_in_the_query() {
    let house = house().await;
    let query = [
        ("grant_type", "password"),
        ("client_id", house.info.client_id.as_str()),
        ("client_secret", house.info.client_secret.as_str()),
        ("username", house.info.username.as_str()),
        ("password", house.info.password.as_str()),
    ];
    let request = house.http.post(house.url("/services/oauth2/token")).query(&query);
    assert_eq!(request.send().await.unwrap().status(), 200);
    // What a client sends as JSON is no form, and has no grant type.
    let request = house.http.post(house.url("/services/oauth2/token"));
    let answer = request
        .json(&serde_json::json!({"grant_type": "password"}))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.json::<Value>().await.unwrap()["error"],
        "unsupported_grant_type"
    );
    // The log must not keep what stood in the query.
    let log = house
        .control("GET", "/sandbox/requests", Value::Null)
        .await
        .to_string();
    assert!(!log.contains(&house.info.password), "{log}");
}

/// The body that `form-data` of npm makes.
fn multipart(pairs: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--B0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    pairs.iter().map(part).collect::<String>() + "--B0--\r\n"
}

async fn posted(house: &House, kind: &str, body: String) -> (u16, Value) {
    let request = house.http.post(house.url("/services/oauth2/token"));
    let request = request.header("content-type", kind).body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn parameters_may_be_parts_of_a_multipart_body() {
    let house = house().await;
    let kind = "multipart/form-data; boundary=B0";
    let mut pairs = vec![
        ("client_id", house.info.client_id.as_str()),
        ("client_secret", house.info.client_secret.as_str()),
        ("grant_type", "client_credentials"),
    ];
    let (status, body) = posted(&house, kind, multipart(&pairs)).await;
    assert_eq!(status, 200, "{body}");
    // Values are taken as they stand: here nothing is escaped.
    pairs[1].1 = "%35A1D0B0C5EC2E7F00D";
    let (_, body) = posted(&house, kind, multipart(&pairs)).await;
    assert_eq!(body["error"], "invalid_client");
    let device = [
        ("client_id", "PlatformCLI"),
        ("response_type", "device_code"),
        ("scope", "refresh_token web api"),
    ];
    let (status, body) = posted(&house, kind, multipart(&device)).await;
    assert_eq!((status, body["user_code"].is_string()), (200, true), "{body}");
    // What cannot be read holds no parameters.
    let large = [("grant_type", "client_credentials"), ("x", &"x".repeat(300_000))];
    for (kind, body) in [
        ("multipart/form-data", multipart(&device)),
        ("multipart/form-data; boundary=", multipart(&device)),
        ("multipart/form-data; boundary=other", multipart(&device)),
        (kind, "--B0\r\n\r\n--B0".to_owned()),
        (kind, multipart(&large)),
    ] {
        let (status, body) = posted(&house, kind, body).await;
        assert_eq!(
            (status, &body["error"]),
            (400, &"unsupported_grant_type".into()),
            "{kind}"
        );
    }
}
