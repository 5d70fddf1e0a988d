//! SOAP login as jsforce and simple-salesforce call and read it.

use crate::house::{House, house};

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><se:Envelope xmlns:se=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <se:Header/><se:Body>{body}</se:Body></se:Envelope>"
    )
}

async fn post(house: &House, path: &str, body: String) -> (u16, String) {
    let request = house
        .http
        .post(house.url(path))
        .header("content-type", "text/xml")
        .header("soapaction", "login");
    let answer = request.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn login(username: &str, password: &str) -> String {
    envelope(&format!(
        "<login xmlns=\"urn:partner.soap.sforce.com\"><username>{username}</username><password>{password}</password></login>"
    ))
}

fn between<'a>(text: &'a str, tag: &str) -> &'a str {
    let start = text.find(&format!("<{tag}>")).unwrap() + tag.len() + 2;
    &text[start..text[start..].find(&format!("</{tag}>")).unwrap() + start]
}

#[tokio::test]
async fn a_login_gives_a_session_for_rest_and_the_address_to_use_it_at() {
    let house = house().await;
    for path in [
        "/services/Soap/u/50.0",
        "/services/Soap/u/59.0",
        "/services/Soap/c/64.0",
        "/services/Soap/u/59.0/00D000000000001",
    ] {
        let (status, text) = post(&house, path, login(&house.info.username, &house.info.password)).await;
        assert_eq!(status, 200, "{text}");
        assert!(house.works(between(&text, "sessionId")).await);
        assert!(between(&text, "serverUrl").starts_with(&house.url("/services/Soap/")));
        assert_eq!(between(&text, "organizationId"), house.info.organization_id);
        assert_eq!(between(&text, "passwordExpired"), "false");
        assert!(between(&text, "userId").starts_with("005"));
    }
}

#[tokio::test]
async fn a_wrong_login_is_a_fault_with_500() {
    let house = house().await;
    for body in [
        login(&house.info.username, "wrong"),
        login("no@one", &house.info.password),
        envelope("<login/>"),
    ] {
        let (status, text) = post(&house, "/services/Soap/u/59.0", body).await;
        assert_eq!(status, 500);
        assert_eq!(between(&text, "sf:exceptionCode"), "INVALID_LOGIN");
        assert_eq!(
            between(&text, "faultstring"),
            "INVALID_LOGIN: Invalid username, password, security token; or user locked out."
        );
    }
    let (status, _) = post(
        &house,
        "/services/Soap/u/65.0",
        login(&house.info.username, &house.info.password),
    )
    .await;
    assert_eq!(status, 500);
}

#[tokio::test]
async fn user_info_and_logout_need_the_session() {
    let house = house().await;
    let (_, text) = post(
        &house,
        "/services/Soap/u/59.0",
        login(&house.info.username, &house.info.password),
    )
    .await;
    let session = between(&text, "sessionId").to_owned();
    let with = |call: &str| {
        envelope(&format!(
            "<n:SessionHeader xmlns:n=\"urn\"><n:sessionId>{session}</n:sessionId></n:SessionHeader><n:{call}/>"
        ))
    };
    let (status, text) = post(&house, "/services/Soap/u/59.0", with("getUserInfo")).await;
    assert_eq!(
        (status, between(&text, "userName")),
        (200, house.info.username.as_str())
    );
    assert_eq!(post(&house, "/services/Soap/u/59.0", with("logout")).await.0, 200);
    assert!(!house.works(&session).await);
    let (status, text) = post(&house, "/services/Soap/u/59.0", with("getUserInfo")).await;
    assert_eq!(
        (status, between(&text, "sf:exceptionCode")),
        (500, "INVALID_SESSION_ID")
    );
}
