//! The three files that tell what became of the rows.

use crate::site::{Site, accounts, id_of, numbered};
use serde_json::json;

#[tokio::test]
async fn every_row_is_in_one_set_behind_what_became_of_it() {
    let site = Site::new().await;
    let file = "\"Name\",Phone\n\"\",1\nFine,\n";
    let job = site.load(accounts("insert"), file).await;
    let done = site.set(&job, "successfulResults").await;
    assert_eq!(done.header("content-type"), Some("text/csv; charset=UTF-8"));
    let id = &done.rows()[1][0];
    assert!(id.starts_with("001") && id.len() == 18, "{id}");
    assert_eq!(
        done.text,
        format!("\"sf__Id\",\"sf__Created\",\"Name\",Phone\n\"{id}\",\"true\",\"Fine\",\"\"\n")
    );
    let failed = site.set(&job, "failedResults").await;
    assert_eq!(
        failed.text,
        "\"sf__Id\",\"sf__Error\",\"Name\",Phone\n\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",\"\",\"1\"\n"
    );
    let rest = site.set(&job, "unprocessedRecords").await;
    assert_eq!(rest.text, "\"Name\",Phone\n");
}

#[tokio::test]
async fn every_spelling_leads_to_the_same_set() {
    let site = Site::new().await;
    let job = site.load(accounts("insert"), &numbered(0..2)).await;
    for spellings in [
        ["successfulResults", "successfulResults/", "successfulresults"],
        ["failedResults", "failedResults/", "FailedResults"],
        ["unprocessedrecords", "unprocessedRecords", "unprocessedrecords/"],
    ] {
        let mut texts = Vec::new();
        for spelling in spellings {
            texts.push(site.set(&job, spelling).await.text);
        }
        assert!(texts.iter().all(|text| text == &texts[0]), "{texts:?}");
    }
}

#[tokio::test]
async fn refused_rows_name_their_records_since_version_53() {
    let site = Site::new().await;
    let id = site.soql("SELECT Id FROM Account LIMIT 1").await[0]["Id"].clone();
    let id = id.as_str().unwrap();
    for (version, shown) in [("v52.0", ""), ("v53.0", id)] {
        let path = |rest: &str| format!("/services/data/{version}/jobs/ingest{rest}");
        let made = site.post(&path(""), &accounts("update")).await.json();
        let job = format!("/{}", id_of(&made));
        let file = format!("Id,Name\n{id},#N/A\n");
        site.put(&path(&format!("{job}/batches")), file).await;
        site.patch(&path(&job), &json!({"state": "UploadComplete"})).await;
        site.ended("ingest", &id_of(&made)).await;
        let failed = site.get(&path(&format!("{job}/failedResults"))).await.rows();
        assert_eq!((failed.len(), failed[1][0].as_str()), (2, shown), "{failed:?}");
    }
}

#[tokio::test]
async fn there_are_no_results_before_the_end() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let id = site.start(accounts("insert"), "Name\nX\n").await;
    for set in ["successfulResults", "failedResults", "unprocessedrecords"] {
        let (status, code, _) = site.get(&format!("/ingest/{id}/{set}")).await.refusal();
        assert_eq!((status, code.as_str()), (400, "INVALIDJOBSTATE"), "{set}");
    }
}
