//! HTTP itself: addresses, sizes, compression, TLS, the end.

use crate::house::{house, house_with};
use sandbox::{Options, start};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = Options {
            listen: address.parse().unwrap(),
            ..Options::default()
        };
        assert!(
            start(options)
                .await
                .err()
                .unwrap()
                .to_string()
                .contains("loopback")
        );
        let options = Options {
            tls_listen: Some(address.parse().unwrap()),
            ..Options::default()
        };
        assert!(start(options).await.is_err());
    }
}

#[tokio::test]
async fn too_long_addresses_are_refused() {
    let house = house().await;
    let at = async |length: usize| {
        let path = format!(
            "/services/data?x={}",
            "y".repeat(length - "/services/data?x=".len())
        );
        house
            .http
            .get(house.url(&path))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(at(16_000).await, 200);
    // The header lines count as well, but have a status of their own.
    assert_eq!(at(16_384).await, 431);
    assert_eq!(at(16_385).await, 414);
}

#[tokio::test]
async fn answers_are_compressed_on_request_and_requests_may_be() {
    let house = house().await;
    let tokens = house.login().await;
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let url = house.url("/services/data/v68.0/limits");
    let answer = plain
        .get(&url)
        .bearer_auth(&tokens.access)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["vary"], "accept-encoding");
    assert_eq!(&answer.bytes().await.unwrap()[..2], [0x1f, 0x8b]);
    // {"Name":"Acme"} through gzip.
    let zipped = gzip_stored(br#"{"Name":"Acme"}"#);
    let url = house.url("/services/data/v68.0/sobjects/Account");
    let request = plain
        .post(&url)
        .bearer_auth(&tokens.access)
        .header("content-type", "application/json");
    let answer = request
        .header("content-encoding", "gzip")
        .body(zipped)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
}

/// A gzip file with one stored block, so that no compressor is needed here (RFC 1951 §3.2.4, RFC 1952).
fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(bytes);
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    file.extend((!crc).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

#[tokio::test]
async fn headers_are_those_of_the_data_api() {
    let house = house().await;
    let tokens = house.login().await;
    let url = house.url("/services/data/v68.0/limits");
    let answer = house
        .http
        .get(&url)
        .bearer_auth(&tokens.access)
        .header("x-prettyprint", "1")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json;charset=UTF-8");
    assert_eq!(
        answer.headers()["cache-control"],
        "no-cache,must-revalidate,max-age=0,no-store,private"
    );
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert!(answer.headers().get("access-control-allow-origin").is_none());
    assert!(answer.text().await.unwrap().starts_with("{\n  \""));
}

#[tokio::test]
async fn header_names_are_in_title_case() {
    let house = house().await;
    let mut stream = tokio::net::TcpStream::connect(house.url("").trim_start_matches("http://"))
        .await
        .unwrap();
    let request = "GET /services/data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    // The CDK of Airbyte takes another way, which fails, when it finds `content-type` like that.
    assert!(
        answer.contains("\r\nContent-Type: application/json;charset=UTF-8\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nCache-Control: "), "{answer}");
}

#[tokio::test]
async fn what_is_not_served_is_not_found_in_the_right_dialect() {
    let house = house().await;
    let api = house
        .http
        .get(house.url("/services/apexrest/x"))
        .send()
        .await
        .unwrap();
    assert_eq!(api.status(), 404);
    let error = json!([{"message": "Could not find a match for URL", "errorCode": "NOT_FOUND"}]);
    assert_eq!(api.json::<Value>().await.unwrap(), error);
    let page = house.http.get(house.url("/lightning")).send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
}

#[tokio::test]
async fn info_has_exactly_the_promised_keys() {
    let house = house().await;
    let info = house.control("GET", "/sandbox/info", json!({})).await;
    let mut keys: Vec<&str> = info.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let promised = [
        "apiVersion",
        "caCertificatePath",
        "clientId",
        "clientSecret",
        "instanceUrl",
        "jwtPrivateKeyPath",
        "organizationId",
        "password",
        "pubSubEndpoint",
        "tlsInstanceUrl",
        "username",
    ];
    assert_eq!(keys, promised);
    assert_eq!(info["organizationId"].as_str().unwrap().len(), 18);
}

#[tokio::test]
async fn web_pages_cannot_use_the_control_plane() {
    let house = house().await;
    let reset = house
        .http
        .post(house.url("/sandbox/reset"))
        .header("origin", "https://evil.example");
    assert_eq!(reset.send().await.unwrap().status(), 403);
    let rebound = house
        .http
        .get(house.url("/sandbox/info"))
        .header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn the_same_org_is_reachable_over_tls_with_the_own_authority() {
    let house = house_with(|options| options.tls_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let tokens = house.login().await;
    let ca = std::fs::read(house.info.ca_certificate_path.as_ref().unwrap()).unwrap();
    let ca = reqwest::Certificate::from_pem(&ca).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    let base = house.info.tls_instance_url.clone().unwrap();
    for base in [base.clone(), base.replace("localhost", "127.0.0.1")] {
        let mut form = house.app();
        form.push(("grant_type", "client_credentials"));
        let answer = trusting
            .post(format!("{base}/services/oauth2/token"))
            .form(&form)
            .send()
            .await
            .unwrap();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["instance_url"], base.as_str());
        let limits = trusting
            .get(format!("{base}/services/data/v68.0/limits"))
            .bearer_auth(&tokens.access);
        assert_eq!(limits.send().await.unwrap().status(), 200);
    }
    assert!(
        reqwest::get(format!("{base}/services/data")).await.is_err(),
        "nobody else trusts it"
    );
}

#[tokio::test]
async fn a_stop_over_http_ends_the_server_and_lets_running_requests_finish() {
    let house = house().await;
    let slow = json!([{"when": {"path": "/services/data"}, "fault": {"kind": "latency", "millis": 300}}]);
    house.control("PUT", "/sandbox/faults", slow).await;
    let running = tokio::spawn(house.http.get(house.url("/services/data")).send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        house
            .http
            .post(house.url("/sandbox/shutdown"))
            .send()
            .await
            .unwrap()
            .status(),
        202
    );
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    tokio::time::timeout(Duration::from_secs(5), house.running.stopped())
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(5), house.running.shutdown())
        .await
        .unwrap();
    let late = reqwest::Client::new()
        .get(format!("{}/services/data", house.info.instance_url))
        .send()
        .await;
    assert!(late.is_err());
}
