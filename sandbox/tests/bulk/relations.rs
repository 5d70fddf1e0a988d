//! Parents that are named by their keys instead of their ids.

use crate::site::{Site, counts, state_of};
use serde_json::{Value as Json, json};

fn quotes(operation: &str) -> Json {
    json!({"object": "Quote", "operation": operation})
}

fn tasks() -> Json {
    json!({"object": "Task", "operation": "insert"})
}

async fn some_opportunity(site: &Site) -> (String, String) {
    let query = "SELECT Id, Opportunity_Number__c FROM Opportunity ORDER BY Opportunity_Number__c LIMIT 1";
    let record = &site.soql(query).await[0];
    let text = |key: &str| record[key].as_str().unwrap().to_owned();
    (text("Id"), text("Opportunity_Number__c"))
}

#[tokio::test]
async fn a_column_finds_the_parent_by_its_key() {
    let site = Site::new().await;
    let (id, number) = some_opportunity(&site).await;
    let file = format!("Name,Opportunity.Opportunity_Number__c\nA,{number}\nB,nowhere\n");
    let job = site.load(quotes("insert"), &file).await;
    assert_eq!(counts(&job), (2, 1), "{:?}", site.errors(&job).await);
    let query = "SELECT OpportunityId FROM Quote WHERE Name = 'A'";
    assert_eq!(site.soql(query).await, [json!({"OpportunityId": id})]);
    assert_eq!(
        site.errors(&job).await,
        [
            "INVALID_FIELD:Foreign key external ID: nowhere not found for field Opportunity_Number__c in entity Opportunity:--"
        ]
    );
}

#[tokio::test]
async fn a_parent_of_several_kinds_needs_its_kind() {
    let site = Site::new().await;
    let (id, number) = some_opportunity(&site).await;
    let file = format!("Subject,Opportunity:What.Opportunity_Number__c\nCall,{number}\n");
    let job = site.load(tasks(), &file).await;
    assert_eq!(counts(&job), (1, 0), "{:?}", site.errors(&job).await);
    assert_eq!(
        site.soql("SELECT WhatId FROM Task WHERE Subject = 'Call'").await,
        [json!({"WhatId": id})]
    );
    // #N/A takes the parent away again, an empty cell does not.
    let task = site.soql("SELECT Id FROM Task WHERE Subject = 'Call'").await[0]["Id"].clone();
    for (cell, left) in [("", json!(id)), ("#N/A", Json::Null)] {
        let file = format!(
            "Id,Opportunity:What.Opportunity_Number__c\n{},{cell}\n",
            task.as_str().unwrap()
        );
        let job = site
            .load(json!({"object": "Task", "operation": "update"}), &file)
            .await;
        assert_eq!(counts(&job), (1, 0), "{:?}", site.errors(&job).await);
        assert_eq!(
            site.soql("SELECT WhatId FROM Task WHERE Subject = 'Call'").await,
            [json!({"WhatId": left})]
        );
    }
}

#[tokio::test]
async fn columns_that_lead_nowhere_fail_the_job() {
    let site = Site::new().await;
    for (properties, header, message) in [
        (
            quotes("insert"),
            "Nope.Key__c",
            "Unable to find relationship: Nope",
        ),
        (
            quotes("insert"),
            "Name.Key__c",
            "Unable to find relationship: Name",
        ),
        (
            quotes("insert"),
            "Opportunity.Nope__c",
            "Field name not found : Opportunity.Nope__c",
        ),
        (
            quotes("insert"),
            "Opportunity.StageName",
            "Field name provided, StageName does not match an External ID for Opportunity",
        ),
        (
            quotes("insert"),
            "Opportunity:Opportunity.Opportunity_Number__c",
            "type is not needed for non polymorphic foreign key references: Opportunity",
        ),
        (
            tasks(),
            "What.Opportunity_Number__c",
            "type is needed for polymorphic foreign key references: What",
        ),
        (tasks(), "Contact:What.Id", "Unable to find object: Contact"),
        (tasks(), "Nope", "Field name not found : Nope"),
        (
            tasks(),
            "Subject,subject",
            "Duplicate field name in the header row : subject",
        ),
    ] {
        let job = site.load(properties, &format!("{header}\nx,y\n")).await;
        assert_eq!(
            (state_of(&job), job["errorMessage"].as_str(), counts(&job)),
            (
                "Failed",
                Some(format!("InvalidBatch : {message}").as_str()),
                (0, 0)
            )
        );
        let rest = site.set(&job, "unprocessedRecords").await.text;
        assert_eq!(rest, format!("{header}\nx,y\n"));
    }
}

#[tokio::test]
async fn keys_must_be_among_the_columns_and_a_delete_has_nothing_else() {
    let site = Site::new().await;
    let upsert = json!({"object": "Quote", "operation": "upsert", "externalIdFieldName": "CPQ_Quote_Key__c"});
    for (properties, header, message) in [
        (quotes("update"), "Name", "Field name not found : Id"),
        (upsert, "Name", "Field name not found : CPQ_Quote_Key__c"),
        (
            quotes("delete"),
            "Id,Name",
            "The 'delete' batch must contain only ids",
        ),
        (
            quotes("hardDelete"),
            "Name",
            "The 'hardDelete' batch must contain only ids",
        ),
    ] {
        let job = site.load(properties, &format!("{header}\nx\n")).await;
        assert_eq!(
            (state_of(&job), job["errorMessage"].as_str()),
            ("Failed", Some(format!("InvalidBatch : {message}").as_str()))
        );
    }
}
