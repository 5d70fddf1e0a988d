//! Requests that are refused, with the code that tells the cause.

use crate::site::{Site, accounts, numbered};
use reqwest::Method;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn jobs_that_cannot_be_made() {
    let site = Site::new().await;
    for (properties, code, message) in [
        (
            json!({"object": "Nope__c", "operation": "insert"}),
            "INVALIDJOB",
            "InvalidJob : Unable to find object: Nope__c",
        ),
        (
            json!({"operation": "insert"}),
            "INVALIDJOB",
            "InvalidJob : Unable to find object: ",
        ),
        (
            json!({"object": "Account"}),
            "API_ERROR",
            "Invalid value: '' supplied for property: 'operation'",
        ),
        (
            json!({"object": "Account", "operation": "INSERT"}),
            "API_ERROR",
            "Invalid value: 'INSERT' supplied for property: 'operation'",
        ),
        (
            json!({"object": "Account", "operation": 5}),
            "API_ERROR",
            "Invalid value: '5' supplied for property: 'operation'",
        ),
        (
            json!({"object": "Account", "operation": "insert", "contentType": "JSON"}),
            "API_ERROR",
            "Invalid value: 'JSON' supplied for property: 'contentType'",
        ),
        (
            json!({"object": "Account", "operation": "insert", "lineEnding": "CR"}),
            "API_ERROR",
            "Invalid value: 'CR' supplied for property: 'lineEnding'",
        ),
        (
            json!({"object": "Account", "operation": "insert", "columnDelimiter": ","}),
            "API_ERROR",
            "Invalid value: ',' supplied for property: 'columnDelimiter'",
        ),
    ] {
        refused(&site, properties, code, message).await;
    }
    let jobs = site.get("/ingest").await.json();
    assert_eq!(jobs["records"], json!([]));
}

async fn refused(site: &Site, properties: Json, code: &str, message: &str) {
    assert_eq!(
        site.post("/ingest", &properties).await.refusal(),
        (400, code.to_owned(), message.to_owned()),
        "{properties}"
    );
}

#[tokio::test]
async fn objects_and_keys_that_do_not_serve() {
    let site = Site::new().await;
    for (properties, code, message) in [
        (
            json!({"object": "Account", "operation": "upsert"}),
            "INVALIDJOB",
            "InvalidJob : External ID was blank for Account. An External ID must be specified for upsert.",
        ),
        (
            json!({"object": "Account", "operation": "upsert", "externalIdFieldName": "Name"}),
            "INVALIDJOB",
            "InvalidJob : Field name provided, Name does not match an External ID for Account",
        ),
        (
            json!({"object": "Organization", "operation": "insert"}),
            "INVALIDENTITY",
            "Entity 'Organization' is not supported by the Bulk API.",
        ),
        (
            json!({"object": "Account", "operation": "insert", "nope": 1}),
            "JSON_PARSER_ERROR",
            "Unrecognized field \"nope\" at [line:1, column:1]",
        ),
    ] {
        refused(&site, properties, code, message).await;
    }
    site.config(json!({"bulkHardDelete": false})).await;
    let reply = site.post("/ingest", &accounts("hardDelete")).await;
    assert_eq!(reply.refusal().1, "FEATURENOTENABLED");
}

