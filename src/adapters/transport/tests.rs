//! Every way in which an exchange can break, and whether anything can have left us by then.

use std::net::SocketAddr;

use cpq_auth::Reach;
use cpq_domain::error::Written;
use cpq_domain::limits::RESPONSE_BYTES;
use cpq_domain::{Code, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, Lost, Request, exchange};
use crate::limits::CALL_TIMEOUT;

mod reach;

/// What the other end does with the one connection that it takes.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// Resets it before it read anything.
    ResetsAtOnce,
    /// Resets it once the request is there.
    ResetsAfterRequest,
    /// Ends it in order, without an answer.
    HangsUp,
    /// Ends it in the middle of the body.
    HangsUpInTheBody,
    /// Answers something that is no HTTP.
    Babbles,
    /// Answers with a few bytes that unpack to more than we take.
    Bombs,
    /// Never answers.
    Sleeps,
}

/// What a gzip of this many zeros is sent as (RFC 1952 §2.3, RFC 1951 §3.2.6): one zero, and again and again the 258 bytes
/// that begin one byte before.
fn packed(bytes: usize) -> Vec<u8> {
    let codes = [(0b0011_0000_u32, 8)]
        .into_iter()
        .chain((0..bytes / 258).flat_map(|_| [(0b1100_0101, 8), (0, 5)]));
    let bits = [true, true, false].into_iter();
    let bits =
        bits.chain(codes.flat_map(|(code, width)| (0..width).rev().map(move |at| code >> at & 1 == 1)));
    let bits: Vec<bool> = bits.collect();
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    head.into_iter().chain(bits.chunks(8).map(byte)).collect()
}

async fn serve(peer: Peer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a caller");
        act(peer, stream).await;
    });
    address
}

async fn act(peer: Peer, mut stream: TcpStream) {
    let reset = |stream: TcpStream| stream.set_zero_linger().expect("an option of the socket");
    let mut request = [0; 4_096];
    if matches!(peer, Peer::ResetsAtOnce) {
        return reset(stream);
    }
    let _ = stream.read(&mut request).await;
    let body = packed(RESPONSE_BYTES + 1_000_000);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let bomb = [head.as_bytes(), &body].concat();
    let answer: &[u8] = match peer {
        Peer::Bombs => &bomb,
        Peer::ResetsAtOnce | Peer::ResetsAfterRequest => return reset(stream),
        Peer::Sleeps => return std::future::pending().await,
        Peer::HangsUp => b"",
        Peer::HangsUpInTheBody => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"",
        Peer::Babbles => b"220 mail.example.com ESMTP\r\n",
    };
    let _ = stream.write_all(answer).await;
}

async fn ask(url: &str) -> Result<Answer, Lost> {
    let client = Reach::default().client(&[], CALL_TIMEOUT).expect("a client");
    exchange(client.post(url).body("{}")).await
}

fn error(lost: Lost, writes: bool) -> Error {
    lost.of(&Request {
        whom: "Salesforce",
        connection: "crm",
        what: "write",
        writes,
        unavailable: Code::CrmUnavailable,
    })
}

fn lost(result: Result<Answer, Lost>, what: &str) -> Lost {
    match result {
        Err(lost) => lost,
        Ok(answer) => panic!("{what} was answered with {}", answer.status),
    }
}

/// A write of which nothing can have arrived may simply be sent later.
#[tokio::test]
async fn what_never_left_us_was_not_written() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let refused = format!("http://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let plain = serve(Peer::Babbles).await;
    let no_tls = format!("https://{plain}/");
    for (what, url) in [
        ("a name that nobody has", "http://no-such-host.invalid/"),
        ("a port that nobody listens on", refused.as_str()),
        ("a peer that speaks no TLS", no_tls.as_str()),
        ("no address", "http://"),
    ] {
        let lost = lost(ask(url).await, what);
        assert!(matches!(lost, Lost::NeverSent(_)), "{what}: {lost:?}");
        let error = error(lost, true);
        assert_eq!(
            (error.code, error.written),
            (Code::CrmUnavailable, Written::No),
            "{what}"
        );
    }
}

/// Of a write that may have arrived nobody knows what became of it, and a read can be repeated.
#[tokio::test]
async fn what_left_us_is_in_doubt_if_it_writes() {
    for peer in [
        Peer::ResetsAtOnce,
        Peer::ResetsAfterRequest,
        Peer::HangsUp,
        Peer::HangsUpInTheBody,
        Peer::Babbles,
    ] {
        for writes in [true, false] {
            let url = format!("http://{}/", serve(peer).await);
            let lost = lost(ask(&url).await, "a broken exchange");
            assert!(matches!(lost, Lost::AfterSend(_)), "{peer:?}: {lost:?}");
            let error = error(lost, writes);
            let expected = match writes {
                true => (Code::OutcomeUnknown, Written::Unknown),
                false => (Code::CrmUnavailable, Written::No),
            };
            assert_eq!((error.code, error.written), expected, "{peer:?}");
        }
    }
}

/// A hundredth of what we take in is sent, and it is given up while it is unpacked.
#[tokio::test]
async fn what_unpacks_to_too_much_is_given_up() {
    assert!(packed(RESPONSE_BYTES + 1_000_000).len() < RESPONSE_BYTES / 100);
    for writes in [true, false] {
        let url = format!("http://{}/", serve(Peer::Bombs).await);
        let lost = lost(ask(&url).await, "a bomb");
        assert!(matches!(lost, Lost::TooLarge), "{lost:?}");
        let expected = match writes {
            true => (Code::OutcomeUnknown, Written::Unknown),
            false => (Code::ProtocolViolation, Written::No),
        };
        let error = error(lost, writes);
        assert_eq!((error.code, error.written), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up() {
    let url = format!("http://{}/", serve(Peer::Sleeps).await);
    let lost = lost(ask(&url).await, "silence");
    assert!(matches!(lost, Lost::AfterSend(_)), "{lost:?}");
    assert_eq!(error(lost, true).code, Code::OutcomeUnknown);
}
