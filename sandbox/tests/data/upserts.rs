use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

const KEY: &str = "/sobjects/Opportunity/Opportunity_Number__c/OPP-9001";

#[test]
fn upsert_creates_then_updates() {
    let mut site = Site::new();
    let body = json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31"});
    let (status, made) = site.patch(KEY, body.clone());
    assert_eq!((status, &made["created"]), (201, &json!(true)));
    let (status, again) = site.patch(
        "/sobjects/Opportunity/opportunity_number__C/opp-9001",
        json!({"NextStep": "x"}),
    );
    assert_eq!(
        (status, &again["created"], &again["id"]),
        (200, &json!(false), &made["id"])
    );
    let old = "/services/data/v45.0/sobjects/Opportunity/Opportunity_Number__c/OPP-9001";
    assert_eq!(site.patch(old, body), (204, Json::Null));
    assert_eq!(site.get(KEY).1["NextStep"], json!("x"));
    assert_eq!(site.delete(KEY).0, 204);
    assert_eq!(site.get(KEY).0, 404);
    // A deleted row does not match, so the next upsert makes a new one.
    let (status, fresh) = site.patch(
        KEY,
        json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31"}),
    );
    assert_eq!(status, 201);
    assert_ne!(fresh["id"], made["id"]);
}

#[test]
fn upsert_refusals() {
    let mut site = Site::new();
    let unknown = site.patch("/sobjects/Account/Namez/x", json!({}));
    assert_eq!(code(&unknown), (404, "NOT_FOUND".into()));
    assert_eq!(
        unknown.1[0]["message"],
        json!("Provided external ID field does not exist or is not accessible: Namez")
    );
    let in_body = site.patch(KEY, json!({"Opportunity_Number__c": "OPP-9001", "Name": "N"}));
    assert_eq!(code(&in_body), (400, "INVALID_FIELD".into()));
    assert_eq!(
        site.patch(&format!("{KEY}?updateOnly=true"), json!({"Name": "N"}))
            .0,
        404
    );
    let duplicate = site.post(
        "/sobjects/Opportunity",
        json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Opportunity_Number__c": "opp-4482"}),
    );
    assert_eq!(code(&duplicate), (400, "DUPLICATE_VALUE".into()));
}

#[test]
fn several_matches_are_listed() {
    let mut site = Site::new();
    for _ in 0..2 {
        site.create(
            "Contact",
            json!({"LastName": "Twin", "Email": "twin@example.org"}),
        );
    }
    let response = site.ask(
        Method::PATCH,
        "/sobjects/Contact/Email/twin@example.org",
        &[],
        &json!({"Title": "x"}),
    );
    assert_eq!(response.status.as_u16(), 300);
    let urls = response.body.expect("a body");
    assert!(
        urls[1]
            .as_str()
            .expect("a URL")
            .starts_with("/services/data/v68.0/sobjects/Contact/003")
    );
}

#[test]
fn id_can_stand_for_the_external_id() {
    let mut site = Site::new();
    let (status, made) = site.post("/sobjects/Account/Id", json!({"Name": "By id"}));
    assert_eq!(status, 201);
    let id = made["id"].as_str().expect("an id").to_owned();
    let (status, answer) = site.patch(&format!("/sobjects/Account/Id/{id}"), json!({"Site": "A"}));
    assert_eq!((status, &answer["created"]), (200, &json!(false)));
}

#[test]
fn parents_by_external_id() {
    let mut site = Site::new();
    let quote = site.create(
        "Quote",
        json!({"Name": "Q", "Opportunity": {"Opportunity_Number__c": "OPP-4482"}}),
    );
    let row = site.one(&format!(
        "SELECT Opportunity.Opportunity_Number__c, AccountId FROM Quote WHERE Id = '{quote}'"
    ));
    assert_eq!(row["Opportunity"]["Opportunity_Number__c"], json!("OPP-4482"));
    assert!(row["AccountId"].is_string());
    let missing = site.post(
        "/sobjects/Quote",
        json!({"Name": "Q", "Opportunity": {"Opportunity_Number__c": "A1"}}),
    );
    assert_eq!(code(&missing), (400, "INVALID_FIELD".into()));
    assert!(
        missing.1[0]["message"]
            .as_str()
            .expect("text")
            .contains("not found for field Opportunity_Number__c")
    );
}
