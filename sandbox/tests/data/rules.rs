use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn with_rules() -> Site {
    Site::also(json!({
        "fields": {"Opportunity": [
            {"name": "Region__c", "type": "picklist", "restricted": true, "values": ["North", "South"]},
            {"name": "Partner__c", "type": "reference", "references": ["Account"],
             "lookupFilter": {"condition": "ISPICKVAL(Type, \"Technology Partner\")", "message": "Choose a partner."}}]},
        "validationRules": [
            {"object": "Opportunity", "name": "Amount_Positive", "condition": "Amount < 0", "message": "Amounts are positive.", "field": "Amount"},
            {"object": "Opportunity", "name": "Reason", "condition": "ISCHANGED(StageName) && ISPICKVAL(StageName, \"Closed Lost\") && ISBLANK(Description)",
             "message": "Say why it was lost."},
            {"object": "Opportunity", "name": "Past", "condition": "ISNEW() && CloseDate < TODAY()", "message": "Close dates lie ahead."},
            {"object": "Opportunity", "name": "Off", "condition": "TRUE", "message": "Never.", "active": false}]
    }))
}

fn deal(more: Json) -> Json {
    let mut body = json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31"});
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

#[test]
fn every_broken_validation_rule_is_named() {
    let mut site = with_rules();
    let refused = site.post(
        "/sobjects/Opportunity",
        deal(json!({"Amount": -1, "CloseDate": "2026-11-21"})),
    );
    assert_eq!(
        refused.1,
        json!([
            {"message": "Amounts are positive.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Amount"]},
            {"message": "Close dates lie ahead.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": []}
        ])
    );
    let id = site.create("Opportunity", deal(json!({"Amount": 1})));
    let lost = site.patch(
        &format!("/sobjects/Opportunity/{id}"),
        json!({"StageName": "Closed Lost"}),
    );
    assert_eq!(code(&lost), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION".into()));
    let told = json!({"StageName": "Closed Lost", "Description": "price"});
    assert_eq!(site.patch(&format!("/sobjects/Opportunity/{id}"), told).0, 204);
    // In a collection both stand in the row's errors.
    let (_, rows) = site.post(
        "/composite/sobjects",
        json!({"records": [{"attributes": {"type": "Opportunity"}, "Name": "N", "StageName": "Prospecting",
                            "CloseDate": "2020-01-01", "Amount": -5}]}),
    );
    assert_eq!(rows[0]["errors"].as_array().map(Vec::len), Some(2), "{rows}");
}

#[test]
fn a_lookup_filter_wants_the_right_kind_of_record() {
    let mut site = with_rules();
    let plain = site.create("Account", json!({"Name": "Plain"}));
    let partner = site.create(
        "Account",
        json!({"Name": "Partner", "Type": "Technology Partner"}),
    );
    let refused = site.post("/sobjects/Opportunity", deal(json!({"Partner__c": plain})));
    assert_eq!(
        refused.1,
        json!([{"message": "Choose a partner.", "errorCode": "FIELD_FILTER_VALIDATION_EXCEPTION", "fields": ["Partner__c"]}])
    );
    let id = site.create("Opportunity", deal(json!({"Partner__c": partner})));
    // Only a change is looked at.
    site.patch(&format!("/sobjects/Account/{partner}"), json!({"Type": null}));
    assert_eq!(
        site.patch(&format!("/sobjects/Opportunity/{id}"), json!({"NextStep": "x"}))
            .0,
        204
    );
}

#[test]
fn record_types_offer_their_own_values() {
    let mut site = with_rules();
    site.add(json!({"recordTypes": [
        {"object": "Opportunity", "name": "Renewal", "label": "Renewal business", "default": true, "picklists": {"Region__c": ["North"]}},
        {"object": "Opportunity", "name": "Old", "active": false},
        {"object": "Account", "name": "Reseller"}]}))
        .expect("it loads");
    let types = site.rows(
        "SELECT Id, Name, DeveloperName FROM RecordType WHERE DeveloperName != 'Assembly_Line' ORDER BY Id",
    );
    let id = |n: usize| types[n]["Id"].as_str().expect("an id").to_owned();
    assert_eq!(types[0]["Name"], json!("Renewal business"));
    let (_, describe) = site.get("/sobjects/Opportunity/describe");
    let infos = describe["recordTypeInfos"].as_array().expect("infos").clone();
    assert_eq!(infos[1]["developerName"], json!("Renewal"));
    assert_eq!(infos[1]["defaultRecordTypeMapping"], json!(true));
    assert_eq!(infos.last().map(|i| i["master"].clone()), Some(json!(true)));
    let made = site.create("Opportunity", deal(json!({"Region__c": "North"})));
    let row = site.one(&format!(
        "SELECT RecordType.DeveloperName FROM Opportunity WHERE Id = '{made}'"
    ));
    assert_eq!(
        row["RecordType"]["DeveloperName"],
        json!("Renewal"),
        "the default"
    );
    let south = site.post("/sobjects/Opportunity", deal(json!({"Region__c": "South"})));
    assert_eq!(
        code(&south),
        (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST".into())
    );
    for wrong in [id(1), id(2)] {
        let refused = site.post("/sobjects/Opportunity", deal(json!({"RecordTypeId": wrong})));
        assert_eq!(
            code(&refused),
            (400, "INVALID_CROSS_REFERENCE_KEY".into()),
            "{wrong}"
        );
    }
}

#[test]
fn owners_are_active_and_locked_records_stay_as_they_are() {
    let mut site = Site::new();
    let profile = site.one("SELECT Id FROM Profile")["Id"].clone();
    let user = site.create("User", json!({
        "Username": "gone@example.org", "LastName": "Gone", "Email": "gone@example.org", "Alias": "gone", "ProfileId": profile, "IsActive": false,
        "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US"}));
    let refused = site.post("/sobjects/Account", json!({"Name": "A", "OwnerId": user}));
    assert_eq!(code(&refused), (400, "INACTIVE_OWNER_OR_USER".into()));
    let account = site.create("Account", json!({"Name": "A"}));
    let id = sandbox::org::Id::parse(&account).expect("an id");
    site.org.set_locked(id, true);
    site.restart();
    let path = format!("/sobjects/Account/{account}");
    assert_eq!(
        code(&site.patch(&path, json!({"Name": "B"}))),
        (400, "ENTITY_IS_LOCKED".into())
    );
    assert_eq!(code(&site.delete(&path)), (400, "ENTITY_IS_LOCKED".into()));
    site.org.set_locked(id, false);
    assert_eq!(site.patch(&path, json!({"Name": "B"})).0, 204);
}

#[test]
fn storage_is_counted_in_records() {
    let mut site = Site::new();
    site.org.set_data_storage(site.org.data_used());
    let full = loop {
        let (status, body) = site.post("/sobjects/Account", json!({"Name": "A"}));
        if status != 201 {
            break (status, body);
        }
    };
    assert_eq!(code(&full), (400, "STORAGE_LIMIT_EXCEEDED".into()));
    let any = site.rows("SELECT Id FROM Account LIMIT 1")[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/sobjects/Account/{any}");
    assert_eq!(
        site.patch(&path, json!({"Site": "x"})).0,
        204,
        "updates still work"
    );
    assert_eq!(site.delete(&path).0, 204);
    assert_eq!(site.post("/sobjects/Account", json!({"Name": "A"})).0, 201);
}
