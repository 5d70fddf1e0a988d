use super::{column, workshop};
use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn opportunities() -> Site {
    let mut site = Site::with("empty");
    let rows = [
        ("Web", "Prospecting", 10, "2026-01-15"),
        ("Web", "Prospecting", 20, "2026-02-15"),
        ("Web", "Qualification", 5, "2026-02-20"),
        ("Other", "Prospecting", 7, "2027-02-15"),
    ];
    for (source, stage, amount, close) in rows {
        let body = json!({"Name": "x", "LeadSource": source, "StageName": stage, "Amount": amount, "CloseDate": close});
        site.create("Opportunity", body);
    }
    site
}

fn table(rows: &[Json], keys: &[&str]) -> Vec<String> {
    let row = |row: &Json| {
        let values: Vec<String> = keys
            .iter()
            .map(|k| row[*k].to_string().replace('"', ""))
            .collect();
        values.join(" ")
    };
    rows.iter().map(row).collect()
}

#[test]
fn rollup_sums_from_right_to_left() {
    let mut site = opportunities();
    let rows = site.rows(
        "SELECT LeadSource, StageName, GROUPING(LeadSource) s, GROUPING(StageName) g, COUNT(Id) n, SUM(Amount) \
         FROM Opportunity GROUP BY ROLLUP(LeadSource, StageName)",
    );
    let expected = [
        "Other Prospecting 0 0 1 7.0",
        "Other null 0 1 1 7.0",
        "Web Prospecting 0 0 2 30.0",
        "Web Qualification 0 0 1 5.0",
        "Web null 0 1 3 35.0",
        "null null 1 1 4 42.0",
    ];
    assert_eq!(
        table(&rows, &["LeadSource", "StageName", "s", "g", "n", "expr0"]),
        expected
    );
}

#[test]
fn cube_sums_every_combination() {
    let mut site = opportunities();
    let rows = site.rows(
        "SELECT LeadSource, StageName, COUNT(Id) n FROM Opportunity GROUP BY CUBE(LeadSource, StageName) \
         HAVING GROUPING(LeadSource) = 1 ORDER BY GROUPING(StageName), COUNT(Id)",
    );
    let expected = ["null Qualification 1", "null Prospecting 3", "null null 4"];
    assert_eq!(table(&rows, &["LeadSource", "StageName", "n"]), expected);
}

#[test]
fn dates_are_grouped_by_their_parts() {
    let mut site = opportunities();
    let rows = site.rows(
        "SELECT CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate) month, SUM(Amount) FROM Opportunity \
         GROUP BY CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate) HAVING SUM(Amount) > 5 \
         ORDER BY CALENDAR_YEAR(CloseDate) DESC, SUM(Amount)",
    );
    assert_eq!(
        table(&rows, &["expr0", "month", "expr1"]),
        ["2027 2 7.0", "2026 1 10.0", "2026 2 25.0"]
    );
    // A grouped day may be shown by its parts.
    let rows = site.rows("SELECT CALENDAR_YEAR(CloseDate) y FROM Opportunity GROUP BY CloseDate ORDER BY CloseDate DESC LIMIT 1");
    assert_eq!(table(&rows, &["y"]), ["2027"]);
    let rows = site.rows("SELECT FORMAT(MIN(CloseDate)) early, FORMAT(SUM(Amount)) total FROM Opportunity");
    assert_eq!(table(&rows, &["early", "total"]), ["1/15/2026 $42.00"]);
}

