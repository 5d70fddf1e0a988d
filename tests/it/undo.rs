//! Taking back what syncs wrote, through the binary: one sync, all of a time, under better rules, and what is left alone.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::House;

const QUOTE: &str = "Q-2026-0137";
const FIELD: &str = "quote.valid_until";
const COLUMN: &str = "CPQ_Valid_Until__c";

/// A sync that carried to the quote what should never have been changed.
pub struct Moved {
    pub house: House,
    /// Its correlation id.
    pub sync: String,
    /// The date that both sides held before. It is so many days from today.
    before: String,
}

/// A house whose rules, wrongly, give the validity of quotes to the CRM; somebody changed it there for OPP-4482, and a sync
/// carried it to the quote.
pub fn moved(date: &str) -> Moved {
    let house = House::synced();
    owned_by(&house, "computed", "crm");
    let (before, quoted) = held(&house);
    assert_eq!(before, quoted, "they agree at first");
    assert_ne!(before, date);
    let sync = move_to(&house, date);
    Moved { house, sync, before }
}

/// Puts rules in force that give the field to a side.
fn owned_by(house: &House, policy: &str, owner: &str) {
    let shown = house.cpq(&["ownership", "show", "--toml"]).ok().out;
    let rule = |owner: &str, policy: &str| {
        format!("field = \"{FIELD}\"\nowner = \"{owner}\"\npolicy = \"{policy}\"")
    };
    let now = rule(if owner == "crm" { "cpq" } else { "crm" }, policy);
    assert!(shown.contains(&now), "{shown}");
    let path = house.path().join("rules.toml");
    std::fs::write(&path, shown.replace(&now, &rule(owner, "always"))).expect("a file");
    let path = path.to_str().expect("UTF-8");
    house.cpq(&["ownership", "apply", path]).ok();
}

/// Changes the validity in the CRM and syncs. Returns the correlation id.
fn move_to(house: &House, date: &str) -> String {
    house.crm(
        Method::PATCH,
        &format!("sobjects/Opportunity/{}", opportunity(house)),
        &json!({ COLUMN: date }),
    );
    let done = sync(house);
    assert_eq!(held(house), both(date), "{done}");
    done["correlationId"].as_str().expect("an id").to_owned()
}

fn sync(house: &House) -> Json {
    let args = ["--json", "sync", "run", "--opportunity", "OPP-4482"];
    house.cpq(&args).ok().json()
}

fn opportunity(house: &House) -> String {
    let found = house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'");
    found[0]["Id"].as_str().expect("an id").to_owned()
}

/// What the CRM and the CPQ hold.
fn held(house: &House) -> (String, String) {
    let query = format!("SELECT {COLUMN} FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'");
    let crm = house.soql(&query)[0][COLUMN]
        .as_str()
        .unwrap_or("none")
        .to_owned();
    let quote = house.cpq(&["--json", "quote", "show", QUOTE]).ok().json();
    (crm, quote["validUntil"].as_str().unwrap_or("none").to_owned())
}

/// The CRM and the CPQ hold the same.
fn both(date: &str) -> (String, String) {
    (date.to_owned(), date.to_owned())
}

fn undo(house: &House, args: &[&str]) -> Json {
    house
        .cpq(&[&["--json", "sync", "undo"], args].concat())
        .ok()
        .json()
}

/// What becomes of the date, by a plan or by an outcome.
fn fate(told: &Json) -> (&str, &str) {
    let undone = told["undone"].as_array().or(told["outcome"]["undone"].as_array());
    let one = undone.and_then(|all| all.iter().find(|one| one["field"] == FIELD));
    let one = one.unwrap_or_else(|| panic!("{told:#}"));
    (
        one["fate"].as_str().expect("a fate"),
        one["reason"].as_str().expect("a reason"),
    )
}

