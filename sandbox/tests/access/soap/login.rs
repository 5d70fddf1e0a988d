//! Login and logout, and who one is.

use super::{ENTERPRISE, PARTNER, SOAP, envelope, login};
use crate::house::{house, house_with};
use serde_json::json;

const INVALID: &str = "INVALID_LOGIN: Invalid username, password, security token; or user locked out.";

#[tokio::test]
async fn a_login_gives_a_session_for_rest_and_the_address_to_use_it_at() {
    let house = house().await;
    for path in [
        "/services/Soap/u/50.0",
        "/services/Soap/u/64.0",
        "/services/Soap/c/59.0",
        "/services/Soap/u/59.0/00D000000000001",
    ] {
        let body = login(&house.info.username, &house.info.password);
        let namespace = if path.contains("/c/") { ENTERPRISE } else { PARTNER };
        let said = house.soap(path, body.replace(PARTNER, namespace)).await;
        assert_eq!(said.status, 200, "{}", said.text);
        assert!(house.works(&said.first("sessionId")).await);
        let prefix: String = path.splitn(6, '/').take(5).collect::<Vec<_>>().join("/");
        assert!(said.first("serverUrl").starts_with(&house.url(&prefix)));
        assert_eq!(said.first("organizationId"), house.info.organization_id);
        assert_eq!(said.first("passwordExpired"), "false");
        assert_eq!(said.first("sessionSecondsValid"), "7200");
        assert!(said.first("userId").starts_with("005"));
        // jsforce and simple-salesforce look for these words in the text.
        for tag in ["<sessionId>", "<serverUrl>", "<userId>", "<organizationId>"] {
            assert!(said.text.contains(tag), "{tag}");
        }
    }
}

#[tokio::test]
async fn the_envelopes_of_real_clients_are_understood() {
    let house = house_with(|options| options.password = "a<b&\"c\"'d".into()).await;
    let user = &house.info.username;
    let simple = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<env:Envelope\n xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"\n \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n xmlns:env=\"{SOAP}\"\n xmlns:urn=\"{PARTNER}\">\n \
         <env:Header><urn:CallOptions><urn:client>simple-salesforce</urn:client>\
         <urn:defaultNamespace>sf</urn:defaultNamespace></urn:CallOptions><urn:LoginScopeHeader>\
         <urn:organizationId>{org}</urn:organizationId></urn:LoginScopeHeader></env:Header>\n<env:Body>\n\
         <n1:login xmlns:n1=\"{PARTNER}\"><n1:username>{user}</n1:username>\
         <n1:password>a&lt;b&amp;&quot;c&quot;&#x27;dSANDBOXTOKEN</n1:password></n1:login></env:Body></env:Envelope>",
        org = house.info.organization_id
    );
    let jsforce = format!(
        "<se:Envelope xmlns:se=\"{SOAP}\"><se:Header/><se:Body><login xmlns=\"{PARTNER}\"><username>{user}</username>\
         <password>a&lt;b&amp;&quot;c&quot;&apos;d</password></login></se:Body></se:Envelope>"
    );
    let cdata = format!(
        "\u{feff}\n <se:Envelope xmlns:se=\"{SOAP}\"><!-- a --><se:Body><urn:login xmlns:urn=\"{PARTNER}\">\
         <urn:username>{user}</urn:username><urn:password><![CDATA[a<b&\"c\"]]>'d</urn:password></urn:login></se:Body>\
         </se:Envelope>"
    );
    for body in [simple, jsforce, cdata] {
        let said = house.soap("/services/Soap/u/59.0", body).await;
        assert_eq!(said.status, 200, "{}", said.text);
    }
}

