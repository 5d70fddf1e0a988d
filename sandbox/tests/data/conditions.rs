use crate::site::Site;
use http::Method;
use serde_json::{Value as Json, json};

fn tag_of(site: &mut Site, path: &str) -> String {
    let answer = site.ask(Method::GET, path, &[], &Json::Null);
    answer.headers["etag"].to_str().expect("text").to_owned()
}

fn status(site: &mut Site, method: Method, path: &str, header: (&'static str, &str), body: &Json) -> u16 {
    site.ask(method, path, &[header], body).status.as_u16()
}

#[test]
fn accounts_have_entity_tags_that_tell_two_writes_of_one_second_apart() {
    let mut site = Site::new();
    let id = site.create("Account", json!({"Name": "A"}));
    let path = format!("/sobjects/Account/{id}");
    let first = tag_of(&mut site, &path);
    let zipped = site.ask(Method::GET, &path, &[("accept-encoding", "gzip")], &Json::Null);
    let zipped = zipped.headers["etag"].to_str().expect("text").to_owned();
    assert_eq!(zipped, format!("{}-gzip\"", first.trim_end_matches('"')));
    let hit = site.ask(Method::GET, &path, &[("if-none-match", &zipped)], &Json::Null);
    assert_eq!((hit.status.as_u16(), hit.body), (304, None));
    assert_eq!(hit.headers["etag"], first.as_str());
    let write = json!({"Site": "x"});
    assert_eq!(
        status(&mut site, Method::PATCH, &path, ("if-none-match", &first), &write),
        412
    );
    assert_eq!(
        status(&mut site, Method::PATCH, &path, ("if-match", "\"other\""), &write),
        412
    );
    assert_eq!(
        status(&mut site, Method::PATCH, &path, ("if-match", &first), &write),
        204
    );
    assert_eq!(
        status(
            &mut site,
            Method::PATCH,
            &path,
            ("if-match", &first),
            &json!({"Site": "y"})
        ),
        412
    );
    assert_eq!(
        site.get(&path).1["Site"],
        json!("x"),
        "the refused write changed nothing"
    );
    assert_eq!(
        status(&mut site, Method::PATCH, &path, ("if-match", "*"), &write),
        204
    );
}

#[test]
fn other_rows_have_no_tag_and_do_not_look_at_tags() {
    let mut site = Site::new();
    let id = site.create("Contact", json!({"LastName": "A"}));
    let path = format!("/sobjects/Contact/{id}");
    let answer = site.ask(Method::GET, &path, &[("if-none-match", "*")], &Json::Null);
    assert_eq!(answer.status.as_u16(), 200);
    assert!(answer.headers.get("etag").is_none());
    assert_eq!(
        status(
            &mut site,
            Method::PATCH,
            &path,
            ("if-match", "\"x\""),
            &json!({"Title": "x"})
        ),
        204
    );
}

#[test]
fn dates_decide_to_the_second_and_deletes_ask_no_questions() {
    let mut site = Site::new();
    let id = site.create("Contact", json!({"LastName": "A"}));
    let path = format!("/sobjects/Contact/{id}");
    // The record is of 10:00:30 and some milliseconds.
    let (before, same) = ("Sun, 22 Nov 2026 10:00:29 GMT", "Sun, 22 Nov 2026 10:00:30 GMT");
    for (header, date, expected) in [
        ("if-modified-since", before, 200),
        ("if-modified-since", same, 304),
        ("if-unmodified-since", before, 412),
        ("if-unmodified-since", same, 200),
        ("if-modified-since", "yesterday", 200),
    ] {
        let answer = status(&mut site, Method::GET, &path, (header, date), &Json::Null);
        assert_eq!(answer, expected, "{header}: {date}");
    }
    let write = json!({"Title": "x"});
    let answer = site.ask(Method::PATCH, &path, &[("if-unmodified-since", before)], &write);
    assert_eq!(answer.status.as_u16(), 412);
    assert_eq!(
        answer.body.expect("a body")[0]["errorCode"],
        json!("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE")
    );
    assert_eq!(site.get(&path).1["Title"], Json::Null);
    let entry = json!({"method": "PATCH", "url": format!("/services/data/v68.0{path}"), "referenceId": "a",
                       "httpHeaders": {"If-Unmodified-Since": before}, "body": write});
    let (_, body) = site.post("/composite", json!({"compositeRequest": [entry]}));
    assert_eq!(body["compositeResponse"][0]["httpStatusCode"], json!(412));
    assert_eq!(
        status(
            &mut site,
            Method::DELETE,
            &path,
            ("if-unmodified-since", before),
            &Json::Null
        ),
        204
    );
}

#[test]
fn upserts_heed_conditions_on_what_they_find() {
    let mut site = Site::new();
    let path = "/sobjects/Opportunity/Opportunity_Number__c/OPP-4482";
    let before = ("if-unmodified-since", "Sun, 22 Nov 2026 10:00:29 GMT");
    let write = json!({"NextStep": "x"});
    assert_eq!(status(&mut site, Method::PATCH, path, before, &write), 412);
    let same = ("if-unmodified-since", "Sun, 22 Nov 2026 10:00:30 GMT");
    assert_eq!(status(&mut site, Method::PATCH, path, same, &write), 200);
    let fresh = json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31"});
    let path = "/sobjects/Opportunity/Opportunity_Number__c/NEW-1";
    assert_eq!(status(&mut site, Method::PATCH, path, before, &fresh), 201);
}

#[test]
fn describes_change_when_the_schema_does() {
    let mut site = Site::new();
    let paths = ["/sobjects", "/sobjects/Account/describe"];
    let tags: Vec<String> = paths.iter().map(|p| tag_of(&mut site, p)).collect();
    assert_ne!(tags[0], tags[1]);
    for (path, tag) in paths.iter().zip(&tags) {
        assert_eq!(
            status(&mut site, Method::GET, path, ("if-none-match", tag), &Json::Null),
            304
        );
    }
    let since = "Sun, 22 Nov 2026 10:00:30 GMT";
    assert_eq!(
        status(
            &mut site,
            Method::GET,
            paths[1],
            ("if-modified-since", since),
            &Json::Null
        ),
        304
    );
    let more: sandbox::scenario::Scenario =
        serde_json::from_value(json!({"fields": {"Account": [{"name": "New__c", "type": "string"}]}}))
            .expect("well formed");
    let later = crate::site::start() + jiff::SignedDuration::from_secs(60);
    site.org.load(&more, later).expect("it loads");
    for (path, tag) in paths.iter().zip(&tags) {
        assert_eq!(
            status(&mut site, Method::GET, path, ("if-none-match", tag), &Json::Null),
            200
        );
    }
    assert_eq!(
        status(
            &mut site,
            Method::GET,
            paths[1],
            ("if-modified-since", since),
            &Json::Null
        ),
        200
    );
    assert_eq!(
        status(
            &mut site,
            Method::GET,
            paths[1],
            ("if-unmodified-since", since),
            &Json::Null
        ),
        412
    );
}

#[test]
fn an_unchanged_describe_in_a_composite_shows_its_headers() {
    let mut site = Site::new();
    let tag = tag_of(&mut site, "/sobjects");
    let (_, body) = site.post(
        "/composite",
        json!({"compositeRequest": [{"method": "GET", "url": "/services/data/v68.0/sobjects", "referenceId": "a",
                                     "httpHeaders": {"If-Modified-Since": "Sun, 22 Nov 2026 10:01:30 GMT"}}]}),
    );
    let entry = &body["compositeResponse"][0];
    assert_eq!(
        (&entry["httpStatusCode"], &entry["body"]),
        (&json!(304), &Json::Null)
    );
    assert_eq!(entry["httpHeaders"]["ETag"], json!(tag));
    assert_eq!(
        entry["httpHeaders"]["Last-Modified"],
        json!("Sun, 22 Nov 2026 10:00:30 GMT")
    );
}

#[test]
fn fields_appear_with_their_version() {
    let mut site = Site::new();
    let names = |site: &mut Site, version: &str| {
        let path = format!("/services/data/{version}/sobjects/OpportunityLineItem/describe");
        let describe = site
            .ask(Method::GET, &path, &[], &Json::Null)
            .body
            .expect("a body");
        let fields = describe["fields"].as_array().expect("fields").clone();
        fields
            .iter()
            .filter_map(|f| f["name"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert!(!names(&mut site, "v63.0").contains(&"AssetId".to_owned()));
    assert!(names(&mut site, "v64.0").contains(&"AssetId".to_owned()));
    let query = |site: &mut Site, version: &str| {
        let path = format!("/services/data/{version}/query?q=SELECT+AssetId+FROM+OpportunityLineItem");
        site.ask(Method::GET, &path, &[], &Json::Null).status.as_u16()
    };
    assert_eq!((query(&mut site, "v63.0"), query(&mut site, "v64.0")), (400, 200));
}
