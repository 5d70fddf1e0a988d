//! Where the service listens, and what must hold before others than this machine reach it.

use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::house::{House, Service};

const SETTINGS: &str =
    "[service]\ntls_certificate = \"tls.crt\"\ntls_key = \"tls.key\"\nhost_names = [\"localhost\"]\n";

fn certificate(dir: &Path) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(dir.join("tls.crt"), cert.pem()).expect("written");
    std::fs::write(dir.join("tls.key"), signing_key.serialize_pem()).expect("written");
}

fn configure(house: &House, text: &str) {
    std::fs::write(house.path().join("cpq.toml"), text).expect("the configuration");
}

#[test]
fn nobody_else_reaches_it_in_clear_or_while_there_is_no_token() {
    let house = House::empty();
    let clear = house.cpq(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(clear.code, 1, "{clear:?}");
    for part in ["in clear", "service.tls_certificate", "CONFIG_INVALID"] {
        assert!(clear.err.contains(part), "{part}: {clear:?}");
    }
    configure(&house, SETTINGS);
    certificate(house.path());
    let nobody = house.cpq(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.err.contains("cpq token create"), "{nobody:?}");
    house.cpq(&["sync", "list"]).ok();
    let own = house.cpq(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(
        own.code, 1,
        "the command line's own token counts for nothing: {own:?}"
    );
    let token = house.cpq(&["token", "create", "--client", "portal", "--scope", "sync:read"]);
    let token = token.ok().out.trim().to_owned();
    let mut command = house.command(&["serve", "--listen", "0.0.0.0:0", "--changes", "off"]);
    command.stdout(std::process::Stdio::piped());
    let service = Service::of(command, || token);
    assert!(service.url.starts_with("https://localhost:"), "{}", service.url);
    assert_eq!(
        seen(&house, &service),
        (200, 401, true),
        "a token gets in, nobody else does, and the cookie is for TLS alone"
    );
    let said = house.cpq(&["-v", "sync", "list"]).ok();
    assert!(!said.err.contains("does not answer"), "{said:?}");
}

/// What a client that trusts the certificate is answered with and without the token, and whether the cookie of a login is
/// for TLS alone.
fn seen(house: &House, service: &Service) -> (u16, u16, bool) {
    let pem = std::fs::read(house.path().join("tls.crt")).expect("the certificate");
    let trusted = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([trusted])
        .build()
        .expect("a client");
    let (syncs, login) = (
        format!("{}/api/v1/sync", service.url),
        format!("{}/login", service.url),
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let known = client.get(&syncs).bearer_auth(&service.token).send().await;
        let stranger = client.get(&syncs).send().await.expect("an answer");
        let entered = client.post(&login).header("sec-fetch-site", "same-origin");
        let entered = entered.form(&[("token", &service.token)]).send().await;
        let cookie = entered.expect("an answer").headers()["set-cookie"].clone();
        let cookie = cookie.to_str().expect("text").to_owned();
        let secure = cookie.starts_with("__Host-") && cookie.contains("; Secure");
        let home = client.get(format!("{}/", service.url));
        let home = home.header("cookie", cookie.split(';').next().unwrap_or_default());
        let home = home.send().await.expect("an answer").status();
        let secure = secure && home == 200;
        (
            known.expect("an answer").status().as_u16(),
            stranger.status().as_u16(),
            secure,
        )
    })
}

#[test]
fn half_a_certificate_is_refused() {
    let house = House::empty();
    configure(&house, "[service]\ntls_certificate = \"tls.crt\"\n");
    let said = house.cpq(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.code == 1 && said.err.contains("belong together"), "{said:?}");
    configure(&house, SETTINGS);
    let said = house.cpq(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.code == 1 && said.err.contains("tls.crt"), "{said:?}");
}
