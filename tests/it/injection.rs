//! Texts that would break out of a query or of a call, at every door that names a record and in the CRM itself.

use cpq_api::WebhookSecret;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, http, until};
use crate::lines::{approve, try_edit};

/// In each of these texts, and in nothing else.
const MARK: &str = "zqz";
const TEXTS: [&str; 9] = [
    "zqz' OR Id != '",
    "OPP-4482' OR Name LIKE '%zqz",
    "OPP-4482\\' OR Name = 'zqz",
    "zqz\\",
    "OPP-4482%27 OR zqz",
    "zqz' LIMIT 1 //",
    "zqz\u{2019} OR Id != null",
    "../../query?q=zqz",
    "@{zqz.id}",
];
const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OUTBOUND: &str = "a-secret-that-nobody-guesses-6f1c9a0c5c0f4a1f";

/// Paths and bodies that name an opportunity, a quote or a sync; `{}` is where.
const DOORS: &[(&str, &str, &str)] = &[
    ("POST", "sync/opportunities/{}", "{}"),
    ("POST", "sync/opportunities/{}/plan", "{}"),
    (
        "POST",
        "sync/opportunities/{}/deleted",
        r#"{"gone":"opportunity","answer":"cancel"}"#,
    ),
    ("GET", "sync?opportunity={}", ""),
    ("GET", "conflicts?opportunity={}", ""),
    ("GET", "dead-letters?opportunity={}", ""),
    ("GET", "quotes?opportunity={}", ""),
    ("GET", "quotes/{}", ""),
    ("POST", "quotes/{}/transitions", r#"{"transition":"submit"}"#),
    ("GET", "why/opportunity/{}/name", ""),
    ("GET", "why/line/OPP-4482/{}/quantity", ""),
    ("GET", "sync/{}/decisions", ""),
    ("POST", "sync/{}/undo/plan", r#"{"reason":"x"}"#),
    ("POST", "replays", r#"{"opportunity":"{}"}"#),
    (
        "POST",
        "undo/plan",
        r#"{"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","opportunity":"{}"}"#,
    ),
    ("POST", "quotes", r#"{"opportunityId":"{}"}"#),
    ("POST", "quotes/preview", r#"{"opportunity":"{}"}"#),
];

fn encoded(text: &str) -> String {
    let byte = |byte: u8| format!("%{byte:02X}");
    text.bytes().map(byte).collect()
}

fn in_json(text: &str) -> String {
    json!(text).to_string().trim_matches('"').to_owned()
}

/// A query without its string literals (SOQL and SOSL Reference, "Quoted String Escape Sequences").
fn bare(query: &str) -> String {
    let (mut bare, mut inside, mut escaped) = (String::new(), false, false);
    for letter in query.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '\'' => inside = !inside,
            _ if inside => {}
            letter => bare.push(letter),
        }
    }
    assert!(!inside && !escaped, "a literal has no end: {query}");
    bare
}

/// What we asked the CRM for, decoded. Nothing of it was refused.
fn asked(house: &House) -> Vec<String> {
    let log = house.control(Method::GET, "/sandbox/requests?limit=10000", &json!(null));
    let ours = |entry: &&Json| entry["client"] == "cpq";
    let entries = log["requests"].as_array().expect("requests").iter().filter(ours);
    let decoded = |entry: &Json| {
        assert!(entry["status"].as_u64() < Some(300), "{entry}");
        let path = entry["path"].as_str().expect("a path");
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let mut said = path.split('?').next().unwrap_or_default().to_owned();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            said.push_str(&format!(" {name} {value}"));
        }
        said
    };
    entries.map(decoded).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature holds for five minutes of real time"
)]
fn post_webhook(service: &Service, text: &str, nth: usize) -> u16 {
    let (id, now) = (format!("msg_{nth}"), jiff::Timestamp::now().as_second());
    let body = json!({ "opportunity": text }).to_string();
    let secret = WebhookSecret::parse(&WEBHOOK.to_owned().into()).expect("a secret");
    let signature = secret.sign(&id, now, body.as_bytes());
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", id.as_str()),
        ("webhook-timestamp", &now.to_string()),
        ("webhook-signature", &signature),
    ];
    http(
        Method::POST,
        &format!("{}/api/v1/webhooks/flow", service.url),
        &headers,
        &body,
    )
    .0
}

fn post_outbound(house: &House, service: &Service, text: &str, nth: usize) -> (u16, String) {
    let info = house.control(Method::GET, "/sandbox/info", &json!(null));
    let organization = info["organizationId"].as_str().expect("an id");
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
         <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>{organization}</OrganizationId>\
         <ActionId>04k000000000001AAA</ActionId><Notification><Id>04l00000000000{nth}AAA</Id>\
         <sObject xsi:type=\"sf:Opportunity\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"><sf:Id>{escaped}</sf:Id></sObject></Notification>\
         </notifications></soapenv:Body></soapenv:Envelope>"
    );
    let url = format!("{}/api/v1/outbound-messages/workflow/{OUTBOUND}", service.url);
    http(Method::POST, &url, &[("content-type", "text/xml")], &body)
}

