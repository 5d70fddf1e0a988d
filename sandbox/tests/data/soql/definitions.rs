use super::{column, workshop};
use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn tooling(site: &mut Site, query: &str) -> (u16, Json) {
    let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    site.get(&format!("/tooling/query/?q={encoded}"))
}

#[test]
fn objects_and_fields_are_rows_too() {
    let mut site = workshop();
    let row = site.one("SELECT Id, DurableId, QualifiedApiName, Label, KeyPrefix, IsQueryable FROM EntityDefinition WHERE QualifiedApiName = 'account'");
    assert_eq!(
        (&row["DurableId"], &row["KeyPrefix"], &row["IsQueryable"]),
        (&json!("Account"), &json!("001"), &json!(true))
    );
    assert_eq!(row["Id"], json!("000000000000000AAA"));
    assert_eq!(
        row["attributes"]["url"],
        json!("/services/data/v68.0/sobjects/EntityDefinition/Account")
    );
    let row = site.one("SELECT DurableId, DeveloperName, (SELECT QualifiedApiName FROM Fields WHERE IsCalculated = false AND QualifiedApiName LIKE 'S%') FROM EntityDefinition WHERE KeyPrefix LIKE 'a%'");
    assert!(row["DurableId"].as_str().expect("an id").starts_with("01I"));
    assert_eq!(row["DeveloperName"], json!("Part"));
    let names = column(
        row["Fields"]["records"].as_array().expect("records"),
        "QualifiedApiName",
    );
    assert_eq!(
        names,
        [json!("SystemModstamp"), json!("Size__c"), json!("Seen__c")]
    );
    let row = site.one(
        "SELECT DataType, Length, IsNillable, EntityDefinition.Label, EntityDefinitionId FROM FieldDefinition \
         WHERE EntityDefinition.QualifiedApiName = 'Part__c' AND QualifiedApiName = 'Code__c'",
    );
    assert_eq!(
        (
            &row["DataType"],
            &row["Length"],
            &row["EntityDefinition"]["Label"]
        ),
        (&json!("Text(20)"), &json!(20), &json!("Part"))
    );
    let rows = site.rows("SELECT Value, Label, IsActive FROM PicklistValueInfo WHERE EntityParticle.QualifiedApiName = 'Size__c' ORDER BY Label");
    assert_eq!(
        column(&rows, "Label"),
        [json!("Large"), json!("Medium"), json!("Small")]
    );
    let rows = site.rows("SELECT ChildSobject.QualifiedApiName, RelationshipName FROM RelationshipDomain WHERE ParentSobject.QualifiedApiName = 'Part__c'");
    assert_eq!(column(&rows, "RelationshipName"), [json!("Pieces__r")]);
}

#[test]
fn what_descriptions_refuse() {
    let mut site = workshop();
    let (status, body) = site.soql("SELECT QualifiedApiName FROM FieldDefinition");
    assert_eq!(status, 400);
    let expected = "FieldDefinition: a filter on a reified column is required [EntityDefinitionId,DurableId]";
    assert_eq!(
        body[0],
        json!({"message": expected, "errorCode": "MALFORMED_QUERY"})
    );
    let cases = [
        (
            "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinitionId LIKE 'A%'",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinitionId = 'Account' OR Label = 'x'",
            "MALFORMED_QUERY",
        ),
        ("SELECT COUNT() FROM EntityDefinition", "MALFORMED_QUERY"),
        (
            "SELECT COUNT(Id), Label FROM EntityDefinition GROUP BY Label",
            "MALFORMED_QUERY",
        ),
        ("SELECT Nix FROM EntityDefinition", "INVALID_FIELD"),
        ("SELECT Id FROM ManagedEventSubscription", "INVALID_TYPE"),
        ("SELECT Id FROM ScratchOrgInfo", "INVALID_TYPE"),
    ];
    for (query, expected) in cases {
        assert_eq!(code(&site.soql(query)), (400, expected.into()), "{query}");
    }
}

