//! Outbound messages that the sandbox sends as an org does, to the running service.

use std::fs::File;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, until};

const SECRET: &str = "a-secret-that-nobody-guesses-6f1c9a0c5c0f4a1f";
const CONFIG: &str = "
[outbound_messages]
sources = { workflow = [\"env:OUTBOUND\"] }
[log]
level = \"trace\"
";

/// A connected house whose configuration knows the sender `workflow`.
fn house() -> House {
    let house = House::connected();
    std::fs::write(house.path().join("cpq.toml"), CONFIG).expect("a file");
    house
}

fn serve(house: &House, listen: &str) -> Service {
    let log = File::options()
        .create(true)
        .append(true)
        .open(house.path().join("service.log"))
        .expect("a log");
    house.serve_at(listen, &[("OUTBOUND", SECRET)], log)
}

/// Lets the org tell the service of every opportunity whose stage changes.
fn tell(house: &House, service: &Service, secret: &str) {
    let rule = json!({
        "name": "StageChanged", "object": "Opportunity", "fields": ["Name", "StageName"], "includeSessionId": true,
        "when": {"on": ["update"], "changed": ["StageName"]},
        "endpointUrl": format!("{}/api/v1/outbound-messages/workflow/{secret}", service.url),
    });
    house.control(Method::POST, "/sandbox/outbound-messages", &rule);
}

/// A person in the org moves the opportunity on.
fn move_on(house: &House, stage: &str) {
    let id =
        house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]["Id"].clone();
    let path = format!("sobjects/Opportunity/{}", id.as_str().expect("an id"));
    house.crm(Method::PATCH, &path, &json!({"StageName": stage}));
}

fn syncs(service: &Service) -> Vec<Json> {
    let listed = service.json(Method::GET, "/api/v1/sync", &[], &json!(null)).1;
    listed["syncs"].as_array().expect("a list").clone()
}

fn deliveries(house: &House) -> Vec<Json> {
    let told = house.control(Method::GET, "/sandbox/deliveries", &json!(null));
    told["deliveries"].as_array().expect("a list").clone()
}

/// The outcomes of all tries, once there are as many.
fn outcomes(house: &House, many: usize) -> Vec<Json> {
    let tries = until(
        "the deliveries",
        || deliveries(house),
        |tries| tries.len() >= many,
    );
    tries.iter().map(|one| one["outcome"].clone()).collect()
}

#[test]
fn a_change_in_the_org_leads_to_a_sync_and_leaves_no_secret() {
    let house = house();
    let service = serve(&house, "127.0.0.1:0");
    tell(&house, &service, SECRET);
    move_on(&house, "Negotiation/Review");
    let succeeded = |syncs: &Vec<Json>| syncs.len() == 1 && syncs[0]["status"] == "success";
    let runs = until("the sync", || syncs(&service), succeeded);
    assert_eq!(runs[0]["trigger"], "event", "{runs:?}");
    let number = "SELECT CPQ_Quote_Number__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'";
    assert_eq!(house.soql(number)[0]["CPQ_Quote_Number__c"], "Q-2026-0137");
    let outcome = outcomes(&house, 1);
    assert_eq!(outcome, ["delivered"], "{:?}", deliveries(&house));

    let correlation = runs[0]["correlationId"].as_str().expect("an id");
    let path = format!("/api/v1/sync/{correlation}?events=true");
    let report = service.call(Method::GET, &path, &[], "").1;
    assert!(
        report.contains("outbound message") && report.contains("\"04l"),
        "{report}"
    );
    let log = std::fs::read_to_string(house.path().join("service.log")).expect("a log");
    assert!(log.contains("carries a session id"), "{log}");
    drop(service);
    // A session of the sandbox begins with the id of the org and an exclamation mark.
    for canary in ["00DSb0000000001!", &SECRET[..30]] {
        assert!(!log.contains(canary) && !report.contains(canary), "{canary}");
        for entry in std::fs::read_dir(house.state()).expect("the directory") {
            let file = entry.expect("an entry").path();
            let bytes = std::fs::read(&file).unwrap_or_default();
            let kept = bytes
                .windows(canary.len())
                .any(|window| window == canary.as_bytes());
            assert!(!kept, "{canary} is in {}", file.display());
        }
    }
}

#[test]
fn a_service_that_was_down_gets_the_message_again() {
    let house = house();
    let service = serve(&house, "127.0.0.1:0");
    tell(&house, &service, SECRET);
    let address = service.url.trim_start_matches("http://").to_owned();
    service.kill();
    move_on(&house, "Negotiation/Review");
    let failed = outcomes(&house, 1);
    assert_ne!(failed[0], "delivered");

    let service = serve(&house, &address);
    house.control(Method::POST, "/sandbox/clock", &json!({"advanceSeconds": 31}));
    assert_eq!(outcomes(&house, 2)[1], "delivered", "{:?}", deliveries(&house));
    until(
        "the sync",
        || syncs(&service),
        |syncs| syncs.len() == 1 && syncs[0]["status"] == "success",
    );
}

#[test]
fn an_acknowledgement_that_is_lost_brings_the_message_again_and_no_second_sync() {
    let house = house();
    let service = serve(&house, "127.0.0.1:0");
    tell(&house, &service, SECRET);
    house.faults(json!([{"when": {"client": "StageChanged"}, "times": 1, "fault": {"kind": "ack_ignored"}}]));
    move_on(&house, "Negotiation/Review");
    until(
        "the sync",
        || syncs(&service),
        |syncs| syncs.len() == 1 && syncs[0]["status"] == "success",
    );
    outcomes(&house, 1);
    house.control(Method::POST, "/sandbox/clock", &json!({"advanceSeconds": 31}));
    assert_eq!(outcomes(&house, 2)[1], "delivered", "{:?}", deliveries(&house));
    assert_eq!(syncs(&service).len(), 1);
}

#[test]
fn a_stale_secret_is_refused_and_the_org_keeps_the_message() {
    let house = house();
    let service = serve(&house, "127.0.0.1:0");
    tell(&house, &service, &"0".repeat(64));
    move_on(&house, "Negotiation/Review");
    assert_ne!(outcomes(&house, 1)[0], "delivered");
    assert!(
        deliveries(&house)[0].to_string().contains("401"),
        "{:?}",
        deliveries(&house)
    );
    let kept = house.control(Method::GET, "/sandbox/deliveries/pending", &json!(null));
    assert_eq!(kept["pending"].as_array().map(Vec::len), Some(1), "{kept}");
    assert!(syncs(&service).is_empty());
}
