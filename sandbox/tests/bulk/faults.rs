//! What goes wrong on purpose.

use crate::site::{Site, accounts, counts, numbered, state_of};
use reqwest::Method;
use serde_json::{Value as Json, json};

async fn rules(site: &Site, rules: Json) {
    site.control(Method::PUT, "/sandbox/faults", rules).await;
}

async fn fired(site: &Site) -> Vec<u64> {
    let shown = site.control(Method::GET, "/sandbox/faults", json!({})).await;
    let rules = shown["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["fired"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn locked_rows_are_refused_one_by_one() {
    let site = Site::new().await;
    let when = json!({"object": "Account", "path": "/jobs/ingest", "nth": [2, 250]});
    rules(&site, json!([{"fault": {"kind": "row_lock"}, "when": when}])).await;
    let job = site.load(accounts("insert"), &numbered(0..300)).await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (300, 2)));
    let failed = site.set(&job, "failedResults").await.rows();
    assert_eq!(
        (failed[1][2].as_str(), failed[2][2].as_str()),
        ("Account 000001", "Account 000249")
    );
    assert!(
        failed[1][1].starts_with("UNABLE_TO_LOCK_ROW:"),
        "{}",
        failed[1][1]
    );
    assert!(failed[1][1].ends_with(":--"), "{}", failed[1][1]);
    assert_eq!(fired(&site).await, [2]);
}

#[tokio::test]
async fn the_client_of_a_job_is_the_one_that_made_it() {
    let site = Site::new().await;
    let fault = json!({"kind": "row_error", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION"});
    rules(&site, json!([{"fault": fault, "when": {"client": "loader"}}])).await;
    for (client, failed) in [("loader", 1), ("other", 0)] {
        let request = site
            .request(Method::POST, "/ingest")
            .header("sforce-call-options", format!("client={client}"))
            .json(&accounts("insert"));
        let job = site.send(request).await.json();
        let id = crate::site::id_of(&job);
        site.upload(&id, "Name\nX\n").await;
        site.close(&id).await;
        assert_eq!(counts(&site.ended("ingest", &id).await), (1, failed), "{client}");
    }
}

#[tokio::test]
async fn a_job_fails_half_way_and_gives_back_the_rest() {
    let site = Site::new().await;
    rules(&site, json!([{"times": 1, "fault": {"kind": "bulk_failure"}}])).await;
    let job = site.load(accounts("insert"), &numbered(0..1_000)).await;
    assert_eq!((state_of(&job), counts(&job)), ("Failed", (500, 0)));
    assert!(!job["errorMessage"].as_str().unwrap().is_empty());
    assert_eq!(site.written(&job).await.len(), 500);
    assert_eq!(
        site.set(&job, "unprocessedrecords").await.text,
        numbered(500..1_000)
    );
    assert_eq!(fired(&site).await, [1]);
    // What was not processed can be loaded as it was given back.
    let rest = site.set(&job, "unprocessedrecords").await.text;
    let again = site.load(accounts("insert"), &rest).await;
    assert_eq!((state_of(&again), counts(&again)), ("JobComplete", (500, 0)));
    assert_eq!(
        site.count("Account", "WHERE Name LIKE 'Account 00%'").await,
        1_000
    );
}

#[tokio::test]
async fn the_place_and_the_words_of_the_failure_can_be_chosen() {
    let site = Site::new().await;
    let fault = json!({"kind": "bulk_failure", "afterRows": 3, "message": "InternalServerError : gone"});
    rules(&site, json!([{"fault": fault, "when": {"object": "Contact"}}])).await;
    let job = site.load(accounts("insert"), &numbered(0..5)).await;
    assert_eq!(state_of(&job), "JobComplete");
    let contacts = json!({"object": "Contact", "operation": "insert"});
    let job = site.load(contacts, "LastName\na\nb\nc\nd\n").await;
    assert_eq!((state_of(&job), counts(&job)), ("Failed", (3, 0)));
    assert_eq!(job["errorMessage"], "InternalServerError : gone");
    assert_eq!(site.set(&job, "unprocessedRecords").await.text, "LastName\nd\n");
    let query = json!({"operation": "query", "query": "SELECT Id FROM Contact"});
    let job = site.extract(query).await;
    assert_eq!(state_of(&job), "Failed");
    let path = format!("/query/{}/results", job["id"].as_str().unwrap());
    assert_eq!(site.get(&path).await.refusal().1, "INVALIDJOBSTATE");
}

#[tokio::test]
async fn a_request_that_makes_a_job_can_be_hit_by_its_object() {
    let site = Site::new().await;
    let when = json!({"object": "Contact"});
    rules(&site, json!([{"fault": {"kind": "server_error"}, "when": when}])).await;
    let contacts = json!({"object": "Contact", "operation": "insert"});
    assert!(site.post("/ingest", &contacts).await.status >= 500);
    assert_eq!(site.post("/ingest", &accounts("insert")).await.status, 200);
}
