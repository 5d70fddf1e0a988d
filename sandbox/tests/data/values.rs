//! What a body's values become.

use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn site() -> Site {
    Site::also(json!({"fields": {"Account": [
        {"name": "Opens__c", "type": "time", "length": 13},
        {"name": "Colors__c", "type": "multipicklist", "values": ["Red", "Green", "Blue"], "restricted": true},
        {"name": "Tags__c", "type": "multipicklist", "values": ["One"]}]}}))
}

fn kept(site: &mut Site, field: &str, value: Json) -> Json {
    let id = site.create("Account", json!({"Name": "A", field: value}));
    site.get(&format!("/sobjects/Account/{id}?fields={field}")).1[field].clone()
}

#[test]
fn times_are_kept_with_their_milliseconds() {
    let mut site = site();
    for (given, expected) in [
        ("09:30:00.000Z", "09:30:00.000Z"),
        ("09:30:05Z", "09:30:05.000Z"),
        ("23:59:59.250", "23:59:59.250Z"),
    ] {
        assert_eq!(kept(&mut site, "Opens__c", json!(given)), json!(expected));
    }
    for bad in [
        json!("25:00:00Z"),
        json!("half past nine"),
        json!("T0930"),
        json!(930),
    ] {
        let refused = site.post("/sobjects/Account", json!({"Name": "A", "Opens__c": bad}));
        assert_eq!(code(&refused), (400, "JSON_PARSER_ERROR".into()), "{bad}");
    }
}

#[test]
fn several_values_are_joined_by_semicolons() {
    let mut site = site();
    assert_eq!(
        kept(&mut site, "Colors__c", json!("Blue; Red;;Blue")),
        json!("Blue;Red")
    );
    assert_eq!(kept(&mut site, "Tags__c", json!("Two;One")), json!("Two;One"));
    assert_eq!(kept(&mut site, "Colors__c", json!("")), Json::Null);
    let refused = site.post("/sobjects/Account", json!({"Name": "A", "Colors__c": "Red;Pink"}));
    assert_eq!(
        code(&refused),
        (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST".into())
    );
}

#[test]
fn a_parser_says_what_it_met_and_where() {
    let mut site = site();
    let mut said = |body: Json| {
        let (status, answer) = site.post("/sobjects/Account", body);
        assert_eq!(status, 400);
        answer[0]["message"].as_str().expect("a message").to_owned()
    };
    // Of a list only its beginning is told.
    assert_eq!(
        said(json!({"Colors__c": ["Red"]})),
        "Cannot deserialize instance of multipicklist from START_ARRAY value [line:1, column:15]"
    );
    assert_eq!(
        said(json!({"NumberOfEmployees": "many"})),
        "Cannot deserialize instance of int from VALUE_STRING value many or request may be missing a required field at [line:1, column:23]"
    );
}
