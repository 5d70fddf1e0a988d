//! `cpq dlq` on single letters and whole causes: show, discard, edit, and the words of what is refused.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service};
use crate::outage::{count, number, outage};

fn shown(house: &House, id: &str) -> Json {
    house.cpq(&["--json", "dlq", "show", id]).ok().json()
}

fn quote_of(house: &House, opportunity: &str) -> Json {
    let query = format!(
        "SELECT Id, CPQ_Quote_Number__c, CPQ_Valid_Until__c FROM Opportunity WHERE Opportunity_Number__c = '{opportunity}'"
    );
    house.soql(&query)[0].clone()
}

#[test]
fn a_letter_is_shown_whole_and_given_up_once() {
    let house = outage();
    let said = house.cpq(&["dlq", "show", "csync-001"]).ok().out;
    for part in [
        "letter=csync-001 opportunity=OPP-5001 state=open code=CRM_LOCKED",
        "cause: ",
        "retry: nothing written",
        "do: replay it when the cause has passed: `cpq dlq plan`",
        "write.crm",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = house
        .cpq(&["sync", "status", "--correlation", "csync-001"])
        .ok()
        .out;
    assert!(
        said.contains("do: replay it when the cause has passed"),
        "nobody is told that it goes on by itself: {said}"
    );
    let report = shown(&house, "csync-001");
    assert_eq!(report["letter"]["state"], "open", "{report:#}");
    assert!(
        report["stages"]
            .as_array()
            .is_some_and(|stages| !stages.is_empty())
    );

    let given_up = [
        "dlq",
        "discard",
        "csync-001",
        "--reason",
        "test data",
        "--by",
        "erin",
    ];
    let said = house.cpq(&given_up).ok();
    assert_eq!(said.out.trim(), "discarded=csync-001");
    let report = shown(&house, "csync-001");
    let letter = &report["letter"];
    assert_eq!(letter["state"], "discarded", "{report:#}");
    assert_eq!(letter["closed"]["reason"], "test data");
    let by = letter["closed"]["by"].as_str().expect("a person");
    assert!(
        by.starts_with("erin ("),
        "the person, and who spoke for them: {by}"
    );
    let status = house.cpq(&["--json", "sync", "status", "--correlation", "csync-001"]);
    assert!(
        status.out.contains("cancelled") && status.out.contains("test data"),
        "{status:?}"
    );

    let again = house.cpq(&given_up);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("was discarded by erin"), "{again:?}");
    assert_eq!(
        (
            count(&house, "open"),
            count(&house, "discarded"),
            count(&house, "all")
        ),
        (99, 1, 100)
    );
    let planned = house.cpq(&["--json", "dlq", "plan"]).ok().json();
    assert_eq!(number(&planned["prediction"]["letters"]), 99, "{planned:#}");
}

#[test]
fn a_whole_cause_is_given_up_and_no_other() {
    let house = outage();
    let groups = house.cpq(&["--json", "dlq", "group"]).ok().json();
    let drift = groups["groups"]
        .as_array()
        .and_then(|groups| {
            groups
                .iter()
                .find(|group| group["signature"]["code"] == "SCHEMA_DRIFT")
        })
        .unwrap_or_else(|| panic!("{groups:#}"));
    let signature = drift["signature"]["id"].as_str().expect("a signature");
    let by_cause = [
        "dlq",
        "discard",
        "--signature",
        signature,
        "--reason",
        "the field is back",
    ];
    assert_eq!(house.cpq(&by_cause).ok().out.trim(), "discarded=2");
    assert_eq!(
        house.cpq(&by_cause).ok().out.trim(),
        "discarded=0",
        "none is left"
    );
    let by_code = ["dlq", "discard", "--code", "CRM_LIMIT", "--reason", "of no use"];
    assert_eq!(house.cpq(&by_code).ok().out.trim(), "discarded=11");
    assert_eq!(count(&house, "open"), 87);

    let narrowed = house
        .cpq(&["--json", "dlq", "plan", "--code", "CRM_LOCKED"])
        .ok()
        .json();
    assert_eq!(number(&narrowed["prediction"]["letters"]), 12, "{narrowed:#}");
    let first = house.cpq(&["--json", "dlq", "plan", "--limit", "5"]).ok().json();
    assert_eq!(number(&first["prediction"]["letters"]), 5, "{first:#}");
    let since = house
        .cpq(&["--json", "dlq", "plan", "--since", "2026-11-20T14:40:00Z"])
        .ok()
        .json();
    let late = number(&since["prediction"]["letters"]);
    assert!((1..20).contains(&late), "the last five minutes: {since:#}");
}

