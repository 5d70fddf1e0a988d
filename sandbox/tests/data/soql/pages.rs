use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

fn accounts(count: usize) -> Site {
    let mut site = Site::with("empty");
    for block in 0..count.div_ceil(200) {
        let account =
            |n: usize| json!({"attributes": {"type": "Account"}, "Name": format!("A{:05}", block * 200 + n)});
        let records: Vec<Json> = (0..200).map(account).collect();
        assert_eq!(
            site.post("/composite/sobjects", json!({"records": records})).0,
            200
        );
    }
    site
}

fn first_page(site: &mut Site, batch: &str) -> Json {
    let header = [("sforce-query-options", batch)];
    let query = "/query?q=SELECT+Name+FROM+Account+ORDER+BY+Name";
    site.ask(Method::GET, query, &header, &Json::Null)
        .body
        .expect("a body")
}

#[test]
fn batches_of_every_asked_size() {
    let mut site = accounts(2_200);
    let cases = [
        ("batchSize=200", 200),
        ("batchSize=5", 200),
        (" BatchSize = 300 ", 300),
        ("batchSize=9999", 2_000),
        ("", 2_000),
    ];
    for (header, expected) in cases {
        let page = first_page(&mut site, header);
        assert_eq!(
            page["records"].as_array().expect("records").len(),
            expected,
            "{header}"
        );
        assert_eq!(
            (&page["totalSize"], &page["done"]),
            (&json!(2_200), &json!(false))
        );
        let next = page["nextRecordsUrl"].as_str().expect("a link");
        assert!(next.ends_with(&format!("-{expected}")), "{next}");
    }
}

#[test]
fn the_eleventh_cursor_closes_the_first() {
    let mut site = accounts(400);
    let links: Vec<String> = (0..11)
        .map(|_| {
            first_page(&mut site, "batchSize=200")["nextRecordsUrl"]
                .as_str()
                .expect("a link")
                .to_owned()
        })
        .collect();
    assert_eq!(code(&site.get(&links[0])), (400, "INVALID_QUERY_LOCATOR".into()));
    for link in &links[1..] {
        assert_eq!(site.get(link).0, 200, "{link}");
        assert_eq!(
            site.get(&link.replace("/query/", "/queryAll/")).0,
            200,
            "both resources go on"
        );
    }
    // Reading keeps a cursor alive; idleness ends it.
    site.wait(14 * 60);
    assert_eq!(site.get(&links[1]).0, 200);
    site.wait(14 * 60);
    assert_eq!(site.get(&links[1]).0, 200);
    assert_eq!(code(&site.get(&links[2])), (400, "INVALID_QUERY_LOCATOR".into()));
    for bad in [
        "01gSb0000000001AAA",
        "01gSb0000000001AAA-9999",
        "x-1",
        "01gSb0000000001AAA--1",
    ] {
        assert_eq!(
            code(&site.get(&format!("/query/{bad}"))),
            (400, "INVALID_QUERY_LOCATOR".into()),
            "{bad}"
        );
    }
}

#[test]
fn cursors_belong_to_whoever_opened_them() {
    let mut site = accounts(400);
    let link = first_page(&mut site, "batchSize=200")["nextRecordsUrl"]
        .as_str()
        .expect("a link")
        .to_owned();
    let other = json!({"Username": "o@example.com", "LastName": "Other", "Email": "o@example.com", "Alias": "o",
        "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        "ProfileId": site.rows("SELECT Id FROM Profile")[0]["Id"]});
    site.create("User", other);
    site.become_user("o@example.com");
    assert_eq!(code(&site.get(&link)), (400, "INVALID_QUERY_LOCATOR".into()));
    site.become_user("integration@sandbox.example");
    assert_eq!(site.get(&link).0, 200);
}

#[test]
fn explanations_name_the_index() {
    let mut site = accounts(400);
    let stamp = "SELECT+Id+FROM+Account+WHERE+SystemModstamp+>+2030-01-01T00:00:00Z+AND+Name+LIKE+'A%25'";
    let (status, body) = site.get(&format!("/query?explain={stamp}"));
    assert_eq!(status, 200, "{body}");
    let plans = body["plans"].as_array().expect("plans");
    let keys: Vec<&String> = plans[0].as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "cardinality",
            "fields",
            "leadingOperationType",
            "notes",
            "relativeCost",
            "sobjectCardinality",
            "sobjectType"
        ]
    );
    assert_eq!(
        (&plans[0]["leadingOperationType"], &plans[0]["fields"]),
        (&json!("Index"), &json!(["SystemModstamp"]))
    );
    assert_eq!(
        (&plans[0]["cardinality"], &plans[0]["sobjectCardinality"]),
        (&json!(0), &json!(400))
    );
    assert_eq!(plans[1]["leadingOperationType"], json!("TableScan"));
    assert_eq!(plans[1]["notes"][0]["tableEnumOrId"], json!("Account"));
    assert_eq!(
        code(&site.get("/query?explain=SELEKT")),
        (400, "MALFORMED_QUERY".into())
    );
    let (_, body) = site.get("/query");
    assert_eq!(body[0]["message"], json!("A query string has to be specified"));
}

#[test]
fn long_requests_are_refused() {
    let mut site = Site::with("empty");
    let long = format!("/query?q={}", "x".repeat(16_384));
    assert_eq!(site.get(&long).0, 414);
    let schema = site.org.schema();
    let prepare = |query: &str| sandbox::soql::prepare(&schema, query, crate::site::start(), false);
    let longest = format!("SELECT Id FROM Account{}", " ".repeat(100_000 - 22));
    assert!(prepare(&longest).is_ok());
    let refusal = prepare(&(longest + " ")).expect_err("too long");
    assert_eq!(
        refusal.message,
        "SOQL statements cannot be longer than 100000 characters."
    );
    let text = |n: usize| format!("SELECT Id FROM Account WHERE Name = '{}'", "é".repeat(n));
    assert!(prepare(&text(4_000)).is_ok());
    assert_eq!(
        prepare(&text(4_001)).expect_err("too long").error_code,
        "MALFORMED_QUERY"
    );
}
