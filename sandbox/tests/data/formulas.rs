use crate::site::{Site, code};
use serde_json::{Value as Json, json};

/// One formula field on Contact for each text, of this type.
fn contact_with(kind: &str, formulas: &[&str]) -> Site {
    let fields: Vec<Json> = formulas
        .iter()
        .enumerate()
        .map(|(n, text)| json!({"name": format!("F{n}__c"), "type": kind, "scale": 2, "formula": text}))
        .collect();
    Site::also(json!({"fields": {
        "Account": [{"name": "Tier__c", "type": "picklist", "values": ["Gold", "Silver"]}],
        "Contact": fields,
    }}))
}

fn values(site: &mut Site, id: &str, count: usize) -> Vec<Json> {
    let (_, row) = site.get(&format!("/sobjects/Contact/{id}"));
    (0..count).map(|n| row[format!("F{n}__c")].clone()).collect()
}

#[test]
fn texts_are_put_together_over_parents() {
    let formulas = [
        "FirstName & \" \" & LastName",
        "Account.Name & \" / \" & Account.Owner.LastName",
        "IF(ISBLANK(Email), \"none\", LOWER(Email))",
        "TEXT(Account.Tier__c)",
        "CASE(Account.Tier__c, \"Gold\", \"1\", \"Silver\", \"2\", \"-\")",
        "LEFT(LastName, 2) + MID(LastName, 3, 2) + RIGHT(LastName, 1)",
        "SUBSTITUTE(Title, \"a\", \"o\")",
        "IF(ISPICKVAL(Account.Tier__c, \"Gold\") && !CONTAINS(LastName, \"x\"), 'yes', 'no')",
        "\"#\" & TEXT(LEN(LastName) * 1.50)",
    ];
    let mut site = contact_with("string", &formulas);
    let account = site.create("Account", json!({"Name": "Acme", "Tier__c": "Gold"}));
    let id = site.create(
        "Contact",
        json!({"LastName": "Hoffmann", "FirstName": "Lina", "Title": "Banana", "AccountId": account}),
    );
    let expected = json!([
        "Lina Hoffmann",
        "Acme / User",
        "none",
        "Gold",
        "1",
        "Hoffn",
        "Bonono",
        "yes",
        "#12"
    ]);
    assert_eq!(json!(values(&mut site, &id, 9)), expected);
    // What a parent's write changes is seen at once, also by queries.
    site.patch(
        &format!("/sobjects/Account/{account}"),
        json!({"Name": "Zenith", "Tier__c": null}),
    );
    let row = site.one("SELECT F1__c, F3__c, F4__c FROM Contact WHERE F1__c = 'Zenith / User'");
    assert_eq!(
        (&row["F3__c"], &row["F4__c"]),
        (&Json::Null, &json!("-")),
        "an empty picklist"
    );
    let user = site.org.first_user().to_string();
    site.patch(&format!("/sobjects/User/{user}"), json!({"LastName": "Smith"}));
    assert_eq!(values(&mut site, &id, 2)[1], json!("Zenith / Smith"));
    site.delete(&format!("/sobjects/Contact/{id}"));
    assert_eq!(
        site.rows("SELECT Id FROM Contact WHERE F0__c = 'Lina Hoffmann'")
            .len(),
        0
    );
}

#[test]
fn numbers_are_computed_with_blanks_and_errors() {
    let formulas = [
        "(Account.NumberOfEmployees + 1) * 2 ^ 3 - 4 / 2",
        "-Account.NumberOfEmployees",
        "1 / Account.AnnualRevenue",
        "ROUND(10 / 3, 1) + ABS(-2) + FLOOR(1.9) + CEILING(1.1) + MOD(7, 4)",
        "MAX(1, Account.NumberOfEmployees, 3) - MIN(4, 2)",
        "VALUE(\"12.5\") + BLANKVALUE(Account.NumberOfEmployees, 7)",
        "IF(1 < 2 || 1 > 2, 1, 0) + IF(1 <> 1, 10, 20)",
    ];
    let mut site = contact_with("double", &formulas);
    let account = site.create("Account", json!({"Name": "A"}));
    let id = site.create("Contact", json!({"LastName": "N", "AccountId": account}));
    let expected = json!([6.0, 0.0, null, 11.3, 1.0, 19.5, 21.0]);
    assert_eq!(json!(values(&mut site, &id, 7)), expected);
    site.patch(
        &format!("/sobjects/Account/{account}"),
        json!({"NumberOfEmployees": 10, "AnnualRevenue": 4}),
    );
    let expected = json!([86.0, -10.0, 0.25, 11.3, 8.0, 22.5, 21.0]);
    assert_eq!(json!(values(&mut site, &id, 7)), expected);
}

