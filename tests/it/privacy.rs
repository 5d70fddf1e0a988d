//! What is kept about persons: found, exported, erased.

use reqwest::Method;
use serde_json::json;

use crate::house::House;

const PERSON: &str = "Zoë_100% O'Testperson";

/// A synced opportunity whose name is a person's.
fn house() -> House {
    let house = House::connected();
    let found = house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'");
    let id = found[0]["Id"].as_str().expect("an id");
    house.crm(
        Method::PATCH,
        &format!("sobjects/Opportunity/{id}"),
        &json!({ "Name": PERSON }),
    );
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4484"]);
    house
}

fn found(house: &House, text: &str) -> usize {
    let said = house.cpq(&["privacy", "find", text, "--json"]).ok().json();
    said["opportunities"].as_array().expect("a list").len()
}

#[test]
fn a_person_is_found_exported_and_erased() {
    let house = house();
    // Journals go by the number that was asked for, decisions and quotes by the CRM's id.
    assert_eq!(found(&house, &PERSON.to_ascii_uppercase().replace('Ë', "ë")), 2);
    assert_eq!(found(&house, "Zoë%100"), 0, "no wildcard");
    let export = house
        .cpq(&["privacy", "export", "--opportunity", "OPP-4482"])
        .ok();
    let kept = export.json();
    assert!(export.out.contains(PERSON));
    for part in ["syncs", "agreed", "quotes", "quoteEvents"] {
        assert!(!kept[part].is_null(), "{part}: {kept}");
    }
    assert!(!export.out.contains("OPP-4484"), "of another opportunity");

    let erased = house.cpq(&["privacy", "erase", "--opportunity", "OPP-4482"]).ok();
    assert!(erased.out.contains("quote_revisions=1"), "{erased:?}");
    assert_eq!(found(&house, PERSON), 0);
    let export = house
        .cpq(&["privacy", "export", "--opportunity", "OPP-4482"])
        .ok();
    assert!(!export.out.contains(PERSON), "{}", export.out);
    assert!(
        export.json()["quotes"][0]["totals"]["net"].is_object(),
        "the offer stays"
    );
    house.cpq(&["store", "check"]).ok();
    let acts = house.cpq(&["audit", "list"]).ok().out;
    assert!(
        acts.contains("privacy.export") && acts.contains("privacy.erase"),
        "{acts}"
    );
    assert!(
        !acts.contains(PERSON),
        "the log of acts knows the opportunity alone: {acts}"
    );
    for file in ["cpq.db", "cpq.db-wal"] {
        let bytes = std::fs::read(house.state().join(file)).unwrap_or_default();
        let there = bytes
            .windows(PERSON.len())
            .any(|window| window == PERSON.as_bytes());
        assert!(!there, "{file} holds it still");
    }
}

#[test]
fn what_was_never_synced_has_nothing_to_erase() {
    let house = House::connected();
    let said = house.cpq(&["privacy", "erase", "--opportunity", "OPP-4482"]);
    assert!(
        said.code == 1 && said.err.contains("nothing was changed"),
        "{said:?}"
    );
    let short = house.cpq(&["privacy", "find", "ab"]);
    assert!(
        short.code == 1 && short.err.contains("three letters") || short.err.contains("3 letters"),
        "{short:?}"
    );
}
