//! From Open to one of the three ends.

use crate::site::{Site, accounts, counts, id_of, numbered, state_of};
use serde_json::{Value as Json, json};

fn keys(job: &Json) -> Vec<&str> {
    job.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_job_shows_what_it_is_and_later_how_far_it_is() {
    let site = Site::new().await;
    let made = site.post("/ingest", &accounts("insert")).await.json();
    assert_eq!(
        keys(&made),
        [
            "id",
            "operation",
            "object",
            "createdById",
            "createdDate",
            "systemModstamp",
            "state",
            "concurrencyMode",
            "contentType",
            "apiVersion",
            "contentUrl",
            "lineEnding",
            "columnDelimiter"
        ]
    );
    let id = id_of(&made);
    assert!(id.len() == 18 && id.starts_with("750"), "{id}");
    assert_eq!(
        made["contentUrl"],
        format!("services/data/v68.0/jobs/ingest/{id}/batches")
    );
    assert_eq!(
        (
            &made["state"],
            &made["apiVersion"],
            &made["object"],
            &made["operation"]
        ),
        (&json!("Open"), &json!(68.0), &json!("Account"), &json!("insert"))
    );
    assert_eq!(
        (
            &made["lineEnding"],
            &made["columnDelimiter"],
            &made["contentType"]
        ),
        (&json!("LF"), &json!("COMMA"), &json!("CSV"))
    );
    let open = site.get(&format!("/ingest/{id}")).await.json();
    assert_eq!(open["jobType"], "V2Ingest");
    assert_eq!(open.get("numberRecordsProcessed"), None);
    site.upload(&id, &numbered(0..3)).await;
    let closed = site
        .patch(&format!("/ingest/{id}"), &json!({"state": "UploadComplete"}))
        .await
        .json();
    assert_eq!(closed["state"], "UploadComplete");
    assert_eq!(keys(&closed).last(), Some(&"apiVersion"));
    let done = site.ended("ingest", &id).await;
    assert_eq!((state_of(&done), counts(&done)), ("JobComplete", (3, 0)));
    assert_eq!(done.get("contentUrl"), None);
    for time in [
        "totalProcessingTime",
        "apiActiveProcessingTime",
        "apexProcessingTime",
        "retries",
    ] {
        assert!(done[time].is_u64(), "{time} in {done}");
    }
    assert_eq!(site.count("Account", "WHERE Name LIKE 'Account 00%'").await, 3);
}

#[tokio::test]
async fn whoever_polls_sees_a_job_wait_and_work() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true, "bulkDelayMillis": 50}))
        .await;
    let id = site.start(accounts("insert"), &numbered(0..4_000)).await;
    let waiting = site.get(&format!("/ingest/{id}")).await.json();
    assert_eq!((state_of(&waiting), counts(&waiting)), ("UploadComplete", (0, 0)));
    site.config(json!({"bulkHold": false})).await;
    let at_work = site
        .until("ingest", &id, |job| {
            state_of(job) == "InProgress" && counts(job).0 > 0
        })
        .await;
    // Its rows are there as soon as they are counted.
    let (processed, _) = counts(&at_work);
    assert!(processed < 4_000 && processed % 200 == 0, "{processed}");
    assert!(site.count("Account", "WHERE Name LIKE 'Account 00%'").await >= processed);
    site.config(json!({"bulkDelayMillis": 0})).await;
    let done = site.ended("ingest", &id).await;
    assert_eq!((state_of(&done), counts(&done)), ("JobComplete", (4_000, 0)));
}

#[tokio::test]
async fn a_job_that_is_to_wait_an_hour_waits() {
    let site = Site::new().await;
    site.config(json!({"bulkDelayMillis": 3_600_000})).await;
    let id = site.start(accounts("insert"), "Name\nX\n").await;
    // Far more than it would need.
    for _ in 0..200 {
        let job = site.get(&format!("/ingest/{id}")).await.json();
        assert_eq!(state_of(&job), "UploadComplete");
    }
    site.config(json!({"bulkDelayMillis": 0})).await;
    assert_eq!(counts(&site.ended("ingest", &id).await), (1, 0));
}

