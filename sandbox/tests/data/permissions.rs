use crate::site::{Site, code};
use serde_json::{Value as Json, json};

/// The demo org with a second user of another profile, who may do less.
fn restricted() -> Site {
    let mut site = Site::also(json!({
        "records": [
            {"object": "Profile", "ref": "sales", "values": {"Name": "Sales"}},
            {"object": "User", "values": {"Username": "sales@example.org", "LastName": "Sales", "Email": "sales@example.org", "Alias": "sales",
             "IsActive": true, "ProfileId": {"ref": "sales"}, "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
             "LanguageLocaleKey": "en_US"}}],
        "permissions": [
            {"profile": "Sales", "object": "Account", "create": false, "delete": false, "fields": {"Tax_Id__c": "hidden", "Industry": "readOnly"}},
            {"profile": "Sales", "object": "Contact", "edit": false, "fields": {"AccountId": "hidden"}},
            {"profile": "Sales", "object": "Quote", "read": false}]
    }));
    site.become_user("sales@example.org");
    site
}

fn field_names(describe: &Json) -> Vec<&str> {
    let fields = describe["fields"].as_array().expect("fields");
    fields.iter().filter_map(|f| f["name"].as_str()).collect()
}

#[test]
fn a_hidden_field_does_not_exist() {
    let mut site = restricted();
    let (_, describe) = site.get("/sobjects/Account/describe");
    assert!(!field_names(&describe).contains(&"Tax_Id__c"));
    let lists: Vec<&str> = describe["childRelationships"]
        .as_array()
        .expect("lists")
        .iter()
        .filter_map(|l| l["relationshipName"].as_str())
        .collect();
    assert!(
        !lists.contains(&"Contacts") && !lists.contains(&"Quotes"),
        "{lists:?}"
    );
    assert!(lists.contains(&"Opportunities"));
    let query = site.soql("SELECT Tax_Id__c FROM Account");
    assert_eq!(code(&query), (400, "INVALID_FIELD".into()));
    assert_eq!(
        code(&site.soql("SELECT Id FROM Contact WHERE Account.Name = 'x'")).0,
        400
    );
    let account = site.rows("SELECT Id FROM Account LIMIT 1")[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/sobjects/Account/{account}");
    assert!(site.get(&path).1.get("Tax_Id__c").is_none());
    assert_eq!(
        code(&site.get(&format!("{path}?fields=Tax_Id__c"))),
        (400, "INVALID_FIELD".into())
    );
    let write = site.patch(&path, json!({"Tax_Id__c": "x"}));
    assert_eq!(code(&write), (400, "INVALID_FIELD".into()));
    assert!(
        write.1[0]["message"]
            .as_str()
            .expect("text")
            .contains("No such column 'Tax_Id__c'")
    );
}

#[test]
fn read_only_and_closed_objects_refuse_in_their_own_words() {
    let mut site = restricted();
    let account = site.rows("SELECT Id FROM Account LIMIT 1")[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/sobjects/Account/{account}");
    assert_eq!(
        code(&site.patch(&path, json!({"Industry": "Banking"}))),
        (400, "INVALID_FIELD_FOR_INSERT_UPDATE".into())
    );
    assert_eq!(site.patch(&path, json!({"Site": "x"})).0, 204);
    assert_eq!(
        code(&site.post("/sobjects/Account", json!({"Name": "A"}))),
        (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY".into())
    );
    assert_eq!(
        code(&site.delete(&path)),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY".into())
    );
    let contact = site.rows("SELECT Id FROM Contact LIMIT 1")[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(
        code(&site.patch(&format!("/sobjects/Contact/{contact}"), json!({"Title": "x"}))),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY".into())
    );
    let (_, global) = site.get("/sobjects");
    let objects = global["sobjects"].as_array().expect("objects");
    let account = objects.iter().find(|o| o["name"] == "Account").expect("there");
    assert_eq!(
        (
            &account["createable"],
            &account["deletable"],
            &account["updateable"]
        ),
        (&json!(false), &json!(false), &json!(true))
    );
    assert!(objects.iter().all(|o| o["name"] != "Quote"));
    assert_eq!(
        code(&site.get("/sobjects/Quote/describe")),
        (404, "NOT_FOUND".into())
    );
    assert_eq!(
        code(&site.soql("SELECT Id FROM Quote")),
        (400, "INVALID_TYPE".into())
    );
}

#[test]
fn others_see_everything_and_entries_can_be_taken_back() {
    let mut site = restricted();
    site.become_user("integration@aurora-automation.example");
    assert_eq!(site.soql("SELECT Tax_Id__c FROM Account").0, 200);
    assert_eq!(site.get("/sobjects/Quote/describe").0, 200);
    site.become_user("sales@example.org");
    let more = json!([{"user": "sales@example.org", "object": "Account", "create": true, "fields": {"Tax_Id__c": "full"}}]);
    let mut all = site.org.customization().permissions.clone();
    all.extend(serde_json::from_value::<Vec<_>>(more).expect("well formed"));
    site.org.permit(all, crate::site::start()).expect("it fits");
    assert_eq!(site.soql("SELECT Tax_Id__c FROM Account").0, 200);
    assert_eq!(
        site.post("/sobjects/Account", json!({"Name": "A", "Tax_Id__c": "x"}))
            .0,
        201
    );
    for (wrong, why) in [
        (json!([{"object": "Pizza"}]), "unknown object Pizza"),
        (
            json!([{"object": "Account", "fields": {"Nam": "hidden"}}]),
            "no field Nam",
        ),
        (
            json!([{"object": "Account", "fields": {"Name": "hidden"}}]),
            "always visible",
        ),
    ] {
        let entries = serde_json::from_value(wrong).expect("well formed");
        let error = site.org.permit(entries, crate::site::start()).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn rules_of_the_platform_do_not_mind_what_a_user_cannot_see() {
    let mut site = Site::also(
        json!({"permissions": [{"object": "Opportunity", "fields": {"Amount": "hidden", "Probability": "hidden"}}]}),
    );
    let id = site.create(
        "Opportunity",
        json!({"Name": "N", "StageName": "Closed Won", "CloseDate": "2026-12-31"}),
    );
    site.org
        .permit(Vec::new(), crate::site::start())
        .expect("it fits");
    let row = site.get(&format!("/sobjects/Opportunity/{id}")).1;
    assert_eq!(
        (&row["Probability"], &row["IsWon"]),
        (&json!(100.0), &json!(true))
    );
}
