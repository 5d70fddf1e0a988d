//! How large batches may be, and how many.

use super::client::{code, refusal};
use crate::site::{Site, numbered};
use serde_json::json;

#[tokio::test]
async fn a_batch_has_ten_thousand_records_and_not_more() {
    let site = Site::new().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let full = site.batch(&job, "CSV", numbered(0..10_000)).await;
    let over = site.batch(&job, "CSV", numbered(10_000..20_001)).await;
    assert_eq!(site.batch_end(&job, &full).await.0, "Completed");
    let (state, message) = site.batch_end(&job, &over).await;
    assert_eq!(state, "Failed");
    assert_eq!(
        message,
        "InvalidBatch : Exceeded number of records: 10002. Number of records should be less than or equal to 10001"
    );
    assert_eq!(
        site.count("Account", "WHERE Name LIKE 'Account 0%'").await,
        10_000
    );
}

#[tokio::test]
async fn a_batch_has_ten_million_characters_and_ten_megabytes() {
    let site = Site::new().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let path = format!("/{job}/batch");
    // Two bytes each: few enough characters, too many bytes.
    let (plain, wide) = ("x".repeat(10_000_001), "é".repeat(5_242_881));
    for (body, limit) in [(plain, 10_000_000), (wide, 10 * 1024 * 1024)] {
        let reply = site.say(&path, "text/csv", body).await;
        let text = format!("Failed to read request. Exceeded max size limit of {limit}");
        assert_eq!(refusal(&reply), (400, "ClientInputError".to_owned(), text));
    }
    // What no API reads is told in this one's words.
    let reply = site
        .say(&path, "text/csv", vec![b'x'; 50 * 1024 * 1024 + 1])
        .await;
    assert_eq!(code(&reply), (400, "ClientInputError".to_owned()));
    let batch = site.batch(&job, "CSV", "x".repeat(10_000_000)).await;
    assert_eq!(site.batch_end(&job, &batch).await.0, "Failed");
}

#[tokio::test]
async fn batches_are_counted_when_they_come() {
    let mut site = Site::new().await;
    site.config(json!({"dailyBulkBatches": 3})).await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let batch = site.batch(&job, "CSV", "Name\nX\n").await;
    let query = site.classic_job("query", "CSV", json!({})).await;
    site.batch(&query, "CSV", "SELECT Id FROM Account").await;
    site.batch_end(&job, &batch).await;
    let limits = site.get("/services/data/v68.0/limits").await.json();
    assert_eq!(limits["DailyBulkApiBatches"], json!({"Max": 3, "Remaining": 1}));
    site.say(&format!("/{job}"), "application/json", "{\"state\": \"Closed\"}")
        .await;
    // One for a closed job counts, too.
    let path = format!("/{job}/batch");
    assert_eq!(
        code(&site.say(&path, "text/csv", "Name\nX\n").await).1,
        "InvalidJobState"
    );
    let reply = site
        .say(&format!("/{query}/batch"), "text/csv", "SELECT Id FROM Account")
        .await;
    let text = "ApiBatchItems Limit exceeded.".to_owned();
    assert_eq!(refusal(&reply), (400, "ExceededQuota".to_owned(), text));
    // A day later there is allowance, but the job is too old to be filled.
    site.pass(86_400).await;
    let reply = site
        .say(&format!("/{query}/batch"), "text/csv", "SELECT Id FROM Account")
        .await;
    assert_eq!(code(&reply), (400, "InvalidJobState".to_owned()));
}

#[tokio::test]
async fn each_request_costs_a_call_and_none_is_answered_beyond_the_allowance() {
    let site = Site::new().await;
    let used = async || {
        let reply = site.get("/ingest").await;
        let info = reply.header("sforce-limit-info").unwrap().to_owned();
        let used = info
            .trim_start_matches("api-usage=")
            .split('/')
            .next()
            .map(str::to_owned);
        used.unwrap().parse::<u64>().unwrap()
    };
    let before = used().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    site.look(&format!("/{job}")).await;
    assert_eq!(used().await, before + 3, "made, looked at, listed");
    site.config(json!({"dailyApiRequests": 1, "dailyApiOverrun": 0}))
        .await;
    let text = "TotalRequests Limit exceeded.".to_owned();
    assert_eq!(
        refusal(&site.look(&format!("/{job}")).await),
        (400, "ExceededQuota".to_owned(), text)
    );
}
