//! TLS by a certificate of one's own.

use std::path::PathBuf;
use std::sync::Arc;

use cpq_api::{Tls, limits};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::house::House;

struct Files {
    _dir: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> Files {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
        let files = Files {
            _dir: dir,
            certificate,
            key,
        };
        files.renew();
        files
    }

    /// Writes a fresh certificate and its key.
    fn renew(&self) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(&self.certificate, cert.pem()).unwrap();
        std::fs::write(&self.key, signing_key.serialize_pem()).unwrap();
    }

    fn load(&self) -> cpq_domain::Result<Tls> {
        Tls::load(&self.certificate, &self.key)
    }

    /// A client that trusts what is in the files now.
    fn client(&self) -> reqwest::Client {
        let pem = std::fs::read(&self.certificate).unwrap();
        let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([trusted])
            .build()
            .unwrap()
    }
}

async fn serve(house: &House, tls: &Tls) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = cpq_api::serve(
        listener,
        Some(tls.clone()),
        house.router.clone(),
        std::future::pending(),
    );
    tokio::spawn(served);
    port
}

#[tokio::test]
async fn it_speaks_tls_alone_and_tells_browsers_to_stay() {
    let (house, files) = (House::new().await, Files::new());
    let port = serve(&house, &files.load().unwrap()).await;
    let answer = files
        .client()
        .get(format!("https://localhost:{port}/healthz"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "no word in clear: {answer:?}");
    let house = House::new().await;
    let plain = house.get("/healthz").await;
    assert_eq!(plain.header("strict-transport-security"), "");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let (house, files) = (House::new().await, Files::new());
    let tls = files.load().unwrap();
    let port = serve(&house, &tls).await;
    let url = format!("https://localhost:{port}/healthz");
    let before = files.client();
    before.get(&url).send().await.unwrap();

    files.renew();
    let after = files.client();
    after
        .get(&url)
        .send()
        .await
        .expect_err("the old one is in use until we look");
    tls.look();
    after.get(&url).send().await.unwrap();

    std::fs::write(&files.key, "no key").unwrap();
    tls.look();
    let again = after.get(&url).header("connection", "close").send().await;
    assert_eq!(again.unwrap().status(), 200, "the last good one stays");
    assert!(files.load().is_err());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let (files, other) = (Files::new(), Files::new());
    let error = Tls::load(&files.certificate, &other.key).map(|_| ()).unwrap_err();
    assert_eq!(error.code, cpq_domain::Code::ConfigInvalid, "{error}");
    let error = Tls::load(&files.key, &files.key).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no certificate"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_cut_off() {
    let (house, files) = (Arc::new(House::new().await), Files::new());
    let port = serve(&house, &files.load().unwrap()).await;
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut answer = Vec::new();
    let limit = 2 * limits::HEADER_TIMEOUT;
    let ended = tokio::time::timeout(limit, silent.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "it is cut off");
}
