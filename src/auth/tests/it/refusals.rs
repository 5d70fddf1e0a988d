//! What the vendor's refusals of a refresh lead to.

use cpq_domain::Code;
use cpq_domain::vault::GrantState;

use crate::{Street, crm};

const BUSY: &str = "token request is already being processed";

#[tokio::test]
async fn already_being_processed_is_waited_out() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.endpoint.script(400, "invalid_grant", BUSY);
    street.endpoint.script(400, "invalid_grant", BUSY);
    assert_eq!(broker.refresh(&crm()).await.unwrap().generation, 2);
    assert_eq!(street.endpoint.shelf().refreshes, 1);
}

#[tokio::test]
async fn already_being_processed_for_ever_is_not_a_revocation() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let before = street.endpoint.token_requests();
    (0..50).for_each(|_| street.endpoint.script(400, "invalid_grant", BUSY));
    let error = broker.refresh(&crm()).await.unwrap_err();
    assert_eq!(error.code, Code::CrmUnavailable);
    assert_eq!(street.endpoint.token_requests() - before, 5);
    assert_eq!(street.vault.grant(&crm()).state, GrantState::Active);
    assert!(!street.vault.is_leased());
}

#[tokio::test]
async fn a_maintenance_page_and_a_5xx_are_transient() {
    let street = Street::new().await;
    let broker = street.connected().await;
    for (status, media_type) in [
        (200, "text/html"),
        (400, "text/html"),
        (503, "text/html"),
        (500, "application/json"),
    ] {
        let page = (status, media_type, "<html>Down for maintenance</html>".to_owned());
        street.endpoint.shelf().script.push_back(page);
        let error = broker.refresh(&crm()).await.unwrap_err();
        assert_eq!(error.code, Code::CrmUnavailable, "{status} {media_type}");
        assert!(error.retry_after_ms.is_some());
    }
    assert_eq!(broker.refresh(&crm()).await.unwrap().generation, 2);
}

#[tokio::test]
async fn a_revoked_grant_is_buried_and_answers_without_asking_again() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street
        .endpoint
        .script(400, "invalid_grant", "expired access/refresh token");
    let error = broker.refresh(&crm()).await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::TokenExpired, "Reconnect CRM integration")
    );
    assert_eq!(error.upstream.unwrap().message, "expired access/refresh token");
    let asked = street.endpoint.token_requests();
    for node in [broker, street.broker()] {
        let error = node.session(&crm()).access().await.unwrap_err();
        assert_eq!(
            (error.code, error.upstream.unwrap().code.as_str()),
            (Code::TokenExpired, "invalid_grant")
        );
        assert_eq!(
            node.session(&crm()).renew(1).await.unwrap_err().code,
            Code::TokenExpired
        );
    }
    assert_eq!(street.endpoint.token_requests(), asked);
}

#[tokio::test]
async fn reconnecting_revives_the_connection_on_every_node() {
    let street = Street::new().await;
    let (broker, other) = (street.connected().await, street.broker());
    street
        .endpoint
        .script(400, "invalid_grant", "expired access/refresh token");
    broker.refresh(&crm()).await.unwrap_err();
    assert_eq!(
        other.session(&crm()).access().await.unwrap_err().code,
        Code::TokenExpired
    );
    street.log_in(&broker).await;
    assert_eq!(other.session(&crm()).access().await.unwrap().generation, 2);
}

#[tokio::test]
async fn a_wrongly_set_up_app_is_not_a_dead_grant() {
    let street = Street::new().await;
    let broker = street.connected().await;
    for (error, words) in [
        ("invalid_client", "invalid client credentials"),
        ("invalid_client_id", "client identifier invalid"),
        ("invalid_grant", "ip restricted or invalid login hours"),
    ] {
        street.endpoint.script(400, error, words);
        let refused = broker.refresh(&crm()).await.unwrap_err();
        assert_eq!(refused.code, Code::LoginFailed, "{error}");
        assert_eq!(refused.upstream.unwrap().message, words);
    }
    assert_eq!(broker.refresh(&crm()).await.unwrap().generation, 2);
}

#[tokio::test]
async fn too_many_logins_ask_for_minutes() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street
        .endpoint
        .script(400, "invalid_grant", "login rate exceeded");
    let error = broker.refresh(&crm()).await.unwrap_err();
    assert_eq!(error.code, Code::CrmLimit);
    assert!(error.retry_after_ms.unwrap() >= 60_000);
}

#[tokio::test]
async fn an_answer_of_the_wrong_types_is_refused_and_does_not_show_its_values() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let host = street.endpoint.url.clone();
    for body in [
        format!(r#"{{"access_token":77001122,"instance_url":"{host}"}}"#),
        format!(r#"{{"access_token":"tok-77001122","instance_url":"{host}","scope":77001122}}"#),
        format!(r#"{{"access_token":"","instance_url":"{host}"}}"#),
        format!(r#"{{"access_token":"tok-77001122","instance_url":"{host}","token_type":"mac"}}"#),
        r#"{"access_token":"tok-77001122"}"#.to_owned(),
        r#"{"access_token":"tok-77001122"#.to_owned(),
    ] {
        street
            .endpoint
            .shelf()
            .script
            .push_back((200, "application/json", body.clone()));
        let error = broker.refresh(&crm()).await.unwrap_err();
        assert_eq!(error.code, Code::ProtocolViolation, "{body}");
        assert!(!format!("{error:?}").contains("77001122"), "{error:?}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_is_asked() {
    let street = Street::new().await;
    let broker = street.broker();
    assert_eq!(
        broker.session(&crm()).access().await.unwrap_err().code,
        Code::NotConnected
    );
    assert_eq!(
        broker.session(&crm()).renew(1).await.unwrap_err().code,
        Code::NotConnected
    );
    assert_eq!(broker.refresh(&crm()).await.unwrap_err().code, Code::NotConnected);
    assert_eq!(
        broker.disconnect(&crm()).await.unwrap_err().code,
        Code::NotConnected
    );
    assert_eq!(street.endpoint.token_requests(), 0);
}

#[tokio::test]
async fn a_grant_that_was_replaced_while_its_token_was_refused_is_not_buried() {
    let street = Street::new().await;
    let (broker, other) = (street.connected().await, street.broker());
    street.log_in(&other).await;
    let newer = street.vault.grant(&crm());
    // The first login's token is refused just as the second login is stored.
    street.vault.tamper(&crm(), |grant| grant.generation = 1);
    let vault = street.vault.clone();
    street.endpoint.shelf().meanwhile = Some(Box::new(move || vault.put(newer)));
    street
        .endpoint
        .script(400, "invalid_grant", "expired access/refresh token");
    let access = broker.session(&crm()).renew(1).await.unwrap();
    assert_eq!(access.generation, 2);
    assert_eq!(street.vault.grant(&crm()).state, GrantState::Active);
}
