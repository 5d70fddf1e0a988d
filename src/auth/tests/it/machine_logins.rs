//! Flows without a person: JWT bearer and client credentials.

use cpq_auth::Broker;
use cpq_domain::Code;
use cpq_domain::connection::Flow;
use rcgen::{KeyPair, PKCS_RSA_SHA256};

use crate::{Street, crm};

const USERNAME: &str = "integration@acme.example";

async fn jwt_login(street: &Street, broker: &Broker) -> KeyPair {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    street.endpoint.shelf().public_key_pem = key.public_key_pem();
    street.endpoint.shelf().scope = "api id".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt.key");
    std::fs::write(&path, key.serialize_pem()).unwrap();
    let connected = broker
        .login_jwt(&street.app(), USERNAME, None, &path)
        .await
        .unwrap();
    assert_eq!(
        (connected.settings.flow, connected.settings.scopes.as_slice()),
        (Flow::Jwt, &["api".to_owned()][..])
    );
    key
}

#[tokio::test]
async fn a_jwt_connection_renews_by_a_new_login_on_every_node() {
    let street = Street::new().await;
    jwt_login(&street, &street.broker()).await;
    // The key file is gone by now, and this is another process.
    assert_eq!(street.broker().refresh(&crm()).await.unwrap().generation, 2);
    let shelf = street.endpoint.shelf();
    let kinds: Vec<_> = shelf
        .requests
        .iter()
        .map(|form| form["grant_type"].as_str())
        .collect();
    assert_eq!(kinds, ["urn:ietf:params:oauth:grant-type:jwt-bearer"; 2]);
}

#[tokio::test]
async fn an_assertion_ends_three_minutes_from_now() {
    use base64::Engine as _;
    use cpq_domain::world::World as _;
    let street = Street::new().await;
    jwt_login(&street, &street.broker()).await;
    let assertion = street.endpoint.shelf().requests[0]["assertion"].clone();
    let claims = assertion.split('.').nth(1).unwrap().to_owned();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["exp"], street.world.now().as_second() + 180);
}

#[tokio::test]
async fn a_user_that_has_not_approved_the_app_is_a_matter_of_setup() {
    let street = Street::new().await;
    let broker = street.broker();
    jwt_login(&street, &broker).await;
    street
        .endpoint
        .script(400, "invalid_grant", "user hasn't approved this consumer");
    assert_eq!(broker.refresh(&crm()).await.unwrap_err().code, Code::LoginFailed);
    assert!(broker.refresh(&crm()).await.is_ok(), "the connection was buried");
    street.endpoint.script(400, "inactive_user", "user is inactive");
    assert_eq!(broker.refresh(&crm()).await.unwrap_err().code, Code::TokenExpired);
}

#[tokio::test]
async fn a_key_that_is_no_rsa_key_is_refused_without_showing_it() {
    let street = Street::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt.key");
    std::fs::write(
        &path,
        "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let error = street
        .broker()
        .login_jwt(&street.app(), USERNAME, None, &path)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ConfigInvalid);
    assert!(!format!("{error:?}").contains("canary"));
    let missing = folder.path().join("missing.key");
    let error = street
        .broker()
        .login_jwt(&street.app(), USERNAME, None, &missing)
        .await
        .unwrap_err();
    assert!(error.message.contains("missing.key"), "{error}");
}

#[tokio::test]
async fn client_credentials_log_in_and_renew() {
    let street = Street::new().await;
    street.endpoint.shelf().scope = "api id".to_owned();
    let connected = street
        .broker()
        .login_client_credentials(&street.app())
        .await
        .unwrap();
    assert_eq!(connected.settings.flow, Flow::ClientCredentials);
    assert_eq!(street.broker().refresh(&crm()).await.unwrap().generation, 2);
    let mut app = street.app();
    app.client_secret = None;
    assert_eq!(
        street
            .broker()
            .login_client_credentials(&app)
            .await
            .unwrap_err()
            .code,
        Code::ConfigInvalid
    );
}

#[tokio::test]
async fn client_credentials_without_a_run_as_user_name_the_reason() {
    let street = Street::new().await;
    street
        .endpoint
        .script(400, "invalid_grant", "no client credentials user enabled");
    let error = street
        .broker()
        .login_client_credentials(&street.app())
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::LoginFailed);
    assert!(
        error.message.contains("no client credentials user enabled"),
        "{error}"
    );
}
