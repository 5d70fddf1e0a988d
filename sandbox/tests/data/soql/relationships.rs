use super::workshop;
use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

#[test]
fn aliases_of_objects_and_relationships() {
    let mut site = Site::new();
    let queries = [
        "SELECT o.Name, a.Name FROM Opportunity o, o.Account a WHERE a.Name LIKE 'North%' AND a.Owner.IsActive = true",
        "SELECT Opportunity.Name, Account.Name FROM Opportunity, Opportunity.Account WHERE Account.Name LIKE 'North%'",
        "SELECT Name, Account.Name FROM Opportunity AS o WHERE o.Account.Name LIKE 'North%'",
    ];
    for query in queries {
        let row = site.one(query);
        assert_eq!(row["Account"]["Name"], json!("Northwind Robotics"), "{query}");
    }
    let count = "SELECT COUNT() FROM Contact c, c.Account a WHERE a.Name = 'Northwind Robotics'";
    assert_eq!(site.soql(count).1["totalSize"], json!(3));
    let (status, body) = site.soql("SELECT Id FROM Contact c, Opportunity o");
    assert_eq!(status, 400);
    let message = body[0]["message"].as_str().expect("text");
    assert!(message.ends_with("The driving object is Contact."), "{message}");
}

#[test]
fn types_of_parents() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let contact = site.rows("SELECT Id FROM Contact LIMIT 1")[0]["Id"].clone();
    site.create("Task", json!({"Subject": "Call", "WhatId": id, "WhoId": contact}));
    site.create("Task", json!({"Subject": "Think"}));
    let row = site.one(
        "SELECT Subject, Who.Name, Who.Email, TYPEOF What WHEN Opportunity THEN StageName, Account.Name ELSE Name END \
         FROM Task WHERE What.Type IN ('Opportunity', 'Account')",
    );
    assert_eq!(row["What"]["attributes"]["type"], json!("Opportunity"));
    assert_eq!(row["What"]["Account"]["Name"], json!("Northwind Robotics"));
    assert_eq!(row["Who"]["attributes"]["type"], json!("Name"));
    assert!(
        row["Who"]["attributes"]["url"]
            .as_str()
            .expect("a link")
            .contains("/sobjects/Contact/003")
    );
    assert_eq!(
        row["Who"]["Email"],
        json!("lena.hoffmann@northwind-robotics.example")
    );
    let row = site.one("SELECT TYPEOF What WHEN Account THEN Phone END FROM Task WHERE Subject = 'Call'");
    assert_eq!(row["What"], json!(null), "no branch fits");
    let row = site.one(
        "SELECT TYPEOF What WHEN Account THEN Phone ELSE Name, Type END FROM Task WHERE Subject = 'Call'",
    );
    assert_eq!(row["What"]["Type"], json!("Opportunity"));
    let refused = [
        "SELECT What.Name, TYPEOF What WHEN Account THEN Phone END FROM Task",
        "SELECT TYPEOF Account WHEN Account THEN Phone END FROM Opportunity",
        "SELECT COUNT(Id), TYPEOF What WHEN Account THEN Phone END FROM Task",
        "SELECT TYPEOF What END FROM Task",
    ];
    for query in refused {
        assert_eq!(
            code(&site.soql(query)),
            (400, "MALFORMED_QUERY".into()),
            "{query}"
        );
    }
    assert_eq!(
        code(&site.soql("SELECT What.StageName FROM Task")),
        (400, "INVALID_FIELD".into())
    );
}

#[test]
fn five_levels_of_children() {
    let mut site = workshop();
    let query = "SELECT Name, (SELECT Name, (SELECT Name, (SELECT Id, (SELECT Id FROM Pieces__r) FROM Pieces__r) \
                 FROM Pieces__r ORDER BY Name LIMIT 5) FROM Parts__r WHERE Name != 'nut') FROM Account";
    let row = site.one(query);
    let bolt = &row["Parts__r"]["records"][0];
    assert_eq!(
        (&bolt["Name"], &row["Parts__r"]["totalSize"]),
        (&json!("bolt"), &json!(1))
    );
    assert_eq!(bolt["Pieces__r"]["records"][0]["Name"], json!("Nut"));
    assert_eq!(bolt["Pieces__r"]["records"][0]["Pieces__r"], json!(null));
    let old = |query: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        format!("/services/data/v57.0/query?q={encoded}")
    };
    let two = "SELECT (SELECT Name FROM Parts__r) FROM Account";
    assert_eq!(site.get(&old(two)).0, 200);
    let three = "SELECT (SELECT (SELECT Id FROM Pieces__r) FROM Parts__r) FROM Account";
    let refusal = site.get(&old(three));
    assert_eq!(code(&refusal), (400, "MALFORMED_QUERY".into()));
    let message = refusal.1[0]["message"].as_str().expect("text");
    assert!(
        message.ends_with("more than 1 level away from the root entity object."),
        "{message}"
    );
    let six = query.replace(
        "SELECT Id FROM Pieces__r",
        "SELECT Id, (SELECT Id FROM Pieces__r) FROM Pieces__r",
    );
    assert_eq!(code(&site.soql(&six)), (400, "MALFORMED_QUERY".into()));
}

