use crate::site::{Site, code};
use serde_json::{Value as Json, json};

const V: &str = "/services/data/v68.0";
const ROLLED_BACK: &str =
    "The transaction was rolled back since another operation in the same transaction failed.";

fn part(method: &str, url: &str, reference: &str, body: Json) -> Json {
    json!({"method": method, "url": format!("{V}{url}"), "referenceId": reference, "body": body})
}

fn composite(site: &mut Site, all_or_none: bool, parts: &[Json]) -> Vec<Json> {
    let (status, body) = site.post(
        "/composite",
        json!({"allOrNone": all_or_none, "compositeRequest": parts}),
    );
    assert_eq!(status, 200, "{body}");
    body["compositeResponse"].as_array().expect("entries").clone()
}

fn statuses(entries: &[Json]) -> Vec<u64> {
    entries
        .iter()
        .map(|e| e["httpStatusCode"].as_u64().expect("a status"))
        .collect()
}

#[test]
fn an_unknown_path_fails_and_takes_everything_back() {
    let mut site = Site::new();
    let entries = composite(
        &mut site,
        true,
        &[
            part("POST", "/sobjects/Account", "acc", json!({"Name": "Composite"})),
            part(
                "GET",
                "/sobjects/Account/@{acc.id}?fields=Id,OwnerId",
                "read",
                Json::Null,
            ),
            part(
                "POST",
                "/sobjects/Opportunity",
                "opp",
                json!({"Name": "For @{acc.id}", "AccountId": "@{read.Id}", "OwnerId": "@{read.OwnerId}", "StageName": "Prospecting", "CloseDate": "2026-12-31"}),
            ),
            part(
                "GET",
                "/query?q=SELECT+Name,Account.Name+FROM+Opportunity+WHERE+Id='@{opp.id}'",
                "found",
                Json::Null,
            ),
            part(
                "PATCH",
                "/sobjects/Opportunity/@{opp.id}",
                "write",
                json!({"NextStep": "@{found.records[0].Account.Name}", "Description": "@{found.nothing}"}),
            ),
        ],
    );
    assert_eq!(
        statuses(&entries),
        [400, 400, 400, 400, 400],
        "an unknown path fails the whole composite"
    );
    assert!(
        site.rows("SELECT Id FROM Account WHERE Name = 'Composite'")
            .is_empty()
    );
}

#[test]
fn later_parts_refer_to_earlier_answers() {
    let mut site = Site::new();
    let entries = composite(
        &mut site,
        true,
        &[
            part("POST", "/sobjects/Account", "acc", json!({"Name": "Composite"})),
            part(
                "GET",
                "/sobjects/Account/@{acc.id}?fields=Name,Site",
                "read",
                Json::Null,
            ),
            part(
                "PATCH",
                "/sobjects/Account/@{acc.id}",
                "write",
                json!({"Sic": "@{read.Name}", "Site": "@{read.Site}"}),
            ),
        ],
    );
    assert_eq!(statuses(&entries), [201, 200, 204]);
    assert!(
        entries[0]["httpHeaders"]["Location"]
            .as_str()
            .expect("a path")
            .starts_with("/services/data/v68.0/sobjects/Account/001")
    );
    assert_eq!(entries[2]["body"], Json::Null);
    assert_eq!(
        site.one("SELECT Sic, Site FROM Account WHERE Name = 'Composite'")["Sic"],
        json!("Composite")
    );
}

#[test]
fn all_or_none_takes_everything_back() {
    let mut site = Site::new();
    let parts = [
        part("POST", "/sobjects/Account", "good", json!({"Name": "Keeps"})),
        part("POST", "/sobjects/Account", "bad", json!({})),
        part("GET", "/limits", "later", Json::Null),
    ];
    let entries = composite(&mut site, true, &parts);
    assert_eq!(statuses(&entries), [400, 400, 400]);
    assert_eq!(
        entries[0]["body"],
        json!([{"message": ROLLED_BACK, "errorCode": "PROCESSING_HALTED"}])
    );
    assert_eq!(
        entries[1]["body"][0]["errorCode"],
        json!("REQUIRED_FIELD_MISSING")
    );
    assert_eq!(entries[2]["body"][0]["message"], json!(ROLLED_BACK));
    assert!(
        site.rows("SELECT Id FROM Account WHERE Name = 'Keeps'")
            .is_empty()
    );

    let entries = composite(&mut site, false, &parts);
    assert_eq!(statuses(&entries), [201, 400, 200]);
    assert_eq!(site.rows("SELECT Id FROM Account WHERE Name = 'Keeps'").len(), 1);
}

