//! Requests as an attacker sends them: bytes on a connection, not what a client library would let through.

use std::time::Duration;

use axum::http::Method;
use cpq_api::{ApiSettings, Hosts, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::House;
use crate::serve::{Served, serve};

/// Writes these bytes and reads until the other end closes.
async fn send(served: &Served, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // Whoever is refused early may find the connection closed while it still writes.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Status lines of all answers on a connection.
fn statuses(answer: &str) -> Vec<&str> {
    answer
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect()
}

fn with_token(house: &House, request_line: &str, more: &str) -> String {
    format!(
        "{request_line}\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n{more}\r\n",
        house.token
    )
}

/// Two readers of one connection must not disagree on where a request ends (RFC 9112 §6.3, §11.2).
#[tokio::test]
async fn a_request_whose_end_is_in_doubt_is_refused() {
    let house = House::new().await;
    let served = serve(&house).await;
    let line = "POST /api/v1/sync/opportunities/OPP-4482 HTTP/1.1";
    let inner = "GET /api/v1/ownership HTTP/1.1\r\nHost: x\r\n\r\n";
    for doubt in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\n\x0bTransfer-Encoding: chunked\r\n",
    ] {
        let request = with_token(&house, line, doubt) + "{}" + inner;
        let answer = send(&served, request.as_bytes()).await;
        assert_eq!(statuses(&answer), ["400"], "{doubt:?}: {answer}");
    }
    // Both are told: the chunks count, and nothing behind them is taken for a body or for a request (we asked to close).
    let both = "Content-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n";
    let request = with_token(&house, line, both) + "2\r\n{}\r\n0\r\n\r\n" + inner;
    let answer = send(&served, request.as_bytes()).await;
    assert!(matches!(statuses(&answer)[..], ["200"] | ["400"]), "{answer}");
}

#[tokio::test]
async fn broken_chunks_start_nothing() {
    let house = House::new().await;
    let served = serve(&house).await;
    let line = "POST /api/v1/sync/opportunities/OPP-4482 HTTP/1.1";
    let head = with_token(
        &house,
        line,
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
    );
    for chunks in [
        "ffffffffffffffff1\r\n{}",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2 \x00\r\n{}\r\n0\r\n\r\n",
        "g\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream
            .write_all((head.clone() + chunks).as_bytes())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            statuses(&answer).iter().all(|status| *status == "400"),
            "{chunks:?}: {answer}"
        );
    }
    let list = house.get("/api/v1/sync").await.json();
    assert_eq!(list["syncs"].as_array().map(Vec::len), Some(0), "{list}");
}

/// A path is what it says: it is not put together anew, so there is nothing to climb out of.
#[tokio::test]
async fn tricks_with_targets_and_header_fields_lead_nowhere() {
    let house = House::new().await;
    let served = serve(&house).await;
    for target in [
        "/api/v1/../v1/ownership",
        "/api/v1/%2e%2e/v1/ownership",
        "//api/v1/ownership",
        "/api/v1/ownership/",
        "/api/v1/ownership%00",
        "/api/v1/ownership;x=/../",
        "/api%2fv1%2fownership",
        "/API/V1/OWNERSHIP",
        "/api/v1/sync/..%2f..%2fownership",
        "/api/v1/quotes/%2e%2e%2fownership",
        "\\api\\v1\\ownership",
        "*",
        "",
        "/api/v1/sync/%0d%0aX-Injected:%20yes",
        "/api/v1/sync/%",
        "/api/v1/sync/%f0%28%8c%28",
    ] {
        let answer = send(
            &served,
            with_token(&house, &format!("GET {target} HTTP/1.1"), "").as_bytes(),
        )
        .await;
        assert!(
            matches!(statuses(&answer)[..], ["400" | "404"]),
            "{target}: {answer}"
        );
        let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
        assert!(!head.contains("\nx-injected"), "{target}: {answer}");
    }
    for raw in [
        "GET /healthz\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    ] {
        let answer = send(&served, raw.as_bytes()).await;
        assert!(matches!(statuses(&answer)[..], ["400"] | []), "{raw:?}: {answer}");
    }
}

/// The name of a request counts once, and an absolute target counts as its name.
#[tokio::test]
async fn a_request_has_one_name_and_that_is_ours() {
    let settings = ApiSettings {
        hosts: Hosts::of_listener([127, 0, 0, 1].into(), vec![]),
        ..ApiSettings::default()
    };
    let house = House::with(|state| state.settings = std::sync::Arc::new(settings)).await;
    let served = serve(&house).await;
    let ask = async |target: &str, hosts: &str| {
        let request = format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        send(&served, request.as_bytes()).await
    };
    let here = format!("http://127.0.0.1:{}/healthz", served.address.port());
    assert_eq!(statuses(&ask(&here, "Host: localhost\r\n").await), ["200"]);
    for (target, hosts) in [
        ("/healthz", "Host: localhost\r\nHost: evil.example\r\n"),
        ("/healthz", "Host: localhost\r\nHost: localhost\r\n"),
        ("/healthz", "Host: localhost, evil.example\r\n"),
        ("/healthz", "Host: localhost@evil.example\r\n"),
        ("/healthz", "Host: localhost.evil.example\r\n"),
        ("/healthz", "Host: \r\n"),
        ("http://evil.example/healthz", "Host: localhost\r\n"),
        ("http://localhost@evil.example/healthz", "Host: localhost\r\n"),
    ] {
        let answer = ask(target, hosts).await;
        assert_eq!(statuses(&answer), ["400"], "{target} {hosts:?}: {answer}");
    }
}

