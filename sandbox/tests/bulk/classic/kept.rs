//! Jobs across a stop, faults, and the newer API's list.

use super::client::{code, element, refusal};
use crate::site::{Site, numbered};
use reqwest::Method;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn batches_under_way_go_on_after_a_restart() {
    let first = Site::new().await;
    first.config(json!({"bulkHold": true})).await;
    let job = first.classic_job("insert", "JSON", json!({})).await;
    let load = first.batch(&job, "JSON", "[{\"Name\": \"After\"}, {}]").await;
    let query = first.classic_job("query", "XML", json!({})).await;
    let read = first
        .batch(&query, "XML", "SELECT Name FROM Account WHERE Name = 'After'")
        .await;
    first.running.shutdown().await;

    let second = Site::within(first.dir, |_| {}).await;
    assert_eq!(second.batch_end(&job, &load).await.0, "Completed");
    assert_eq!(second.batch_end(&query, &read).await.0, "Completed");
    let results = second.look(&format!("/{job}/batch/{load}/result")).await.json();
    assert_eq!(
        (&results[0]["success"], &results[1]["success"]),
        (&json!(true), &json!(false))
    );
    let path = format!("/{query}/batch/{read}/result");
    let result = element(&second.look(&path).await.text, "result").unwrap();
    let found = second.look(&format!("{path}/{result}")).await.text;
    assert_eq!(element(&found, "Name").as_deref(), Some("After"));
    let request = second.look(&format!("/{job}/batch/{load}/request")).await;
    assert_eq!(request.text, "[{\"Name\": \"After\"}, {}]");
    second.control(Method::POST, "/sandbox/reset", json!({})).await;
}

#[tokio::test]
async fn a_week_later_nothing_is_left() {
    let mut site = Site::new().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let batch = site.batch(&job, "CSV", "Name\nX\n").await;
    site.batch_end(&job, &batch).await;
    site.pass(7 * 86_400 - 60).await;
    assert_eq!(site.look(&format!("/{job}/batch/{batch}")).await.status, 200);
    site.pass(120).await;
    assert_eq!(
        code(&site.look(&format!("/{job}")).await),
        (400, "InvalidJob".to_owned())
    );
}

#[tokio::test]
async fn the_newer_api_lists_them_but_not_their_batches() {
    let site = Site::new().await;
    let load = site
        .classic_job(
            "upsert",
            "CSV",
            json!({"externalIdFieldName": "Id", "concurrencyMode": "Serial"}),
        )
        .await;
    let query = site.classic_job("query", "JSON", json!({})).await;
    let batch = site.batch(&query, "JSON", "SELECT Id FROM Account").await;
    site.batch_end(&query, &batch).await;
    for (path, expected) in [
        ("/ingest?jobType=Classic", vec![&load, &query]),
        ("/query?jobType=Classic", vec![&load, &query]),
        ("/ingest?concurrencyMode=serial", vec![&load]),
        ("/query?jobType=Classic&concurrencyMode=parallel", vec![&query]),
        ("/query?jobType=V2Query&concurrencyMode=serial", vec![]),
        ("/ingest?isPkChunkingEnabled=true&jobType=Classic", vec![]),
        ("/ingest", vec![&load, &query]),
        ("/ingest?jobType=V2Ingest", vec![]),
        ("/query?jobType=V2Query", vec![]),
    ] {
        let page = site.get(path).await.json();
        let ids = page["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].as_str().unwrap());
        assert_eq!(ids.collect::<Vec<_>>(), expected, "{path}");
    }
    let page = site.get("/ingest?jobType=Classic").await.json();
    let job = &page["records"][0];
    assert_eq!(
        (&job["jobType"], &job["externalIdFieldName"]),
        (&json!("Classic"), &json!("Id"))
    );
}

async fn rule(site: &Site, rule: Json) {
    site.control(Method::PUT, "/sandbox/faults", json!([rule])).await;
}

#[tokio::test]
async fn faults_speak_as_this_api_does() {
    let mut site = Site::new().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let when = json!({"path": "/services/async", "nth": [1]});
    rule(&site, json!({"fault": {"kind": "request_limit"}, "when": when})).await;
    let path = format!("/{job}");
    let text = "TotalRequests Limit exceeded.".to_owned();
    assert_eq!(
        refusal(&site.look(&path).await),
        (400, "ExceededQuota".to_owned(), text)
    );
    rule(
        &site,
        json!({"fault": {"kind": "server_error", "status": 503}, "when": when}),
    )
    .await;
    assert_eq!(
        code(&site.look(&path).await),
        (503, "InternalServerError".to_owned())
    );
    rule(&site, json!({"fault": {"kind": "session_expired"}, "when": when})).await;
    assert_eq!(
        code(&site.look(&path).await),
        (400, "InvalidSessionId".to_owned())
    );
    assert_eq!(
        code(&site.look(&path).await),
        (400, "InvalidSessionId".to_owned()),
        "it really ended"
    );
    site.log_in().await;
    assert_eq!(site.look(&path).await.status, 200);
}

#[tokio::test]
async fn faults_reach_rows_and_batches() {
    let site = Site::new().await;
    rule(&site, json!({"fault": {"kind": "row_lock"}, "when": {"object": "Account", "path": "/services/async", "nth": [2]}})).await;
    let told = site.classic_load("insert", "CSV", "Name\nA\nB\nC\n").await.rows();
    assert_eq!([&told[1][1], &told[2][1], &told[3][1]], ["true", "false", "true"]);
    assert!(told[2][3].starts_with("UNABLE_TO_LOCK_ROW:"), "{}", told[2][3]);
    let fault = json!({"kind": "bulk_failure", "afterRows": 250, "message": "InternalServerError : lost"});
    rule(&site, json!({"fault": fault})).await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let batch = site.batch(&job, "CSV", numbered(0..400)).await;
    let end = site.batch_end(&job, &batch).await;
    assert_eq!(
        end,
        ("Failed".to_owned(), "InternalServerError : lost".to_owned())
    );
    // What was written is told of.
    let told = site.look(&format!("/{job}/batch/{batch}/result")).await.rows();
    assert_eq!(told.len(), 251);
}
