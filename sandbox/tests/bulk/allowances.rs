//! What may be used in a day.

use crate::site::{Site, accounts, counts, numbered, state_of};
use serde_json::json;

#[tokio::test]
async fn batches_are_counted_shown_and_refused() {
    let mut site = Site::new().await;
    site.config(json!({"dailyBulkBatches": 2})).await;
    let job = site.load(accounts("insert"), &numbered(0..25_000)).await;
    assert_eq!((state_of(&job), counts(&job)), ("Failed", (20_000, 0)));
    assert_eq!(
        job["errorMessage"],
        "ExceededQuota : ApiBatchItems Limit exceeded."
    );
    let rest = site.set(&job, "unprocessedrecords").await.text;
    assert_eq!(rest, numbered(20_000..25_000));
    let limits = site.get("/services/data/v68.0/limits").await.json();
    assert_eq!(limits["DailyBulkApiBatches"], json!({"Max": 2, "Remaining": 0}));
    let reply = site.post("/ingest", &accounts("insert")).await;
    assert_eq!(
        reply.refusal(),
        (
            400,
            "EXCEEDEDQUOTA".to_owned(),
            "ExceededQuota : ApiBatchItems Limit exceeded.".to_owned()
        )
    );
    site.pass(86_400).await;
    let job = site.load(accounts("insert"), "Name\nX\n").await;
    assert_eq!(state_of(&job), "JobComplete");
}

#[tokio::test]
async fn query_jobs_are_counted_shown_and_refused() {
    let mut site = Site::new().await;
    site.config(json!({"dailyBulkQueryJobs": 1})).await;
    let query = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    // One that is refused is not counted.
    site.post("/query", &json!({"operation": "query", "query": "SELECT"}))
        .await;
    site.extract(query.clone()).await;
    let limits = site.get("/services/data/v68.0/limits").await.json();
    assert_eq!(limits["DailyBulkV2QueryJobs"], json!({"Max": 1, "Remaining": 0}));
    assert_eq!(
        site.post("/query", &query).await.refusal(),
        (
            400,
            "LIMIT_EXCEEDED".to_owned(),
            "Max bulk v2 query jobs (1) per 24 hrs has been reached (1)".to_owned()
        )
    );
    site.pass(86_400).await;
    site.extract(query).await;
}

#[tokio::test]
async fn each_request_costs_a_call_and_the_rows_none() {
    let site = Site::new().await;
    let used = async || {
        let reply = site.get("/ingest").await;
        let info = reply.header("sforce-limit-info").unwrap().to_owned();
        let used = info
            .strip_prefix("api-usage=")
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        used.parse::<u64>().unwrap()
    };
    site.config(json!({"bulkHold": true})).await;
    let before = used().await;
    site.start(accounts("insert"), &numbered(0..1_000)).await;
    assert_eq!(used().await, before + 4, "made, filled, closed, listed");
}
