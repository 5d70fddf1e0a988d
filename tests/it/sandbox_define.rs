//! `cpq sandbox define`: more of an org while it runs.

use serde_json::{Value as Json, json};

use crate::house::House;

fn file(house: &House, name: &str, text: &str) -> String {
    let path = house.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn a_file_adds_objects_and_fields_to_the_running_org() {
    let house = House::seeded();
    let definition = json!({
        "objects": [{"name": "Rocket__c", "label": "Rocket", "fields": [{"name": "Thrust__c", "type": "double", "precision": 9, "scale": 1}]}],
        "fields": {"Account": [{"name": "Orbit__c", "type": "string", "length": 40}]},
        "recordTypes": [{"object": "Opportunity", "name": "Renewal"}],
    });
    let path = file(&house, "org.json", &definition.to_string());
    let said = house.cpq(&["--json", "sandbox", "define", &path]);
    assert_eq!(said.code, 0, "{said:?}");
    let made = said.json();
    assert_eq!(made["status"], "defined");
    let prefix = made["objects"]["Rocket__c"].as_str().expect("a key prefix");
    assert!(
        made["recordTypes"]["Renewal"]
            .as_str()
            .is_some_and(|id| id.starts_with("012"))
    );

    let post = reqwest::Method::POST;
    let rocket = house.crm(post.clone(), "sobjects/Rocket__c", &json!({"Thrust__c": 7.5}));
    assert!(rocket["id"].as_str().is_some_and(|id| id.starts_with(prefix)));
    house.crm(
        post,
        "sobjects/Account",
        &json!({"Name": "Moon", "Orbit__c": "low"}),
    );
    let found = house.soql("SELECT Orbit__c FROM Account WHERE Name = 'Moon'");
    assert_eq!(found[0]["Orbit__c"], "low");

    // What has a known name takes the place of the old one, and people are told in words.
    let again = house.cpq(&["sandbox", "define", &path]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("objects: Rocket__c ("), "{again:?}");
}

#[test]
fn what_cannot_be_taken_is_said_and_changes_nothing() {
    let house = House::seeded();
    let refused = |path: &str, why: &str| {
        let said = house.cpq(&["--json", "sandbox", "define", path]);
        let report: Json = said.json();
        assert_eq!(
            (said.code, &report["code"]),
            (1, &json!("REQUEST_INVALID")),
            "{said:?}"
        );
        let message = report["message"].as_str().expect("a message");
        assert!(message.contains(why), "{message}");
    };
    refused("missing.json", "missing.json");
    refused(&file(&house, "torn.json", "{\"objects\": ["), "torn.json");
    refused(&file(&house, "list.json", "[]"), "no JSON object");
    refused(&file(&house, "odd.json", "{\"tables\": []}"), "tables");
    let half = json!({"fields": {"Account": [{"name": "Fine__c", "type": "string", "length": 9}, {"name": "Bad__c", "type": "colour"}]}});
    refused(&file(&house, "half.json", &half.to_string()), "colour");
    let describe = house.crm(reqwest::Method::GET, "sobjects/Account/describe", &json!(null));
    let fields = describe["fields"].as_array().expect("fields");
    assert!(fields.iter().all(|field| field["name"] != "Fine__c"));

    house.cpq(&["sandbox", "stop"]).ok();
    let said = house.cpq(&["--json", "sandbox", "define", &file(&house, "none.json", "{}")]);
    assert_eq!(said.json()["code"], "CRM_UNAVAILABLE", "{said:?}");
}