#[test]
fn a_row_of_a_collection_takes_the_whole_call_back() {
    let mut site = Site::new();
    let account = |name: Json| json!({"attributes": {"type": "Account"}, "Name": name});
    for inner in [true, false] {
        let many = json!({"allOrNone": inner, "records": [account(json!("Row")), account(Json::Null)]});
        let parts = [
            part("POST", "/sobjects/Account", "good", json!({"Name": "Row"})),
            part("POST", "/composite/sobjects", "many", many),
        ];
        let rows = |site: &mut Site| site.rows("SELECT Id FROM Account WHERE Name = 'Row'").len();
        let before = rows(&mut site);
        let entries = composite(&mut site, true, &parts);
        assert_eq!(statuses(&entries), [400, 400], "inner {inner}");
        let told = &entries[1]["body"];
        assert_eq!(
            told[0]["errors"][0]["statusCode"],
            "ALL_OR_NONE_OPERATION_ROLLED_BACK"
        );
        assert_eq!(told[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
        assert_eq!(rows(&mut site), before, "nothing is kept");

        let entries = composite(&mut site, false, &parts);
        assert_eq!(statuses(&entries), [201, 200]);
        assert_eq!(rows(&mut site) - before, if inner { 1 } else { 2 });
    }
}

#[test]
fn a_failed_part_halts_only_those_that_need_it() {
    let mut site = Site::new();
    let entries = composite(
        &mut site,
        false,
        &[
            part("POST", "/sobjects/Account", "bad", json!({})),
            part(
                "POST",
                "/sobjects/Contact",
                "needs",
                json!({"LastName": "x", "AccountId": "@{bad.id}"}),
            ),
            part("GET", "/sobjects/Pizza", "lost", Json::Null),
            json!({"method": "GET", "url": "/elsewhere", "referenceId": "outside"}),
            part("POST", "/sobjects/Account", "fine", json!({"Name": "fine"})),
        ],
    );
    assert_eq!(statuses(&entries), [400, 400, 404, 404, 201]);
    assert_eq!(entries[1]["body"][0]["errorCode"], json!("PROCESSING_HALTED"));
}

#[test]
fn the_outer_call_is_checked() {
    let mut site = Site::new();
    let many: Vec<Json> = (0..26)
        .map(|n| part("GET", "/limits", &format!("r{n}"), Json::Null))
        .collect();
    let queries: Vec<Json> = (0..6)
        .map(|n| {
            part(
                "GET",
                "/query?q=SELECT+Id+FROM+Account",
                &format!("r{n}"),
                Json::Null,
            )
        })
        .collect();
    let odd = [part("GET", "/limits", "ref[1]", Json::Null)];
    let twice = [
        part("GET", "/limits", "a", Json::Null),
        part("GET", "/limits", "a", Json::Null),
    ];
    let cases: [(&[Json], &str); 4] = [
        (&many, "LIMIT_EXCEEDED"),
        (&queries, "LIMIT_EXCEEDED"),
        (&odd, "JSON_PARSER_ERROR"),
        (&twice, "JSON_PARSER_ERROR"),
    ];
    for (parts, expected) in cases {
        let answer = site.post("/composite", json!({"compositeRequest": parts}));
        assert_eq!(code(&answer), (400, expected.to_owned()));
    }
    let entries = composite(
        &mut site,
        false,
        &[part("POST", "/composite", "in", json!({"compositeRequest": []}))],
    );
    assert_eq!(statuses(&entries), [400], "composites do not nest");
}

#[test]
fn batch_counts_and_halts() {
    let mut site = Site::new();
    let requests = json!([
        {"method": "POST", "url": "v68.0/sobjects/Account", "richInput": {"Name": "Batch"}},
        {"method": "GET", "url": "/services/data/v67.0/sobjects/Pizza"},
        {"method": "GET", "url": "v68.0/limits"},
    ]);
    let run = |site: &mut Site, halt: bool| {
        site.ask(
            http::Method::POST,
            "/composite/batch",
            &[],
            &json!({"haltOnError": halt, "batchRequests": requests}),
        )
    };
    let response = run(&mut site, false);
    assert_eq!((response.status.as_u16(), response.cost), (200, 3));
    let body = response.body.expect("a body");
    let codes: Vec<u64> = body["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|r| r["statusCode"].as_u64())
        .collect();
    assert_eq!(
        (codes.as_slice(), &body["hasErrors"]),
        ([201, 404, 200].as_slice(), &json!(true))
    );
    let body = run(&mut site, true).body.expect("a body");
    assert_eq!(
        body["results"][2],
        json!({"statusCode": 412, "result": [{"message": "Batch processing halted per request", "errorCode": "BATCH_PROCESSING_HALTED"}]})
    );
    assert_eq!(site.rows("SELECT Id FROM Account WHERE Name = 'Batch'").len(), 2);
}

#[test]
fn collections_align_by_index() {
    let mut site = Site::new();
    let record = |name: Json| json!({"attributes": {"type": "Account"}, "Name": name});
    let (status, rows) = site.post(
        "/composite/sobjects",
        json!({"records": [record(json!("A")), record(Json::Null)]}),
    );
    assert_eq!((status, &rows[0]["success"]), (200, &json!(true)));
    assert_eq!(
        rows[1],
        json!({"success": false, "errors": [{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Name]", "fields": ["Name"]}]})
    );
    let id = rows[0]["id"].clone();

    let (_, rows) = site.post(
        "/composite/sobjects",
        json!({"allOrNone": true, "records": [record(json!("B")), record(Json::Null)]}),
    );
    assert_eq!(
        rows[0]["errors"][0]["statusCode"],
        json!("ALL_OR_NONE_OPERATION_ROLLED_BACK")
    );
    assert!(site.rows("SELECT Id FROM Account WHERE Name = 'B'").is_empty());

    let update = json!({"records": [{"attributes": {"type": "Account"}, "id": id, "Site": "S"}, {"attributes": {"type": "Account"}, "Site": "S"}]});
    let (_, rows) = site.patch("/composite/sobjects", update);
    assert_eq!(
        (&rows[0]["id"], &rows[1]["errors"][0]["statusCode"]),
        (&id, &json!("MISSING_ARGUMENT"))
    );

    let key = |n: &str| json!({"attributes": {"type": "Opportunity"}, "Opportunity_Number__c": n, "Name": n, "StageName": "Prospecting", "CloseDate": "2026-12-31"});
    let (_, rows) = site.patch(
        "/composite/sobjects/Opportunity/Opportunity_Number__c",
        json!({"records": [key("N1"), key("OPP-4483"), key("N2"), key("n2")]}),
    );
    assert_eq!(
        (&rows[0]["created"], &rows[1]["created"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&rows[2]["errors"][0]["statusCode"], &rows[3]["success"]),
        (&json!("DUPLICATE_VALUE"), &json!(false))
    );
    let by_id = json!({"records": [{"attributes": {"type": "Account"}, "Id": null, "Name": "Made"}, {"attributes": {"type": "Account"}, "Id": id, "Name": "Changed"}]});
    let (_, rows) = site.patch("/composite/sobjects/Account/Id", by_id);
    assert_eq!(
        (&rows[0]["created"], &rows[1]["created"]),
        (&json!(true), &json!(false))
    );

    let (_, found) = site.post(
        "/composite/sobjects/Account",
        json!({"ids": ["001Sb0000000zzz", id, "junk"], "fields": ["name"]}),
    );
    assert_eq!(
        (&found[0], &found[1]["Name"], &found[2]),
        (&Json::Null, &json!("Changed"), &Json::Null)
    );
    let (_, rows) = site.delete(&format!(
        "/composite/sobjects?ids={}&allOrNone=false",
        id.as_str().expect("an id")
    ));
    assert_eq!(rows, json!([{"id": id, "success": true, "errors": []}]));
}

#[test]
fn collection_limits() {
    let mut site = Site::new();
    let record = |kind: &str| json!({"attributes": {"type": kind}, "Name": "x", "LastName": "x"});
    let many = vec![record("Account"); 201];
    assert_eq!(
        code(&site.post("/composite/sobjects", json!({"records": many}))),
        (400, "EXCEEDED_ID_LIMIT".into())
    );
    let mixed: Vec<Json> = (0..11)
        .map(|n| record(if n % 2 == 0 { "Account" } else { "Contact" }))
        .collect();
    assert_eq!(
        code(&site.post("/composite/sobjects", json!({"records": mixed}))),
        (400, "LIMIT_EXCEEDED".into())
    );
}

#[test]
fn trees_are_all_or_nothing() {
    let mut site = Site::new();
    let tree = |email: &str| {
        json!({"records": [{"attributes": {"type": "Account", "referenceId": "ref1"}, "Name": "Tree",
            "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "ref2"}, "LastName": "Leaf", "Email": email}]}}]})
    };
    let (status, body) = site.post("/composite/tree/Account", tree("123"));
    assert_eq!((status, &body["hasErrors"]), (400, &json!(true)));
    assert_eq!(
        body["results"],
        json!([{"referenceId": "ref2", "errors": [{"statusCode": "INVALID_EMAIL_ADDRESS", "message": "Email: invalid email address: 123", "fields": ["Email"]}]}])
    );
    assert!(site.rows("SELECT Id FROM Account WHERE Name = 'Tree'").is_empty());
    let (status, body) = site.post("/composite/tree/Account/", tree("leaf@example.org"));
    assert_eq!(
        (status, &body["results"][1]["referenceId"]),
        (201, &json!("ref2"))
    );
    assert_eq!(
        site.one("SELECT Account.Name FROM Contact WHERE LastName = 'Leaf'")["Account"]["Name"],
        json!("Tree")
    );
}

#[test]
fn graphs_stand_alone_and_order_themselves() {
    let mut site = Site::new();
    let graph = |id: &str, name: Json| {
        json!({"graphId": id, "compositeRequest": [
            part("POST", "/sobjects/Contact", "child", json!({"LastName": "G", "AccountId": "@{parent.id}"})),
            part("POST", "/sobjects/Account", "parent", json!({"Name": name})),
        ]})
    };
    let (status, body) = site.post(
        "/composite/graph",
        json!({"graphs": [graph("g1", json!("Graph")), graph("g2", Json::Null)]}),
    );
    assert_eq!(status, 200);
    let [one, two] = body["graphs"].as_array().expect("graphs").as_slice() else {
        panic!("two graphs")
    };
    assert_eq!(
        (&one["isSuccessful"], &two["isSuccessful"]),
        (&json!(true), &json!(false))
    );
    let answers = one["graphResponse"]["compositeResponse"]
        .as_array()
        .expect("answers");
    assert_eq!(
        (statuses(answers), &answers[0]["referenceId"]),
        (vec![201, 201], &json!("child"))
    );
    let failed = two["graphResponse"]["compositeResponse"]
        .as_array()
        .expect("answers");
    assert_eq!(failed[1]["body"][0]["errorCode"], json!("REQUIRED_FIELD_MISSING"));
    assert_eq!(failed[0]["body"][0]["message"], json!(ROLLED_BACK));
    assert_eq!(site.rows("SELECT Id FROM Contact WHERE LastName = 'G'").len(), 1);
    // A graph whose last part fails leaves nothing of its first.
    let (_, body) = site.post(
        "/composite/graph",
        json!({"graphs": [{"graphId": "g3", "compositeRequest": [
            part("POST", "/sobjects/Account", "a", json!({"Name": "Gone"})),
            part("POST", "/sobjects/Contact", "c", json!({"AccountId": "@{a.id}"})),
        ]}]}),
    );
    assert_eq!(body["graphs"][0]["isSuccessful"], json!(false));
    assert!(site.rows("SELECT Id FROM Account WHERE Name = 'Gone'").is_empty());
    let query = json!({"graphs": [{"graphId": "g", "compositeRequest": [part("GET", "/query?q=x", "a", Json::Null)]}]});
    assert_eq!(site.post("/composite/graph", query).0, 400);
}
