//! What happens when the answer has come and cannot be stored.

use std::sync::atomic::Ordering;

use cpq_domain::Code;
use cpq_domain::vault::GrantState;
use secrecy::ExposeSecret;

use crate::{Street, crm};

#[tokio::test]
async fn a_save_that_fails_for_a_moment_is_repeated() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.vault.failing_saves.store(3, Ordering::SeqCst);
    assert!(broker.refresh(&crm()).await.is_ok());
    assert_eq!(street.endpoint.shelf().refreshes, 1);
    assert!(!street.vault.is_leased());
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_is_kept_back_and_stored_later() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.vault.failing_saves.store(5, Ordering::SeqCst);
    let error = broker.refresh(&crm()).await.unwrap_err();
    assert_eq!(error.code, Code::StoreUnavailable);
    assert!(
        street.vault.is_leased(),
        "others must not send the used token while we hold its successor"
    );
    let access = broker.refresh(&crm()).await.unwrap();
    assert!(street.endpoint.accepts(access.token.expose_secret()));
    assert_eq!(street.endpoint.counts(), (1, 0));
}

#[tokio::test]
async fn an_answer_kept_back_past_its_lease_is_stored_under_a_new_one() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.vault.failing_saves.store(5, Ordering::SeqCst);
    broker.refresh(&crm()).await.unwrap_err();
    street.world.pass_ms(600_000);
    assert_eq!(broker.refresh(&crm()).await.unwrap().generation, 2);
    assert_eq!(street.endpoint.counts(), (1, 0));
    assert!(!street.vault.is_leased());
}

#[tokio::test]
async fn another_node_waits_for_the_answer_that_is_kept_back() {
    let street = Street::new().await;
    let (broker, other) = (street.connected().await, street.broker());
    let seen = other.session(&crm()).access().await.unwrap().generation;
    street.vault.failing_saves.store(5, Ordering::SeqCst);
    broker.refresh(&crm()).await.unwrap_err();
    let waiting = tokio::spawn(async move { other.session(&crm()).renew(seen).await.unwrap() });
    let stored = broker.refresh(&crm()).await.unwrap();
    assert_eq!(
        waiting.await.unwrap().token.expose_secret(),
        stored.token.expose_secret()
    );
    assert_eq!(street.endpoint.counts(), (1, 0));
}

#[tokio::test]
async fn a_stale_answer_never_overwrites_a_newer_login() {
    let street = Street::new().await;
    let (broker, other) = (street.connected().await, street.broker());
    street.vault.failing_saves.store(5, Ordering::SeqCst);
    broker.refresh(&crm()).await.unwrap_err();
    street.log_in(&other).await;
    let session = broker.session(&crm());
    let seen = session.access().await.unwrap().generation;
    let access = session.renew(seen).await.unwrap();
    assert_eq!((seen, access.generation), (1, 2));
    assert!(street.endpoint.accepts(access.token.expose_secret()));
    assert_eq!(street.endpoint.shelf().reuses, 0);
}

/// The one gap that no client can close: the process dies between the answer and the save. The used token is sent once
/// more, under a new lease and after reading again; then the grant is known to be dead, and nobody tries again.
#[tokio::test]
async fn after_a_crash_between_answer_and_save_the_grant_is_buried_once_and_left_alone() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.vault.failing_saves.store(5, Ordering::SeqCst);
    broker.refresh(&crm()).await.unwrap_err();
    drop(broker);
    street.world.pass_ms(600_000);
    for node in [street.broker(), street.broker()] {
        let error = node.refresh(&crm()).await.unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::TokenExpired, "Reconnect CRM integration")
        );
    }
    assert_eq!(street.endpoint.shelf().reuses, 1);
    assert!(matches!(
        street.vault.grant(&crm()).state,
        GrantState::Dead { .. }
    ));
}
