//! What a version of the API knows and an older one does not.

use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

fn ask(site: &mut Site, method: Method, version: u16, path: &str, body: &Json) -> (u16, Json) {
    let response = site.ask(method, &format!("/services/data/v{version}.0{path}"), &[], body);
    (response.status.as_u16(), response.body.unwrap_or(Json::Null))
}

fn get(site: &mut Site, version: u16, path: &str) -> (u16, Json) {
    ask(site, Method::GET, version, path, &Json::Null)
}

#[test]
fn each_composite_resource_has_a_first_version() {
    let mut site = Site::new();
    let account = json!({"attributes": {"type": "Account", "referenceId": "a"}, "Name": "A"});
    let by_id = json!({"records": [{"attributes": {"type": "Account"}, "Id": null, "Name": "A"}]});
    let part = |version: u16| json!([{"method": "GET", "url": format!("/services/data/v{version}.0/limits"), "referenceId": "a"}]);
    let records = json!({"records": [account]});
    let cases = [
        (Method::POST, "/composite/tree/Account", 34, records.clone(), 201),
        (
            Method::POST,
            "/composite/batch",
            34,
            json!({"batchRequests": [{"method": "GET", "url": "v34.0/limits"}]}),
            200,
        ),
        (
            Method::POST,
            "/composite",
            38,
            json!({"compositeRequest": part(38)}),
            200,
        ),
        (Method::POST, "/composite/sobjects", 42, records, 200),
        (Method::PATCH, "/composite/sobjects/Account/Id", 46, by_id, 200),
        (
            Method::POST,
            "/composite/graph",
            50,
            json!({"graphs": [{"graphId": "g", "compositeRequest": [
                {"method": "POST", "url": "/services/data/v50.0/sobjects/Account", "referenceId": "a", "body": {"Name": "A"}}]}]}),
            200,
        ),
    ];
    for (method, path, since, body, status) in cases {
        let old = ask(&mut site, method.clone(), since - 1, path, &body);
        assert_eq!(code(&old), (404, "NOT_FOUND".into()), "{path}");
        let new = ask(&mut site, method, since, path, &body);
        assert_eq!(new.0, status, "{path}: {}", new.1);
    }
}

#[test]
fn the_list_of_composites_grows() {
    let mut site = Site::new();
    let mut names = |version| -> Vec<String> {
        let (_, list) = get(&mut site, version, "/composite");
        list.as_object().expect("a list").keys().cloned().collect()
    };
    assert_eq!(names(41), ["tree", "batch"]);
    assert_eq!(names(49), ["tree", "batch", "sobjects"]);
    assert_eq!(names(50), ["tree", "batch", "sobjects", "graph"]);
}

#[test]
fn limits_are_listed_from_their_version_on_and_under_the_name_of_the_time() {
    let mut site = Site::new();
    let cases = [
        (39, "ActiveScratchOrgs", false),
        (40, "ActiveScratchOrgs", true),
        (42, "MonthlyPlatformEvents", false),
        (43, "MonthlyPlatformEvents", true),
        (46, "DailyBulkV2QueryJobs", false),
        (47, "DailyBulkV2QueryJobs", true),
        (47, "MonthlyPlatformEvents", true),
        (48, "MonthlyPlatformEvents", false),
        (48, "MonthlyPlatformEventsUsageEntitlement", true),
        (48, "DailyBulkApiRequests", true),
        (48, "DailyBulkApiBatches", false),
        (49, "DailyBulkApiRequests", false),
        (49, "DailyBulkApiBatches", true),
        (51, "AnalyticsExternalDataSizeMB", false),
        (52, "AnalyticsExternalDataSizeMB", true),
    ];
    for (version, name, listed) in cases {
        let (_, limits) = get(&mut site, version, "/limits");
        assert_eq!(limits.get(name).is_some(), listed, "{name} in {version}");
    }
    let (_, limits) = get(&mut site, 68, "/limits");
    let names: Vec<&String> = limits.as_object().expect("limits").keys().collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn record_counts_and_creates_by_id_came_later() {
    let mut site = Site::new();
    let count = "/limits/recordCount?sObjects=Account";
    assert_eq!(get(&mut site, 39, count).0, 404);
    assert_eq!(get(&mut site, 40, count).0, 200);
    let body = json!({"Name": "By id"});
    let path = "/sobjects/Account/Id";
    let old = ask(&mut site, Method::POST, 36, path, &body);
    assert!((400..500).contains(&old.0), "{}", old.0);
    assert!(
        site.rows("SELECT Id FROM Account WHERE Name = 'By id'")
            .is_empty()
    );
    assert_eq!(ask(&mut site, Method::POST, 37, path, &body).0, 201);
}

#[test]
fn old_composites_take_other_reference_ids_and_no_references_to_nothing() {
    let mut site = Site::new();
    let id = site.create("Account", json!({"Name": "A"}));
    let parts = |version: u16, reference: &str| {
        let url = format!("/services/data/v{version}.0/sobjects/Account/{id}");
        json!({"compositeRequest": [
            {"method": "GET", "url": url, "referenceId": reference},
            {"method": "PATCH", "url": url, "referenceId": "write", "body": {"Site": format!("@{{{reference}.ParentId}}")}},
        ]})
    };
    let odd = parts(51, "odd-one");
    assert_eq!(ask(&mut site, Method::POST, 51, "/composite", &odd).0, 200);
    let refused = ask(&mut site, Method::POST, 52, "/composite", &odd);
    assert_eq!(code(&refused), (400, "JSON_PARSER_ERROR".into()));

    let mut written = |version| {
        let (_, body) = ask(
            &mut site,
            Method::POST,
            version,
            "/composite",
            &parts(version, "read"),
        );
        let entry = body["compositeResponse"][1].clone();
        (
            entry["httpStatusCode"].clone(),
            entry["body"][0]["errorCode"].clone(),
        )
    };
    assert_eq!(written(51), (json!(400), json!("PROCESSING_HALTED")));
    assert_eq!(written(52), (json!(204), Json::Null));
}
