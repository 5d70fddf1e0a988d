use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

fn names(rows: &[Json]) -> Vec<&str> {
    rows.iter().map(|r| r["Name"].as_str().expect("a name")).collect()
}

#[test]
fn parents_children_and_their_order() {
    let mut site = Site::new();
    let row = site.one(
        "select id, account.owner.username, Account.Name, (SELECT Quantity, Product2.Name FROM OpportunityLineItems \
         WHERE Quantity > 2 ORDER BY Quantity DESC LIMIT 5), (SELECT Id FROM Quotes) from Opportunity o \
         where o.Opportunity_Number__c = 'opp-4482'",
    );
    let keys: Vec<&String> = row.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        ["attributes", "Id", "Account", "OpportunityLineItems", "Quotes"]
    );
    assert_eq!(row["Account"]["Name"], json!("Northwind Robotics"));
    assert_eq!(
        row["Account"]["Owner"]["Username"],
        json!("integration@aurora-automation.example")
    );
    assert_eq!(row["OpportunityLineItems"]["totalSize"], json!(2));
    assert_eq!(row["OpportunityLineItems"]["records"][0]["Quantity"], json!(6.0));
    assert_eq!(row["Quotes"], Json::Null);
    let orphan = site.one("SELECT Account.Name FROM Opportunity WHERE Account.Name = null");
    assert_eq!(orphan["Account"], Json::Null);
}

#[test]
fn conditions() {
    let mut site = Site::new();
    let mut count = |condition: &str| {
        let (status, body) = site.soql(&format!("SELECT COUNT() FROM Opportunity WHERE {condition}"));
        assert_eq!(status, 200, "{condition}: {body}");
        body["totalSize"].as_u64().expect("a number")
    };
    let cases = [
        ("Name LIKE 'northwind%'", 1),
        ("NOT Name LIKE '%pilot%'", 2),
        (
            "(Amount > 1000 AND StageName != 'Closed Won') OR Opportunity_Number__c = 'OPP-4484'",
            3,
        ),
        ("CloseDate < 2027-01-01", 1),
        ("CloseDate = NEXT_YEAR", 2),
        ("CloseDate >= TODAY AND CloseDate <= NEXT_N_DAYS:30", 1),
        ("CreatedDate = TODAY", 3),
        ("CreatedDate < YESTERDAY", 0),
        ("SystemModstamp >= 2026-11-22T11:00:30+01:00", 3),
        ("SystemModstamp > 2026-11-22T10:00:30Z", 0),
        ("Amount = null", 1),
        ("Amount != null", 2),
        ("Amount IN (62000, 5)", 1),
        ("Opportunity_Number__c NOT IN ('OPP-4482', 'opp-4483')", 1),
        (
            "StageName IN ('Qualification', 'Needs Analysis') AND IsClosed = false",
            2,
        ),
        (
            "AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'Lakeside%')",
            1,
        ),
        ("Id NOT IN (SELECT OpportunityId FROM OpportunityLineItem)", 2),
        ("Account.BillingCountry = 'germany'", 1),
        (
            "Owner.Name LIKE 'Integration%' AND HasOpportunityLineItem = true",
            1,
        ),
        ("Name = 'O\\'Neil'", 0),
        ("AccountId = ''", 1),
    ];
    for (condition, expected) in cases {
        assert_eq!(count(condition), expected, "{condition}");
    }
}

#[test]
fn order_limit_and_offset() {
    let mut site = Site::new();
    let rows = site.rows("SELECT Name FROM Opportunity ORDER BY Amount DESC NULLS LAST, Id");
    assert!(names(&rows)[0].starts_with("Northwind") && names(&rows)[2].starts_with("Unnamed"));
    let rows = site.rows("SELECT Name FROM Opportunity ORDER BY Amount");
    assert!(names(&rows)[0].starts_with("Unnamed"), "nulls come first");
    let rows = site.rows("SELECT Name FROM Opportunity ORDER BY Account.Name NULLS LAST LIMIT 1 OFFSET 1");
    assert!(names(&rows)[0].starts_with("Northwind"));
}

