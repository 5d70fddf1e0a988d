//! Answers of the token endpoint and what browsers bring back, spoilt: read or refused, and no secret is repeated.

#[path = "../../../tests/mutation/mod.rs"]
mod mutation;

use mutation::{cases, spoilt};
use secrecy::ExposeSecret;

use super::{Asked, refused, tokens};
use crate::Callback;
use crate::grant::tests::settings;

const LOGIN: &str = "https://login.salesforce.com";

const GOOD: [&[u8]; 2] = [
    br#"{"access_token":"00D!canary-access","refresh_token":"5Aep-canary-refresh","instance_url":"https://acme.my.salesforce.com","id":"https://login.salesforce.com/id/00D50000000IZ3ZEAW/00550000001fg5OAAQ","token_type":"Bearer","scope":"api refresh_token","issued_at":"1278448384422","signature":"x"}"#,
    br#"{"access_token":"00D!canary-access","instance_url":"https://acme.my.salesforce.com","token_type":"bearer"}"#,
];

#[test]
fn an_answer_gives_tokens_for_a_host_of_the_vendor_or_none() {
    let settings = settings(LOGIN);
    let mut taken = 0;
    for case in 0..cases() {
        match tokens(&settings, &spoilt(&GOOD, case)) {
            Ok(tokens) => {
                taken += 1;
                let url = url::Url::parse(&tokens.instance_url).expect("it was checked");
                let host = url.host_str().expect("it was checked");
                assert!(url.scheme() == "https" && host.ends_with(".com"), "{url}");
                assert!(!tokens.access_token.expose_secret().is_empty());
            }
            Err(refused) => {
                let told = format!("{} {:?}", refused.error, refused.error);
                // A host is shown as it was named, whatever was spliced into it.
                let named = told.contains("the CRM named the data host");
                assert!(named || !told.contains("canary"), "{told}");
            }
        }
    }
    assert!(taken > 0, "nothing was taken");
}

#[test]
fn a_refusal_is_told_without_what_was_sent() {
    let settings = settings(LOGIN);
    let bodies: [&[u8]; 3] = [
        br#"{"error":"invalid_grant","error_description":"no user for canary-refresh-token"}"#,
        br#"{"error":"invalid_client","error_description":"secret canary-client-secret is wrong"}"#,
        b"<html>canary-refresh-token</html>",
    ];
    let sent = ["canary-refresh-token", "canary-client-secret"];
    for case in 0..cases() {
        let status = 400 + u16::try_from(case % 200).expect("it is small");
        let told = refused(&settings, Asked::Refresh, status, &spoilt(&bodies, case), &sent);
        let told = told.error.to_string();
        assert!(!sent.iter().any(|secret| told.contains(secret)), "{told}");
        assert!(
            !told.chars().any(char::is_control) && told.len() < 4_000,
            "{told}"
        );
    }
}

#[test]
fn what_a_browser_brings_back_is_read() {
    let good: [&[u8]; 2] = [
        b"code=aPrx.canary&state=abc%2Bdef&iss=https%3A%2F%2Flogin.salesforce.com",
        b"error=access_denied&error_description=end-user+denied+authorization&state=abc",
    ];
    for case in 0..cases() {
        let query = spoilt(&good, case);
        let _ = Callback::parse(&String::from_utf8_lossy(&query));
    }
}