#[tokio::test]
async fn a_wrong_login_is_a_fault_with_500() {
    let house = house().await;
    let foreign = "<LoginScopeHeader><organizationId>00D000000000001</organizationId></LoginScopeHeader>";
    let right = format!(
        "<login><username>{}</username><password>{}</password></login>",
        house.info.username, house.info.password
    );
    for body in [
        login(&house.info.username, "wrong"),
        login("no@one", &house.info.password),
        envelope("", "<login/>"),
        envelope(foreign, &right),
    ] {
        let said = house.soap("/services/Soap/u/59.0", body).await;
        assert_eq!(said.fault(), (500, "INVALID_LOGIN".to_owned()));
        assert_eq!(said.first("exceptionCode"), "INVALID_LOGIN");
        assert!(
            said.text
                .contains("<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>")
        );
        assert_eq!(said.first("faultstring"), INVALID);
    }
    let said = house.soap("/services/Soap/u/65.0", envelope("", &right)).await;
    assert_eq!(said.fault(), (500, "INVALID_OPERATION".to_owned()));
}

#[tokio::test]
async fn settings_turn_right_credentials_away() {
    let house = house().await;
    let body = login(&house.info.username, &house.info.password);
    for (settings, code) in [
        (
            json!({"admission": "ipRestricted"}),
            "LOGIN_DURING_RESTRICTED_DOMAIN",
        ),
        (
            json!({"admission": "outsideHours"}),
            "LOGIN_DURING_RESTRICTED_TIME",
        ),
        (json!({"admission": "organizationInactive"}), "ORG_LOCKED"),
        (
            json!({"admission": "open", "securityTokenRequired": true}),
            "LOGIN_MUST_USE_SECURITY_TOKEN",
        ),
        (
            json!({"securityTokenRequired": false, "loginsPerHour": 0}),
            "LOGIN_RATE_EXCEEDED",
        ),
    ] {
        house.control("PATCH", "/sandbox/config", settings).await;
        let said = house.soap("/services/Soap/u/59.0", body.clone()).await;
        assert_eq!(said.fault(), (500, code.to_owned()));
    }
}

#[tokio::test]
async fn user_info_and_logout_need_the_session() {
    let house = house().await;
    let session = house.soap_session().await;
    let said = house.call(&session, "<getUserInfo/>").await;
    assert_eq!(
        (said.status, said.first("userName")),
        (200, house.info.username.clone())
    );
    assert_eq!(said.first("organizationName"), "Sandbox");
    // What `Sforce-Limit-Info` is to REST.
    assert_eq!(
        (said.first("current"), said.first("limit")),
        ("1".into(), "5000000".into())
    );
    let said = house.call(&session, "<getServerTimestamp/>").await;
    assert!(said.first("timestamp").parse::<jiff::Timestamp>().is_ok());
    let said = house.call(&session, "<logout/>").await;
    assert_eq!(said.status, 200);
    assert!(said.text.contains("<logoutResponse></logoutResponse>"));
    assert!(!house.works(&session).await);
    for ended in [session.as_str(), "", "garbage"] {
        let said = house.call(ended, "<getUserInfo/>").await;
        // jsforce knows an ended session by exactly this.
        assert_eq!(said.fault(), (500, "sf:INVALID_SESSION_ID".to_owned()));
        assert!(!said.text.contains(house.info.password.as_str()));
    }
    let none = house
        .soap("/services/Soap/u/59.0", envelope("", "<getUserInfo/>"))
        .await;
    assert_eq!(none.fault().1, "sf:INVALID_SESSION_ID");
}

#[tokio::test]
async fn a_token_of_oauth_is_a_session_here_if_its_scopes_open_the_api() {
    let house = house().await;
    for (scope, works) in [("api", true), ("full", true), ("openid id", false)] {
        let code = house.authorize(&[("scope", scope)]).await.remove("code").unwrap();
        let token = house.exchange(&code).await.access;
        let said = house.call(&token, "<getUserInfo/>").await;
        assert_eq!(said.status == 200, works, "{scope}: {}", said.text);
    }
}

#[tokio::test]
async fn an_idle_session_ends_with_the_clock() {
    let house = house().await;
    let session = house.soap_session().await;
    let travel = json!({"advanceSeconds": 7_199});
    house.control("POST", "/sandbox/clock", travel).await;
    assert_eq!(house.call(&session, "<getUserInfo/>").await.status, 200);
    let travel = json!({"advanceSeconds": 7_200});
    house.control("POST", "/sandbox/clock", travel).await;
    assert_eq!(house.call(&session, "<getUserInfo/>").await.status, 500);
}
