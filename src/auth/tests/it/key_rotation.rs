//! The sealing key is replaced while everything runs.

use cpq_auth::Keyring;
use cpq_domain::id::ConnectionName;
use secrecy::{ExposeSecret, SecretString};

use crate::{SEALING_KEY, Street, crm};

#[tokio::test]
async fn all_grants_are_sealed_anew_and_the_old_key_goes() {
    let street = Street::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    let ring = || Keyring::from_file(&path, street.world.as_ref()).unwrap();
    let (broker, running) = (street.broker_with(ring()), street.broker_with(ring()));
    street.log_in(&broker).await;
    let old = Keyring::sealed_with(&street.vault.grant(&crm()).sealed).unwrap();
    let rotation = broker.rotate_key().await.unwrap();
    assert_eq!(
        (rotation.resealed.as_slice(), rotation.retired.as_slice()),
        (&[crm()][..], &[old][..])
    );
    assert_eq!(ring().key_ids(), [rotation.newest]);
    assert!(!street.vault.is_leased());
    // A process that started before opens, renews and seals with the new key.
    assert_eq!(running.refresh(&crm()).await.unwrap().generation, 3);
    assert_eq!(
        Keyring::sealed_with(&street.vault.grant(&crm()).sealed),
        Some(rotation.newest)
    );
    assert_eq!(street.endpoint.shelf().reuses, 0);
}

#[tokio::test]
async fn a_rotation_does_not_pass_for_a_renewal() {
    let street = Street::new().await;
    let folder = tempfile::tempdir().unwrap();
    let ring = Keyring::from_file(&folder.path().join("sealing.key"), street.world.as_ref()).unwrap();
    let broker = street.broker_with(ring);
    street.log_in(&broker).await;
    let session = broker.session(&crm());
    let seen = session.access().await.unwrap().generation;
    broker.rotate_key().await.unwrap();
    street.endpoint.expire();
    let access = session.renew(seen).await.unwrap();
    assert!(street.endpoint.accepts(access.token.expose_secret()));
}

#[tokio::test]
async fn a_grant_that_does_not_open_does_not_hold_up_the_others() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let mut foreign = street.vault.grant(&crm());
    foreign.settings.name = ConnectionName::new("foreign").unwrap();
    street.vault.put(foreign);
    let both = SecretString::from(format!("{}8=,{SEALING_KEY}", "/".repeat(42)));
    let rotation = street
        .broker_with(Keyring::from_base64(&both).unwrap())
        .rotate_key()
        .await
        .unwrap();
    assert_eq!(rotation.resealed, [crm()]);
    assert_eq!(rotation.unopened, [ConnectionName::new("foreign").unwrap()]);
    assert!(
        rotation.retired.is_empty(),
        "the foreign grant still names the old key"
    );
    assert!(broker.session(&crm()).access().await.is_ok());
}

#[tokio::test]
async fn a_process_that_started_before_seals_new_logins_with_the_new_key() {
    let street = Street::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    let ring = || Keyring::from_file(&path, street.world.as_ref()).unwrap();
    let running = street.broker_with(ring());
    let rotation = street.broker_with(ring()).rotate_key().await.unwrap();
    street.log_in(&running).await;
    assert_eq!(
        Keyring::sealed_with(&street.vault.grant(&crm()).sealed),
        Some(rotation.newest)
    );
    assert!(street.broker_with(ring()).session(&crm()).access().await.is_ok());
}
