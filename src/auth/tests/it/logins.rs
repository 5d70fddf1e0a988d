//! A person logs in on this machine.

use cpq_auth::Loopback;
use cpq_domain::Code;
use cpq_domain::connection::Flow;

use crate::endpoint::{ORGANIZATION, USER, browse};
use crate::{Street, crm};

#[tokio::test]
async fn a_login_with_pkce_on_a_loopback_redirect_stores_the_grant() {
    let street = Street::new().await;
    let broker = street.broker();
    let mut browser = None;
    let open = |url: &url::Url| {
        browser = Some(tokio::spawn(browse(url.clone())));
        Ok(())
    };
    let connected = broker
        .login_web(&street.app(), &Loopback::default(), open)
        .await
        .unwrap();
    let (status, page) = browser.unwrap().await.unwrap();
    assert!(
        status == 200 && page.contains("Connected. You can close"),
        "{status} {page}"
    );
    assert_eq!(connected.settings.flow, Flow::Web);
    assert_eq!(connected.settings.scopes, ["api", "refresh_token"]);
    assert_eq!(connected.identity.organization_id, ORGANIZATION);
    assert_eq!(connected.identity.user_id, USER);
    assert_eq!(connected.identity.username, "integration@acme.example");
    assert!(connected.excess_scopes.is_empty());
    let form = street.endpoint.shelf().requests[0].clone();
    assert!(form["redirect_uri"].starts_with("http://127.0.0.1:"), "{form:?}");
    assert_eq!(street.vault.grant(&crm()).settings, connected.settings);
    assert!(broker.session(&crm()).access().await.is_ok());
}

#[tokio::test]
async fn a_wrong_state_is_refused_and_does_not_break_the_login_off() {
    let street = Street::new().await;
    let broker = street.broker();
    let mut browser = None;
    let open = |url: &url::Url| {
        browser = Some(tokio::spawn(stray_then_right(url.clone())));
        Ok(())
    };
    broker
        .login_web(&street.app(), &Loopback::default(), open)
        .await
        .unwrap();
    assert_eq!(browser.unwrap().await.unwrap(), [400, 400, 404, 405, 200]);
    assert_eq!(
        street.endpoint.token_requests(),
        1,
        "a stray code reached the endpoint"
    );
}

async fn stray_then_right(url: url::Url) -> Vec<u16> {
    let pair = |wanted: &str| {
        url.query_pairs()
            .find(|(name, _)| name == wanted)
            .unwrap()
            .1
            .into_owned()
    };
    let (redirect, state) = (pair("redirect_uri"), pair("state"));
    let http = reqwest::Client::new();
    // Connections on which nothing is sent, as browsers open them ahead.
    let port = url::Url::parse(&redirect).unwrap().port().unwrap();
    let _idle = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let strays = [
        http.get(format!("{redirect}?code=evil&state=wrong")),
        http.get(format!("{redirect}?code=evil&state={state}"))
            .header("host", "evil.example"),
        http.get(redirect.replace("/oauth/callback", "/favicon.ico")),
        http.post(format!("{redirect}?code=evil&state={state}")),
    ];
    let mut statuses = Vec::new();
    for stray in strays {
        statuses.push(stray.send().await.unwrap().status().as_u16());
    }
    statuses.push(browse(url).await.0);
    statuses
}

#[tokio::test]
async fn the_listener_closes_after_its_one_login() {
    let street = Street::new().await;
    let broker = street.broker();
    let mut redirect = String::new();
    let open = |url: &url::Url| {
        redirect = url
            .query_pairs()
            .find(|(name, _)| name == "redirect_uri")
            .unwrap()
            .1
            .into_owned();
        tokio::spawn(browse(url.clone()));
        Ok(())
    };
    broker
        .login_web(&street.app(), &Loopback::default(), open)
        .await
        .unwrap();
    assert!(reqwest::get(&redirect).await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_login_that_the_person_refuses_says_so() {
    let street = Street::new().await;
    street.endpoint.shelf().error_at_login = Some("access_denied");
    let broker = street.broker();
    let mut browser = None;
    let open = |url: &url::Url| {
        browser = Some(tokio::spawn(browse(url.clone())));
        Ok(())
    };
    let error = broker
        .login_web(&street.app(), &Loopback::default(), open)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::LoginFailed);
    let said = error.upstream.unwrap();
    assert_eq!(
        (said.code.as_str(), said.message.as_str()),
        ("access_denied", "end-user denied")
    );
    assert!(browser.unwrap().await.unwrap().1.contains("Not connected"));
    assert_eq!(street.endpoint.token_requests(), 0);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let street = Street::new().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let loopback = Loopback {
        port,
        ..Loopback::default()
    };
    let error = street
        .broker()
        .login_web(&street.app(), &loopback, |_| Ok(()))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::PortInUse);
    assert!(error.message.contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn a_grant_without_the_scopes_is_not_stored_and_is_given_back() {
    let street = Street::new().await;
    street.endpoint.shelf().scope = "id refresh_token".to_owned();
    let open = |url: &url::Url| {
        tokio::spawn(browse(url.clone()));
        Ok(())
    };
    let error = street
        .broker()
        .login_web(&street.app(), &Loopback::default(), open)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ScopeMissing);
    assert_eq!(error.facts.unwrap()["missing"], "api");
    assert_eq!(street.endpoint.shelf().revoked.len(), 1);
    assert!(street.broker().status().await.unwrap().is_empty());
}

#[tokio::test]
async fn scopes_beyond_the_asked_ones_are_told() {
    let street = Street::new().await;
    street.endpoint.shelf().scope = "refresh_token full api".to_owned();
    let open = |url: &url::Url| {
        tokio::spawn(browse(url.clone()));
        Ok(())
    };
    let connected = street
        .broker()
        .login_web(&street.app(), &Loopback::default(), open)
        .await
        .unwrap();
    assert_eq!(connected.excess_scopes, ["full"]);
}

#[tokio::test]
async fn a_login_url_without_tls_is_refused_before_anything_is_sent() {
    let street = Street::new().await;
    let mut app = street.app();
    app.login_url = "http://login.salesforce.com".to_owned();
    let error = street
        .broker()
        .login_web(&app, &Loopback::default(), |_| Ok(()))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ConfigInvalid);
}
