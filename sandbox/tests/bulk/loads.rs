//! What ingest jobs do to records.

use crate::site::{Site, accounts, counts, id_of, numbered, state_of};
use serde_json::{Value as Json, json};

fn opportunities(operation: &str) -> Json {
    json!({"object": "Opportunity", "operation": operation})
}

fn upsert(object: &str, key: &str) -> Json {
    json!({"object": object, "operation": "upsert", "externalIdFieldName": key})
}

#[tokio::test]
async fn an_insert_makes_records_with_every_kind_of_value() {
    let site = Site::new().await;
    let file = "Name,StageName,CloseDate,Amount,Probability,Description,IsPrivate,CPQ_Valid_Until__c\n\
        \"Big, \"\"very\"\" big\",Prospecting,2026-12-24,1234.50,,\"two\nlines\",false,2026-12-31Z\n";
    let job = site.load(opportunities("insert"), file).await;
    assert_eq!(
        (state_of(&job), counts(&job)),
        ("JobComplete", (1, 0)),
        "{:?}",
        site.errors(&job).await
    );
    let ids = site.written(&job).await;
    let query = format!(
        "SELECT Name, Amount, CloseDate, Description, CPQ_Valid_Until__c FROM Opportunity WHERE Id = '{}'",
        ids[0]
    );
    assert_eq!(
        site.soql(&query).await,
        [json!({
            "Name": "Big, \"very\" big", "Amount": 1234.5, "CloseDate": "2026-12-24",
            "Description": "two\nlines", "CPQ_Valid_Until__c": "2026-12-31",
        })]
    );
}

#[tokio::test]
async fn an_update_leaves_empty_cells_alone_and_empties_what_says_so() {
    let site = Site::new().await;
    let before = &site
        .soql("SELECT Id, Name, Industry, Phone, Website FROM Account WHERE Name LIKE 'Northwind%'")
        .await[0];
    let file = format!(
        "Id,Name,Phone,Website,Industry\n{},Renamed,,#N/A,\"\"\n",
        before["Id"].as_str().unwrap()
    );
    let job = site.load(accounts("update"), &file).await;
    assert_eq!(counts(&job), (1, 0), "{:?}", site.errors(&job).await);
    let created: Vec<String> = site
        .set(&job, "successfulResults")
        .await
        .rows()
        .swap_remove(1)
        .into_iter()
        .take(2)
        .collect();
    assert_eq!(created, [before["Id"].as_str().unwrap(), "false"]);
    let mut after = before.clone();
    after["Name"] = json!("Renamed");
    after["Website"] = Json::Null;
    assert_eq!(
        site.soql("SELECT Id, Name, Industry, Phone, Website FROM Account WHERE Name = 'Renamed'")
            .await,
        [after]
    );
}

#[tokio::test]
async fn an_upsert_makes_and_changes_by_its_key() {
    let site = Site::new().await;
    let known = &site
        .soql("SELECT Id, Opportunity_Number__c FROM Opportunity ORDER BY Opportunity_Number__c LIMIT 1")
        .await[0];
    let file = format!(
        "Opportunity_Number__c,Name,StageName,CloseDate\n{},Changed,Prospecting,2027-01-31\nNEW-1,Made,Prospecting,2027-01-31\n,Keyless,Prospecting,2027-01-31\n",
        known["Opportunity_Number__c"].as_str().unwrap().to_lowercase()
    );
    let job = site
        .load(upsert("Opportunity", "opportunity_number__c"), &file)
        .await;
    assert_eq!(job["externalIdFieldName"], "Opportunity_Number__c");
    assert_eq!(counts(&job), (3, 1));
    let rows = site.set(&job, "successfulResults").await.rows();
    assert_eq!(
        (rows[1][0].as_str(), rows[1][1].as_str(), rows[2][1].as_str()),
        (known["Id"].as_str().unwrap(), "false", "true")
    );
    assert_eq!(
        site.errors(&job).await,
        ["MISSING_ARGUMENT:Opportunity_Number__c not specified:--"]
    );
    // The key of a record that is there keeps its own letters.
    let query = format!(
        "SELECT Opportunity_Number__c, Name FROM Opportunity WHERE Id = '{}'",
        rows[1][0]
    );
    assert_eq!(
        site.soql(&query).await,
        [json!({"Opportunity_Number__c": known["Opportunity_Number__c"], "Name": "Changed"})]
    );
}