#[tokio::test]
async fn a_head_without_measure_is_refused() {
    let house = House::new().await;
    let served = serve(&house).await;
    let many = "X-A: b\r\n".repeat(limits::HEADERS + 1);
    let large = format!(
        "X-A: {}\r\n",
        "x".repeat(limits::HEADER_BYTES + limits::URI_BYTES)
    );
    for more in [many, large] {
        let request = with_token(&house, "GET /api/v1/ownership HTTP/1.1", &more);
        let answer = send(&served, request.as_bytes()).await;
        assert!(
            matches!(statuses(&answer)[..], ["413" | "431" | "400"] | []),
            "{}",
            &answer[..answer.len().min(200)]
        );
    }
    let long = format!("GET /{} HTTP/1.1", "x".repeat(limits::URI_BYTES + 1));
    let answer = send(&served, with_token(&house, &long, "").as_bytes()).await;
    assert!(matches!(statuses(&answer)[..], ["413" | "414"]), "{answer:.200}");
}

/// A client that sends a byte now and then holds a connection no longer than the limit.
#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_given_up() {
    let house = House::new().await;
    let served = serve(&house).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let line = "POST /api/v1/sync/opportunities/OPP-4482 HTTP/1.1";
    let head = with_token(
        &house,
        line,
        "Content-Type: application/json\r\nContent-Length: 1000\r\n",
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    // The clock is the test's: when nothing else can happen, it jumps to whatever is due next.
    let trickle = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    });
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(2 * limits::BODY_TIMEOUT, read.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "it is held open");
    let answer = String::from_utf8_lossy(&answer);
    assert!(matches!(statuses(&answer)[..], ["400" | "408"]), "{answer}");
    trickle.abort();
}

/// Streams that are opened and reset at once (CVE-2023-44487): the client is sent away, and others are served.
#[tokio::test]
async fn a_client_that_resets_its_streams_is_sent_away() {
    let house = House::new().await;
    let served = serve(&house).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let driven = tokio::spawn(connection);
    let mut opened = 0;
    while opened < 20_000 {
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        let request = axum::http::Request::get("http://x/healthz").body(()).unwrap();
        let Ok((_, mut sending)) = client.send_request(request, false) else {
            break;
        };
        sending.send_reset(h2::Reason::CANCEL);
        opened += 1;
        tokio::task::yield_now().await;
    }
    assert!(opened < 20_000, "{opened} streams were opened and reset");
    let ended = driven.await.unwrap().expect_err("the connection is closed");
    assert!(ended.is_go_away() || ended.is_io(), "{ended}");
    let answer = send(
        &served,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(statuses(&answer), ["200"]);
}

/// Bodies that are no JSON of ours, or that a parser could choke on.
#[tokio::test]
async fn bodies_that_could_choke_a_parser_are_refused() {
    let house = House::new().await;
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let json = ("content-type", "application/json");
    let post = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let mut request = house.request(Method::POST, path, headers, "");
        *request.body_mut() = body.into();
        house.send(request).await
    };
    for body in [
        "[".repeat(500_000).into_bytes(),
        "{\"a\":".repeat(100_000).into_bytes(),
        format!("{{\"connection\":{}1}}", "9".repeat(100_000)).into_bytes(),
        b"{\"connection\":1e999999999}".to_vec(),
        b"{\"connection\":\"crm\",\"connection\":\"crm\"}".to_vec(),
        b"{\"connection\":\"crm\",\"conn\\u0065ction\":\"other\"}".to_vec(),
        b"{\"connection\":\"\xff\xfe\"}".to_vec(),
        b"{\"connection\":\"\xed\xa0\x80\"}".to_vec(),
        b"{\"connection\":\"\\ud800\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"connection\":NaN}".to_vec(),
        b"{\"connection\":\"a\x00b\"}".to_vec(),
        b"{}{}".to_vec(),
        b"{/**/}".to_vec(),
        b"{\"__proto__\":{}}".to_vec(),
        // A compressed body is not opened: it is no JSON.
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let answer = post(&[json], body.clone()).await;
        assert_eq!(answer.status, 400, "{shown}: {}", answer.body);
        let answer = post(&[json, ("content-encoding", "gzip")], body).await;
        assert!(answer.status.is_client_error(), "{shown}: {}", answer.body);
    }
}
