//! Both people change one field: `cpq conflicts` and `cpq why`, over the sandbox.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::House;

const FIELD: &str = "quote.valid_until";

/// A synced quote whose validity either side may change, and which both have changed.
pub fn contested() -> House {
    let house = House::connected();
    let shown = house.cpq(&["ownership", "show", "--toml"]).ok().out;
    let owned = format!("field = \"{FIELD}\"\nowner = \"cpq\"\npolicy = \"computed\"");
    assert!(shown.contains(&owned), "{shown}");
    let shared = shown.replace(
        &owned,
        &format!("field = \"{FIELD}\"\nowner = \"cpq\"\npolicy = \"review\""),
    );
    let path = house.path().join("shared.toml");
    std::fs::write(&path, shared).expect("a file");
    house
        .cpq(&["ownership", "apply", path.to_str().expect("UTF-8")])
        .ok();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    house
        .cpq(&["quote", "set", "Q-2026-0137", "quote.valid_until=2027-01-31"])
        .ok();
    assert_eq!(
        crm(&house)["CPQ_Valid_Until__c"],
        "2027-01-31",
        "the CPQ alone changed it"
    );
    let id = crm(&house)["Id"].as_str().expect("an id").to_owned();
    let body = json!({ "CPQ_Valid_Until__c": "2027-02-28", "Name": "Renamed" });
    house.crm(Method::PATCH, &format!("sobjects/Opportunity/{id}"), &body);
    house
        .cpq(&["quote", "set", "Q-2026-0137", "quote.valid_until=2027-03-31"])
        .ok();
    house
}

fn crm(house: &House) -> Json {
    let query = "SELECT Id, CPQ_Valid_Until__c, CPQ_Net_Total__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'";
    house.soql(query)[0].clone()
}

fn cpq(house: &House) -> Json {
    house.cpq(&["--json", "quote", "show", "Q-2026-0137"]).ok().json()
}

#[test]
fn a_person_decides_and_both_sides_and_the_history_say_so() {
    let house = contested();
    assert_eq!(crm(&house)["CPQ_Valid_Until__c"], "2027-02-28");
    let quote = cpq(&house);
    assert_eq!(quote["validUntil"], "2027-03-31", "{quote}");
    assert_eq!(
        quote["context"]["opportunity.name"]["text"], "Renamed",
        "nothing else waits: {quote}"
    );

    the_conflict_is_shown(&house);
    let said = decide_by_phone(&house);
    the_history_names_the_person(&house, &said);
}

fn the_conflict_is_shown(house: &House) {
    let list = house.cpq(&["--json", "conflicts", "list"]).ok().json();
    let one = &list["conflicts"][0];
    assert_eq!(
        (&one["id"], &one["field"]),
        (&json!("cf-001"), &json!(FIELD)),
        "{list}"
    );
    assert_eq!(list["conflicts"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(one["base"]["crm"]["date"], "2027-01-31");
    assert!(
        one["crm"]["by"].as_str().is_some_and(|by| by.starts_with("005")),
        "{one}"
    );
    assert!(
        one["crm"]["name"].is_string(),
        "the sandbox tells the user's name: {one}"
    );
    let shown = house.cpq(&["conflicts", "show", "cf-1"]).ok().out;
    for part in ["cf-001", "2027-01-31", "2027-02-28", "2027-03-31", "review"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

fn decide_by_phone(house: &House) -> String {
    let wrong = house.cpq(&["conflicts", "resolve", "cf-001", "--value", "31.03.2027"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(
        wrong.err.contains("expected a date such as 2026-12-31"),
        "{wrong:?}"
    );

    let args = [
        "conflicts",
        "resolve",
        "cf-001",
        "--value",
        "2027-06-30",
        "--reason",
        "by phone",
        "--by",
        "erin",
    ];
    let said = house.cpq(&args).ok().out;
    assert!(
        said.starts_with("conflict=cf-001 state=resolved outcome=2027-06-30 correlation=csync-"),
        "{said}"
    );
    assert_eq!(crm(house)["CPQ_Valid_Until__c"], "2027-06-30");
    assert_eq!(cpq(house)["validUntil"], "2027-06-30");
    let again = house.cpq(&args);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("CONFLICT_OUTDATED"), "{again:?}");
    let open = house.cpq(&["--json", "conflicts", "list"]).ok().json();
    assert_eq!(open["conflicts"], json!([]));
    said
}

fn the_history_names_the_person(house: &House, said: &str) {
    let why = house
        .cpq(&["--json", "why", "OPP-4482/quote.valid_until"])
        .ok()
        .json();
    let passages = why["passages"].as_array().expect("passages").clone();
    let told: Vec<_> = passages
        .iter()
        .map(|one| (one["value"]["date"].as_str(), one["origin"].as_str()))
        .collect();
    let last = told.len() - 3;
    assert_eq!(
        told[last..],
        [
            (Some("2027-01-31"), Some("cpq")),
            (None, Some("both")),
            (Some("2027-06-30"), Some("person"))
        ],
        "{why}"
    );
    let end = passages.last().expect("one");
    assert_eq!(end["conflict"], "cf-001");
    assert!(
        end["reason"]
            .as_str()
            .is_some_and(|why| why.contains("erin") && why.contains("by phone")),
        "{end}"
    );
    assert!(
        said.contains(end["correlationId"].as_str().expect("an id")),
        "{said}"
    );
    let plain = house
        .cpq(&["why", "quote/Q-2026-0137/quote.valid_until"])
        .ok()
        .out;
    for part in ["2027-06-30", "a person", "erin", "CPQ review"] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_with_the_way_out() {
    let house = House::connected();
    for (args, code, says) in [
        (vec!["conflicts", "show", "7"], 1, "use `cf-` and a number"),
        (vec!["conflicts", "show", "cf-7"], 1, "there is no conflict cf-7"),
        (
            vec!["conflicts", "list", "--state", "lost"],
            1,
            "use open, settled, resolved, obsolete or all",
        ),
        (vec!["conflicts", "resolve", "cf-7"], 1, "--take"),
        (
            vec!["conflicts", "resolve", "cf-7", "--take", "crm", "--value", "x"],
            1,
            "cannot be used with",
        ),
        (
            vec!["why", "OPP-4482"],
            1,
            "write opportunity/OPP-4482/quote.status",
        ),
        (vec!["why", "OPP-4482/quote.status"], 1, "was never synced"),
        (
            vec!["why", "quote/Q-2026-0137/quote.status"],
            1,
            "was never synced",
        ),
    ] {
        let said = house.cpq(&args);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(says), "{args:?}: {said:?}");
    }
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let said = house.cpq(&["why", "OPP-4482/quote.stauts"]);
    assert!(
        said.code == 1 && said.err.contains("no rule names the field quote.stauts"),
        "{said:?}"
    );
    let said = house.cpq(&["why", "OPP-4482/opportunity.lead_source"]).ok();
    assert!(
        said.err.contains("nothing") || said.err.contains("no sync has had anything to say"),
        "{said:?}"
    );
}