#[test]
fn nulls_types_and_case() {
    let mut site = workshop();
    let row = site.one(
        "SELECT COUNT(Id), COUNT(Weight__c), COUNT_DISTINCT(Account__c), AVG(Weight__c), MIN(Made__c), MAX(Name), SUM(Price__c) \
         FROM Part__c",
    );
    let values: Vec<&Json> = row.as_object().expect("an object").values().skip(1).collect();
    let expected = json!([4, 3, 1, 13.916_666_666_666_666, "2026-03-31", "Zahnrad", 1244.5]);
    assert_eq!(json!(values), expected);
    let row = site.one("SELECT SUM(Weight__c), COUNT(Id) FROM Part__c WHERE Name = 'none'");
    assert_eq!((&row["expr0"], &row["expr1"]), (&json!(null), &json!(0)));
    site.create("Account", json!({"Name": "ACME"}));
    let rows = site.rows("SELECT Name, COUNT(Id) FROM Account GROUP BY Name");
    assert_eq!(column(&rows, "expr0"), [json!(2)], "text is grouped without case");
    let rows = site.rows("SELECT Account__r.Name who, COUNT(Id) n FROM Part__c GROUP BY Account__r.Name HAVING Account__r.Name LIKE 'a%'");
    assert_eq!((&rows[0]["who"], &rows[0]["n"]), (&json!("Acme"), &json!(2)));
    assert!(
        site.rows("SELECT Name FROM Account WHERE Name = 'x' GROUP BY Name")
            .is_empty()
    );
}

#[test]
fn too_many_groups_cannot_page() {
    let mut site = Site::with("empty");
    for block in 0..11 {
        let account =
            |n: i32| json!({"attributes": {"type": "Account"}, "Name": format!("A{}", block * 200 + n)});
        let records: Vec<Json> = (0..200).map(account).collect();
        assert_eq!(
            site.post("/composite/sobjects", json!({"records": records})).0,
            200
        );
    }
    let query = "SELECT Name, COUNT(Id) FROM Account GROUP BY Name";
    let (status, body) = site.soql(query);
    assert_eq!(
        (status, &body[0]["errorCode"]),
        (400, &json!("EXCEEDED_ID_LIMIT"))
    );
    assert!(
        body[0]["message"]
            .as_str()
            .expect("text")
            .starts_with("Aggregate query does not support queryMore(), use LIMIT")
    );
    assert_eq!(site.rows(&format!("{query} LIMIT 2000")).len(), 2000);
    assert_eq!(
        code(&site.soql(&format!("{query} LIMIT 2001"))),
        (400, "EXCEEDED_ID_LIMIT".into())
    );
}

#[test]
fn columns_say_what_the_command_line_tool_needs() {
    let mut site = Site::new();
    let mut columns = |query: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (status, body) = site.get(&format!("/query?q={encoded}&columns=true"));
        assert_eq!(status, 200, "{body}");
        body
    };
    let body = columns("SELECT LeadSource, AVG(Amount), COUNT(Id) n FROM Opportunity GROUP BY LeadSource");
    assert_eq!(
        (&body["groupBy"], &body["entityName"], &body["keyPrefix"]),
        (&json!(true), &json!("Opportunity"), &json!("006"))
    );
    let average = json!({"aggregate": true, "apexType": null, "booleanType": false, "columnName": "expr0", "custom": false,
        "displayName": "avg(Amount)", "foreignKeyName": null, "insertable": false, "joinColumns": [], "numberType": true,
        "textType": false, "updatable": false});
    assert_eq!(body["columnMetadata"][1], average);
    let named = &body["columnMetadata"][2];
    assert_eq!(
        (&named["columnName"], &named["displayName"]),
        (&json!("n"), &json!("count(Id)"))
    );
    let body =
        columns("SELECT Id, Account.Name, (SELECT Quantity FROM OpportunityLineItems) FROM Opportunity");
    assert_eq!(
        (&body["groupBy"], &body["idSelected"]),
        (&json!(false), &json!(true))
    );
    let columns = body["columnMetadata"].as_array().expect("columns");
    assert_eq!(
        (&columns[0]["apexType"], &columns[0]["textType"]),
        (&json!("Id"), &json!(false))
    );
    assert_eq!(
        (&columns[1]["foreignKeyName"], &columns[1]["apexType"]),
        (&json!("AccountId"), &json!(null))
    );
    assert_eq!(columns[1]["joinColumns"][0]["columnName"], json!("Name"));
    assert_eq!(
        (&columns[2]["aggregate"], &columns[2]["columnName"]),
        (&json!(true), &json!("OpportunityLineItems"))
    );
    assert_eq!(columns[2]["joinColumns"][0]["apexType"], json!("Double"));
}
