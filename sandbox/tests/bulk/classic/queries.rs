//! Queries in batches.

use super::client::{element, refusal};
use crate::site::Site;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn records_come_in_the_form_of_the_job() {
    let site = Site::new().await;
    site.classic_load("insert", "CSV", "Name,Phone\nQ & 1,\n\"Q \"\"2\"\"\",5\n")
        .await;
    let soql = "SELECT Phone, Name, CreatedDate, Owner.Name FROM Account WHERE Name LIKE 'Q %' ORDER BY Name";
    let csv = site.classic_query("query", "CSV", soql).await;
    let rows = csv.rows();
    assert_eq!(rows[0], ["Phone", "Name", "CreatedDate", "Owner.Name"]);
    assert_eq!(rows[1][..2], ["5", "Q \"2\""]);
    let (instant, owner) = (&rows[2][2], &rows[2][3]);
    assert!(instant.ends_with(".000Z"), "{instant}");

    let read = site.classic_query("query", "JSON", soql).await.json();
    let record = &read[1];
    assert_eq!(record["attributes"]["type"], "Account");
    assert_eq!(
        (&record["Name"], &record["Phone"]),
        (&json!("Q & 1"), &Json::Null)
    );
    assert_eq!(
        (&record["Owner"]["Name"], &record["Owner"]["attributes"]["type"]),
        (&json!(owner), &json!("User"))
    );
    // Milliseconds, unlike everywhere else.
    let at: jiff::Timestamp = instant.parse().unwrap();
    assert_eq!(record["CreatedDate"], json!(at.as_millisecond()));

    let xml = site.classic_query("query", "XML", soql).await.text;
    let record = format!(
        "<records xsi:type=\"sObject\"><type>Account</type><Phone xsi:nil=\"true\"/><Name>Q &amp; 1</Name><CreatedDate>{instant}\
         </CreatedDate><Owner xsi:type=\"sObject\"><type>User</type><Name>{owner}</Name></Owner></records></queryResult>"
    );
    assert!(xml.ends_with(&record), "{xml}");
    assert_eq!(element(&xml, "type").as_deref(), Some("Account"));
}

#[tokio::test]
async fn dates_are_milliseconds_in_json() {
    let site = Site::new().await;
    let job = site
        .classic_job("query", "JSON", json!({"object": "Opportunity"}))
        .await;
    let made = site
        .soql("SELECT CloseDate FROM Opportunity ORDER BY Id LIMIT 1")
        .await;
    let batch = site
        .batch(
            &job,
            "JSON",
            "SELECT CloseDate FROM Opportunity ORDER BY Id LIMIT 1",
        )
        .await;
    site.batch_end(&job, &batch).await;
    let path = format!("/{job}/batch/{batch}/result");
    let result = site.look(&path).await.json()[0].as_str().unwrap().to_owned();
    let read = site.look(&format!("{path}/{result}")).await.json();
    let day = format!("{}T00:00:00Z", made[0]["CloseDate"].as_str().unwrap());
    let at: jiff::Timestamp = day.parse().unwrap();
    assert_eq!(read[0]["CloseDate"], json!(at.as_millisecond()));
}

#[tokio::test]
async fn nothing_found_has_a_result_that_says_so() {
    let site = Site::new().await;
    let soql = "SELECT Id FROM Account WHERE Name = 'nobody'";
    let csv = site.classic_query("query", "CSV", soql).await;
    assert_eq!(csv.text, "Records not found for this query");
    assert_eq!(site.classic_query("query", "JSON", soql).await.json(), json!([]));
    let xml = site.classic_query("query", "XML", soql).await.text;
    assert!(xml.ends_with("></queryResult>"), "{xml}");
}

#[tokio::test]
async fn deleted_records_are_seen_by_query_all_only() {
    let site = Site::new().await;
    let made = site.classic_load("insert", "CSV", "Name\nGone\n").await.rows();
    site.classic_load("delete", "CSV", &format!("Id\n{}\n", made[1][0]))
        .await;
    let soql = "SELECT Name FROM Account WHERE Name = 'Gone'";
    assert_eq!(site.classic_query("queryAll", "CSV", soql).await.rows().len(), 2);
    assert_eq!(site.classic_query("query", "JSON", soql).await.json(), json!([]));
}

#[tokio::test]
async fn queries_that_cannot_be_answered_fail_their_batch() {
    let site = Site::new().await;
    let job = site.classic_job("query", "CSV", json!({})).await;
    for (soql, why) in [
        (
            "SELECT Nope FROM Account",
            "InvalidBatch : Failed to process query: INVALID_FIELD: ",
        ),
        (
            "SELECT",
            "InvalidBatch : Failed to process query: MALFORMED_QUERY: ",
        ),
        (
            "SELECT Id FROM Contact",
            "InvalidBatch : Failed to process query: INVALID_TYPE: ",
        ),
        (
            "SELECT COUNT() FROM Account",
            "FeatureNotEnabled : Aggregate Relationships not supported",
        ),
        ("SELECT BillingAddress FROM Account", "FeatureNotEnabled : "),
    ] {
        let batch = site.batch(&job, "CSV", soql).await;
        let (state, message) = site.batch_end(&job, &batch).await;
        assert_eq!(state, "Failed", "{soql}");
        assert!(message.starts_with(why), "{message}");
        let none = refusal(&site.look(&format!("/{job}/batch/{batch}/result")).await);
        assert_eq!(
            none,
            (400, "InvalidBatch".to_owned(), "Records not processed".to_owned())
        );
    }
    let shown = site.look(&format!("/{job}")).await.text;
    assert_eq!(element(&shown, "numberBatchesFailed").as_deref(), Some("5"));
}