#[test]
fn aggregates() {
    let mut site = Site::new();
    let row = site.one("SELECT COUNT(Id), SUM(Quantity) total, MAX(UnitPrice), COUNT_DISTINCT(OpportunityId) FROM OpportunityLineItem");
    assert_eq!(row["attributes"], json!({"type": "AggregateResult"}));
    assert_eq!(
        (&row["expr0"], &row["total"], &row["expr1"], &row["expr2"]),
        (&json!(3), &json!(11.0), &json!(46250.0), &json!(1))
    );
    let rows = site.rows(
        "SELECT Product2.Family f, COUNT(Id) n FROM PricebookEntry GROUP BY Product2.Family HAVING COUNT(Id) > 2 ORDER BY COUNT(Id) DESC",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["f"], &rows[0]["n"]), (&json!("Hardware"), &json!(4)));
    assert_eq!(
        site.soql("SELECT COUNT() FROM Contact").1,
        json!({"totalSize": 3, "done": true, "records": []})
    );
}

#[test]
fn fields_function_and_scratch_org_probe() {
    let mut site = Site::new();
    let row = &site.rows("SELECT FIELDS(CUSTOM) FROM Opportunity ORDER BY Opportunity_Number__c LIMIT 1")[0];
    assert_eq!(row["Opportunity_Number__c"], json!("OPP-4482"));
    assert_eq!(
        code(&site.soql("SELECT FIELDS(ALL) FROM Opportunity")),
        (400, "MALFORMED_QUERY".into())
    );
    assert_eq!(
        code(&site.soql("SELECT Id FROM ScratchOrgInfo limit 1")),
        (400, "INVALID_TYPE".into())
    );
    let organization = site.one(
        "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization",
    );
    assert_eq!(organization["TrialExpirationDate"], Json::Null);
}

#[test]
fn errors_point_at_their_place() {
    let mut site = Site::new();
    let (status, body) = site.soql("SELECT Bacon__c FROM Account LIMIT 2");
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("INVALID_FIELD")));
    let message = body[0]["message"].as_str().expect("text");
    assert!(message.starts_with(
        "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'."
    ), "{message}");
    let cases = [
        ("SELEKT Id FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Account WHERE Name = 'x' AND Site = 'y' OR Sic = 'z'",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY"),
        ("SELECT Id FROM XYZZY", "INVALID_TYPE"),
        ("SELECT Id, Id FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD"),
        (
            "SELECT Id FROM Account WHERE Id = 'xyz'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        (
            "SELECT Id FROM Account WHERE NumberOfEmployees = '5'",
            "INVALID_FIELD",
        ),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id, (SELECT Id FROM Pizzas) FROM Account", "INVALID_TYPE"),
        ("SELECT Id FROM Account FOR UPDATE", "MALFORMED_QUERY"),
    ];
    for (query, expected) in cases {
        assert_eq!(code(&site.soql(query)), (400, expected.to_owned()), "{query}");
    }
}

#[test]
fn pages_follow_their_locator() {
    let mut site = Site::new();
    for block in 0..3 {
        let records: Vec<Json> = (0..150)
            .map(|n| json!({"attributes": {"type": "Account"}, "Name": format!("Bulk {:03}", block * 150 + n)}))
            .collect();
        assert_eq!(
            site.post("/composite/sobjects", json!({"records": records})).0,
            200
        );
    }
    let query = "/query?q=SELECT+Name+FROM+Account+WHERE+Name+LIKE+'Bulk%25'+ORDER+BY+Name";
    let first = site.ask(
        Method::GET,
        query,
        &[("sforce-query-options", "batchSize=200")],
        &Json::Null,
    );
    let mut page = first.body.expect("a body");
    let mut seen = names(page["records"].as_array().expect("records")).len();
    assert_eq!(
        (&page["totalSize"], &page["done"], seen),
        (&json!(450), &json!(false), 200)
    );
    while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
        assert!(next.starts_with("/services/data/v68.0/query/01g"), "{next}");
        page = site.get(&next).1;
        seen += page["records"].as_array().expect("records").len();
    }
    assert_eq!((seen, &page["done"]), (450, &json!(true)));
    assert_eq!(
        code(&site.get("/query/01gSb0000000001-200x")),
        (400, "INVALID_QUERY_LOCATOR".into())
    );
    let again = site.ask(
        Method::GET,
        query,
        &[("sforce-query-options", "batchSize=200")],
        &Json::Null,
    );
    let next = again.body.expect("a body")["nextRecordsUrl"]
        .as_str()
        .expect("more")
        .to_owned();
    site.wait(16 * 60);
    assert_eq!(code(&site.get(&next)), (400, "INVALID_QUERY_LOCATOR".into()));
}

