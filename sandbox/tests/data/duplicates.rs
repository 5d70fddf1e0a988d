use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

fn with_rules(action: &str) -> Site {
    Site::also(json!({"duplicateRules": [
        {"object": "Contact", "name": "Contacts_DR", "matchingRule": "Contact_MR", "action": action, "message": "Use one of these records?",
         "fields": [{"field": "LastName", "fuzzy": true}, {"field": "Email"}]}]}))
}

const TWIN: &str = r#"{"LastName": "HOFFMANN!", "Email": "lena.hoffmann@northwind-robotics.example"}"#;

fn twin() -> Json {
    serde_json::from_str(TWIN).expect("well formed")
}

#[test]
fn a_duplicate_is_refused_with_the_records_it_looks_like() {
    let mut site = with_rules("alert");
    let lena = site.one("SELECT Id FROM Contact WHERE LastName = 'Hoffmann'")["Id"].clone();
    let refused = site.post("/sobjects/Contact", twin());
    let id = lena.as_str().expect("an id");
    assert_eq!(
        refused.1,
        json!([{"duplicateResult": {
            "allowSave": true, "duplicateRule": "Contacts_DR", "duplicateRuleEntityType": "Contact",
            "errorMessage": "Use one of these records?", "matchResults": [{
                "entityType": "Contact", "errors": [], "matchEngine": "FuzzyMatchEngine", "matchRecords": [{
                    "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100,
                    "record": {"attributes": {"type": "Contact", "url": format!("/services/data/v68.0/sobjects/Contact/{id}")}, "Id": id}}],
                "rule": "Contact_MR", "size": 1, "success": true}]},
            "message": "Use one of these records?", "errorCode": "DUPLICATES_DETECTED"}])
    );
    assert_eq!(refused.0, 400);
    let other_mail = json!({"LastName": "Hoffmann", "Email": "other@example.org"});
    assert_eq!(
        site.post("/sobjects/Contact", other_mail).0,
        201,
        "all fields have to match"
    );
    assert_eq!(
        site.post("/sobjects/Contact", json!({"LastName": "Hoffmann"})).0,
        201,
        "a blank matches nothing"
    );
    let (_, rows) = site.post(
        "/composite/sobjects",
        json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "Hoffmann", "Email": "lena.hoffmann@northwind-robotics.example"}]}),
    );
    assert_eq!(
        rows,
        json!([{"success": false, "errors": [
            {"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "fields": []}]}])
    );
}

#[test]
fn the_header_lets_it_through_unless_the_rule_blocks() {
    let save = [(
        "sforce-duplicate-rule-header",
        "allowSave=true; includeRecordDetails=true",
    )];
    let post = |site: &mut Site, version: &str| {
        let path = format!("/services/data/{version}/sobjects/Contact");
        let answer = site.ask(Method::POST, &path, &save, &twin());
        (answer.status.as_u16(), answer.body.unwrap_or(Json::Null))
    };
    let mut site = with_rules("alert");
    // Before version 52 there is no such header, and the key is misspelt.
    let old = post(&mut site, "v51.0");
    assert_eq!(code(&old), (400, "DUPLICATES_DETECTED".into()));
    assert!(
        old.1[0]["duplicateResut"]["allowSave"] == json!(true),
        "{}",
        old.1
    );
    assert_eq!(post(&mut site, "v52.0").0, 201);
    let mut site = with_rules("block");
    let blocked = post(&mut site, "v68.0");
    assert_eq!(blocked.0, 400);
    let result = &blocked.1[0]["duplicateResult"];
    assert_eq!(result["allowSave"], json!(false));
    let record = &result["matchResults"][0]["matchRecords"][0]["record"];
    assert_eq!(record["Title"], json!("VP Operations"), "details were asked for");
}

#[test]
fn an_update_is_looked_at_when_it_changes_what_is_matched() {
    let mut site = with_rules("block");
    let marek = site.one("SELECT Id FROM Contact WHERE FirstName = 'Marek'")["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/sobjects/Contact/{marek}");
    assert_eq!(
        code(&site.patch(&path, twin())),
        (400, "DUPLICATES_DETECTED".into())
    );
    assert_eq!(site.patch(&path, json!({"Title": "x"})).0, 204);
}
