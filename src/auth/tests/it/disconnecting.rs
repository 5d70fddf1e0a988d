//! Ending a connection, and telling about connections.

use cpq_auth::Keyring;
use cpq_domain::Code;
use cpq_domain::vault::GrantState;
use secrecy::SecretString;

use crate::{Street, crm};

#[tokio::test]
async fn disconnecting_revokes_the_refresh_token_and_forgets_everything() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let disconnected = broker.disconnect(&crm()).await.unwrap();
    assert!(disconnected.revoked && disconnected.reason.is_none());
    assert!(street.endpoint.shelf().revoked[0].starts_with("5Aep861"));
    assert_eq!(
        broker.session(&crm()).access().await.unwrap_err().code,
        Code::NotConnected
    );
    assert!(broker.status().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_grant_that_cannot_be_revoked_is_forgotten_all_the_same() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.endpoint.shelf().revoke_status = Some(503);
    let disconnected = broker.disconnect(&crm()).await.unwrap();
    assert!(!disconnected.revoked);
    assert!(disconnected.reason.unwrap().message.contains("HTTP 503"));
    assert!(broker.status().await.unwrap().is_empty());
    let broker = street.connected().await;
    let lost_key = Keyring::from_base64(&SecretString::from("/".repeat(42) + "8=")).unwrap();
    assert!(
        !street
            .broker_with(lost_key)
            .disconnect(&crm())
            .await
            .unwrap()
            .revoked
    );
    assert!(broker.status().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_status_tells_all_but_the_secrets() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street
        .endpoint
        .script(400, "invalid_grant", "expired access/refresh token");
    broker.refresh(&crm()).await.unwrap_err();
    let status = &broker.status().await.unwrap()[0];
    assert!(status.opens && !status.sealing_key.is_empty());
    assert!(
        matches!(&status.state, GrantState::Dead { reason, .. } if reason.contains("expired")),
        "{status:?}"
    );
    let told = serde_json::to_string(status).unwrap();
    assert!(
        told.contains("integration@acme.example") && !told.contains("canary"),
        "{told}"
    );
}