#[test]
fn tooling_queries_have_a_shape_of_their_own() {
    let mut site = workshop();
    let (status, body) = tooling(
        &mut site,
        "SELECT Id, DeveloperName, Metadata FROM ManagedEventSubscription WHERE DeveloperName='Some' LIMIT 1",
    );
    assert_eq!(status, 200);
    let expected = json!({"size": 0, "totalSize": 0, "done": true, "queryLocator": null,
                          "entityTypeName": "ManagedEventSubscription", "records": []});
    assert_eq!(body, expected);
    let (_, body) = tooling(
        &mut site,
        "SELECT Id, DeveloperName FROM CustomObject WHERE DeveloperName = 'part'",
    );
    assert_eq!(
        (&body["size"], &body["entityTypeName"]),
        (&json!(1), &json!("CustomObject"))
    );
    let record = &body["records"][0];
    let id = record["Id"].as_str().expect("an id").to_owned();
    assert_eq!(
        record["attributes"]["url"],
        json!(format!("/services/data/v68.0/tooling/sobjects/CustomObject/{id}"))
    );
    let (status, found) = site.get(&format!("/tooling/sobjects/CustomObject/{id}"));
    assert_eq!((status, &found["DeveloperName"]), (200, &json!("Part")));
    let (_, body) = tooling(&mut site, "SELECT Username FROM User");
    assert_eq!(body["totalSize"], json!(1));
    let (_, body) = tooling(&mut site, "SELECT COUNT() FROM ApexClass WHERE Name = 'x'");
    assert_eq!((&body["totalSize"], &body["records"]), (&json!(0), &json!([])));
    let id = "SELECT DeveloperName FROM CustomField WHERE TableEnumOrId IN (SELECT Id FROM CustomObject)";
    assert_eq!(tooling(&mut site, id).0, 400, "texts are no ids");
    for absent in ["SourceMember", "Account", "Nothing"] {
        let query = format!("SELECT Id FROM {absent}");
        assert_eq!(
            code(&tooling(&mut site, &query)),
            (400, "INVALID_TYPE".into()),
            "{absent}"
        );
    }
    let columns = "/tooling/query?q=SELECT+Id,Name+FROM+ApexClass&columns=true";
    assert_eq!(
        site.get(columns).1["columnMetadata"][1]["columnName"],
        json!("Name")
    );
}

#[test]
fn tooling_describes() {
    let mut site = workshop();
    let (_, all) = site.get("/tooling/sobjects");
    let names = column(all["sobjects"].as_array().expect("a list"), "name");
    for name in [
        "EntityDefinition",
        "ManagedEventSubscription",
        "ApexClass",
        "User",
    ] {
        assert!(names.contains(&json!(name)), "{name}");
    }
    let (status, describe) = site.get("/tooling/sobjects/FieldDefinition/describe");
    assert_eq!((status, &describe["name"]), (200, &json!("FieldDefinition")));
    assert!(
        describe["urls"]["describe"]
            .as_str()
            .expect("a link")
            .contains("/tooling/sobjects/")
    );
    let fields = column(describe["fields"].as_array().expect("fields"), "name");
    assert!(fields.contains(&json!("EntityDefinitionId")) && !fields.contains(&json!("EntityDefinitionKey")));
    assert_eq!(
        code(&site.get("/tooling/sobjects/SourceMember/describe")),
        (404, "NOT_FOUND".into())
    );
    assert_eq!(code(&site.get("/tooling/nothing")), (404, "NOT_FOUND".into()));
    assert_eq!(
        code(&site.post("/tooling/sobjects/ApexClass", json!({}))),
        (405, "METHOD_NOT_ALLOWED".into())
    );
    assert_eq!(
        site.get("/tooling").1["query"],
        json!("/services/data/v68.0/tooling/query")
    );
}

#[test]
fn objects_that_are_selected_for_change_events_are_rows() {
    let mut site = workshop();
    let (status, told) = tooling(
        &mut site,
        "SELECT EventChannel, SelectedEntity FROM PlatformEventChannelMember WHERE SelectedEntity IN ('OpportunityChangeEvent', 'Part__ChangeEvent') ORDER BY SelectedEntity",
    );
    assert_eq!(status, 200, "{told}");
    let rows = told["records"].as_array().expect("records");
    assert_eq!(
        column(rows, "SelectedEntity"),
        [json!("OpportunityChangeEvent"), json!("Part__ChangeEvent")]
    );
    assert_eq!(rows[0]["EventChannel"], json!("ChangeEvents"));
}
