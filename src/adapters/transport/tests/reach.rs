//! Where a request may go, tried on listeners that must hear nothing.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use cpq_auth::{Names, Reach};
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::{Answer, Lost, exchange};
use crate::limits::CALL_TIMEOUT;

/// A name service in the hands of an attacker: every name leads here.
struct Leads(&'static str);

#[async_trait]
impl Names for Leads {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self
            .0
            .split(' ')
            .map(|ip| ip.parse().expect("an address"))
            .collect())
    }
}

async fn ask(reach: Reach, url: &str) -> Result<Answer, Lost> {
    let client = reach.client(&[], CALL_TIMEOUT).expect("a client");
    exchange(client.get(url).bearer_auth("canary")).await
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_before_anything_is_connected() {
    let inside = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = inside.local_addr().expect("an address").port();
    for addresses in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "10.0.0.1 127.0.0.1",
        "169.254.169.254",
        "fd00:ec2::254",
    ] {
        let reach = Reach::default().asking(Arc::new(Leads(addresses)));
        let url = format!("http://crm.example.com:{port}/");
        match ask(reach, &url).await {
            Err(Lost::NeverSent(why)) => {
                assert!(why.contains("crm.example.com leads to"), "{addresses}: {why}");
            }
            other => panic!("{addresses}: {:?}", other.map(|answer| answer.status)),
        }
    }
    assert!(inside.accept().now_or_never().is_none(), "somebody was let in");
}

/// Also where private networks are allowed, what only a cloud's machine may ask stays out of reach.
#[tokio::test]
async fn private_networks_are_reached_when_the_configuration_says_so_and_metadata_never() {
    let inside = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = inside.local_addr().expect("an address").port();
    let serving = tokio::spawn(answer_once(inside, "200 OK\r\ncontent-length: 0".to_owned()));
    let private = Reach::default().private(true);
    let reach = private
        .clone()
        .asking(Arc::new(Leads("169.254.169.254 127.0.0.1")));
    let answer = ask(reach, &format!("http://crm.example.com:{port}/")).await;
    assert_eq!(answer.map(|answer| answer.status.as_u16()).ok(), Some(200));
    assert!(serving.await.expect("it served").contains("Bearer canary"));
    for never in ["169.254.169.254", "fd00:ec2::254", "0.0.0.0"] {
        let reach = private.clone().asking(Arc::new(Leads(never)));
        assert!(
            matches!(
                ask(reach, "http://crm.example.com/").await,
                Err(Lost::NeverSent(_))
            ),
            "{never}"
        );
        let url = match never.contains(':') {
            true => format!("https://[{never}]/"),
            false => format!("https://{never}/"),
        };
        assert!(private.fault(&url.parse().expect("a URL")).is_some(), "{never}");
    }
}

#[tokio::test]
async fn a_proxy_that_somebody_configured_may_be_inside() {
    let proxy = Reach::default()
        .through(["proxy.example.com".to_owned()])
        .asking(Arc::new(Leads("10.0.0.7")));
    assert!(proxy.addresses("proxy.example.com").await.is_ok());
    assert!(proxy.addresses("crm.example.com").await.is_err());
}

/// A redirect is an answer like any other that is none of the contract: it is not followed, and no token goes along.
#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = target.local_addr().expect("an address");
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let source = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", source.local_addr().expect("an address"));
        let head = format!("{status}\r\nlocation: http://{to}/stolen\r\ncontent-length: 0");
        tokio::spawn(answer_once(source, head));
        let answer = ask(Reach::default(), &url)
            .await
            .map(|answer| answer.status.is_redirection());
        assert!(matches!(answer, Ok(true)), "{status}: {answer:?}");
    }
    assert!(
        target.accept().now_or_never().is_none(),
        "a redirect was followed"
    );
}

/// Takes one connection, reads a request, answers, and tells what it read.
async fn answer_once(listener: TcpListener, head: String) -> String {
    let (mut stream, _) = listener.accept().await.expect("a caller");
    let mut request = vec![0; 4_096];
    let read = stream.read(&mut request).await.expect("a request");
    let answer = format!("HTTP/1.1 {head}\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.expect("it is taken");
    String::from_utf8_lossy(&request[..read]).into_owned()
}
