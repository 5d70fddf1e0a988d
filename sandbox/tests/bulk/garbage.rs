//! Files of every kind: whatever is uploaded, each row is accounted for or the job says why it is not.

use crate::site::{Site, counts, id_of, state_of};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

/// Uploads to try; each is a job with six requests.
const CASES: u32 = 150;

fn files() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::sample::select(vec![
        "",
        "Name",
        "Id",
        "Id,Name",
        "Name,Phone",
        "Name,Account.Nope",
        "Opportunity_Number__c",
        ",",
        "\"Name\"",
    ]);
    let body = "[\n\r,|\"a#N/A0-9é\u{feff} ]{0,80}";
    let text = (header, body).prop_map(|(header, body)| format!("{header}\n{body}").into_bytes());
    prop_oneof![4 => text, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn jobs() -> impl Strategy<Value = Json> {
    let operation = prop::sample::select(vec!["insert", "update", "upsert", "delete", "hardDelete"]);
    let ending = prop::sample::select(vec!["LF", "CRLF"]);
    let delimiter = prop::sample::select(vec!["COMMA", "PIPE"]);
    (operation, ending, delimiter).prop_map(|(operation, ending, delimiter)| {
        let mut job = json!({
            "object": "Opportunity", "operation": operation, "lineEnding": ending, "columnDelimiter": delimiter,
        });
        if operation == "upsert" {
            job["externalIdFieldName"] = json!("Opportunity_Number__c");
        }
        job
    })
}

async fn try_out(site: &Site, properties: Json, file: Vec<u8>) {
    let id = site.open(properties).await;
    let reply = site.put(&format!("/ingest/{id}/batches"), file).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    site.close(&id).await;
    let job = site.ended("ingest", &id).await;
    let (processed, failed) = counts(&job);
    assert_eq!(id_of(&job), id);
    match state_of(&job) {
        "JobComplete" => assert_eq!(job.get("errorMessage"), None),
        "Failed" => assert!(!job["errorMessage"].as_str().unwrap().is_empty()),
        other => panic!("{other}: {job}"),
    }
    for (set, rows) in [
        ("successfulResults", processed - failed),
        ("failedResults", failed),
    ] {
        let text = site.set(&job, set).await.text;
        let between = if job["columnDelimiter"] == "PIPE" {
            b'|'
        } else {
            b','
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(between)
            .terminator(if job["lineEnding"] == "LF" {
                csv::Terminator::Any(b'\n')
            } else {
                csv::Terminator::CRLF
            })
            .flexible(true)
            .from_reader(text.as_bytes());
        assert_eq!(reader.records().count() as u64, rows, "{set} of {job}: {text:?}");
    }
    site.set(&job, "unprocessedrecords").await;
}

#[test]
fn no_file_is_lost_or_breaks_anything() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = runtime.block_on(Site::new());
    let mut runner = TestRunner::new(Config::with_cases(CASES));
    runner
        .run(&(jobs(), files()), |(job, file)| {
            runtime.block_on(try_out(&site, job, file));
            Ok(())
        })
        .unwrap();
    // It has written nothing that the rules forbid, and still works.
    let known = runtime.block_on(site.count("Opportunity", ""));
    assert!(known > 0);
}
