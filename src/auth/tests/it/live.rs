//! Against a server of somebody else's making, over TLS: run with `CPQ_TEST_LOGIN_INFO=<URL>` of a document that holds
//! `instanceUrl`, `tlsInstanceUrl`, `caCertificatePath`, `organizationId`, `clientId`, `clientSecret`, `username` and
//! `jwtPrivateKeyPath`, and whose login page asks nobody.

use std::path::Path;

use cpq_auth::{Broker, Keyring, Loopback, Options};
use secrecy::SecretString;
use serde_json::Value;

use crate::endpoint::browse;
use crate::{SEALING_KEY, Street, crm};

#[tokio::test]
#[ignore = "needs a server; see the module"]
async fn every_flow_connects_renews_and_ends() {
    let info = reqwest::get(std::env::var("CPQ_TEST_LOGIN_INFO").unwrap())
        .await
        .unwrap();
    let info: Value = serde_json::from_slice(&info.bytes().await.unwrap()).unwrap();
    let text = |name: &str| info[name].as_str().unwrap().to_owned();
    let street = Street::new().await;
    let ca = std::fs::read(text("caCertificatePath")).unwrap();
    let options = Options {
        ca_certificates_pem: vec![ca],
        ..Options::default()
    };
    let keyring = Keyring::from_base64(&SecretString::from(SEALING_KEY)).unwrap();
    let broker = Broker::new(street.vault.clone(), street.world.clone(), keyring, options).unwrap();
    let mut app = street.app();
    app.login_url = text("tlsInstanceUrl");
    app.client_id = text("clientId");
    app.client_secret = Some(SecretString::from(text("clientSecret")));
    // The browser goes to the same server without TLS: it has no certificate authority of ours.
    let plain = url::Url::parse(&text("instanceUrl")).unwrap();
    let open = |url: &url::Url| {
        let mut url = url.clone();
        url.set_scheme("http").unwrap();
        url.set_host(plain.host_str()).unwrap();
        url.set_port(plain.port()).unwrap();
        tokio::spawn(browse(url));
        Ok(())
    };
    let connected = broker.login_web(&app, &Loopback::default(), open).await.unwrap();
    assert_eq!(connected.identity.username, text("username"));
    assert_eq!(connected.identity.organization_id, text("organizationId"));
    end(&broker).await;
    broker.login_client_credentials(&app).await.unwrap();
    end(&broker).await;
    // The tests' clock stands still; an assertion needs the real time.
    street.world.pass_ms(street.world.behind_ms());
    let key = text("jwtPrivateKeyPath");
    broker
        .login_jwt(&app, &text("username"), None, Path::new(&key))
        .await
        .unwrap();
    end(&broker).await;
}

async fn end(broker: &Broker) {
    let before = broker.session(&crm()).access().await.unwrap();
    assert_eq!(
        broker.refresh(&crm()).await.unwrap().generation,
        before.generation + 1
    );
    assert!(broker.disconnect(&crm()).await.unwrap().revoked);
}