#[tokio::test]
async fn an_upsert_by_id_makes_what_has_none() {
    let site = Site::new().await;
    let known = &site.soql("SELECT Id FROM Account LIMIT 1").await[0]["Id"];
    let file = format!("Id,Name\n{},Changed\n,Made\n", known.as_str().unwrap());
    let job = site.load(upsert("Account", "Id"), &file).await;
    assert_eq!(counts(&job), (2, 0), "{:?}", site.errors(&job).await);
    let rows = site.set(&job, "successfulResults").await.rows();
    assert_eq!((rows[1][1].as_str(), rows[2][1].as_str()), ("false", "true"));
}

#[tokio::test]
async fn a_delete_fills_the_recycle_bin_and_a_hard_delete_does_not() {
    let site = Site::new().await;
    for (operation, seen) in [("delete", 2), ("hardDelete", 0)] {
        let job = site.load(accounts("insert"), "Name\nGone 1\nGone 2\n").await;
        let ids = site.written(&job).await;
        let file = format!("Id\n{}\n{}\n", ids[0], ids[1]);
        let job = site.load(accounts(operation), &file).await;
        assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (2, 0)));
        assert_eq!(job["operation"], operation);
        let query = format!(
            "SELECT Id, IsDeleted FROM Account WHERE Id IN ('{}', '{}')",
            ids[0], ids[1]
        );
        assert_eq!(site.soql(&query).await.len(), 0);
        let binned = site.records("queryAll", &query).await;
        assert_eq!(binned.len(), seen, "{operation}");
        assert!(binned.iter().all(|record| record["IsDeleted"] == true));
        let again = site.load(accounts("delete"), &file).await;
        let error = if seen > 0 {
            "ENTITY_IS_DELETED:entity is deleted:--"
        } else {
            "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"
        };
        assert_eq!(site.errors(&again).await, [error; 2]);
    }
}

#[tokio::test]
async fn each_row_is_refused_by_the_same_rules_as_any_other_write() {
    let site = Site::new().await;
    let file = "Name,StageName,CloseDate,Amount,CPQ_Quote_Status__c,CreatedDate,IsPrivate\n\
        ,Prospecting,2026-12-24,1,,,\n\
        A,Prospecting,24.12.2026,1,,,\n\
        B,Prospecting,2026-12-24,much,,,\n\
        C,Prospecting,2026-12-24,1,,2026-12-24T00:00:00Z,\n\
        D,Prospecting,2026-12-24,1,,,maybe\n\
        E,Prospecting,2026-12-24,1,Draft,,true\n";
    let job = site.load(opportunities("insert"), file).await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (6, 5)));
    assert_eq!(
        site.errors(&job).await,
        [
            "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
            "INVALID_FIELD:Failed to deserialize field at col 2. Due to, '24.12.2026' is not a valid value for the type xsd:date:CloseDate --",
            "INVALID_FIELD:Failed to deserialize field at col 3. Due to, 'much' is not a valid value for the type xsd:double:Amount --",
            "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify that it is read/write for your profile or permission set.:CreatedDate --",
            "INVALID_FIELD:Failed to deserialize field at col 6. Due to, 'maybe' is not a valid value for the type xsd:boolean:IsPrivate --",
        ]
    );
    assert_eq!(site.written(&job).await.len(), 1);
}

#[tokio::test]
async fn rows_that_name_the_wrong_record_are_refused() {
    let site = Site::new().await;
    let contact = site.soql("SELECT Id FROM Contact LIMIT 1").await[0]["Id"].clone();
    let file = format!(
        "Id,Name\n,A\nnonsense,B\n{},C\n001000000000000AAA,D\n",
        contact.as_str().unwrap()
    );
    let job = site.load(accounts("update"), &file).await;
    assert_eq!(
        site.errors(&job).await,
        [
            "MISSING_ARGUMENT:Id not specified in an update call:--".to_owned(),
            "MALFORMED_ID:malformed id nonsense:--".to_owned(),
            format!("MALFORMED_ID:malformed id {}:--", contact.as_str().unwrap()),
            "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--".to_owned(),
        ]
    );
    // The row that named a record of the object says which.
    let failed = site.set(&job, "failedResults").await.rows();
    let ids: Vec<&str> = failed.iter().skip(1).map(|row| row[0].as_str()).collect();
    assert_eq!(ids, ["", "", "", "001000000000000AAA"]);
    let job = site
        .load(accounts("insert"), "Id,Name\n001000000000000AAA,X\n")
        .await;
    assert_eq!(
        site.errors(&job).await,
        ["INVALID_FIELD_FOR_INSERT_UPDATE:cannot specify Id in an insert call:Id --"]
    );
}

