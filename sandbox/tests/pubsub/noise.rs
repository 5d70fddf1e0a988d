//! What is not gRPC is turned away, and the next caller does not notice.

use crate::house::{House, OPPORTUNITIES, house, in_time};
use crate::subscriber::{Subscriber, from};
use crate::wire::ReplayPreset;
use reqwest::Response;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Says something on a fresh connection and waits for the other side to hang up.
async fn answered(house: &House, words: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(house.address()).await.unwrap();
    // The other side may have hung up before everything is said.
    let _ = socket.write_all(words).await;
    let mut answer = Vec::new();
    let _ = in_time(socket.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn bytes_that_are_no_protocol_end_the_connection() {
    let house = house().await;
    let junk: Vec<u8> = (0..4_096_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let huge_frame = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xFF; 4_096]].concat();
    let tls_junk = [&[0x16, 3, 1, 0x0F, 0xF0], junk.as_slice()].concat();
    for words in [
        junk.as_slice(),
        b"\0",
        &huge_frame,
        &tls_junk,
        b"PRI * HTTP/1.0\r\n\r\n",
    ] {
        answered(&house, words).await;
        assert!(house.is_well().await);
    }
}

#[tokio::test]
async fn http_1_is_told_that_it_is_out_of_place() {
    let house = house().await;
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /eventbus.v1.PubSub/GetTopic HTTP/1.0\r\n\r\n",
    ] {
        let answer = answered(&house, request.as_bytes()).await;
        assert!(
            answer.starts_with(b"HTTP/1.1 505 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert!(house.is_well().await);
}

#[tokio::test]
async fn connections_that_say_nothing_keep_nobody_out() {
    let house = house().await;
    let mut silent = Vec::new();
    for words in [
        &b""[..],
        b"PRI",
        b"\x16\x03\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        for _ in 0..20 {
            let mut socket = TcpStream::connect(house.address()).await.unwrap();
            socket.write_all(words).await.unwrap();
            silent.push(socket);
        }
    }
    assert!(house.is_well().await);
}

/// Sends a body as gRPC would, and more freely.
async fn posted(house: &House, path: &str, kind: &str, body: Vec<u8>) -> Response {
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let request = client
        .post(format!("http://{}{path}", house.address()))
        .header("content-type", kind);
    let request = request
        .header("te", "trailers")
        .header("accesstoken", &house.token)
        .header("instanceurl", &house.info.instance_url)
        .header("tenantid", &house.info.organization_id);
    request.body(body).send().await.unwrap()
}

/// The status of an answer that has nothing else.
fn grpc_status(answer: &Response) -> &str {
    answer
        .headers()
        .get("grpc-status")
        .map_or("", |value| value.to_str().unwrap())
}

fn framed(length: u32, message: &[u8]) -> Vec<u8> {
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}

#[tokio::test]
async fn messages_that_are_none_are_refused() {
    let house = house().await;
    // Internal errors, and a compression that nobody announced.
    let cases = [
        ("bad protobuf", framed(4, &[0xFF, 0xFF, 0xFF, 0xFF]), "13"),
        ("bad UTF-8", framed(4, &[0x0A, 2, 0xC3, 0x28]), "13"),
        ("a length that is not kept", framed(100, b"abc"), "13"),
        ("nothing", Vec::new(), "13"),
        ("an unknown flag", vec![7, 0, 0, 0, 0], "13"),
        ("compressed out of the blue", vec![1, 0, 0, 0, 1, 0], "13"),
    ];
    for method in ["GetTopic", "Subscribe", "PublishStream", "ManagedSubscribe"] {
        for (what, body, status) in &cases {
            let path = format!("/eventbus.v1.PubSub/{method}");
            let answer = posted(&house, &path, "application/grpc", body.clone()).await;
            assert_eq!(answer.status(), 200, "{what}");
            // A stream whose client says nothing at all ends well.
            if !body.is_empty() || method == "GetTopic" {
                assert_eq!(grpc_status(&answer), *status, "{method}: {what}");
            }
            assert!(house.is_well().await);
        }
    }
}

#[tokio::test]
async fn a_message_of_more_than_4_mb_is_answered_as_by_a_proxy() {
    let house = house().await;
    let size = 4 * 1024 * 1024 + 1;
    for method in ["Publish", "PublishStream", "Subscribe", "GetTopic"] {
        let path = format!("/eventbus.v1.PubSub/{method}");
        let answer = posted(&house, &path, "application/grpc", framed(size, &[0; 64])).await;
        assert_eq!(grpc_status(&answer), "14", "{method}");
        let message = answer.headers()["grpc-message"].to_str().unwrap();
        assert!(message.contains("upstream%20connect%20error"), "{message}");
        assert!(answer.headers().get("error-code").is_none());
    }
    assert!(house.is_well().await);
}

#[tokio::test]
async fn unknown_methods_and_plain_requests_are_refused() {
    let house = house().await;
    for path in [
        "/eventbus.v1.PubSub/Unsubscribe",
        "/grpc.health.v1.Health/Check",
        "/",
    ] {
        let answer = posted(&house, path, "application/grpc", framed(0, b"")).await;
        assert_eq!(
            (answer.status().as_u16(), grpc_status(&answer)),
            (200, "12"),
            "{path}"
        );
    }
    let answer = posted(
        &house,
        "/eventbus.v1.PubSub/GetTopic",
        "application/json",
        b"{}".to_vec(),
    )
    .await;
    assert_eq!(answer.status(), 415);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_message_is_read_and_a_bomb_is_not() {
    let house = house().await;
    let name = OPPORTUNITIES.as_bytes();
    let request = [&[0x0A, u8::try_from(name.len()).unwrap()], name].concat();
    for (plain, good) in [(request, true), (vec![0; 16 * 1024 * 1024], false)] {
        let packed = gzip(&plain);
        let body = [
            &[1],
            u32::try_from(packed.len()).unwrap().to_be_bytes().as_slice(),
            &packed,
        ]
        .concat();
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .build()
            .unwrap();
        let answer = client
            .post(format!("http://{}/eventbus.v1.PubSub/GetTopic", house.address()))
            .header("content-type", "application/grpc")
            .header("grpc-encoding", "gzip")
            .header("accesstoken", &house.token)
            .header("instanceurl", &house.info.instance_url)
            .header("tenantid", &house.info.organization_id)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(grpc_status(&answer).is_empty(), good, "{:?}", answer.headers());
    }
    assert!(house.is_well().await);
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_and_fills_nothing() {
    let house = house().await;
    // Fifty megabytes for each of both.
    house.append_of("OpportunityChangeEvent", 100, 500_000);
    let first = from(OPPORTUNITIES, ReplayPreset::Earliest, 100);
    let mut lazy = Subscriber::of(&house, first.clone()).await;
    lazy.batch().await;
    let mut keen = Subscriber::of(&house, first).await;
    assert_eq!(keen.events(100).await.len(), 100);
    let streams = house.running.sandbox.pubsub.streams();
    let sent: Vec<u64> = streams.iter().map(|stream| stream.events).collect();
    assert!(sent.iter().any(|events| *events <= 40), "{sent:?}");
    drop(lazy);
}