#[test]
fn dates_are_moved_and_compared() {
    let mut site = contact_with(
        "date",
        &["Birthdate + 30", "DATE(YEAR(Birthdate), 12, DAY(Birthdate))"],
    );
    let id = site.create("Contact", json!({"LastName": "N", "Birthdate": "2000-01-15"}));
    assert_eq!(
        values(&mut site, &id, 2),
        [json!("2000-02-14"), json!("2000-12-15")]
    );
    let mut site = contact_with(
        "boolean",
        &[
            "Birthdate < DATE(2001, 1, 1)",
            "Birthdate - DATE(2000, 1, 1) = 14",
        ],
    );
    let id = site.create("Contact", json!({"LastName": "N", "Birthdate": "2000-01-15"}));
    assert_eq!(values(&mut site, &id, 2), [json!(true), json!(true)]);
}

#[test]
fn a_formula_field_is_read_only_and_says_so() {
    let mut site = contact_with("string", &["LastName"]);
    let (_, describe) = site.get("/sobjects/Contact/describe");
    let fields = describe["fields"].as_array().expect("fields");
    let field = fields.iter().find(|f| f["name"] == "F0__c").expect("there");
    assert_eq!(
        (
            &field["calculated"],
            &field["calculatedFormula"],
            &field["createable"],
            &field["length"]
        ),
        (&json!(true), &json!("LastName"), &json!(false), &json!(1300))
    );
    let refused = site.post("/sobjects/Contact", json!({"LastName": "N", "F0__c": "x"}));
    assert_eq!(code(&refused), (400, "INVALID_FIELD_FOR_INSERT_UPDATE".into()));
}

#[test]
fn children_are_summed_up() {
    let mut site = Site::also(json!({
        "objects": [
            {"name": "Box__c", "fields": [
                {"name": "Total__c", "type": "currency", "scale": 2, "summary": {"children": "Things__r", "function": "sum", "field": "Price__c"}},
                {"name": "Count__c", "type": "int", "summary": {"children": "Things__r", "function": "count"}},
                {"name": "Dear__c", "type": "int", "summary": {"children": "Things__r", "function": "count", "filter": "Price__c > 10"}},
                {"name": "Least__c", "type": "currency", "scale": 2, "summary": {"children": "Things__r", "function": "min", "field": "Price__c"}},
                {"name": "Each__c", "type": "double", "scale": 2, "formula": "Total__c / Count__c"}]},
            {"name": "Thing__c", "fields": [
                {"name": "Price__c", "type": "currency", "scale": 2},
                {"name": "Box__c", "type": "reference", "references": ["Box__c"], "children": "Things__r", "onDelete": "cascade", "required": true}]}]
    }));
    let (a, b) = (
        site.create("Box__c", json!({"Name": "A"})),
        site.create("Box__c", json!({"Name": "B"})),
    );
    let cheap = site.create("Thing__c", json!({"Box__c": a, "Price__c": 5}));
    let dear = site.create("Thing__c", json!({"Box__c": a, "Price__c": 25}));
    let sums = |site: &mut Site, id: &str| {
        let row = site.get(&format!("/sobjects/Box__c/{id}")).1;
        json!([
            row["Total__c"],
            row["Count__c"],
            row["Dear__c"],
            row["Least__c"],
            row["Each__c"]
        ])
    };
    assert_eq!(sums(&mut site, &a), json!([30.0, 2, 1, 5.0, 15.0]));
    site.patch(
        &format!("/sobjects/Thing__c/{dear}"),
        json!({"Box__c": b, "Price__c": 40}),
    );
    assert_eq!(sums(&mut site, &a), json!([5.0, 1, 0, 5.0, 5.0]));
    assert_eq!(sums(&mut site, &b), json!([40.0, 1, 1, 40.0, 40.0]));
    site.delete(&format!("/sobjects/Thing__c/{cheap}"));
    assert_eq!(sums(&mut site, &a), json!([0.0, 0, 0, null, null]));
    // What fails leaves no trace in the sums either.
    let parts = json!({"allOrNone": true, "records": [
        {"attributes": {"type": "Thing__c"}, "Box__c": a, "Price__c": 7},
        {"attributes": {"type": "Thing__c"}, "Box__c": a, "Price__c": "x"}]});
    site.post("/composite/sobjects", parts);
    assert_eq!(sums(&mut site, &a), json!([0.0, 0, 0, null, null]));
}