#[test]
fn as_many_relationships_as_are_allowed() {
    let mut site = Site::new();
    let lists = |n: usize| {
        let list = vec!["(SELECT Id FROM Contacts)"; n].join(", ");
        format!("SELECT Id, {list} FROM Account")
    };
    assert_eq!(site.soql(&lists(20)).0, 200);
    assert_eq!(code(&site.soql(&lists(21))), (400, "MALFORMED_QUERY".into()));
    assert_eq!(
        site.soql("SELECT Account.Parent.Parent.Parent.Parent.Name FROM Opportunity")
            .0,
        200
    );
    let six = "SELECT Account.Parent.Parent.Parent.Parent.Parent.Name FROM Opportunity";
    assert_eq!(code(&site.soql(six)), (400, "MALFORMED_QUERY".into()));
    // Users are made, changed and managed by users: 3 + 9 + 27 parents in three steps, and one more for each path of four.
    let steps = ["CreatedBy", "LastModifiedBy", "Manager"];
    let further = |paths: &[String]| -> Vec<String> {
        paths
            .iter()
            .flat_map(|p| steps.map(|s| format!("{p}.{s}")))
            .collect()
    };
    let second = further(&["CreatedBy", "LastModifiedBy", "Owner"].map(str::to_owned));
    let (third, fourth) = (further(&second), further(&further(&second)));
    let mut parents = |n: usize| {
        let names: Vec<String> = third
            .iter()
            .chain(&fourth[..n - 39])
            .map(|p| format!("{p}.Name"))
            .collect();
        site.soql(&format!("SELECT {} FROM Opportunity", names.join(", ")))
    };
    assert_eq!(parents(55).0, 200);
    assert_eq!(code(&parents(56)), (400, "MALFORMED_QUERY".into()));
}

#[test]
fn long_child_lists_have_pages_of_their_own() {
    let mut site = Site::with("empty");
    let parent = site.create("Account", json!({"Name": "Parent"}));
    for block in 0..6 {
        let contact = |n: i32| json!({"attributes": {"type": "Contact"}, "LastName": format!("C{:04}", block * 200 + n), "AccountId": parent});
        let records: Vec<Json> = (0..200).map(contact).collect();
        assert_eq!(
            site.post("/composite/sobjects", json!({"records": records})).0,
            200
        );
    }
    site.create("Account", json!({"Name": "Second"}));
    let query =
        "/query?q=SELECT+Name,(SELECT+LastName+FROM+Contacts+ORDER+BY+LastName)+FROM+Account+ORDER+BY+Name";
    let (_, body) = site.get(query);
    assert_eq!(
        (&body["totalSize"], &body["done"]),
        (&json!(2), &json!(false)),
        "the first parent fills the page"
    );
    let mut list = body["records"][0]["Contacts"].clone();
    assert_eq!((&list["totalSize"], &list["done"]), (&json!(1200), &json!(false)));
    let mut seen: Vec<Json> = super::column(list["records"].as_array().expect("records"), "LastName");
    assert_eq!(seen.len(), 499);
    while let Some(next) = list["nextRecordsUrl"].as_str().map(str::to_owned) {
        let (status, page) = site.get(&next);
        assert_eq!(status, 200, "{page}");
        seen.extend(super::column(
            page["records"].as_array().expect("records"),
            "LastName",
        ));
        list = page;
    }
    let expected: Vec<Json> = (0..1200).map(|n| json!(format!("C{n:04}"))).collect();
    assert_eq!(seen, expected);
    let next = body["nextRecordsUrl"].as_str().expect("a second page").to_owned();
    assert!(next.ends_with("-1"), "{next}");
    let (_, page) = site.get(&next);
    assert_eq!(page["records"][0]["Contacts"], json!(null));
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(2), &json!(true)));
    // Two long texts make the page shorter still.
    let long =
        "/query?q=SELECT+Description,(SELECT+Description+FROM+Contacts)+FROM+Account+WHERE+Name='Parent'";
    let (_, body) = site.get(long);
    assert_eq!(
        body["records"][0]["Contacts"]["records"]
            .as_array()
            .expect("records")
            .len(),
        199
    );
    let header = [("sforce-query-options", "batchSize=250")];
    let body = site
        .ask(Method::GET, query, &header, &Json::Null)
        .body
        .expect("a body");
    assert_eq!(
        body["records"][0]["Contacts"]["records"]
            .as_array()
            .expect("records")
            .len(),
        249
    );
}
