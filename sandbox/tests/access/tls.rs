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

#[tokio::test]
async fn a_name_that_was_given_is_in_the_certificate_and_in_addresses_and_no_other_is() {
    let house = house_with(|options| {
        options.tls_listen = Some("127.0.0.1:0".parse().unwrap());
        options.host_names = vec!["acme.my.salesforce.com".to_owned()];
    })
    .await;
    let at = house.running.sandbox.addresses.tls.unwrap();
    let pem = std::fs::read(house.info.ca_certificate_path.as_ref().unwrap()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .resolve("acme.my.salesforce.com", at)
        .resolve("evil.example", at)
        .build()
        .unwrap();
    let port = at.port();
    let url = format!("https://acme.my.salesforce.com:{port}");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &house.info.client_id),
        ("client_secret", &house.info.client_secret),
    ];
    let answer = client.post(format!("{url}/services/oauth2/token")).form(&form);
    let body: serde_json::Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(body["instance_url"], url);
    assert!(body["id"].as_str().unwrap().starts_with(&url));
    // The certificate is not good for another name, and over HTTP another name is not repeated.
    assert!(
        client
            .get(format!("https://evil.example:{port}/services/data"))
            .send()
            .await
            .is_err()
    );
    let request = house
        .http
        .post(house.url("/services/oauth2/token"))
        .header("host", "evil.example");
    let body: serde_json::Value = request.form(&form).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["instance_url"], house.info.instance_url.as_str());
    // The control plane stays with loopback.
    let answer = client.get(format!("{url}/sandbox/info")).send().await.unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn addresses_follow_a_host_that_is_the_sandboxs_own_and_could_be_an_address() {
    const NAME: &str = "acme.my.salesforce.com";
    let house = house_with(|options| options.host_names = vec![NAME.to_owned()]).await;
    let own = house.info.instance_url.clone();
    let told = [
        (NAME.to_owned(), format!("http://{NAME}")),
        // What a tunnel from elsewhere looks like.
        (format!("{NAME}:8443"), format!("http://{NAME}:8443")),
        (format!("{NAME}:0"), own.clone()),
        (format!("{NAME}:"), own.clone()),
        (format!("{NAME}:65536"), own.clone()),
        (format!("{NAME}:99999999999999999999"), own.clone()),
        (format!("{NAME}.evil.example"), own.clone()),
        (format!("{NAME}@evil.example"), own.clone()),
        (format!("evil.example/{NAME}:80"), own.clone()),
        (format!("x.{NAME}"), own.clone()),
    ];
    for (host, expected) in told {
        let message = format!(
            r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><e:Body>
            <login><username>{}</username><password>{}</password></login></e:Body></e:Envelope>"#,
            house.info.username, house.info.password
        );
        let request = house.http.post(house.url("/services/Soap/u/59.0"));
        let request = request
            .header("host", &host)
            .header("content-type", "text/xml")
            .header("soapaction", "\"\"");
        let answer = request.body(message).send().await.unwrap().text().await.unwrap();
        let server = format!("<serverUrl>{expected}/services/Soap/u/59.0/");
        assert!(answer.contains(&server), "{host}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_name_of_a_host_is_refused_at_the_start() {
    for name in [
        "",
        "a b",
        "-a.example",
        "a..example",
        "*.my.salesforce.com",
        &"a".repeat(64),
    ] {
        let options = Options {
            host_names: vec![name.to_owned()],
            ..Options::default()
        };
        let refused = start(options).await.err().map(|error| error.to_string());
        assert!(
            refused.is_some_and(|text| text.contains("no name of a host")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn paths_are_told_so_that_they_lead_there_from_everywhere() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let relative = std::path::PathBuf::from(dir.path().file_name().unwrap());
    let options = Options {
        tls_listen: Some("127.0.0.1:0".parse().unwrap()),
        state_dir: Some(relative),
        ..Options::default()
    };
    let running = start(options).await.unwrap();
    for path in [
        &running.info.ca_certificate_path,
        &running.info.jwt_private_key_path,
    ] {
        let path = path.as_ref().unwrap();
        assert!(path.is_absolute() && path.exists(), "{}", path.display());
    }
}