#[test]
fn new_formulas_reach_old_records_and_do_not_announce_themselves() {
    let mut site = Site::new();
    site.org.take_commits();
    site.add(json!({"fields": {"Opportunity": [
        {"name": "Label__c", "type": "string", "formula": "Opportunity_Number__c & \": \" & Account.Name"}]}}))
        .expect("it loads");
    let row = site.one("SELECT Label__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'");
    assert_eq!(row["Label__c"], json!("OPP-4482: Northwind Robotics"));
    let account = site.one("SELECT Id FROM Account WHERE Name = 'Northwind Robotics'");
    let id = account["Id"].as_str().expect("an id");
    site.patch(&format!("/sobjects/Account/{id}"), json!({"Name": "N"}));
    let commits = site.org.take_commits();
    let changes: Vec<usize> = commits.iter().map(|c| c.changes.len()).collect();
    assert_eq!(changes, [1], "only the account has changed");
}

#[test]
fn formulas_that_do_not_fit_are_refused_by_name() {
    let cases = [
        ("Nam", "Field Nam does not exist"),
        ("Account.Industry & 'x'", "is a picklist field"),
        ("FOO(1)", "unknown function FOO"),
        ("IF(TRUE, 1)", "does not take 2 arguments"),
        ("(1 + 2", "not closed"),
        ("1 +", "ends too early"),
        ("F1__c", "depends on itself"),
        ("TODAY()", "without a write"),
        ("LastName # 1", "unexpected '#'"),
    ];
    for (formula, expected) in cases {
        let mut site = Site::new();
        let why = site
            .add(json!({"fields": {"Contact": [
                {"name": "F0__c", "type": "string", "formula": formula},
                {"name": "F1__c", "type": "string", "formula": "F0__c"}]}}))
            .expect_err(formula);
        assert!(why.contains(expected), "{formula}: {why}");
        assert_eq!(site.soql("SELECT F0__c FROM Contact").0, 400, "{formula}");
    }
}

mod garbage {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever stands in a formula, it is read or refused, and evaluating it never ends the process.
        #[test]
        fn any_soup_of_words_is_read_or_refused(words in proptest::collection::vec(prop_oneof![
            Just("LastName"), Just("Account.Name"), Just("Account.AnnualRevenue"), Just("1"), Just("0"), Just("999999999999999999"),
            Just("\"a\""), Just("("), Just(")"), Just(","), Just("+"), Just("-"), Just("*"), Just("/"), Just("^"), Just("&"),
            Just("="), Just("<"), Just("&&"), Just("||"), Just("!"), Just("IF("), Just("TEXT("), Just("LEFT("), Just("ROUND("),
            Just("DATE("), Just("CASE("), Just("ISBLANK("), Just("MAX(")], 0..14)) {
            let mut site = Site::new();
            let formula = words.join(" ");
            let loaded = site.add(json!({"fields": {"Contact": [
                {"name": "T__c", "type": "string", "formula": formula}, {"name": "N__c", "type": "double", "formula": formula}]}}));
            if loaded.is_ok() {
                prop_assert_eq!(site.rows("SELECT T__c, N__c FROM Contact").len(), 3);
            }
        }
    }
}
