//! Certificates, and both families of loopback.

use crate::house::{House, house_in, house_with};
use sandbox::{Options, start};

async fn trusting(house: &House) -> reqwest::Client {
    let pem = std::fs::read(house.info.ca_certificate_path.as_ref().unwrap()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_certificate_is_good_for_every_name_of_loopback() {
    let house = house_with(|options| options.tls_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let client = trusting(&house).await;
    let port = house
        .info
        .tls_instance_url
        .as_ref()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    for name in ["localhost", "127.0.0.1"] {
        let url = format!("https://{name}:{port}/services/data");
        assert_eq!(client.get(url).send().await.unwrap().status(), 200, "{name}");
    }
    // Without the authority nobody trusts it.
    let stranger = reqwest::Client::new().get(format!("https://localhost:{port}/services/data"));
    assert!(stranger.send().await.is_err());
}

#[tokio::test]
async fn version_6_of_loopback_is_listened_on_in_both_ways() {
    let house = house_with(|options| {
        options.listen = "[::1]:0".parse().unwrap();
        options.tls_listen = Some("[::1]:0".parse().unwrap());
    })
    .await;
    assert!(house.info.instance_url.starts_with("http://[::1]:"));
    let tls = house.info.tls_instance_url.clone().unwrap();
    let client = trusting(&house).await;
    let answer = client
        .get(format!("{tls}/.well-known/openid-configuration"))
        .send()
        .await
        .unwrap();
    let body: serde_json::Value = answer.json().await.unwrap();
    // Tokens and ids point to the address under which the client came in.
    assert_eq!(body["issuer"], tls.as_str());
    let tokens = house.login().await;
    assert!(house.works(&tokens.access).await);
}

#[tokio::test]
async fn the_authority_survives_a_restart() {
    let listen = |options: &mut Options| options.tls_listen = Some("127.0.0.1:0".parse().unwrap());
    let first = house_with(listen).await;
    let client = trusting(&first).await;
    first.running.shutdown().await;
    let second = house_in(first.dir, listen).await;
    let url = format!("{}/services/data", second.info.tls_instance_url.as_ref().unwrap());
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_certificate_of_another_key_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options {
        state_dir: Some(dir.path().to_owned()),
        tls_listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Options::default()
    };
    start(options()).await.unwrap().shutdown().await;
    let other = rcgen::KeyPair::generate().unwrap();
    for key in [other.serialize_pem(), "no key".to_owned()] {
        std::fs::write(dir.path().join("ca.key"), key).unwrap();
        let error = start(options()).await.err().unwrap();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            cause.contains("ca.key") && cause.contains("delete both"),
            "{cause}"
        );
    }
}