#[test]
fn a_text_at_any_door_is_no_record_and_comes_into_no_query() {
    let house = House::synced();
    let config = format!(
        "[webhooks]\nsources = {{ flow = \"{WEBHOOK}\" }}\n[outbound_messages]\nsources = {{ workflow = [\"env:OUTBOUND\"] }}\n\
         [service]\nrequests_per_second = 0\nrefusals_per_minute = 0\n"
    );
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let service = house.serve_with(&[("OUTBOUND", OUTBOUND)]);
    house.control(Method::DELETE, "/sandbox/requests", &json!(null));
    for (nth, text) in TEXTS.into_iter().enumerate() {
        for (method, path, body) in DOORS {
            let path = format!("/api/v1/{}", path.replace("{}", &encoded(text)));
            let body = if *body == "{}" {
                "{}".to_owned()
            } else {
                body.replace("{}", &in_json(text))
            };
            let headers = [("idempotency-key", "a-key")];
            let (status, said) = service.call(method.parse().expect("a method"), &path, &headers, &body);
            assert!(
                matches!(status, 400 | 404),
                "{method} {path} {body}: {status} {said}"
            );
        }
        assert_eq!(post_webhook(&service, text, nth), 400, "{text}");
        let (status, fault) = post_outbound(&house, &service, text, nth);
        assert!(
            status == 500 && fault.contains("soapenv:Client"),
            "{text}: {status} {fault}"
        );
        let run = house.cpq(&["--json", "sync", "run", "--opportunity", text]);
        assert_eq!(
            (run.code, &run.json()["code"]),
            (1, &json!("REQUEST_INVALID")),
            "{run:?}"
        );
    }
    let queries = asked(&house);
    assert!(!queries.iter().any(|query| query.contains(MARK)), "{queries:#?}");
    let (_, quotes) = service.json(Method::GET, "/api/v1/quotes", &[], &json!(null));
    assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
}

/// Changes the quote, as often as the service is faster with a change of the CRM's.
fn edit(service: &Service, patch: &Json) {
    let tried = || try_edit(service, patch);
    let changed = until("the edit", tried, |(status, _)| *status != 412);
    assert_eq!(changed.0, 200, "{changed:?}");
}

#[test]
fn what_somebody_wrote_in_the_crm_is_a_text_in_every_query_and_call() {
    let house = House::connected();
    let product = house.soql("SELECT Id FROM Product2 WHERE ProductCode = 'SVC-INSTALL'")[0]["Id"].clone();
    let product = format!("sobjects/Product2/{}", product.as_str().expect("an id"));
    let opportunity =
        house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]["Id"].clone();
    let opportunity = format!("sobjects/Opportunity/{}", opportunity.as_str().expect("an id"));
    let service = house.serve();
    for (nth, text) in TEXTS.into_iter().enumerate() {
        let sku = format!("{text} {nth}");
        house.crm(Method::PATCH, &product, &json!({ "ProductCode": sku }));
        house.crm(Method::PATCH, &opportunity, &json!({ "Name": text }));
        let sync = || {
            house
                .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"])
                .ok()
                .json()
        };
        sync();
        if nth > 0 {
            house.cpq(&["quote", "transition", "Q-2026-0137", "revise"]).ok();
        }
        let put = json!({"put": {"line.sku": {"text": sku}, "line.name": {"text": text},
            "line.quantity": {"number": "2"}, "line.list_unit": {"money": {"amount": "1390", "currency": "USD"}}}});
        let patch = json!({"fields": {"quote.name": {"text": text}}, "lines": {format!("line{nth}"): put}});
        edit(&service, &patch);
        approve(&house, &service);
        sync();
        let lines = house.soql("SELECT ProductCode FROM OpportunityLineItem");
        assert!(lines.iter().any(|line| line["ProductCode"] == sku), "{lines:?}");
        let query = "SELECT Name, Opportunity.Name FROM Quote";
        let quote = house.soql(query)[0].clone();
        assert_eq!(
            (&quote["Name"], &quote["Opportunity"]["Name"]),
            (&json!(text), &json!(text))
        );
    }
    let queries = asked(&house);
    let marked: Vec<_> = queries.iter().filter(|query| query.contains(MARK)).collect();
    assert!(
        marked.len() >= TEXTS.len(),
        "no query looks for these products: {queries:#?}"
    );
    for query in marked {
        assert!(!bare(query).contains(MARK), "{query}");
    }
}
