//! Jobs and batches from their making to their end.

use super::client::{code, element, refusal};
use crate::site::Site;
use serde_json::{Value as Json, json};

const XML: &str = "application/xml; charset=UTF-8";

fn job_xml(inside: &str) -> String {
    let namespace = "http://www.force.com/2009/06/asyncapi/dataload";
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<jobInfo xmlns=\"{namespace}\">{inside}</jobInfo>")
}

#[tokio::test]
async fn a_job_in_xml_is_made_filled_closed_and_shown() {
    let site = Site::new().await;
    let asked = "<operation>insert</operation><object>account</object><concurrencyMode>Serial</concurrencyMode>\
                 <contentType>CSV</contentType>";
    let made = site.say("/", XML, job_xml(asked)).await;
    assert_eq!(
        (made.status, made.header("content-type")),
        (201, Some("application/xml"))
    );
    let shown = |name: &str| element(&made.text, name).unwrap_or_else(|| panic!("{name}: {}", made.text));
    let job = shown("id");
    assert_eq!(&job[..3], "750");
    for (name, value) in [
        ("operation", "insert"),
        ("object", "Account"),
        ("state", "Open"),
        ("concurrencyMode", "Serial"),
        ("contentType", "CSV"),
        ("numberBatchesTotal", "0"),
        ("apiVersion", "68.0"),
    ] {
        assert_eq!(shown(name), value);
    }
    assert!(shown("createdDate").ends_with(".000Z"), "{}", made.text);
    let batch = site.batch(&job, "CSV", "Name\nA\n\"\"\n,\n").await;
    assert_eq!(&batch[..3], "751");
    site.batch_end(&job, &batch).await;
    let closed = site
        .say(&format!("/{job}"), XML, job_xml("<state>Closed</state>"))
        .await;
    let counted = |name: &str| element(&closed.text, name).unwrap();
    assert_eq!(
        [
            counted("state"),
            counted("numberBatchesCompleted"),
            counted("numberRecordsProcessed"),
            counted("numberRecordsFailed")
        ],
        ["Closed", "1", "2", "1"]
    );
    let again = site
        .say(&format!("/{job}"), XML, job_xml("<state>Closed</state>"))
        .await;
    let text = "Closing already Closed Job not allowed".to_owned();
    assert_eq!(refusal(&again), (400, "InvalidJobState".to_owned(), text));
}

#[tokio::test]
async fn a_job_in_json_has_every_property_and_spaces_on_demand() {
    let site = Site::new().await;
    // As a well-known client writes it: the mode as a number.
    let asked = json!({"operation": "upsert", "object": "Opportunity", "externalIdFieldName": "opportunity_number__c",
                       "concurrencyMode": 1, "contentType": "JSON"});
    let request = site
        .classic(reqwest::Method::POST, "")
        .json(&asked)
        .header("X-PrettyPrint", "1");
    let made = site.send(request).await;
    assert_eq!(
        (made.status, made.header("content-type")),
        (201, Some("application/json"))
    );
    assert!(
        made.text.starts_with("{\n  \"apexProcessingTime\" : 0,\n"),
        "{}",
        made.text
    );
    let info = made.json();
    for (name, value) in [
        ("externalIdFieldName", json!("Opportunity_Number__c")),
        ("concurrencyMode", json!("Serial")),
        ("apiVersion", json!(68.0)),
        ("assignmentRuleId", Json::Null),
        ("fastPathEnabled", json!(false)),
        ("numberBatchesTotal", json!(0)),
    ] {
        assert_eq!(info[name], value, "{name}");
    }
    let job = info["id"].as_str().unwrap();
    let batch = site
        .batch(job, "JSON", "[{\"Opportunity_Number__c\": \"N\"}]")
        .await;
    site.batch_end(job, &batch).await;
    let list = site.look(&format!("/{job}/batch")).await.json();
    let listed = &list["batchInfo"][0];
    assert_eq!(
        (&listed["id"], &listed["jobId"], &listed["state"]),
        (&json!(batch), &json!(job), &json!("Completed"))
    );
    assert_eq!(listed["stateMessage"], Json::Null);
    assert!(listed["createdDate"].as_str().unwrap().ends_with(".000+0000"));
}

#[tokio::test]
async fn an_aborted_job_leaves_what_waits() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let batch = site.batch(&job, "CSV", "Name\nNever\n").await;
    let path = format!("/{job}/batch/{batch}");
    let info = site.look(&path).await.text;
    assert_eq!(element(&info, "state").as_deref(), Some("Queued"));
    let early = refusal(&site.look(&format!("{path}/result")).await);
    assert_eq!(
        early,
        (400, "InvalidBatch".to_owned(), "Batch not completed".to_owned())
    );
    let reply = site
        .say(&format!("/{job}"), XML, job_xml("<state>Aborted</state>"))
        .await;
    assert_eq!(element(&reply.text, "state").as_deref(), Some("Aborted"));
    site.config(json!({"bulkHold": false})).await;
    assert_eq!(site.batch_end(&job, &batch).await.0, "NotProcessed");
    let none = refusal(&site.look(&format!("{path}/result")).await);
    assert_eq!(
        none,
        (400, "InvalidBatch".to_owned(), "Records not processed".to_owned())
    );
    let late = site.say(&format!("/{job}/batch"), "text/csv", "Name\nX\n").await;
    assert_eq!(code(&late), (400, "InvalidJobState".to_owned()));
    assert_eq!(site.count("Account", "WHERE Name = 'Never'").await, 0);
}

#[tokio::test]
async fn batches_of_a_closed_job_are_still_worked_off_and_their_requests_kept() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let (first, second) = (
        site.batch(&job, "CSV", "Name\r\nA\r\n").await,
        site.batch(&job, "CSV", "Name\nB").await,
    );
    let closed = site
        .say(&format!("/{job}"), "application/json", "{\"state\": \"Closed\"}")
        .await
        .json();
    assert_eq!(
        (&closed["state"], &closed["numberBatchesQueued"]),
        (&json!("Closed"), &json!(2))
    );
    site.config(json!({"bulkHold": false})).await;
    for (batch, text) in [(&first, "Name\r\nA\r\n"), (&second, "Name\nB")] {
        assert_eq!(site.batch_end(&job, batch).await.0, "Completed");
        let request = site.look(&format!("/{job}/batch/{batch}/request")).await;
        assert_eq!(
            (request.header("content-type"), request.text.as_str()),
            (Some("text/csv"), text)
        );
    }
    assert_eq!(site.count("Account", "WHERE Name = 'A' OR Name = 'B'").await, 2);
}
