//! What batches write, and what is said of it.

use super::client::element;
use crate::site::Site;
use serde_json::{Value as Json, json};

const MISSING: &str = "Required fields are missing: [Name]";

#[tokio::test]
async fn each_record_has_a_result_in_its_place_in_the_form_of_the_job() {
    let site = Site::new().await;
    let csv = site
        .classic_load("insert", "CSV", "Name,Phone\nR 1,1\n,2\nR 3,3\n")
        .await;
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    let id = csv.rows()[1][0].clone();
    let last = csv.rows()[3][0].clone();
    let expected = format!(
        "\"Id\",\"Success\",\"Created\",\"Error\"\n\"{id}\",\"true\",\"true\",\"\"\n\
         \"\",\"false\",\"false\",\"REQUIRED_FIELD_MISSING:{MISSING}:Name --\"\n\"{last}\",\"true\",\"true\",\"\"\n"
    );
    assert_eq!(csv.text, expected);

    let json = site
        .classic_load("insert", "JSON", "[{\"Name\": \"R 4\"}, {\"Phone\": \"2\"}]")
        .await;
    let results = json.json();
    let id = results[0]["id"].as_str().unwrap();
    let error = json!({"statusCode": "REQUIRED_FIELD_MISSING", "message": MISSING, "fields": ["Name"]});
    assert_eq!(
        results,
        json!([
            {"success": true, "created": true, "id": id, "errors": []},
            {"success": false, "created": false, "id": null, "errors": [error]},
        ])
    );

    let records = "<sObjects xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"><sObject><Name>R 5</Name></sObject>\
                   <sObject><Phone>2</Phone></sObject></sObjects>";
    let xml = site.classic_load("insert", "XML", records).await;
    let id = element(&xml.text, "id").unwrap();
    let results = format!(
        "<result><id>{id}</id><success>true</success><created>true</created></result><result><errors><fields>Name</fields>\
         <message>{MISSING}</message><statusCode>REQUIRED_FIELD_MISSING</statusCode></errors><success>false</success>\
         <created>false</created></result></results>"
    );
    assert!(xml.text.ends_with(&results), "{}", xml.text);
    assert_eq!(site.count("Account", "WHERE Name LIKE 'R _'").await, 4);
}

#[tokio::test]
async fn json_and_xml_keep_types_empty_with_null_and_find_parents() {
    let site = Site::new().await;
    let made = site
        .soql(
            "SELECT Id, Opportunity_Number__c FROM Opportunity WHERE HasOpportunityLineItem = false LIMIT 1",
        )
        .await;
    let number = &made[0]["Opportunity_Number__c"];
    let more = json!({"object": "Opportunity", "externalIdFieldName": "Opportunity_Number__c"});
    let job = site.classic_job("upsert", "JSON", more).await;
    let text = json!([
        {"attributes": {"type": "Opportunity"}, "Opportunity_Number__c": number, "Description": "d", "NextStep": null},
        {"Opportunity_Number__c": "C-1", "Name": "C", "StageName": "Prospecting", "CloseDate": "2027-01-31",
         "Description": "a, \"b\"\nc"},
        {"Opportunity_Number__c": "C-2", "Name": "C", "StageName": "Prospecting", "CloseDate": "soon"},
    ]);
    let batch = site.batch(&job, "JSON", text.to_string()).await;
    site.batch_end(&job, &batch).await;
    let results = site.look(&format!("/{job}/batch/{batch}/result")).await.json();
    let told = |at: usize| (&results[at]["success"], &results[at]["created"]);
    assert_eq!(told(0), (&json!(true), &json!(false)));
    assert_eq!(told(1), (&json!(true), &json!(true)));
    assert_eq!(told(2), (&json!(false), &json!(false)));
    assert_eq!(results[0]["id"], made[0]["Id"]);
    let query = "SELECT Description, NextStep FROM Opportunity WHERE Id = '{}'";
    let read = site
        .soql(&query.replace("{}", made[0]["Id"].as_str().unwrap()))
        .await;
    assert_eq!(read, [json!({"Description": "d", "NextStep": null})]);
    let read = site
        .soql("SELECT Description FROM Opportunity WHERE Opportunity_Number__c = 'C-1'")
        .await;
    assert_eq!(read, [json!({"Description": "a, \"b\"\nc"})]);

    let text = json!([{"Opportunity_Number__c": "C-1", "Description": null}]);
    let batch = site.batch(&job, "JSON", text.to_string()).await;
    site.batch_end(&job, &batch).await;
    let read = site.soql("SELECT Description FROM Opportunity WHERE Opportunity_Number__c = 'C-1'");
    assert_eq!(read.await, [json!({"Description": null})]);

    // The parent is a record in the record.
    let job = site.classic_job("insert", "XML", json!({"object": "Task"})).await;
    let text = format!(
        "<sObjects xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"><sObject><Subject>Call</Subject><What><sObject>\
         <type>Opportunity</type><Opportunity_Number__c>{}</Opportunity_Number__c></sObject></What></sObject></sObjects>",
        number.as_str().unwrap()
    );
    let batch = site.batch(&job, "XML", text).await;
    assert_eq!(site.batch_end(&job, &batch).await.0, "Completed");
    let read = site.soql("SELECT WhatId FROM Task WHERE Subject = 'Call'").await;
    assert_eq!(
        read.iter().map(|row| &row["WhatId"]).collect::<Vec<_>>(),
        [&made[0]["Id"]]
    );
}

