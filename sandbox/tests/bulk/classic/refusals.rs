//! What is refused, in XML and JSON.

use super::client::{code, refusal};
use crate::site::Site;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn sessions_that_are_none_are_told_with_400() {
    let site = Site::new().await;
    let url = site.url("/services/async/68.0/job/750000000000001");
    let nothing = site.send(site.http.get(&url)).await;
    let text = "Unable to find session id".to_owned();
    assert_eq!(refusal(&nothing), (400, "InvalidSessionId".to_owned(), text));
    let wrong = site
        .send(site.http.get(&url).header("X-SFDC-Session", "no"))
        .await;
    assert_eq!(
        refusal(&wrong),
        (
            400,
            "InvalidSessionId".to_owned(),
            "Invalid session id".to_owned()
        )
    );
    let request = site
        .http
        .post(&url)
        .header("X-SFDC-Session", "no")
        .json(&json!({"state": "Closed"}));
    let reply = site.send(request).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (400, Some("application/json"))
    );
    assert_eq!(
        reply.json(),
        json!({"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid session id"})
    );
    // Clients that know only one header are let in as well.
    let known = site.send(site.http.get(&url).bearer_auth(&site.token)).await;
    assert_eq!(code(&known), (400, "InvalidJob".to_owned()));
}

#[tokio::test]
async fn jobs_that_cannot_be_are_refused() {
    let site = Site::new().await;
    for (job, expected) in [
        (json!({"operation": "INSERT", "object": "Account"}), "InvalidJob"),
        (json!({"object": "Account"}), "InvalidJob"),
        (json!({"operation": "insert", "object": "Nope"}), "InvalidJob"),
        (json!({"operation": "query", "object": "Nope"}), "InvalidJob"),
        (json!({"operation": "upsert", "object": "Account"}), "InvalidJob"),
        (
            json!({"operation": "upsert", "object": "Account", "externalIdFieldName": "Phone"}),
            "InvalidJob",
        ),
        (
            json!({"operation": "insert", "object": "Account", "concurrencyMode": "Both"}),
            "InvalidJob",
        ),
        (
            json!({"operation": "insert", "object": "Account", "contentType": "ZIP_CSV"}),
            "UnsupportedContentType",
        ),
        (
            json!({"operation": "insert", "object": "Organization"}),
            "InvalidEntity",
        ),
    ] {
        let reply = site.say("", "application/json", job.to_string()).await;
        assert_eq!(
            (reply.status, &reply.json()["exceptionCode"]),
            (400, &json!(expected)),
            "{job}: {}",
            reply.text
        );
    }
    site.config(json!({"bulkHardDelete": false})).await;
    let job = json!({"operation": "hardDelete", "object": "Account"});
    let reply = site.say("", "application/json", job.to_string()).await;
    assert_eq!(reply.json()["exceptionCode"], "FeatureNotEnabled");
    for (media, body, expected) in [
        ("application/xml", "<jobInfo>", "InvalidXml"),
        ("application/xml", "\u{0}", "InvalidXml"),
        ("text/plain", "", "InvalidXml"),
        ("application/xml", "<a/>", "InvalidJob"),
    ] {
        assert_eq!(
            code(&site.say("", media, body).await),
            (400, expected.to_owned()),
            "{body}"
        );
    }
    let reply = site.say("", "application/json", "[").await;
    assert_eq!(
        (reply.status, &reply.json()["exceptionCode"]),
        (400, &json!("ClientInputError"))
    );
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_told_apart() {
    let site = Site::new().await;
    let job = site.classic_job("insert", "CSV", json!({})).await;
    let other = site.classic_job("insert", "CSV", json!({})).await;
    let batch = site.batch(&other, "CSV", "Name\nX\n").await;
    site.batch_end(&other, &batch).await;
    for (path, expected) in [
        ("/750000000000001".to_owned(), "InvalidJob"),
        ("/nonsense/batch".to_owned(), "InvalidJob"),
        (format!("/{batch}"), "InvalidJob"),
        (format!("/{job}/batch/751000000000001"), "InvalidBatch"),
        // It is of the other job.
        (format!("/{job}/batch/{batch}/result"), "InvalidBatch"),
        (
            format!("/{other}/batch/{batch}/result/752000000000001"),
            "InvalidBatch",
        ),
        (format!("/{job}/spec"), "InvalidUrl"),
        (String::new(), "InvalidUrl"),
    ] {
        assert_eq!(
            code(&site.look(&path).await),
            (400, expected.to_owned()),
            "{path}"
        );
    }
    for (path, expected) in [
        ("/services/async/68.0/jobs", "InvalidOperation"),
        ("/services/async/99.0/job", "InvalidUrl"),
        ("/services/async/v68.0/job", "InvalidUrl"),
    ] {
        let request = site
            .http
            .get(site.url(path))
            .header("X-SFDC-Session", &site.token);
        assert_eq!(
            code(&site.send(request).await),
            (400, expected.to_owned()),
            "{path}"
        );
    }
    let request = site.classic(Method::DELETE, &format!("/{job}"));
    assert_eq!(code(&site.send(request).await), (400, "InvalidUrl".to_owned()));
    // Neither API takes the jobs of the other for its own.
    assert_eq!(site.get(&format!("/ingest/{batch}")).await.refusal().0, 404);
    assert_eq!(site.get(&format!("/ingest/{job}")).await.refusal().0, 404);
    let newer = site.open(crate::site::accounts("insert")).await;
    assert_eq!(
        code(&site.look(&format!("/{newer}")).await),
        (400, "InvalidJob".to_owned())
    );
}

#[tokio::test]
async fn batches_that_cannot_be_read_fail() {
    let site = Site::new().await;
    for (form, body, why) in [
        ("CSV", "Nope\nx\n", "InvalidBatch : Field name not found : Nope"),
        ("CSV", "Name\n\"x\n", "InvalidBatch : Failed to parse CSV. "),
        ("JSON", "{}", "InvalidBatch : Failed to parse JSON. "),
        (
            "JSON",
            "[{\"Nope\": 1}]",
            "InvalidBatch : Field name not found : Nope",
        ),
        ("XML", "<a", "InvalidBatch : Failed to parse XML. "),
    ] {
        let job = site.classic_job("insert", form, json!({})).await;
        let batch = site.batch(&job, form, body).await;
        let (state, message) = site.batch_end(&job, &batch).await;
        assert_eq!(state, "Failed", "{body}");
        assert!(message.starts_with(why), "{message}");
    }
    let job = site.classic_job("insert", "CSV", json!({})).await;
    for (media, body, expected) in [
        ("application/json", "[]", "UnsupportedContentType"),
        ("text/plain", "Name\nX\n", "UnsupportedContentType"),
        ("text/csv", "", "InvalidBatch"),
    ] {
        let reply = site.say(&format!("/{job}/batch"), media, body).await;
        let said = match reply.header("content-type") {
            Some("application/json") => reply.json()["exceptionCode"].as_str().unwrap().to_owned(),
            _ => code(&reply).1,
        };
        assert_eq!((reply.status, said.as_str()), (400, expected), "{media}");
    }
}
