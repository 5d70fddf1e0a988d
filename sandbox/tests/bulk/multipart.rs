//! A job and its file in one request.

use crate::site::{Reply, Site, counts, id_of, state_of};
use reqwest::Method;

async fn send(site: &Site, body: String) -> Reply {
    let request = site
        .request(Method::POST, "/ingest")
        .header("content-type", "multipart/form-data; boundary=BOUNDARY")
        .body(body);
    site.send(request).await
}

fn body(job: &str, content: &str) -> String {
    format!(
        "--BOUNDARY\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n{job}\r\n\
         --BOUNDARY\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n{content}\r\n\
         --BOUNDARY--\r\n"
    )
}

#[tokio::test]
async fn the_job_is_closed_at_once() {
    let site = Site::new().await;
    let job = r#"{"object": "Contact", "contentType": "CSV", "operation": "insert"}"#;
    let made = send(
        &site,
        body(job, "FirstName,LastName\nAda,Lovelace\nAlan,Turing\n"),
    )
    .await;
    assert_eq!(made.status, 200, "{}", made.text);
    let made = made.json();
    assert_eq!(
        (state_of(&made), made.get("contentUrl")),
        ("UploadComplete", None)
    );
    let job = site.ended("ingest", &id_of(&made)).await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (2, 0)));
    assert_eq!(site.count("Contact", "WHERE LastName = 'Turing'").await, 1);
}

#[tokio::test]
async fn what_is_wrong_with_it_is_told_and_makes_no_job() {
    let site = Site::new().await;
    let job = r#"{"object": "Contact", "operation": "insert"}"#;
    for (body, code) in [
        (body("{", "LastName\nX\n"), "JSON_PARSER_ERROR"),
        (body(r#"{"object": "Contact"}"#, "LastName\nX\n"), "API_ERROR"),
        (
            body(job, "LastName\nX\n").replace("\"content\"", "\"other\""),
            "INVALID_MULTIPART_REQUEST",
        ),
        (String::new(), "INVALID_MULTIPART_REQUEST"),
        (
            body(job, &format!("LastName\n{}", "x".repeat(100_000))),
            "EXCEEDED_MAX_SIZE_REQUEST",
        ),
    ] {
        let (status, found, _) = send(&site, body).await.refusal();
        assert_eq!((status, found.as_str()), (400, code));
    }
    assert_eq!(site.get("/ingest").await.json()["records"], serde_json::json!([]));
}
