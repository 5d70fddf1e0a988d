//! Logins go to no host inside, whatever a URL or a name says.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use cpq_auth::{App, Broker, Keyring, Names, Options, Reach};
use cpq_domain::Code;
use secrecy::SecretString;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::{SEALING_KEY, Street};

/// A name service in the hands of an attacker: every name leads to this machine.
struct LeadsHere;

#[async_trait]
impl Names for LeadsHere {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }
}

fn broker(street: &Street, reach: Reach) -> Broker {
    let keyring = Keyring::from_base64(&SecretString::from(SEALING_KEY)).unwrap();
    let options = Options {
        reach,
        ..Options::default()
    };
    Broker::new(street.vault.clone(), street.world.clone(), keyring, options).unwrap()
}

fn app(street: &Street, login_url: String) -> App {
    App {
        login_url,
        ..street.app()
    }
}

#[tokio::test]
async fn a_login_host_whose_name_leads_here_hears_nothing() {
    let street = Street::new().await;
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let broker = broker(&street, Reach::default().asking(Arc::new(LeadsHere)));
    let app = app(&street, format!("https://login.example.com:{port}"));
    let error = broker.login_client_credentials(&app).await.unwrap_err();
    assert_eq!(error.code, Code::CrmUnavailable, "{error}");
    let heard = tokio::time::timeout(std::time::Duration::from_millis(1), inside.accept()).await;
    assert!(heard.is_err(), "the client secret may have been sent");
}

#[tokio::test]
async fn a_login_url_that_is_an_address_inside_is_refused() {
    let street = Street::new().await;
    for host in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.1.1",
        "[::ffff:10.0.0.1]",
        "0.0.0.0",
        // The same addresses in other spellings.
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
    ] {
        let app = app(&street, format!("https://{host}"));
        let broker = broker(&street, Reach::default());
        let error = broker.login_client_credentials(&app).await.unwrap_err();
        assert_eq!(error.code, Code::ConfigInvalid, "{host}: {error}");
        let begun = broker.begin_web(&app, "https://cpq.example.com/callback");
        assert_eq!(begun.unwrap_err().code, Code::ConfigInvalid, "{host}");
    }
}

/// A token endpoint that sends us elsewhere is not followed: the secret would go along.
#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_not_followed() {
    let street = Street::new().await;
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = target.local_addr().unwrap();
    let source = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = app(&street, format!("http://{}", source.local_addr().unwrap()));
    tokio::spawn(async move {
        let (mut stream, _) = source.accept().await.unwrap();
        let answer = format!("HTTP/1.1 307 Gone\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        // Until the other end has read it.
        let _ = stream.shutdown().await;
    });
    let broker = broker(&street, Reach::default());
    assert!(broker.login_client_credentials(&app).await.is_err());
    let heard = tokio::time::timeout(std::time::Duration::from_millis(1), target.accept()).await;
    assert!(heard.is_err(), "the redirect was followed");
}