#[test]
fn query_all_shows_the_recycle_bin() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4484");
    assert_eq!(site.delete(&format!("/sobjects/Opportunity/{id}")).0, 204);
    assert!(
        site.rows("SELECT Id FROM Opportunity WHERE IsDeleted = true")
            .is_empty()
    );
    let (_, all) = site.get("/queryAll?q=SELECT+Id,IsDeleted+FROM+Opportunity+WHERE+IsDeleted=true");
    assert_eq!(all["records"][0]["Id"], json!(id));
}

#[test]
fn polymorphic_parents() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    site.create("Task", json!({"Subject": "Call", "WhatId": id}));
    let row = site.one("SELECT What.Name, What.Type FROM Task");
    assert_eq!(row["What"]["Type"], json!("Opportunity"));
    let row = site.one("SELECT TYPEOF What WHEN Opportunity THEN StageName, Amount ELSE Name END FROM Task");
    assert_eq!(row["What"]["attributes"]["type"], json!("Opportunity"));
    assert_eq!(row["What"]["StageName"], json!("Proposal/Price Quote"));
    assert_eq!(
        site.rows("SELECT Id FROM Task WHERE What.Type = 'Opportunity'")
            .len(),
        1
    );
    assert!(
        site.rows("SELECT Id FROM Task WHERE What.Type = 'Account'")
            .is_empty()
    );
}

mod garbage {
    use super::*;
    use proptest::prelude::*;
    use std::sync::{LazyLock, Mutex};

    /// Words that make random text look like a query, so that it gets past the first token.
    fn soup() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just("SELECT"),
            Just("FROM"),
            Just("WHERE"),
            Just("Account"),
            Just("Id"),
            Just("Name"),
            Just("("),
            Just(")"),
            Just(","),
            Just("="),
            Just("IN"),
            Just("NOT"),
            Just("AND"),
            Just("OR"),
            Just("'a%_\\'"),
            Just("LIKE"),
            Just("ORDER BY"),
            Just("LIMIT"),
            Just("5"),
            Just("GROUP BY"),
            Just("COUNT()"),
            Just("HAVING"),
            Just("null"),
            Just("TODAY"),
            Just("LAST_N_DAYS:9999999999"),
            Just("Owner.Name"),
            Just("TYPEOF"),
            Just("FIELDS(ALL)"),
            Just("-"),
            Just("é"),
            Just("'"),
            Just("2026-02-30"),
        ];
        proptest::collection::vec(word, 0..25).prop_map(|words| words.join(" "))
    }

    /// One org for all cases: making one reads every object table.
    static SITE: LazyLock<Mutex<Site>> = LazyLock::new(|| Mutex::new(Site::with("empty")));

    fn site() -> std::sync::MutexGuard<'static, Site> {
        SITE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_text_gets_an_answer(text in ".{0,120}") {
            let (status, _) = site().soql(&text);
            prop_assert!(status == 200 || status == 400);
        }

        #[test]
        fn any_soup_of_words_gets_an_answer(text in soup()) {
            for query in [text.clone(), format!("SELECT Id FROM Account WHERE {text}")] {
                let (status, _) = site().soql(&query);
                prop_assert!(status == 200 || status == 400, "{}", query);
            }
        }

        #[test]
        fn quoted_text_comes_back_unharmed(name in "[^\\s\\p{C}][^\\p{C}]{0,40}[^\\s\\p{C}]") {
            let id = site().create("Account", json!({"Name": name}));
            let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
            let rows = site().rows(&format!("SELECT Name FROM Account WHERE Name = '{quoted}' AND Id = '{id}'"));
            prop_assert_eq!(names(&rows), [name.as_str()]);
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_fatal() {
        let schema = site().org.schema();
        let deep = [
            format!(
                "SELECT Id FROM Account WHERE {}Name = 'x'{}",
                "(".repeat(40_000),
                ")".repeat(40_000)
            ),
            format!(
                "SELECT Id FROM Account WHERE {} Name = 'x'",
                "NOT ".repeat(20_000)
            ),
            "(SELECT Id FROM ".repeat(5_000),
            format!("SELECT {}", "(SELECT ".repeat(10_000)),
        ];
        for query in deep {
            let refusal =
                sandbox::soql::prepare(&schema, &query, crate::site::start(), false).expect_err("too deep");
            assert_eq!(refusal.error_code, "MALFORMED_QUERY");
        }
    }
}