#[tokio::test]
async fn a_key_may_stand_in_a_transaction_once() {
    let site = Site::new().await;
    let row = |key: &str, name: &str| format!("{key},{name},Prospecting,2027-01-31\n");
    let head = "Opportunity_Number__c,Name,StageName,CloseDate\n";
    let file = format!("{head}{}{}{}", row("K-1", "A"), row("k-1", "B"), row("K-2", "C"));
    let job = site
        .load(upsert("Opportunity", "Opportunity_Number__c"), &file)
        .await;
    assert_eq!(counts(&job), (3, 2));
    assert_eq!(
        site.errors(&job).await,
        [
            "DUPLICATE_VALUE:Duplicate external id specified: K-1:--",
            "DUPLICATE_VALUE:Duplicate external id specified: k-1:--"
        ]
    );
    // In transactions of their own the same two rows make a record and change it.
    let between: String = (0..200).map(|n| row(&format!("L-{n}"), "between")).collect();
    let file = format!("{head}{}{between}{}", row("K-1", "A"), row("K-1", "B"));
    let job = site
        .load(upsert("Opportunity", "Opportunity_Number__c"), &file)
        .await;
    assert_eq!(counts(&job), (202, 0), "{:?}", site.errors(&job).await);
    let names = site
        .soql("SELECT Name FROM Opportunity WHERE Opportunity_Number__c = 'K-1'")
        .await;
    assert_eq!(names, [json!({"Name": "B"})]);
    let id = site.soql("SELECT Id FROM Account LIMIT 1").await[0]["Id"].clone();
    let id = id.as_str().unwrap();
    let file = format!("Id,Name\n{id},First\n{},Second\n", &id[..15]);
    let job = site.load(accounts("update"), &file).await;
    assert_eq!(
        site.errors(&job).await,
        ["DUPLICATE_VALUE:duplicate id in list:--"]
    );
    assert_eq!(site.count("Account", "WHERE Name = 'First'").await, 1);
}

#[tokio::test]
async fn twenty_five_thousand_rows_come_through_in_their_order() {
    let site = Site::new().await;
    let job = site.load(accounts("insert"), &numbered(0..25_000)).await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (25_000, 0)));
    let rows = site.set(&job, "successfulResults").await.rows();
    assert_eq!(rows.len(), 25_001);
    assert!(rows.is_sorted_by(|a, b| a[0] == "sf__Id" || (a[0] < b[0] && a[2] < b[2])));
    let limits = site.get("/services/data/v68.0/limits").await.json();
    assert_eq!(
        limits["DailyBulkApiBatches"],
        json!({"Max": 15_000, "Remaining": 14_997})
    );
    // One row of one file is known by its id.
    let query = format!("SELECT Name FROM Account WHERE Id = '{}'", rows[12_345][0]);
    assert_eq!(site.soql(&query).await, [json!({"Name": "Account 012344"})]);
    assert!(id_of(&job).starts_with("750"));
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_fails_the_job_and_leaves_those_before_it() {
    let site = Site::new().await;
    let mut file = numbered(0..10_050);
    file.push_str("bro\"ken\n");
    let job = site.load(accounts("insert"), &file).await;
    assert_eq!((state_of(&job), counts(&job)), ("Failed", (10_000, 0)));
    assert_eq!(
        job["errorMessage"],
        "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
    );
    assert_eq!(
        site.count("Account", "WHERE Name LIKE 'Account 0%'").await,
        10_000
    );
    let rest = site.set(&job, "unprocessedrecords").await.text;
    assert_eq!(rest, format!("{}bro\"ken\n", numbered(10_000..10_050)));
}

#[tokio::test]
async fn a_row_may_be_shorter_than_the_header_but_not_longer() {
    let site = Site::new().await;
    let job = site
        .load(accounts("insert"), "Name,Phone\nShort\nLong,1,2\n")
        .await;
    assert_eq!(counts(&job), (2, 1));
    assert_eq!(
        site.errors(&job).await,
        ["INVALID_FIELD:The row has 3 values, the header 2:--"]
    );
}