#[test]
fn an_event_that_named_the_wrong_opportunity_is_corrected() {
    let house = outage();
    let same = house.cpq(&[
        "dlq",
        "edit",
        "csync-002",
        "--opportunity",
        "OPP-5002",
        "--reason",
        "typo",
    ]);
    assert_eq!(same.code, 1, "{same:?}");
    assert!(same.err.contains("is about OPP-5002 already"), "{same:?}");
    assert_eq!(shown(&house, "csync-002")["letter"]["state"], "open");

    let right = [
        "dlq",
        "edit",
        "csync-002",
        "--opportunity",
        "OPP-5020",
        "--reason",
        "typo",
        "--by",
        "erin",
    ];
    let said = house.cpq(&right).ok().out;
    assert!(said.starts_with("status=success quote=Q-"), "{said}");
    let fresh = said.trim().rsplit('=').next().expect("an id").to_owned();
    let letter = shown(&house, "csync-002")["letter"].clone();
    assert_eq!(
        (&letter["state"], &letter["closed"]["sync"]),
        (&json!("replayed"), &json!(fresh)),
        "{letter:#}"
    );
    assert!(quote_of(&house, "OPP-5020")["CPQ_Quote_Number__c"].is_string());
    assert!(quote_of(&house, "OPP-5002")["CPQ_Quote_Number__c"].is_null());

    // One that does not exist dies again, and is a letter of its own.
    let wrong = house.cpq(&[
        "dlq",
        "edit",
        "csync-003",
        "--opportunity",
        "OPP-9999",
        "--reason",
        "typo",
    ]);
    assert_ne!(wrong.code, 0, "{wrong:?}");
    assert_eq!(shown(&house, "csync-003")["letter"]["state"], "replayed");
    assert_eq!(count(&house, "open"), 99);
}

