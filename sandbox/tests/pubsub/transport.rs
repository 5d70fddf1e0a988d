//! One port, with TLS and without; HTTP/2 as gRPC wants it; the end.

use crate::house::{OPPORTUNITIES, house, in_time, topic};
use crate::subscriber::{Subscriber, from, told};
use crate::wire::ReplayPreset;
use sandbox::{Options, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

#[tokio::test]
async fn the_same_port_speaks_with_tls_and_without() {
    let house = house().await;
    // There is an authority although nobody asked for HTTPS.
    assert!(house.info.tls_instance_url.is_none() && house.info.ca_certificate_path.is_some());
    let endpoint = house.info.pub_sub_endpoint.clone().unwrap();
    assert_eq!(endpoint, format!("localhost:{}", house.address().port()));
    for mut client in [house.plain().await, house.secure().await] {
        let answer = client
            .get_topic(house.signed(topic(OPPORTUNITIES)))
            .await
            .unwrap();
        assert_eq!(answer.get_ref().topic_name, OPPORTUNITIES);
        let mut subscriber = Subscriber::over(&house, client, from(OPPORTUNITIES, ReplayPreset::Latest, 1));
        subscriber.stands().await;
        house.append("OpportunityChangeEvent", 1);
        assert_eq!(subscriber.batch().await.events.len(), 1);
    }
}

#[tokio::test]
async fn tls_names_http_2_in_its_handshake() {
    let house = house().await;
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(
            &std::fs::read(house.info.ca_certificate_path.as_ref().unwrap()).unwrap(),
        )
        .unwrap()])
        .build()
        .unwrap();
    let url = format!("https://{}/", house.info.pub_sub_endpoint.as_ref().unwrap());
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.status(), 405);
}

#[tokio::test]
async fn a_connection_allows_a_thousand_streams_and_its_pings_are_answered() {
    let house = house().await;
    let mut socket = TcpStream::connect(house.address()).await.unwrap();
    socket.write_all(PREFACE).await.unwrap();
    let ping = b"\0\0\x08\x06\0\0\0\0\0are you?";
    socket.write_all(ping).await.unwrap();
    let (mut streams, mut echo) = (None, None);
    while streams.is_none() || echo.is_none() {
        let (kind, flags, payload) = in_time(frame(&mut socket)).await;
        match (kind, flags & ACK) {
            (SETTINGS, 0) => {
                let setting = |pair: &[u8]| u32::from_be_bytes(pair[2..].try_into().unwrap());
                streams = payload.chunks(6).find(|pair| pair[..2] == [0, 3]).map(setting);
            }
            (PING, ACK) => echo = Some(payload),
            _ => {}
        }
    }
    assert_eq!(streams, Some(1_000));
    assert_eq!(echo.unwrap(), b"are you?");
}

#[tokio::test]
async fn a_stop_tells_subscribers_and_does_not_wait_for_silent_connections() {
    let house = house().await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
    subscriber.stands().await;
    let silent = TcpStream::connect(house.address()).await.unwrap();
    let address = house.address();
    let stopped = tokio::spawn(house.running.shutdown());
    let (code, error_code) = told(&subscriber.error().await);
    assert_eq!(
        (code, error_code.as_str()),
        (Code::Internal, "service.unavailable")
    );
    drop(subscriber);
    in_time(stopped).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    drop(silent);
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let options = Options {
        pubsub_listen: Some(([0, 0, 0, 0], 0).into()),
        ..Options::default()
    };
    let error = start(options).await.err().unwrap();
    assert!(error.to_string().contains("loopback"), "{error}");
}

async fn frame(socket: &mut TcpStream) -> (u8, u8, Vec<u8>) {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (head[3], head[4], payload)
}
