use crate::site::{Site, start};
use sandbox::org::Org;
use sandbox::scenario::{NAMES, Scenario, named};
use serde_json::json;

#[test]
fn embedded_scenarios_load_with_the_same_ids_each_time() {
    for name in NAMES {
        let load = || {
            let mut org = Org::empty(start());
            org.load(&named(name).expect("embedded"), start())
                .expect("it loads");
            lines_of(&org)
        };
        assert_eq!(load(), load(), "{name}");
    }
    assert!(named("nothing").is_none());
}

fn lines_of(org: &Org) -> String {
    let mut lines = Vec::new();
    org.still().write(&mut lines).expect("a vector takes every byte");
    String::from_utf8(lines).expect("JSON is UTF-8")
}

#[test]
fn a_snapshot_gives_the_same_org_back() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4484");
    assert_eq!(site.delete(&format!("/sobjects/Opportunity/{id}")).0, 204);
    let still = site.org.still();
    let snapshot = lines_of(&site.org);
    site.create("Account", json!({"Name": "Later"}));
    let mut lines = Vec::new();
    still.write(&mut lines).expect("a vector takes every byte");
    assert_eq!(
        lines,
        snapshot.as_bytes(),
        "what comes later is not in the picture"
    );
    site.org = Org::read(&mut snapshot.as_bytes()).expect("it reads back");
    assert_eq!(lines_of(&site.org), snapshot);
    assert!(
        site.org
            .user_by_username("INTEGRATION@aurora-automation.example")
            .is_some()
    );
    let fresh = site.create("Account", json!({"Name": "After"}));
    assert_ne!(
        fresh,
        site.rows("SELECT Id FROM Account ORDER BY Id LIMIT 1")[0]["Id"]
    );
    for broken in [
        "",
        "{\"format\": 9}",
        &snapshot[..snapshot.len() - 20],
        &snapshot.replace("\"Account\"\n", ""),
    ] {
        assert!(Org::read(&mut broken.as_bytes()).is_err());
    }
}

#[test]
fn a_scenario_brings_its_own_objects() {
    let scenario: Scenario = serde_json::from_value(json!({
        "name": "own",
        "objects": [{"name": "Robot__c", "fields": [
            {"name": "Serial__c", "type": "string", "length": 20, "externalId": true, "unique": true},
            {"name": "Account__c", "type": "reference", "references": ["Account"], "children": "Robots__r"}]}],
        "records": [
            {"object": "Account", "ref": "a", "values": {"Name": "Owner"}},
            {"object": "Robot__c", "values": {"Name": "R2", "Serial__c": "S-1", "Account__c": {"ref": "a"}}}]
    })).expect("well formed");
    let mut site = Site::of(&scenario);
    let row = site.one("SELECT Id, Account__r.Name FROM Robot__c WHERE Serial__c = 's-1'");
    assert_eq!(row["Account__r"]["Name"], json!("Owner"));
    assert!(row["Id"].as_str().expect("an id").starts_with("a00"));
    let parent = site.one("SELECT (SELECT Name FROM Robots__r) FROM Account");
    assert_eq!(parent["Robots__r"]["records"][0]["Name"], json!("R2"));
    let body = json!({"Name": "R3", "Account__c": null});
    assert_eq!(site.patch("/sobjects/Robot__c/Serial__c/S-2", body).0, 201);
}

#[test]
fn currencies_follow_the_parent() {
    let mut scenario = named("crm-sync").expect("embedded");
    scenario.currencies =
        serde_json::from_value(json!([{"code": "USD", "rate": 1.0}, {"code": "EUR", "rate": 0.9}]))
            .expect("well formed");
    let mut site = Site::of(&scenario);
    let row = site.one("SELECT CurrencyIsoCode, (SELECT CurrencyIsoCode FROM OpportunityLineItems LIMIT 1) FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'");
    assert_eq!(
        row["OpportunityLineItems"]["records"][0]["CurrencyIsoCode"],
        json!("USD")
    );
    assert_eq!(site.rows("SELECT IsoCode FROM CurrencyType").len(), 2);
    let mut single = Site::new();
    assert_eq!(single.soql("SELECT CurrencyIsoCode FROM Opportunity").0, 400);
}

#[test]
fn mistakes_are_named_and_leave_nothing_behind() {
    let bad = [
        (
            json!({"records": [{"object": "Pizza", "values": {}}]}),
            "unknown object Pizza",
        ),
        (
            json!({"records": [{"object": "Account", "values": {"Nam": "x"}}]}),
            "No such column 'Nam'",
        ),
        (
            json!({"records": [{"object": "Account", "values": {"Name": "x"}}, {"object": "Contact", "values": {"LastName": "x", "AccountId": {"ref": "y"}}}]}),
            "no earlier record has the ref 'y'",
        ),
        (
            json!({"fields": {"Account": [{"name": "Plain", "type": "string"}]}}),
            "must end in __c",
        ),
        (
            json!({"fields": {"Account": [{"name": "X__c", "type": "strin"}]}}),
            "unknown type 'strin'",
        ),
    ];
    for (json, expected) in bad {
        let scenario: Scenario = serde_json::from_value(json).expect("well formed");
        let mut org = Org::empty(start());
        let error = org.load(&scenario, start()).expect_err("it cannot load");
        assert!(error.contains(expected), "{error}");
        assert_eq!(org.table_of("Account").expect("there").count(), 0);
    }
    assert!(serde_json::from_value::<Scenario>(json!({"recrods": []})).is_err());
}

#[test]
fn load_data_is_found_over_indexes() {
    let scenario: Scenario = {
        let mut scenario = named("crm-sync").expect("embedded");
        scenario.generate = serde_json::from_value(json!({"opportunities": 2000})).expect("well formed");
        scenario
    };
    let mut site = Site::of(&scenario);
    let row = site.one("SELECT Amount, Account.Name, (SELECT Quantity FROM OpportunityLineItems) FROM Opportunity WHERE Opportunity_Number__c = 'LOAD-001234'");
    assert_eq!(
        (&row["Amount"], &row["OpportunityLineItems"]["totalSize"]),
        (&json!(600.0), &json!(3))
    );
    assert_eq!(
        site.soql("SELECT COUNT() FROM Opportunity").1["totalSize"],
        json!(2003)
    );
}
