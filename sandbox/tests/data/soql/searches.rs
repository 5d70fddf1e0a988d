use super::column;
use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn search(site: &mut Site, text: &str) -> (u16, Json) {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    site.get(&format!("/search?q={encoded}"))
}

fn found(site: &mut Site, text: &str) -> Vec<Json> {
    let (status, body) = search(site, text);
    assert_eq!(status, 200, "{text}: {body}");
    body["searchRecords"].as_array().expect("records").clone()
}

#[test]
fn words_find_records() {
    let mut site = Site::new();
    let rows = found(&mut site, "FIND {northwind}");
    let types: Vec<&str> = rows
        .iter()
        .map(|r| r["attributes"]["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(
        types[..5],
        ["Account", "Contact", "Contact", "Contact", "Opportunity"]
    );
    assert!(rows[0]["Id"].as_str().expect("an id").starts_with("001"));
    assert_eq!(
        rows[0]["attributes"]["url"],
        json!(format!(
            "/services/data/v68.0/sobjects/Account/{}",
            rows[0]["Id"].as_str().expect("an id")
        ))
    );
    let rows = found(
        &mut site,
        "FIND {north* AND NOT lakeside} IN NAME FIELDS RETURNING Account(Name, Industry), Opportunity(StageName)",
    );
    assert_eq!(
        (&rows[0]["Name"], &rows[1]["StageName"]),
        (&json!("Northwind Robotics"), &json!("Proposal/Price Quote"))
    );
    assert_eq!(rows[0].get("Id"), None, "only what is asked for");
    let rows = found(
        &mut site,
        "find {lena.hoffmann@northwind\\-robotics.example} in email fields returning Contact(LastName, Account.Name)",
    );
    assert_eq!(
        (rows.len(), &rows[0]["Account"]["Name"]),
        (1, &json!("Northwind Robotics"))
    );
    let rows = found(
        &mut site,
        "FIND {\"351 5550142\"} IN PHONE FIELDS RETURNING Account, Contact",
    );
    assert_eq!(rows.len(), 1);
    assert!(found(&mut site, "FIND {northwind} IN PHONE FIELDS").is_empty());
    let rows = found(&mut site, "FIND {payload} RETURNING Product2(ProductCode)");
    assert_eq!(column(&rows, "ProductCode"), [json!("RX-900")]);
    assert!(
        found(&mut site, "FIND {payload}").is_empty(),
        "products are found when they are named"
    );
}

#[test]
fn filters_orders_and_limits() {
    let mut site = Site::new();
    for n in 0..9 {
        site.create(
            "Account",
            json!({"Name": format!("Shared {n}"), "NumberOfEmployees": n}),
        );
        if n < 3 {
            site.create("Contact", json!({"LastName": format!("Shared {n}")}));
        }
    }
    let rows = found(
        &mut site,
        "FIND {shared} RETURNING Account(Name WHERE NumberOfEmployees > 2 ORDER BY Name DESC LIMIT 3 OFFSET 1)",
    );
    assert_eq!(
        column(&rows, "Name"),
        [json!("Shared 7"), json!("Shared 6"), json!("Shared 5")]
    );
    let count = |rows: &[Json], kind: &str| {
        rows.iter()
            .filter(|r| r["attributes"]["type"] == json!(kind))
            .count()
    };
    let rows = found(&mut site, "FIND {shared} RETURNING Account, Contact LIMIT 4");
    assert_eq!(
        (count(&rows, "Account"), count(&rows, "Contact")),
        (2, 2),
        "the limit is shared"
    );
    let rows = found(&mut site, "FIND {shared} RETURNING Account, Contact LIMIT 8");
    assert_eq!((count(&rows, "Account"), count(&rows, "Contact")), (5, 3));
    let rows = found(
        &mut site,
        "FIND {shared} RETURNING Account(Id LIMIT 0), Contact WITH SPELL_CORRECTION = false LIMIT 2",
    );
    assert_eq!((count(&rows, "Account"), count(&rows, "Contact")), (0, 2));
    let (_, old) = site.get("/services/data/v36.0/search?q=FIND+%7Bshared%7D+RETURNING+Contact");
    assert_eq!(old.as_array().expect("a bare list").len(), 3);
}

#[test]
fn searches_that_are_refused() {
    let mut site = Site::new();
    let cases = [
        ("", "MALFORMED_SEARCH"),
        ("FIND x", "MALFORMED_SEARCH"),
        ("FIND {x}", "MALFORMED_SEARCH"),
        ("FIND {xy", "MALFORMED_SEARCH"),
        ("FIND {\"xy}", "MALFORMED_SEARCH"),
        ("FIND {xy} IN Accounts", "MALFORMED_SEARCH"),
        (
            "FIND {xy} RETURNING Account(WHERE Name = 'x')",
            "MALFORMED_SEARCH",
        ),
        ("FIND {xy} RETURNING Account, Account", "MALFORMED_SEARCH"),
        ("FIND {xy} RETURNING Account(COUNT())", "MALFORMED_SEARCH"),
        ("FIND {xy} LIMIT x", "MALFORMED_SEARCH"),
        ("FIND {xy} RETURNING FooBar", "INVALID_TYPE"),
        ("FIND {xy} RETURNING RecordType", "INVALID_TYPE"),
        ("FIND {xy} RETURNING Contact(fooBar)", "INVALID_FIELD"),
        (
            "FIND {xy} RETURNING Contact(Name WHERE Description = 'x')",
            "INVALID_FIELD",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(code(&search(&mut site, text)), (400, expected.into()), "{text}");
    }
    let (_, body) = search(&mut site, "FIND {John|jane_gray@uoa.edu} RETURNING Contact");
    let expected = "\nFIND {John|jane_gray@uoa.edu} RETURNING Contact\n         ^\nERROR at Row:1:Column:10\nline 1:10 mismatched character '|' expecting '}'";
    assert_eq!(body[0]["message"], json!(expected));
    let (_, body) = search(&mut site, "FIND Acme RETURNING Account");
    assert_eq!(
        body[0]["message"],
        json!("No search term found. The search term must be enclosed in braces.")
    );
}

#[test]
fn parameters_say_the_same() {
    let mut site = Site::new();
    let (status, body) = site.get("/parameterizedSearch?q=northwind&sobject=Account&Account.fields=Name,Industry&sobject=Opportunity&fields=Name&in=NAME");
    assert_eq!(status, 200, "{body}");
    let rows = body["searchRecords"].as_array().expect("records");
    assert_eq!((rows.len(), &rows[0]["Industry"]), (2, &json!("Manufacturing")));
    let ask = json!({"q": "northwind", "in": "ALL", "overallLimit": 2, "defaultLimit": 5, "fields": ["Id"], "sobjects": [
        {"name": "Contact", "fields": ["FirstName"], "where": "LastName != 'Tanaka'", "orderBy": "FirstName DESC", "limit": 1}]});
    let (status, body) = site.post("/parameterizedSearch", ask);
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        column(body["searchRecords"].as_array().expect("records"), "FirstName"),
        [json!("Marek")]
    );
    assert_eq!(
        site.get("/parameterizedSearch?q=%7Bnothing%7D%5C").1["searchRecords"],
        json!([])
    );
    for bad in [
        "/parameterizedSearch",
        "/parameterizedSearch?q=",
        "/parameterizedSearch?q=ab&sobject=Account&Account.limit=x",
    ] {
        assert_eq!(code(&site.get(bad)), (400, "MALFORMED_SEARCH".into()), "{bad}");
    }
    assert_eq!(
        code(&site.post("/parameterizedSearch", json!({"sobjects": [5]}))),
        (400, "MALFORMED_SEARCH".into())
    );
}