#[tokio::test]
async fn bodies_that_are_no_properties() {
    let site = Site::new().await;
    for body in ["", "[]", "{", "\"x\"", "{\"object\":\"Account\",}"] {
        for resource in ["/ingest", "/query"] {
            let request = site
                .request(Method::POST, resource)
                .header("content-type", "application/json")
                .body(body);
            let (status, code, _) = site.send(request).await.refusal();
            assert_eq!((status, code.as_str()), (400, "JSON_PARSER_ERROR"), "{body}");
        }
    }
    for (resource, kind) in [("/ingest", "text/csv"), ("/query", "application/xml")] {
        let request = site
            .request(Method::POST, resource)
            .header("content-type", kind)
            .body("x");
        let (status, code, _) = site.send(request).await.refusal();
        assert_eq!((status, code.as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{kind}");
    }
    let id = site.open(accounts("insert")).await;
    let request = site
        .request(Method::PUT, &format!("/ingest/{id}/batches"))
        .json(&json!([]));
    assert_eq!(site.send(request).await.refusal().0, 415);
}

#[tokio::test]
async fn paths_and_methods_that_lead_nowhere() {
    let site = Site::new().await;
    let ingest = site.load(accounts("insert"), &numbered(0..1)).await["id"].clone();
    let query = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    let query = site.extract(query).await["id"].clone();
    let (ingest, query) = (ingest.as_str().unwrap(), query.as_str().unwrap());
    for path in [
        "/ingest/nonsense".to_owned(),
        "/ingest/750000000000000AAA".to_owned(),
        format!("/ingest/{query}"),
        format!("/query/{ingest}"),
        format!("/query/{ingest}/results"),
        format!("/ingest/{ingest}/nope"),
        format!("/ingest/{ingest}/failedResults/nope"),
        "/nope".to_owned(),
        "".to_owned(),
        "/services/data/v40.0/jobs/ingest".to_owned(),
        "/services/data/v46.0/jobs/query".to_owned(),
        format!("/services/data/v57.0/jobs/query/{query}/resultPages"),
        "/services/data/v99.0/jobs/ingest".to_owned(),
    ] {
        let (status, code, _) = site.get(&path).await.refusal();
        assert_eq!((status, code.as_str()), (404, "NOT_FOUND"), "{path}");
    }
    for (method, path) in [
        (Method::PUT, "/ingest".to_owned()),
        (Method::DELETE, "/query".to_owned()),
        (Method::PUT, format!("/ingest/{ingest}")),
        (Method::POST, format!("/ingest/{ingest}")),
        (Method::GET, format!("/ingest/{ingest}/batches")),
        (Method::POST, format!("/ingest/{ingest}/failedResults")),
        (Method::PUT, format!("/query/{query}/results")),
    ] {
        let (status, code, _) = site.send(site.request(method.clone(), &path)).await.refusal();
        assert_eq!(
            (status, code.as_str()),
            (405, "METHOD_NOT_ALLOWED"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_job_takes_one_file_and_only_while_it_is_open() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let id = site.open(accounts("insert")).await;
    let path = format!("/ingest/{id}/batches");
    site.upload(&id, "Name\nFirst\n").await;
    let (status, code, message) = site.put(&path, "Name\nSecond\n").await.refusal();
    assert_eq!((status, code.as_str()), (400, "BULK_API_ERROR"));
    assert!(
        message.starts_with(&format!("Found multipe contents for job: <{}>", &id[..15])),
        "{message}"
    );
    site.close(&id).await;
    let (status, code, _) = site.put(&path, "Name\nThird\n").await.refusal();
    assert_eq!((status, code.as_str()), (400, "INVALIDJOBSTATE"));
    site.config(json!({"bulkHold": false})).await;
    site.ended("ingest", &id).await;
    assert_eq!(site.count("Account", "WHERE Name = 'First'").await, 1);
    assert_eq!(
        site.count("Account", "WHERE Name IN ('Second', 'Third')").await,
        0
    );
}

#[tokio::test]
async fn states_that_a_client_cannot_give() {
    let site = Site::new().await;
    let open = site.open(accounts("insert")).await;
    let done = site.load(accounts("insert"), "Name\nX\n").await;
    let done = done["id"].as_str().unwrap();
    let refuse = async |id: &str, state: Json| site.patch(&format!("/ingest/{id}"), &state).await.refusal();
    for (id, state, code, message) in [
        (
            done,
            "Aborted",
            "INVALIDJOBSTATE",
            "Aborting already Completed Job not allowed",
        ),
        (
            done,
            "UploadComplete",
            "INVALIDJOBSTATE",
            "Closing already Completed Job not allowed",
        ),
        (
            &open,
            "JobComplete",
            "INVALIDJOBSTATE",
            "InvalidJobState : A job cannot be set to JobComplete",
        ),
        (
            &open,
            "Nope",
            "API_ERROR",
            "Invalid value: 'Nope' supplied for property: 'state'",
        ),
    ] {
        assert_eq!(
            refuse(id, json!({"state": state})).await,
            (400, code.to_owned(), message.to_owned())
        );
    }
    assert_eq!(refuse(&open, json!({})).await.1, "API_ERROR");
    let job = site.get(&format!("/ingest/{open}")).await.json();
    assert_eq!(job["state"], "Open");
}

#[tokio::test]
async fn a_job_needs_a_session() {
    let site = Site::new().await;
    let request = site
        .http
        .get(site.url("/services/data/v68.0/jobs/ingest"))
        .bearer_auth("00D000000000001!nobody");
    let (status, code, _) = site.send(request).await.refusal();
    assert_eq!((status, code.as_str()), (401, "INVALID_SESSION_ID"));
}