#[tokio::test]
async fn records_are_updated_deleted_and_deleted_for_good() {
    let site = Site::new().await;
    let made = site
        .classic_load("insert", "CSV", "Name\nD 1\nD 2\n")
        .await
        .rows();
    let (first, second) = (&made[1][0], &made[2][0]);
    let text = format!("Id,Phone\n{first},7\n001000000000000AAA,8\n");
    let told = site.classic_load("update", "CSV", &text).await.rows();
    assert_eq!(told[1][..3], [first.as_str(), "true", "false"]);
    // What a refused row was about is said from version 53 on.
    assert_eq!(told[2][..3], ["001000000000000AAA", "false", "false"]);
    assert_eq!(site.count("Account", "WHERE Phone = '7'").await, 1);
    let told = site
        .classic_load("delete", "JSON", &json!([{"Id": first}]).to_string())
        .await
        .json();
    assert_eq!(
        told,
        json!([{"success": true, "created": false, "id": first, "errors": []}])
    );
    site.classic_load("hardDelete", "CSV", &format!("Id\n{second}\n"))
        .await;
    let left: Vec<Json> = site
        .records("queryAll", "SELECT Id FROM Account WHERE Name LIKE 'D _'")
        .await;
    assert_eq!(left, [json!({"Id": first})]);
}

/// `Name` and `Packed` on lines of their own, as gzip (RFC 1952) packs them.
const PACKED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xf3\x4b\xcc\x4d\xe5\x0a\x48\x4c\xce\x4e\x4d\xe1\x02\x00\x3b\xba\x60\xed\x0c\x00\x00\x00";

#[tokio::test]
async fn gzip_goes_both_ways() {
    let site = Site::new().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let request = site
        .classic(reqwest::Method::POST, &format!("/{job}/batch"))
        .header("content-type", "text/csv; charset=UTF-8")
        .header("content-encoding", "gzip")
        .body(PACKED);
    let batch = element(&site.send(request).await.text, "id").unwrap();
    assert_eq!(site.batch_end(&job, &batch).await.0, "Completed");
    assert_eq!(site.count("Account", "WHERE Name = 'Packed'").await, 1);
    let request = site
        .classic(reqwest::Method::GET, &format!("/{job}/batch/{batch}"))
        .header("accept-encoding", "gzip");
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let reply = plain.execute(request.build().unwrap()).await.unwrap();
    assert_eq!(reply.headers()["content-encoding"], "gzip");
    assert_eq!(reply.bytes().await.unwrap()[..2], [0x1f, 0x8b]);
}