#[test]
fn a_sync_is_taken_back_where_it_still_stands_and_stays_so() {
    let Moved {
        house,
        sync: bad,
        before,
    } = moved("2027-06-30");
    let plan = undo(&house, &["--correlation", &bad]);
    let (becomes, why) = fate(&plan);
    assert_eq!(becomes, "written_again", "{plan:#}");
    assert!(why.contains("the next sync would write it again"), "{why}");
    // Under the same rules nothing is done, and that is said.
    let done = undo(&house, &["--correlation", &bad, "--apply"]);
    assert_eq!(fate(&done).0, "written_again");
    assert_eq!(held(&house), both("2027-06-30"));

    let plan = undo(&house, &["--correlation", &bad, "--both-sides"]);
    assert_eq!(fate(&plan).0, "put_back", "{plan:#}");
    assert_eq!(held(&house).1, "2027-06-30", "a plan writes nothing");
    let args = [
        "--correlation",
        &bad,
        "--both-sides",
        "--apply",
        "--reason",
        "the import was wrong",
    ];
    let done = undo(&house, &args);
    assert_eq!(fate(&done).0, "put_back", "{done:#}");
    assert_eq!(held(&house), both(&before));
    assert_eq!(sync(&house)["outcome"]["effect"], "no_change", "it stays so");
    let again = undo(&house, &args);
    assert_eq!(fate(&again).0, "as_before", "{again:#}");
    assert_eq!(again["outcome"]["effect"], "no_change");

    // Both timelines name each other, with who and why.
    let by = done["correlationId"].as_str().expect("an id");
    let events = |id: &str| {
        let path = house
            .cpq(&["--json", "sync", "status", "--correlation", id])
            .ok()
            .json();
        path["events"].to_string()
    };
    let told = events(&bad);
    assert!(
        told.contains(by) && told.contains("the import was wrong"),
        "{told}"
    );
    assert!(
        events(by).contains(&format!("\"syncs\":[\"{bad}\"]")),
        "{}",
        events(by)
    );
    house.cpq(&["store", "check"]).ok();
}

#[test]
fn what_somebody_changed_since_is_left_alone() {
    let Moved {
        house,
        sync: bad,
        before,
    } = moved("2027-06-30");
    move_to(&house, "2027-03-31");
    let done = undo(&house, &["--correlation", &bad, "--both-sides", "--apply"]);
    assert_eq!(fate(&done).0, "changed_since", "{done:#}");
    assert_eq!(held(&house), both("2027-03-31"));
    // Both syncs together lead back to the date before the first.
    let args = ["--since", "1h", "--field", FIELD, "--both-sides"];
    let plan = undo(&house, &args);
    assert_eq!(
        (
            &plan["values"],
            plan["items"][0]["syncs"].as_array().map(Vec::len)
        ),
        (&json!(1), Some(2))
    );
    let sum = undo(&house, &[&args[..], &["--apply"]].concat());
    assert_eq!(sum["values"], json!({ "put back": 1 }), "{sum:#}");
    assert_eq!(held(&house), both(&before));
}

#[test]
fn under_better_rules_the_right_side_gets_its_value_back() {
    let Moved {
        house,
        sync: bad,
        before,
    } = moved("2027-06-30");
    owned_by(&house, "always", "cpq");
    let done = undo(&house, &["--correlation", &bad, "--apply"]);
    assert_eq!(fate(&done).0, "put_back", "{done:#}");
    assert_eq!(held(&house), both(&before));
}

#[test]
fn what_cannot_be_undone_is_refused_with_advice() {
    let house = House::synced();
    let none = house.cpq(&["--json", "sync", "undo", "--correlation", "csync-999"]);
    assert_eq!(
        (none.code, &none.json()["code"]),
        (1, &json!("CORRELATION_NOT_FOUND")),
        "{none:?}"
    );
    let first = house
        .cpq(&["--json", "sync", "undo", "--correlation", "csync-001"])
        .json();
    assert!(
        first["message"]
            .as_str()
            .is_some_and(|told| told.contains("made the quote")),
        "{first}"
    );
    let idle = sync(&house);
    let id = idle["correlationId"].as_str().expect("an id");
    let nothing = house
        .cpq(&["--json", "sync", "undo", "--correlation", id, "--apply"])
        .json();
    assert_eq!(nothing["code"], "REQUEST_INVALID");
    assert!(nothing.to_string().contains("cpq sync status"), "{nothing}");
    for wrong in [
        &["--since", "tomorrow"][..],
        &["--since", "1h", "--field", "'; DROP TABLE runs"],
        &["--since", "1h", "--until", "2h"],
        &["--correlation", "x y"],
        &[],
    ] {
        let refused = house.cpq(&[&["sync", "undo", "--apply"], wrong].concat());
        assert_ne!(refused.code, 0, "{wrong:?}: {refused:?}");
    }
    assert_eq!(
        undo(&house, &["--since", "2020-01-01", "--until", "2020-01-02"])["items"],
        json!([])
    );
}
