//! docs/replay.md, followed command by command: a hundred dead letters become twenty syncs.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, until};
use crate::outage::{count, fix, number, outage};

fn plan(house: &House) -> Json {
    house.cpq(&["--json", "dlq", "plan"]).ok().json()
}

fn open(house: &House) -> usize {
    count(house, "open")
}

/// One quote for each of the twenty opportunities, and both sides agree on it.
fn assert_one_quote_each(house: &House) {
    let rows = house.soql("SELECT Opportunity_Number__c, CPQ_Quote_Number__c FROM Opportunity");
    let quotes: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row["CPQ_Quote_Number__c"].as_str())
        .collect();
    assert_eq!((rows.len(), quotes.len()), (20, 20), "{rows:?}");
    assert_eq!(
        house.soql("SELECT Id FROM Quote").len(),
        20,
        "one quote record each"
    );
}

#[test]
fn a_hundred_dead_letters_are_twenty_syncs_as_foretold() {
    let house = outage();
    assert_eq!(open(&house), 100);
    let groups = house.cpq(&["--json", "dlq", "group"]).ok().json();
    let groups = groups["groups"].as_array().expect("groups").clone();
    assert_eq!(groups.len(), 7, "one for each cause: {groups:#?}");
    assert_eq!(
        groups.iter().map(|group| number(&group["count"])).sum::<u64>(),
        100
    );
    fix(&house);

    let planned = plan(&house);
    let sum = &planned["prediction"];
    assert_eq!(
        (number(&sum["letters"]), number(&sum["syncs"])),
        (100, 20),
        "{planned:#}"
    );
    let id = planned["id"].as_str().expect("a name");
    let wrong = house.cpq(&["dlq", "replay", id, "--digest", "00"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let digest = planned["digest"].as_str().expect("a digest");
    let done = house
        .cpq(&["--json", "dlq", "replay", id, "--digest", digest, "--canary", "3"])
        .ok()
        .json();
    let happened = &done["progress"];
    assert_eq!(
        (number(&happened["succeeded"]), number(&happened["created"])),
        (20, 20),
        "{done:#}"
    );
    for (foretold, name) in [
        ("apiCalls", "apiCalls"),
        ("crmWrites", "crmWrites"),
        ("cpqWrites", "cpqWrites"),
    ] {
        let (foretold, happened) = (number(&sum[foretold]), number(&happened[name]));
        assert!(
            foretold.abs_diff(happened) * 20 <= happened,
            "{name}: foretold {foretold}, happened {happened}"
        );
    }
    assert_one_quote_each(&house);
    assert_eq!(open(&house), 0);

    a_second_run_writes_nothing(&house, id);
}

/// Neither the same plan once more nor the replay of one of its syncs.
fn a_second_run_writes_nothing(house: &House, id: &str) {
    house.control(Method::DELETE, "/sandbox/requests", &json!(null));
    let again = house.cpq(&["dlq", "replay", id]).ok();
    assert!(again.out.contains("written=0"), "{again:?}");
    let replayed = house.cpq(&["sync", "replay", "--correlation", "csync-001"]).ok();
    let fresh = replayed.out.trim().rsplit('=').next().expect("an id").to_owned();
    let story = |id: &str| {
        house
            .cpq(&["--json", "sync", "status", "--correlation", id])
            .ok()
            .out
    };
    assert!(
        story(&fresh).contains("csync-001") && story("csync-001").contains(&fresh),
        "linked both ways"
    );
    assert!(story(&fresh).contains("no_change"));
    let requests = house
        .control(Method::GET, "/sandbox/requests", &json!(null))
        .to_string();
    assert!(
        !requests.contains("/composite"),
        "nothing was written: {requests}"
    );
}

#[test]
fn a_cause_that_is_still_there_stops_the_replay_and_what_was_not_begun_stays_open() {
    let house = outage();
    let planned = plan(&house);
    let id = planned["id"].as_str().expect("a name");
    let stopped = house.cpq(&["--json", "dlq", "replay", id, "--canary", "1"]);
    assert_eq!(stopped.code, 2, "{stopped:?}");
    let stopped = stopped.json();
    assert_eq!(stopped["state"], "stopped", "{stopped:#}");
    assert!(
        stopped["progress"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("CRM_REJECTED"))
    );
    assert!(open(&house) > 90, "only the canary was begun");
    fix(&house);
    let done = house.cpq(&["--json", "dlq", "replay", id]);
    assert_eq!(done.json()["state"], "done", "{done:?}");
    let rest = plan(&house);
    assert_eq!(
        number(&rest["prediction"]["syncs"]),
        1,
        "the canary that died: {rest:#}"
    );
    let done = house
        .cpq(&["--json", "dlq", "replay", rest["id"].as_str().expect("a name")])
        .ok()
        .json();
    assert_eq!(number(&done["progress"]["succeeded"]), 1, "{done:#}");
    assert_one_quote_each(&house);
}

#[test]
fn a_replay_that_was_killed_goes_on_and_a_pause_from_elsewhere_is_heard() {
    let house = outage();
    std::fs::write(house.path().join("cpq.toml"), "[service]\nlease_seconds = 2\n")
        .expect("the configuration");
    fix(&house);
    let planned = plan(&house);
    let id = planned["id"].as_str().expect("a name").to_owned();
    house.faults(json!([{"when": {"path": "/composite", "client": "cpq"}, "fault": {"kind": "latency", "millis": 300}}]));
    let path = format!("/api/v1/replays/{id}");
    let service = house.serve();
    let body = json!({"canary": 1, "atOnce": 2});
    let begun = service.json(Method::POST, &format!("{path}/start"), &[], &body);
    assert_eq!(begun.0, 202, "{begun:?}");
    until("some writes", || house.fired(), |fired| *fired >= 2);
    service.kill();
    let service = house.serve();
    let now = || service.json(Method::GET, &path, &[], &json!(null)).1;
    let some = |plan: &Json| number(&plan["progress"]["succeeded"]) >= 3;
    let patiently = || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        now()
    };
    // The lease of whoever died must end first.
    let mut seen = patiently();
    for _ in 0..300 {
        if some(&seen) {
            break;
        }
        seen = patiently();
    }
    assert!(some(&seen), "the next service goes on: {seen:#}");
    house.cpq(&["dlq", "pause", &id]).ok();
    let paused = now();
    assert_eq!(paused["state"], "paused", "{paused:#}");
    house.faults(json!([]));
    let done = house.cpq(&["--json", "dlq", "replay", &id]).ok().json();
    assert_eq!(
        (&done["state"], number(&done["progress"]["succeeded"])),
        (&json!("done"), 20),
        "{done:#}"
    );
    assert_one_quote_each(&house);
}
