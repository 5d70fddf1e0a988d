use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

#[test]
fn a_record_lives_from_create_to_delete() {
    let mut site = Site::new();
    let response = site.ask(
        Method::POST,
        "/sobjects/account/",
        &[],
        &json!({"NAME": "  Acme  ", "annualrevenue": "12.5"}),
    );
    assert_eq!(response.status.as_u16(), 201);
    let id = response.body.expect("a body")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(
        response.headers["location"],
        format!("/services/data/v68.0/sobjects/Account/{id}")
    );
    assert_eq!(id.len(), 18);

    let (status, row) = site.get(&format!("/sobjects/Account/{}", &id[..15]));
    assert_eq!(
        (status, &row["Name"], &row["AnnualRevenue"]),
        (200, &json!("Acme"), &json!(13.0))
    );
    assert_eq!(
        row["attributes"]["url"],
        json!(format!("/services/data/v68.0/sobjects/Account/{id}"))
    );
    assert_eq!(row["CreatedDate"], json!("2026-11-22T10:00:30.000+0000"));
    assert_eq!(row["BillingAddress"], Json::Null);
    assert_eq!(
        row.as_object()
            .expect("an object")
            .keys()
            .nth(1)
            .map(String::as_str),
        Some("Id")
    );

    let path = format!("/sobjects/Account/{id}");
    site.wait(5);
    assert_eq!(
        site.patch(&path, json!({"BillingCity": "Dresden", "AnnualRevenue": null})),
        (204, Json::Null)
    );
    let (_, row) = site.get(&format!(
        "{path}?fields=BillingAddress,annualrevenue,LastModifiedDate"
    ));
    assert_eq!(row["BillingAddress"]["city"], json!("Dresden"));
    assert_eq!(row["AnnualRevenue"], Json::Null);
    assert_eq!(row["LastModifiedDate"], json!("2026-11-22T10:00:35.000+0000"));
    assert_eq!(row["Id"], json!(id));

    assert_eq!(site.delete(&path), (204, Json::Null));
    assert_eq!(
        site.delete(&path),
        (
            404,
            json!([{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}])
        )
    );
    assert_eq!(site.get(&path).0, 404);
}

#[test]
fn refused_creates_use_the_words_of_the_wire() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let cases = [
        (json!({}), "REQUIRED_FIELD_MISSING"),
        (json!({"Name": "x", "Bacon": 1}), "INVALID_FIELD"),
        (json!({"Name": "x", "Id": id}), "INVALID_FIELD"),
        (json!({"Name": "x".repeat(256)}), "STRING_TOO_LONG"),
        (json!({"Name": "x", "ParentId": "nonsense"}), "MALFORMED_ID"),
        (json!({"Name": "x", "ParentId": id}), "FIELD_INTEGRITY_EXCEPTION"),
        (
            json!({"Name": "x", "ParentId": "001Sb0000000zzz"}),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (json!({"Name": "x", "Site": 5}), "JSON_PARSER_ERROR"),
    ];
    for (body, expected) in cases {
        let answer = site.post("/sobjects/Account", body.clone());
        assert_eq!(code(&answer), (400, expected.to_owned()), "{body}");
    }
    let (_, missing) = site.post("/sobjects/Account", json!({}));
    assert_eq!(
        missing[0]["message"],
        json!("Required fields are missing: [Name]")
    );
    assert_eq!(missing[0]["fields"], json!(["Name"]));
    let email = site.post("/sobjects/Contact", json!({"LastName": "x", "Email": "123"}));
    assert_eq!(code(&email), (400, "INVALID_EMAIL_ADDRESS".into()));
}

