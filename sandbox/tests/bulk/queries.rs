//! Query jobs and their pages.

use crate::site::{Reply, Site, accounts, id_of, numbered, state_of};
use serde_json::{Value as Json, json};

fn query(soql: &str) -> Json {
    json!({"operation": "query", "query": soql})
}

async fn results(site: &Site, job: &Json, parameters: &str) -> Reply {
    site.get(&format!("/query/{}/results{parameters}", id_of(job)))
        .await
}

#[tokio::test]
async fn a_query_job_waits_works_and_has_results() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let made = site
        .post("/query", &query("SELECT Id, Name FROM Account ORDER BY Name"))
        .await
        .json();
    assert_eq!(
        (&made["state"], &made["object"], &made["operation"]),
        (&json!("UploadComplete"), &json!("Account"), &json!("query"))
    );
    assert_eq!(made.get("query"), None);
    let id = id_of(&made);
    let reply = results(&site, &made, "").await;
    assert_eq!(reply.refusal().1, "INVALIDJOBSTATE");
    let shown = site.get(&format!("/query/{id}")).await.json();
    assert_eq!(
        (
            &shown["jobType"],
            &shown["numberRecordsProcessed"],
            &shown["isPkChunkingSupported"]
        ),
        (&json!("V2Query"), &json!(0), &json!(true))
    );
    site.config(json!({"bulkHold": false})).await;
    let job = site.ended("query", &id).await;
    assert_eq!(
        (state_of(&job), &job["numberRecordsProcessed"]),
        ("JobComplete", &json!(2))
    );
    let reply = results(&site, &job, "").await;
    assert_eq!(
        (
            reply.status,
            reply.header("sforce-locator"),
            reply.header("sforce-numberofrecords")
        ),
        (200, Some("null"), Some("2"))
    );
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=UTF-8"));
    let ids = site.soql("SELECT Id FROM Account ORDER BY Name").await;
    let id = |at: usize| ids[at]["Id"].as_str().unwrap();
    assert_eq!(
        reply.text,
        format!(
            "\"Id\",\"Name\"\n\"{}\",\"Lakeside Packaging\"\n\"{}\",\"Northwind Robotics\"\n",
            id(0),
            id(1)
        )
    );
}