#[tokio::test]
async fn jobs_end_in_the_order_in_which_they_were_closed() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let first = site.open(accounts("insert")).await;
    let second = site.start(accounts("insert"), "Name\nX\n").await;
    site.upload(&first, "Name\nY\n").await;
    site.close(&first).await;
    site.config(json!({"bulkHold": false})).await;
    site.ended("ingest", &first).await;
    site.ended("ingest", &second).await;
    let names = site
        .soql("SELECT Name FROM Account WHERE Name IN ('X', 'Y') ORDER BY Id")
        .await;
    assert_eq!(names, [json!({"Name": "X"}), json!({"Name": "Y"})]);
}

#[tokio::test]
async fn an_aborted_job_keeps_what_it_wrote_and_gives_back_the_rest() {
    let site = Site::new().await;
    site.config(json!({"bulkDelayMillis": 50})).await;
    let id = site.start(accounts("insert"), &numbered(0..4_000)).await;
    site.until("ingest", &id, |job| counts(job).0 > 0).await;
    let reply = site
        .patch(&format!("/ingest/{id}"), &json!({"state": "Aborted"}))
        .await;
    assert_eq!(reply.json()["state"], "Aborted");
    let job = site.get(&format!("/ingest/{id}")).await.json();
    let (processed, failed) = counts(&job);
    assert!(failed == 0 && processed < 4_000, "{job}");
    let rest = site.set(&job, "unprocessedrecords").await.text;
    let next = usize::try_from(processed).unwrap();
    assert_eq!(rest, numbered(next..4_000));
    assert_eq!(
        site.count("Account", "WHERE Name LIKE 'Account 00%'").await,
        processed
    );
    // It does not go on.
    site.config(json!({"bulkDelayMillis": 0})).await;
    site.load(accounts("insert"), "Name\nAfterwards\n").await;
    assert_eq!(
        counts(&site.get(&format!("/ingest/{id}")).await.json()),
        (processed, 0)
    );
}

#[tokio::test]
async fn an_open_job_can_be_aborted_and_deleted() {
    let site = Site::new().await;
    let id = site.open(accounts("insert")).await;
    assert_eq!(
        site.delete(&format!("/ingest/{id}")).await.refusal(),
        (
            400,
            "API_ERROR".to_owned(),
            "Error encountered when deleting the job because the job is not terminated".to_owned()
        )
    );
    site.patch(&format!("/ingest/{id}"), &json!({"state": "Aborted"}))
        .await;
    let reply = site.delete(&format!("/ingest/{id}")).await;
    assert_eq!((reply.status, reply.text.as_str()), (204, ""));
    assert_eq!(site.get(&format!("/ingest/{id}")).await.refusal().1, "NOT_FOUND");
}

#[tokio::test]
async fn a_job_without_rows_completes_with_none() {
    let site = Site::new().await;
    let id = site.open(accounts("insert")).await;
    site.close(&id).await;
    let job = site.ended("ingest", &id).await;
    assert_eq!(state_of(&job), "JobComplete");
    assert_eq!(job.get("numberRecordsProcessed"), None);
    let job = site.load(accounts("insert"), "Name\n").await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (0, 0)));
    let set = site.set(&job, "successfulResults").await;
    assert_eq!(set.text, "\"sf__Id\",\"sf__Created\",Name\n");
}

#[tokio::test]
async fn a_job_left_open_takes_no_data_after_a_day() {
    let mut site = Site::new().await;
    let (id, other) = (
        site.open(accounts("insert")).await,
        site.open(accounts("insert")).await,
    );
    site.pass(86_399).await;
    site.upload(&id, "Name\nIn time\n").await;
    site.pass(1).await;
    let reply = site
        .put(&format!("/ingest/{other}/batches"), "Name\nToo late\n")
        .await;
    assert_eq!(
        (reply.refusal().0, reply.refusal().1.as_str()),
        (400, "INVALIDJOBSTATE")
    );
}

#[tokio::test]
async fn results_are_kept_for_seven_days() {
    let mut site = Site::new().await;
    let job = site.load(accounts("insert"), "Name\nX\n").await;
    let query = site
        .extract(json!({"operation": "query", "query": "SELECT Id FROM Account"}))
        .await;
    site.pass(7 * 86_400 - 60).await;
    assert_eq!(site.errors(&job).await, [""; 0]);
    site.pass(60).await;
    for path in [
        format!("/ingest/{}", id_of(&job)),
        format!("/ingest/{}/successfulResults", id_of(&job)),
        format!("/query/{}/results", id_of(&query)),
    ] {
        assert_eq!(site.get(&path).await.refusal().0, 404, "{path}");
    }
}
