//! The list of jobs.

use crate::site::{Site, accounts, id_of};
use futures_util::{StreamExt, stream};
use serde_json::{Value as Json, json};

async fn ids(site: &Site, path: &str) -> Vec<String> {
    let page = site.get(path).await.json();
    page["records"].as_array().unwrap().iter().map(id_of).collect()
}

#[tokio::test]
async fn jobs_are_listed_by_kind() {
    let site = Site::new().await;
    let ingest = site.open(accounts("insert")).await;
    let query = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    let query = id_of(&site.extract(query).await);
    let page = site.get("/ingest").await.json();
    assert_eq!(
        (&page["done"], &page["nextRecordsUrl"]),
        (&json!(true), &Json::Null)
    );
    let entry = &page["records"][0];
    assert_eq!(
        (&entry["id"], &entry["jobType"]),
        (&json!(ingest), &json!("V2Ingest"))
    );
    assert_eq!(entry.get("retries"), None);
    for (path, expected) in [
        ("/ingest", vec![&ingest]),
        ("/query", vec![&query]),
        ("/ingest/", vec![&ingest]),
        ("/ingest?jobType=V2Ingest", vec![&ingest]),
        ("/ingest?jobType=V2Query", vec![&query]),
        ("/query?jobType=Classic", vec![]),
        ("/query?concurrencyMode=parallel", vec![&query]),
        ("/query?concurrencyMode=serial", vec![]),
        ("/query?isPkChunkingEnabled=true", vec![]),
        ("/query?isPkChunkingEnabled=false", vec![&query]),
    ] {
        assert_eq!(
            ids(&site, path).await.iter().collect::<Vec<_>>(),
            expected,
            "{path}"
        );
    }
    assert_eq!(site.get("/ingest?jobType=Nope").await.refusal().1, "API_ERROR");
    for locator in ["nope", "001000000000001AAA-1000", "-"] {
        let reply = site.get(&format!("/ingest?queryLocator={locator}")).await;
        assert_eq!(reply.refusal().1, "INVALID_QUERY_LOCATOR");
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let site = Site::new().await;
    let site = &site;
    let mut made: Vec<String> = stream::iter(0..1_001)
        .map(|_| async move { site.open(accounts("insert")).await })
        .buffer_unordered(16)
        .collect()
        .await;
    made.sort();
    let first = site.get("/ingest").await.json();
    assert_eq!(first["done"], false);
    let next = first["nextRecordsUrl"].as_str().unwrap();
    assert!(
        next.starts_with("/services/data/v68.0/jobs/ingest?queryLocator="),
        "{next}"
    );
    let mut found = ids(site, "/ingest").await;
    assert_eq!(found.len(), 1_000);
    found.extend(ids(site, next).await);
    assert_eq!(found, made);
    let last = site.get(next).await.json();
    assert_eq!(
        (&last["done"], &last["nextRecordsUrl"]),
        (&json!(true), &Json::Null)
    );
}
