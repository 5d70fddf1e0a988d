//! The three fixtures, held against what the product really does.

use serde_json::{Value as Json, json};

use crate::house::House;

fn fixture(name: &str) -> Json {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Leaves out what differs from run to run.
fn steady(mut quote: Json) -> Json {
    for name in ["id", "rootId", "createdAt", "updatedAt", "validUntil", "version"] {
        quote.as_object_mut().expect("an object").remove(name);
    }
    quote
}

#[test]
fn the_opportunity_and_the_quote_are_as_the_fixtures_say() {
    let house = House::connected();
    let plan = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482", "--dry-run"])
        .ok()
        .json();
    let seen: serde_json::Map<String, Json> = plan["decisions"]
        .as_array()
        .expect("decisions")
        .iter()
        .filter(|decision| decision["verdict"] == "to_cpq" && decision["line"].is_null())
        .map(|decision| {
            (
                decision["field"].as_str().expect("a field").to_owned(),
                decision["crm"].clone(),
            )
        })
        .collect();
    let wanted = fixture("crm_opportunity_fixture.json");
    assert_eq!(Json::Object(seen), wanted["fields"], "what the CRM side holds");
    assert_eq!(plan["opportunity"], wanted["opportunity"]);

    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let quote = house.cpq(&["--json", "quote", "show", "Q-2026-0137"]).ok().json();
    assert_eq!(
        steady(quote),
        fixture("cpq_quote_fixture.json")["quote"],
        "what the CPQ side holds"
    );
}

#[test]
fn a_hundred_failures_are_told_apart_by_cause() {
    let failures = fixture("sync_failures.json");
    let events = failures["events"].as_array().expect("events");
    assert_eq!(events.len(), 100);
    let opportunities: std::collections::BTreeSet<_> = events
        .iter()
        .filter_map(|event| event["opportunity"].as_str())
        .collect();
    assert_eq!(
        opportunities.len(),
        20,
        "a hundred events on twenty opportunities"
    );
    let causes: std::collections::BTreeSet<_> = events
        .iter()
        .filter_map(|event| event["error"]["code"].as_str())
        .collect();
    assert!(causes.len() >= 5, "{causes:?}");
    assert_eq!(failures["downtime"]["minutes"], json!(45));
}
