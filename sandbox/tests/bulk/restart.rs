//! Jobs across a stop, and a reset.

use crate::site::{Site, accounts, counts, id_of, numbered, state_of};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_job_under_way_goes_on_where_it_was() {
    let first = Site::new().await;
    let done = first.load(accounts("insert"), "Name\nBefore\n,\n").await;
    first.config(json!({"bulkDelayMillis": 50})).await;
    let id = first.start(accounts("insert"), &numbered(0..4_000)).await;
    let at_work = first.until("ingest", &id, |job| counts(job).0 > 0).await;
    first.config(json!({"bulkHold": true})).await;
    let query = json!({"operation": "query", "query": "SELECT Name FROM Account WHERE Name = 'Before'"});
    let query = id_of(&first.post("/query", &query).await.json());
    let results = first.set(&done, "failedResults").await.text;
    first.running.shutdown().await;

    // Settings are said anew at each start: it is not held any more.
    let second = Site::within(first.dir, |_| {}).await;
    let job = second.ended("ingest", &id).await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (4_000, 0)));
    assert_eq!(job["createdDate"], at_work["createdDate"]);
    assert_eq!(
        second.count("Account", "WHERE Name LIKE 'Account 00%'").await,
        4_000
    );
    let mut names: Vec<String> = second
        .set(&job, "successfulResults")
        .await
        .rows()
        .into_iter()
        .skip(1)
        .map(|mut row| row.remove(2))
        .collect();
    names.dedup();
    assert_eq!(names.len(), 4_000);
    assert_eq!(second.set(&done, "failedResults").await.text, results);
    second.ended("query", &query).await;
    let reply = second.get(&format!("/query/{query}/results")).await;
    assert_eq!(reply.text, "\"Name\"\n\"Before\"\n");
    // Ids go on as well.
    assert!(second.open(accounts("insert")).await > query);
}

#[tokio::test]
async fn what_was_used_today_survives() {
    let first = Site::new().await;
    first.load(accounts("insert"), "Name\nX\n").await;
    first.running.shutdown().await;
    let second = Site::within(first.dir, |_| {}).await;
    let limits = second.get("/services/data/v68.0/limits").await.json();
    assert_eq!(
        limits["DailyBulkApiBatches"],
        json!({"Max": 15_000, "Remaining": 14_999})
    );
}

#[tokio::test]
async fn a_reset_forgets_all_jobs_and_their_work() {
    let mut site = Site::new().await;
    let done = id_of(&site.load(accounts("insert"), "Name\nX\n").await);
    site.config(json!({"bulkDelayMillis": 50})).await;
    let id = site.start(accounts("insert"), &numbered(0..4_000)).await;
    site.until("ingest", &id, |job| counts(job).0 > 0).await;
    site.control(Method::POST, "/sandbox/reset", json!({})).await;
    site.log_in().await;
    assert_eq!(site.get("/ingest").await.json()["records"], json!([]));
    for id in [&done, &id] {
        assert_eq!(site.get(&format!("/ingest/{id}")).await.refusal().0, 404);
    }
    // Nothing of the old job is written into the new org.
    let next = site.load(accounts("insert"), "Name\nAfterwards\n").await;
    assert_eq!(state_of(&next), "JobComplete");
    assert_ne!(id_of(&next), done);
    assert_eq!(site.count("Account", "WHERE Name LIKE 'Account 00%'").await, 0);
    let limits = site.get("/services/data/v68.0/limits").await.json();
    assert_eq!(limits["DailyBulkApiBatches"]["Remaining"], 14_999);
}