#[tokio::test]
async fn pages_follow_each_other_until_the_word_null() {
    let site = Site::new().await;
    site.load(accounts("insert"), &numbered(0..5)).await;
    let soql = "SELECT Name FROM Account WHERE Name LIKE 'Account 00%' ORDER BY Name";
    let job = site.extract(query(soql)).await;
    let (mut names, mut sizes, mut locator) = (Vec::new(), Vec::new(), String::new());
    while locator != "null" {
        let reply = results(&site, &job, &format!("?maxRecords=2&locator={locator}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let mut rows = reply.rows();
        assert_eq!(rows.remove(0), ["Name"]);
        sizes.push(reply.header("sforce-numberofrecords").unwrap().to_owned());
        names.extend(rows.into_iter().map(|mut row| row.remove(0)));
        locator = reply.header("sforce-locator").unwrap().to_owned();
    }
    assert_eq!(sizes, ["2", "2", "1"]);
    assert_eq!(
        names,
        (0..5).map(|n| format!("Account {n:06}")).collect::<Vec<_>>()
    );
    // A page that ends with the last row is the last one.
    let reply = results(&site, &job, "?maxRecords=5").await;
    assert_eq!(reply.header("sforce-locator"), Some("null"));
    for (parameters, code) in [
        ("?locator=nonsense", "INVALID_QUERY_LOCATOR"),
        ("?locator=null", "INVALID_QUERY_LOCATOR"),
        ("?maxRecords=0", "API_ERROR"),
        ("?maxRecords=-1", "API_ERROR"),
        ("?maxRecords=many", "API_ERROR"),
    ] {
        let (status, found, _) = results(&site, &job, parameters).await.refusal();
        assert_eq!((status, found.as_str()), (400, code), "{parameters}");
    }
}

#[tokio::test]
async fn pages_can_be_fetched_side_by_side() {
    let site = Site::new().await;
    site.config(json!({"bulkPageRecords": 2})).await;
    site.load(accounts("insert"), &numbered(0..13)).await;
    let soql = "SELECT Name FROM Account WHERE Name LIKE 'Account 00%' ORDER BY Name";
    let job = site.extract(query(soql)).await;
    let mut path = format!("/query/{}/resultPages", id_of(&job));
    let (mut counts, mut names) = (Vec::new(), Vec::new());
    loop {
        let list = site.get(&path).await.json();
        let pages = list["resultPages"].as_array().unwrap();
        counts.push(pages.len());
        for page in pages {
            let reply = site.get(page["resultUrl"].as_str().unwrap()).await;
            names.extend(reply.rows().into_iter().skip(1).map(|mut row| row.remove(0)));
        }
        match list["nextRecordsUrl"].as_str() {
            Some(next) => {
                assert_eq!(list["done"], false);
                path = next.to_owned();
            }
            None => {
                assert_eq!(list["done"], true);
                break;
            }
        }
    }
    assert_eq!(counts, [5, 2]);
    assert_eq!(
        names,
        (0..13).map(|n| format!("Account {n:06}")).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn results_are_for_the_version_of_their_job() {
    let site = Site::new().await;
    let job = site.extract(query("SELECT Id FROM Account")).await;
    let id = id_of(&job);
    for last in ["results", "resultPages"] {
        let path = format!("/services/data/v67.0/jobs/query/{id}/{last}");
        let (status, code, _) = site.get(&path).await.refusal();
        assert_eq!((status, code.as_str()), (409, "INVALIDVERSION"), "{last}");
    }
    // The job itself may be looked at through any.
    let path = format!("/services/data/v67.0/jobs/query/{id}");
    assert_eq!(site.get(&path).await.status, 200);
}

#[tokio::test]
async fn columns_stand_as_in_the_query_since_version_50() {
    let site = Site::new().await;
    let soql = "SELECT StageName, account.Name, Amount, Id, CreatedDate, IsClosed, Account.Owner.Name \
                FROM Opportunity ORDER BY Opportunity_Number__c LIMIT 1";
    for (version, header) in [
        (
            "v50.0",
            "\"StageName\",\"Account.Name\",\"Amount\",\"Id\",\"CreatedDate\",\"IsClosed\",\"Account.Owner.Name\"",
        ),
        (
            "v49.0",
            "\"Account.Name\",\"Account.Owner.Name\",\"Amount\",\"CreatedDate\",\"Id\",\"IsClosed\",\"StageName\"",
        ),
    ] {
        let path = format!("/services/data/{version}/jobs/query");
        let made = site.post(&path, &query(soql)).await.json();
        site.ended("query", &id_of(&made)).await;
        let text = site.get(&format!("{path}/{}/results", id_of(&made))).await.text;
        assert_eq!(text.lines().next(), Some(header), "{version}");
    }
    // Values are as in other files: instants end with a Z.
    let job = site.extract(query(soql)).await;
    let row = results(&site, &job, "").await.rows().remove(1);
    let record = &site.soql(soql).await[0];
    assert_eq!(row[0], record["StageName"].as_str().unwrap());
    assert_eq!(row[2], record["Amount"].to_string());
    assert_eq!(
        row[4],
        record["CreatedDate"].as_str().unwrap().replace("+0000", "Z")
    );
    assert_eq!(row[5], "false");
}

#[tokio::test]
async fn query_all_sees_the_recycle_bin() {
    let site = Site::new().await;
    let job = site.load(accounts("insert"), "Name\nGone\n").await;
    let id = site.written(&job).await.remove(0);
    site.load(accounts("delete"), &format!("Id\n{id}\n")).await;
    let soql = "SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'";
    for (operation, text) in [
        ("query", "\"Id\",\"IsDeleted\"\n".to_owned()),
        ("queryAll", format!("\"Id\",\"IsDeleted\"\n\"{id}\",\"true\"\n")),
    ] {
        let job = site.extract(json!({"operation": operation, "query": soql})).await;
        assert_eq!(job["operation"], operation);
        let reply = results(&site, &job, "").await;
        assert_eq!(reply.text, text);
    }
}

#[tokio::test]
async fn queries_that_bulk_does_not_know_are_refused() {
    let site = Site::new().await;
    let aggregate = "Aggregate Relationships not supported in Bulk Query";
    for (soql, code, message) in [
        ("SELECT COUNT() FROM Account", "API_ERROR", Some(aggregate)),
        ("SELECT COUNT(Id) FROM Account", "API_ERROR", Some(aggregate)),
        (
            "SELECT Industry FROM Account GROUP BY Industry",
            "API_ERROR",
            Some(aggregate),
        ),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "API_ERROR",
            Some(aggregate),
        ),
        (
            "SELECT Id FROM Account LIMIT 1 OFFSET 1",
            "API_ERROR",
            Some("OFFSET not supported in Bulk Query"),
        ),
        (
            "SELECT TYPEOF What WHEN Account THEN Name END FROM Task",
            "API_ERROR",
            Some("TYPEOF not supported in Bulk Query"),
        ),
        (
            "SELECT Id, BillingAddress FROM Account",
            "API_ERROR",
            Some("Selecting compound data not supported in Bulk Query"),
        ),
        ("SELECT Nope FROM Account", "INVALID_FIELD", None),
        ("SELECT Id FROM Nope", "INVALID_TYPE", None),
        ("SELECT", "MALFORMED_QUERY", None),
    ] {
        let (status, found, text) = site.post("/query", &query(soql)).await.refusal();
        assert_eq!((status, found.as_str()), (400, code), "{soql}");
        assert!(message.is_none_or(|message| message == text), "{soql}: {text}");
    }
    for (properties, code) in [
        (json!({"operation": "query"}), "MALFORMED_QUERY"),
        (json!({"query": "SELECT Id FROM Account"}), "API_ERROR"),
        (
            json!({"operation": "insert", "query": "SELECT Id FROM Account"}),
            "API_ERROR",
        ),
    ] {
        assert_eq!(
            site.post("/query", &properties).await.refusal().1,
            code,
            "{properties}"
        );
    }
}

#[tokio::test]
async fn a_query_job_can_be_aborted_and_then_deleted() {
    let site = Site::new().await;
    site.config(json!({"bulkHold": true})).await;
    let made = site.post("/query", &query("SELECT Id FROM Account")).await.json();
    let path = format!("/query/{}", id_of(&made));
    assert_eq!(site.delete(&path).await.refusal().1, "API_ERROR");
    let reply = site.patch(&path, &json!({"state": "UploadComplete"})).await;
    assert_eq!(reply.refusal().1, "INVALIDJOBSTATE");
    let reply = site.patch(&path, &json!({"state": "Aborted"})).await;
    assert_eq!(
        (reply.status, reply.json()["state"].as_str()),
        (200, Some("Aborted"))
    );
    let reply = site.patch(&path, &json!({"state": "Aborted"})).await;
    assert_eq!(reply.refusal().2, "Aborting already Aborted Job not allowed");
    assert_eq!(results(&site, &made, "").await.refusal().1, "INVALIDJOBSTATE");
    assert_eq!(site.delete(&path).await.status, 204);
    assert_eq!(site.get(&path).await.refusal().0, 404);
}
