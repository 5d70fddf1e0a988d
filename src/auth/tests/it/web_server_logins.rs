//! A person logs in through a callback of our own server.

use cpq_auth::{Authorize, Callback};
use cpq_domain::Code;

use crate::{Street, crm};

const REDIRECT: &str = "https://cpq.acme.example/oauth/callback";

/// The browser follows the login page; gives the query it comes back with.
async fn log_in(authorize: &Authorize) -> String {
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let response = browser.get(authorize.url.clone()).send().await.unwrap();
    let back = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    back.query().unwrap().to_owned()
}

#[tokio::test]
async fn begin_and_finish_connect_once() {
    let street = Street::new().await;
    let broker = street.broker();
    let authorize = broker.begin_web(&street.app(), REDIRECT).unwrap();
    let query = log_in(&authorize).await;
    assert_eq!(
        broker
            .finish_web(Callback::parse(&query))
            .await
            .unwrap()
            .settings
            .name,
        crm()
    );
    let again = broker.finish_web(Callback::parse(&query)).await.unwrap_err();
    assert_eq!(again.code, Code::LoginFailed);
    assert_eq!(street.endpoint.token_requests(), 1);
}

#[tokio::test]
async fn an_unknown_state_reaches_nobody() {
    let street = Street::new().await;
    let broker = street.broker();
    broker.begin_web(&street.app(), REDIRECT).unwrap();
    let error = broker
        .finish_web(Callback::parse("code=stolen&state=guessed"))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::LoginFailed);
    assert_eq!(street.endpoint.token_requests(), 0);
}

#[tokio::test]
async fn the_verifier_belongs_to_the_login_that_was_begun() {
    let street = Street::new().await;
    let broker = street.broker();
    let (mine, other) = (
        broker.begin_web(&street.app(), REDIRECT),
        broker.begin_web(&street.app(), REDIRECT),
    );
    // Another login's code under my state: a code injection.
    let stolen = log_in(&other.unwrap()).await;
    let code = stolen.split('&').next().unwrap().to_owned();
    let state =
        url::form_urlencoded::byte_serialize(mine_state(&mine.unwrap()).as_bytes()).collect::<String>();
    let error = broker
        .finish_web(Callback::parse(&format!("{code}&state={state}")))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::LoginFailed);
    assert_eq!(error.upstream.unwrap().message, "invalid code verifier");
}

fn mine_state(authorize: &Authorize) -> String {
    use secrecy::ExposeSecret as _;
    authorize.state.expose_secret().to_owned()
}

#[tokio::test]
async fn a_login_ends_after_ten_minutes() {
    let street = Street::new().await;
    let broker = street.broker();
    let authorize = broker.begin_web(&street.app(), REDIRECT).unwrap();
    let query = log_in(&authorize).await;
    street.world.pass_ms(600_000);
    assert_eq!(
        broker.finish_web(Callback::parse(&query)).await.unwrap_err().code,
        Code::LoginFailed
    );
    assert_eq!(street.endpoint.token_requests(), 0);
}

#[tokio::test]
async fn an_answer_of_another_login_service_is_refused() {
    let street = Street::new().await;
    let broker = street.broker();
    let query = log_in(&broker.begin_web(&street.app(), REDIRECT).unwrap()).await;
    let mixed_up = format!("{query}&iss=https%3A%2F%2Fevil.example");
    assert_eq!(
        broker
            .finish_web(Callback::parse(&mixed_up))
            .await
            .unwrap_err()
            .code,
        Code::LoginFailed
    );
    assert_eq!(street.endpoint.token_requests(), 0);
}
