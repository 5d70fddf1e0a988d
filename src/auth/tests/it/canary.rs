//! Secrets that are planted and then looked for in everything that comes out.

use std::error::Error as _;
use std::sync::atomic::Ordering;

use cpq_auth::{Callback, Loopback};
use cpq_domain::Error;

use crate::endpoint::browse;
use crate::{Street, crm};

/// Everything that an error can show, anywhere.
fn shown(error: &Error) -> String {
    let mut shown = format!(
        "{error} {error:?} {}",
        serde_json::to_string(&error.report(None)).unwrap()
    );
    let mut cause = error.source();
    while let Some(inner) = cause {
        shown += &format!(" {inner} {inner:?}");
        cause = inner.source();
    }
    shown
}

fn clean(what: &str, text: &str) {
    assert!(!text.contains("canary"), "{what} shows a secret: {text}");
}

#[tokio::test]
async fn no_secret_is_in_any_debug_text() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let session = broker.session(&crm());
    clean("access", &format!("{:?}", session.access().await.unwrap()));
    clean("session", &format!("{session:?}"));
    clean("broker", &format!("{broker:?}"));
    clean("app", &format!("{:?}", street.app()));
    clean(
        "callback",
        &format!("{:?}", Callback::parse("code=canary&state=x")),
    );
    clean(
        "stored grant",
        &String::from_utf8_lossy(&street.vault.grant(&crm()).sealed),
    );
    clean("stored grant", &format!("{:?}", street.vault.grant(&crm())));
}

#[tokio::test]
async fn an_endpoint_that_quotes_our_secrets_does_not_bring_them_into_an_error() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let sent = {
        broker.refresh(&crm()).await.unwrap();
        street.endpoint.shelf().requests.last().unwrap().clone()
    };
    clean("the request's own fields", &sent["grant_type"]);
    street.endpoint.shelf().rotate = false;
    broker.refresh(&crm()).await.unwrap();
    let token = street.endpoint.shelf().requests.last().unwrap()["refresh_token"].clone();
    let quoted = format!(
        "no user for {token} of client_secret={}",
        crate::endpoint::CLIENT_SECRET
    );
    for error in ["invalid_client", "invalid_request", "invalid_grant"] {
        street.endpoint.script(400, error, &quoted);
        let error = broker.refresh(&crm()).await.unwrap_err();
        clean("error", &shown(&error));
    }
    clean(
        "status",
        &serde_json::to_string(&broker.status().await.unwrap()).unwrap(),
    );
}

#[tokio::test]
async fn failures_on_the_way_show_no_secret() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street
        .endpoint
        .shelf()
        .script
        .push_back((200, "text/html", "<p>canary</p>".to_owned()));
    clean("html", &shown(&broker.refresh(&crm()).await.unwrap_err()));
    street.endpoint.shelf().script.push_back((
        200,
        "application/json",
        r#"{"access_token":"canary"}"#.to_owned(),
    ));
    clean("incomplete", &shown(&broker.refresh(&crm()).await.unwrap_err()));
    street.vault.failing_saves.store(5, Ordering::SeqCst);
    clean("unsaved", &shown(&broker.refresh(&crm()).await.unwrap_err()));
    let mut app = street.app();
    app.login_url = "http://127.0.0.1:1".to_owned();
    clean(
        "unreachable",
        &shown(&broker.login_client_credentials(&app).await.unwrap_err()),
    );
    street
        .endpoint
        .script(400, "invalid_grant", "invalid authorization code");
    let open = |url: &url::Url| {
        tokio::spawn(browse(url.clone()));
        Ok(())
    };
    clean(
        "login",
        &shown(
            &broker
                .login_web(&street.app(), &Loopback::default(), open)
                .await
                .unwrap_err(),
        ),
    );
}

#[tokio::test]
async fn control_characters_of_the_vendor_do_not_reach_a_terminal() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street
        .endpoint
        .script(400, "invalid_client", "bad\u{1b}[2Jnews\r\nFake: line");
    let error = broker.refresh(&crm()).await.unwrap_err();
    assert!(!error.message.chars().any(char::is_control), "{error:?}");
}