#[test]
fn refused_updates_change_nothing() {
    let mut site = Site::new();
    let path = format!("/sobjects/Opportunity/{}", site.opportunity("OPP-4482"));
    let (_, before) = site.get(&path);
    site.wait(5);
    let cases = [
        (
            json!({"IsWon": true, "NextStep": "x"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (json!({"Name": null}), "REQUIRED_FIELD_MISSING"),
        (json!({"CloseDate": "soon"}), "JSON_PARSER_ERROR"),
        (json!({"CPQ_Net_Total__c": "abc"}), "JSON_PARSER_ERROR"),
        (
            json!({"CPQ_Quote_Revision__c": 10000}),
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
        (json!({"CPQ_Net_Total__c": 1e30}), "NUMBER_OUTSIDE_VALID_RANGE"),
        (json!({"IsPrivate": null}), "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        (
            json!({"ForecastCategoryName": "Amazing"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (json!({"Opportunity_Number__c": "opp-4483"}), "DUPLICATE_VALUE"),
    ];
    for (body, expected) in cases {
        let answer = site.patch(&path, body.clone());
        assert_eq!(code(&answer), (400, expected.to_owned()), "{body}");
    }
    assert_eq!(site.get(&path).1, before);
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut site = Site::new();
    let empty = json!({});
    let cases = [
        (
            Method::PATCH,
            "/sobjects/Opportunity/006D000000Kv3g5IAC",
            400,
            "MALFORMED_ID",
        ),
        (Method::PATCH, "/sobjects/Opportunity/23foo", 404, "NOT_FOUND"),
        (
            Method::PATCH,
            "/sobjects/Opportunity/006Sb0000000zzz",
            404,
            "NOT_FOUND",
        ),
        (Method::PATCH, "/sobjects/Opportunity", 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "/sobjects/Pizza", 404, "NOT_FOUND"),
        (Method::GET, "/services/data/v99.0/sobjects", 404, "NOT_FOUND"),
        (Method::GET, "/nowhere", 404, "NOT_FOUND"),
    ];
    for (method, path, status, expected) in cases {
        let answer = site.call(method, path, &empty);
        assert_eq!(code(&answer), (status, expected.to_owned()), "{path}");
    }
    let long = format!("/query?q={}", "x".repeat(17_000));
    assert_eq!(site.get(&long).0, 414);
}

#[test]
fn broken_json_is_a_parser_error() {
    let mut site = Site::new();
    let request = sandbox::rest::DataRequest {
        method: Method::POST,
        target: "/services/data/v68.0/sobjects/Account".into(),
        headers: http::HeaderMap::new(),
        body: "{\"Name\":".into(),
    };
    let caller = sandbox::rest::Caller {
        user_id: site.org.first_user().to_string(),
        origin: sandbox::org::Origin::default(),
    };
    let response = sandbox::rest::call(&mut site.org, &site.world, &caller, &request);
    assert_eq!(response.status.as_u16(), 400);
    assert_eq!(
        response.body.expect("a body")[0]["errorCode"],
        json!("JSON_PARSER_ERROR")
    );
}

#[test]
fn conditional_requests_have_second_granularity() {
    let mut site = Site::new();
    let path = format!("/sobjects/Opportunity/{}", site.opportunity("OPP-4483"));
    let read = site.ask(Method::GET, &path, &[], &Json::Null);
    let modified = read.headers["last-modified"].to_str().expect("text").to_owned();
    assert_eq!(modified, "Sun, 22 Nov 2026 10:00:30 GMT");
    let same = site.ask(
        Method::GET,
        &path,
        &[("if-modified-since", &modified)],
        &Json::Null,
    );
    assert_eq!((same.status.as_u16(), same.body), (304, None));

    site.wait(2);
    let guard = [("if-unmodified-since", modified.as_str())];
    assert_eq!(
        site.ask(Method::PATCH, &path, &guard, &json!({"NextStep": "call"}))
            .status
            .as_u16(),
        204
    );
    let refused = site.ask(Method::PATCH, &path, &guard, &json!({"NextStep": "mail"}));
    assert_eq!(refused.status.as_u16(), 412);
    assert_eq!(site.get(&path).1["NextStep"], json!("call"));
    assert_eq!(
        site.ask(
            Method::GET,
            &path,
            &[("if-modified-since", &modified)],
            &Json::Null
        )
        .status
        .as_u16(),
        200
    );
    let bad = site.ask(
        Method::PATCH,
        &path,
        &[("if-unmodified-since", "yesterday")],
        &json!({"NextStep": "x"}),
    );
    assert_eq!(bad.status.as_u16(), 400);
}

#[test]
fn relationships_are_paths_too() {
    let mut site = Site::new();
    let path = format!("/sobjects/Opportunity/{}", site.opportunity("OPP-4482"));
    let (_, account) = site.get(&format!("{path}/Account?fields=Name"));
    assert_eq!(account["Name"], json!("Northwind Robotics"));
    let (_, owner) = site.get(&format!("{path}/Account/Owner"));
    assert_eq!(owner["attributes"]["type"], json!("User"));
    let (_, lines) = site.get(&format!("{path}/OpportunityLineItems?fields=Quantity"));
    assert_eq!(lines["totalSize"], json!(3));
    let orphan = format!("/sobjects/Opportunity/{}", site.opportunity("OPP-4484"));
    assert_eq!(site.get(&format!("{orphan}/Account")).0, 404);
    assert_eq!(
        site.get(&format!("{orphan}/OpportunityLineItems")).1["totalSize"],
        json!(0)
    );
    assert_eq!(
        site.patch(&format!("{path}/Account"), json!({"Site": "HQ"})).0,
        204
    );
    assert_eq!(site.get(&format!("{path}/Account")).1["Site"], json!("HQ"));
}

#[test]
fn updated_and_deleted_windows() {
    let mut site = Site::new();
    site.wait(120);
    let gone = site.opportunity("OPP-4484");
    let path = format!("/sobjects/Opportunity/{}", site.opportunity("OPP-4483"));
    assert_eq!(site.patch(&path, json!({"NextStep": "x"})).0, 204);
    assert_eq!(site.delete(&format!("/sobjects/Opportunity/{gone}")).0, 204);
    site.wait(120);
    let window = "start=2026-11-22T10:02:00%2B00:00&end=2026-11-22T10:04:00Z";
    let (_, updated) = site.get(&format!("/sobjects/Opportunity/updated/?{window}"));
    assert_eq!(updated["ids"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        updated["latestDateCovered"],
        json!("2026-11-22T10:04:00.000+0000")
    );
    let (_, deleted) = site.get(&format!("/sobjects/Opportunity/deleted/?{window}"));
    assert_eq!(deleted["deletedRecords"][0]["id"], json!(gone));
    assert_eq!(
        deleted["deletedRecords"][0]["deletedDate"],
        json!("2026-11-22T10:02:30.000+0000")
    );
    let too_short =
        site.get("/sobjects/Opportunity/updated?start=2026-11-22T10:02:00Z&end=2026-11-22T10:02:40Z");
    assert_eq!(code(&too_short), (400, "INVALID_REPLICATION_DATE".into()));
}

#[test]
fn a_fault_takes_the_place_of_a_write() {
    let mut site = Site::new();
    let lock = sandbox::org::ApiError::data("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", &[]);
    *site.world.fault.lock().expect("never poisoned") = Some(lock);
    assert_eq!(
        code(&site.post("/sobjects/Account", json!({"Name": "x"}))),
        (400, "UNABLE_TO_LOCK_ROW".into())
    );
    assert_eq!(site.post("/sobjects/Account", json!({"Name": "x"})).0, 201);
    assert_eq!(site.rows("SELECT Id FROM Account WHERE Name = 'x'").len(), 1);
}

#[test]
fn the_change_log_tells_what_was_committed() {
    let mut site = Site::new();
    assert!(site.org.take_commits().is_empty(), "a seed is no news");
    let id = site.create("Account", json!({"Name": "Logged"}));
    assert_eq!(site.post("/sobjects/Account", json!({"Bacon": 1})).0, 400);
    assert_eq!(
        site.patch(&format!("/sobjects/Account/{id}"), json!({"Site": "S"}))
            .0,
        204
    );
    let log = site.org.take_commits();
    let kinds: Vec<_> = log
        .iter()
        .map(|c| (c.number, c.changes.len(), c.changes[0].kind))
        .collect();
    use sandbox::org::ChangeKind::{Create, Update};
    assert_eq!(kinds, [(1, 1, Create), (2, 1, Update)]);
    let schema = site.org.schema();
    let last = log.last().expect("the update");
    let account = schema.at(last.changes[0].object);
    let fields: Vec<&str> = last.changes[0]
        .fields
        .iter()
        .map(|(f, _)| account.fields[*f].name.as_str())
        .collect();
    let origin = last.origin.to_string();
    assert_eq!(
        (origin.as_str(), fields),
        ("com/salesforce/api/rest/68.0;client=tests", vec!["Site"])
    );
    assert!(site.org.take_commits().is_empty(), "news is told once");
}