/// Both people have changed the validity of the quote of OPP-5002, and neither may overwrite the other.
fn contest(house: &House) -> String {
    let shared = house.cpq(&["ownership", "show", "--toml"]).ok().out.replace(
        "field = \"quote.valid_until\"\nowner = \"cpq\"\npolicy = \"computed\"",
        "field = \"quote.valid_until\"\nowner = \"cpq\"\npolicy = \"review\"",
    );
    std::fs::write(house.path().join("shared.toml"), shared).expect("a file");
    house.cpq(&["ownership", "apply", "shared.toml"]).ok();
    let synced = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-5002"])
        .ok()
        .json();
    let quote = synced["quoteId"].as_str().expect("a quote").to_owned();
    let id = quote_of(house, "OPP-5002")["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let theirs = json!({ "CPQ_Valid_Until__c": "2027-02-28" });
    house.crm(Method::PATCH, &format!("sobjects/Opportunity/{id}"), &theirs);
    house
        .cpq(&["quote", "set", &quote, "quote.valid_until=2027-03-31"])
        .ok();
    quote
}

#[test]
fn a_field_that_waits_is_decided_and_one_that_is_owned_is_not() {
    let house = outage();
    crate::outage::fix(&house);
    let quote = contest(&house);
    let bare = house.cpq(&[
        "dlq",
        "edit",
        "csync-002",
        "--field",
        "quote.valid_until",
        "--reason",
        "x",
    ]);
    assert_eq!(bare.code, 1, "{bare:?}");
    for (field, words) in [
        ("opportunity.name", "it belongs to the CRM"),
        ("opportunity.colour", "no rule of the matrix is about it"),
    ] {
        let refused = house.cpq(&[
            "dlq",
            "edit",
            "csync-002",
            "--field",
            field,
            "--take",
            "cpq",
            "--reason",
            "x",
        ]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.err.contains(words), "{refused:?}");
    }
    let decided = [
        "dlq",
        "edit",
        "csync-002",
        "--field",
        "quote.valid_until",
        "--take",
        "crm",
        "--reason",
        "by phone",
    ];
    house.cpq(&decided).ok();
    assert_eq!(shown(&house, "csync-002")["letter"]["state"], "replayed");
    let held = house.cpq(&["--json", "quote", "show", &quote]).ok().json();
    assert_eq!(held["validUntil"], "2027-02-28", "{held:#}");
    assert_eq!(quote_of(&house, "OPP-5002")["CPQ_Valid_Until__c"], "2027-02-28");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_way_out() {
    let house = outage();
    for (args, words) in [
        (vec!["show", "csync-999"], "csync-999"),
        (vec!["show-plan", "rp-7"], "no replay plan rp-007"),
        (vec!["show-plan", "seven"], "use `rp-` and a number"),
        (vec!["replay", "rp-7"], "no replay plan rp-007"),
        (vec!["discard", "csync-001", "--reason", " "], "a reason of 1 to"),
        (vec!["discard", "--code", "NO_SUCH_CODE", "--reason", "x"], "code"),
        (vec!["discard", "--reason", "x"], "<ID>"),
        (vec!["edit", "csync-001", "--reason", "x"], "--opportunity"),
        (
            vec!["plan", "--signature", "s-000000000000"],
            "no open dead letter fits",
        ),
        (vec!["plan", "--limit", "0"], "at least 1"),
        (vec!["group", "--since", "yesterday-ish"], "yesterday-ish"),
    ] {
        let said = house.cpq(&[&["dlq"], args.as_slice()].concat());
        assert_eq!(said.code, 1, "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{args:?}: {said:?}");
    }
    house.cpq(&["dlq", "plan", "--limit", "1"]).ok();
    for (flag, value, words) in [
        ("--max-errors", "101", "errorPercent must be at most 100"),
        ("--at-once", "0", "atOnce must be between 1 and 512"),
        ("--digest", "00", "has the digest"),
    ] {
        let said = house.cpq(&["dlq", "replay", "rp-001", flag, value]);
        assert_eq!(said.code, 1, "{flag}: {said:?}");
        assert!(said.err.contains(words), "{flag}: {said:?}");
    }
    house.cpq(&["dlq", "abort", "rp-001"]).ok();
    let over = house.cpq(&["dlq", "replay", "rp-001"]);
    assert_eq!(over.code, 1, "{over:?}");
    assert!(over.err.contains("was aborted"), "{over:?}");
    assert_eq!(count(&house, "open"), 100, "nothing was done");
}

#[test]
fn the_configuration_says_how_replays_are_carried_out() {
    let house = outage();
    let toml = "[replay]\nat_once = 0\n";
    std::fs::write(house.path().join("cpq.toml"), toml).expect("a file");
    let refused = house.cpq(&["dlq", "list"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("replay.at_once must be between 1 and 512"),
        "{refused:?}"
    );
    let toml = "[replay]\ncanary = 2\nerror_percent = 7\nat_once = 9\n";
    std::fs::write(house.path().join("cpq.toml"), toml).expect("a file");
    crate::outage::fix(&house);
    house.cpq(&["dlq", "plan", "--limit", "4"]).ok();
    let done = house
        .cpq(&["--json", "dlq", "replay", "rp-001", "--at-once", "3"])
        .ok()
        .json();
    let limits = json!({"canary": 2, "errorPercent": 7, "atOnce": 3});
    assert_eq!(done["progress"]["limits"], limits, "{done:#}");
}

/// `./test` starts these by a part of their path.
mod on_a_server {

    use super::*;
    use crate::schema::{SHORT_LEASE, Schema};

    /// Two people give up the same at once, each at a node of his own: whoever is told "done" finds nothing open, and
    /// each letter counts once.
    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn a_cause_that_two_give_up_at_once_is_given_up_whole() {
        let (house, schema) = (outage(), Schema::new("given_up"));
        house.cpq(&["store", "copy", "--to", &schema.url]).ok();
        schema.configure(&house, SHORT_LEASE);
        let open = count(&house, "open");
        let nodes = [house.serve(), house.serve()];
        let begin = std::sync::Barrier::new(nodes.len());
        let give_up = |node: &Service| {
            let which = json!({"which": {"connection": "crm"}, "reason": "of no use"});
            begin.wait();
            let (status, done) = node.json(Method::POST, "/api/v1/dead-letters/discard", &[], &which);
            let path = "/api/v1/dead-letters?state=open&limit=200";
            let left = node.json(Method::GET, path, &[], &json!(null)).1;
            let left = left["letters"].as_array().map(Vec::len);
            assert_eq!((status, left), (200, Some(0)), "{done}");
            number(&done["discarded"])
        };
        let counted: u64 = std::thread::scope(|scope| {
            let callers: Vec<_> = nodes.iter().map(|node| scope.spawn(|| give_up(node))).collect();
            callers
                .into_iter()
                .map(|caller| caller.join().expect("no panic"))
                .sum()
        });
        assert_eq!((counted as usize, count(&house, "discarded")), (open, open));
        drop(nodes);
        house.cpq(&["store", "check"]).ok();
        schema.remove();
    }
}
