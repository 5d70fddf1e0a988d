//! A house in which a hundred syncs failed in a downtime.

use serde_json::Value as Json;

use crate::house::House;

/// The cause that is still there: the rule that refuses six of the opportunities, switched off.
const FIX: &str = r#"{"validationRules": [{"object": "Opportunity", "name": "Close_Date_After_Quote", "condition": "CloseDate < CPQ_Valid_Until__c", "message": "-", "active": false}]}"#;

pub fn outage() -> House {
    let house = House::empty();
    let free = "127.0.0.1:0";
    let listen = [
        "--sandbox-listen",
        free,
        "--sandbox-tls-listen",
        free,
        "--sandbox-pubsub-listen",
        free,
    ];
    house
        .cpq(&[&["seed", "--scenario", "outage-100"][..], &listen].concat())
        .ok();
    house.cpq(&["auth", "connect-crm"]).ok();
    house
}

pub fn fix(house: &House) {
    std::fs::write(house.path().join("fix.json"), FIX).expect("a file");
    house.cpq(&["sandbox", "define", "fix.json"]).ok();
}

pub fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or_else(|| panic!("no number: {json}"))
}

/// How many letters are in this state; `all` for every one.
pub fn count(house: &House, state: &str) -> usize {
    let page = house
        .cpq(&["--json", "dlq", "list", "--state", state, "--limit", "200"])
        .ok()
        .json();
    page["letters"].as_array().expect("letters").len()
}
