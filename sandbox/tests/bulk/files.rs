//! Forms of files: what stands between values, what ends lines, what does not fit.

use crate::site::{Site, accounts, counts, id_of, state_of};
use reqwest::Method;
use serde_json::json;

const DELIMITERS: [(&str, char); 6] = [
    ("BACKQUOTE", '`'),
    ("CARET", '^'),
    ("COMMA", ','),
    ("PIPE", '|'),
    ("SEMICOLON", ';'),
    ("TAB", '\t'),
];

#[tokio::test]
async fn every_form_goes_in_and_comes_back() {
    let site = Site::new().await;
    for (name, between) in DELIMITERS {
        for (ending, eol) in [("LF", "\n"), ("CRLF", "\r\n")] {
            let subject = format!("{name} {ending}");
            let mut form = accounts("insert");
            form["columnDelimiter"] = json!(name);
            form["lineEnding"] = json!(ending);
            // A value with every delimiter, quotes and a line break in it.
            let value = "a`b^c,d|e;f\tg \"\"h\"\"\ni";
            let file = format!("Name{between}\"Description\"{eol}{subject}{between}\"{value}\"{eol}");
            let job = site.load(form, &file).await;
            assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (1, 0)), "{job}");
            assert_eq!(
                (&job["columnDelimiter"], &job["lineEnding"]),
                (&json!(name), &json!(ending))
            );
            let set = site.set(&job, "successfulResults").await;
            let id = set.text.split('"').nth(5 + 2).unwrap().to_owned();
            assert_eq!(
                set.text,
                format!(
                    "\"sf__Id\"{between}\"sf__Created\"{between}Name{between}\"Description\"{eol}\
                     \"{id}\"{between}\"true\"{between}\"{subject}\"{between}\"{value}\"{eol}"
                )
            );
            let soql = format!("SELECT Name, Description FROM Account WHERE Name = '{subject}'");
            let query = json!({
                "operation": "query", "query": soql, "columnDelimiter": name, "lineEnding": ending,
            });
            let query = site.extract(query).await;
            let results = site.get(&format!("/query/{}/results", id_of(&query))).await;
            assert_eq!(
                results.text,
                format!("\"Name\"{between}\"Description\"{eol}\"{subject}\"{between}\"{value}\"{eol}")
            );
        }
    }
}

#[tokio::test]
async fn a_file_of_another_form_than_declared_fails_the_job() {
    let site = Site::new().await;
    let crlf = json!({"object": "Account", "operation": "insert", "lineEnding": "CRLF"});
    let pipe = json!({"object": "Account", "operation": "insert", "columnDelimiter": "PIPE"});
    for (properties, file, message) in [
        (
            accounts("insert"),
            "Name\r\nX\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        (
            crlf,
            "Name\nX\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF",
        ),
        (
            pipe,
            "Name,Phone\nX,1\n",
            "InvalidBatch : Field name not found : Name,Phone",
        ),
        (
            accounts("insert"),
            "Name|Phone\nX|1\n",
            "InvalidBatch : Field name not found : Name|Phone",
        ),
        (
            accounts("insert"),
            "Name\n\"open\n",
            "InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote",
        ),
        (
            accounts("insert"),
            "\u{feff}Name\nX\n",
            "InvalidBatch : Field name not found : \u{feff}Name",
        ),
    ] {
        let job = site.load(properties, file).await;
        assert_eq!(
            (state_of(&job), job["errorMessage"].as_str(), counts(&job)),
            ("Failed", Some(message), (0, 0)),
            "{file:?}"
        );
        assert_eq!(site.set(&job, "unprocessedrecords").await.text, file);
        let head = site.set(&job, "failedResults").await.text;
        assert_eq!(head.lines().count(), 1, "{head}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_fail_the_job() {
    let site = Site::new().await;
    let id = site.open(accounts("insert")).await;
    let reply = site
        .put(&format!("/ingest/{id}/batches"), b"Name\nCaf\xe9\n".to_vec())
        .await;
    assert_eq!(reply.status, 201);
    site.close(&id).await;
    let job = site.ended("ingest", &id).await;
    assert_eq!(state_of(&job), "Failed");
    assert_eq!(
        job["errorMessage"],
        "ClientInputError : The uploaded data is not encoded in UTF-8"
    );
}

#[tokio::test]
async fn blank_lines_and_a_missing_last_line_end_do_not_matter() {
    let site = Site::new().await;
    let job = site.load(accounts("insert"), "\nName\n\nA\n\n\nB").await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (2, 0)), "{job}");
}

#[tokio::test]
async fn an_upload_may_be_large_and_not_too_large() {
    let site = Site::new().await;
    // Larger than any other request may be.
    let long = "x".repeat(32_000);
    let rows: String = (0..1_800).map(|n| format!("{n},{long}\n")).collect();
    let job = site
        .load(accounts("insert"), &format!("Name,Description\n{rows}"))
        .await;
    assert_eq!((state_of(&job), counts(&job)), ("JobComplete", (1_800, 0)));
    let id = site.open(accounts("insert")).await;
    let path = format!("/ingest/{id}/batches");
    let reply = site.put(&path, vec![b'x'; 100 * 1024 * 1024 + 1]).await;
    assert_eq!(reply.status, 413, "{}", reply.text);
    // The job still waits for its file.
    site.upload(&id, "Name\nSmall\n").await;
}

/// `Name` and `Packed` on lines of their own, as gzip (RFC 1952) packs them.
const PACKED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xf3\x4b\xcc\x4d\xe5\x0a\x48\x4c\xce\x4e\x4d\xe1\x02\x00\x3b\xba\x60\xed\x0c\x00\x00\x00";

#[tokio::test]
async fn a_packed_upload_is_unpacked() {
    let site = Site::new().await;
    let id = site.open(accounts("insert")).await;
    let request = site
        .request(Method::PUT, &format!("/ingest/{id}/batches"))
        .header("content-type", "text/csv; charset=UTF-8")
        .header("content-encoding", "gzip")
        .body(PACKED);
    assert_eq!(site.send(request).await.status, 201);
    site.close(&id).await;
    assert_eq!(counts(&site.ended("ingest", &id).await), (1, 0));
}
