//! Faults of events, each with its counters, and the late commit that polling misses.

use crate::site::{Site, up};
use sandbox::events::Unreadable;
use serde_json::{Value as Json, json};

const ACCOUNTS: &str = "/data/AccountChangeEvent";

async fn accounts(site: &Site, names: &[&str]) {
    for name in names {
        site.create("Account", json!({"Name": name})).await;
    }
}

fn names(site: &Site, after: sandbox::events::ReplayId) -> Vec<Json> {
    site.after(after, ACCOUNTS)
        .iter()
        .map(|event| event.payload["Name"].clone())
        .collect()
}

fn rule(fault: &str, when: Json) -> Json {
    json!([{"when": when, "fault": {"kind": fault}}])
}

#[tokio::test]
async fn a_duplicate_has_another_position_and_the_same_id() {
    let site = up().await;
    site.faults(rule("event_duplicate", json!({"object": "Account", "nth": [2]})))
        .await;
    let start = site.tip();
    accounts(&site, &["A", "B", "C"]).await;
    assert_eq!(names(&site, start), ["A", "B", "B", "C"]);
    let events = site.after(start, ACCOUNTS);
    assert_eq!(
        (&events[1].id, &events[1].payload),
        (&events[2].id, &events[2].payload)
    );
    assert!(events[1].replay_id < events[2].replay_id);
    let shown = site.control("GET", "/sandbox/faults", json!({})).await;
    assert_eq!(
        (&shown["rules"][0]["matched"], &shown["rules"][0]["fired"]),
        (&json!(3), &json!(1))
    );
}

#[tokio::test]
async fn events_are_dropped_swapped_and_delayed() {
    for (fault, when, expected) in [
        (json!({"kind": "event_drop"}), json!({"every": 2}), vec!["A", "C"]),
        (
            json!({"kind": "event_reorder"}),
            json!({"nth": [1, 3]}),
            vec!["B", "A", "D", "C"],
        ),
        (
            json!({"kind": "event_delay", "events": 2}),
            json!({"nth": [1]}),
            vec!["B", "C", "A", "D"],
        ),
    ] {
        let site = up().await;
        site.faults(json!([{"when": when, "fault": fault}])).await;
        let start = site.tip();
        accounts(&site, &["A", "B", "C", "D"]).await;
        assert_eq!(names(&site, start), expected, "{fault}");
    }
}

#[tokio::test]
async fn an_event_waits_until_it_is_let_go() {
    let site = up().await;
    site.faults(rule("event_delay", json!({"nth": [1]}))).await;
    let start = site.tip();
    accounts(&site, &["A", "B"]).await;
    assert_eq!(names(&site, start), ["B"]);
    assert_eq!(site.control("GET", "/sandbox/events", json!({})).await["held"], 1);
    let answer = site.control("POST", "/sandbox/events/release", json!({})).await;
    assert_eq!(answer["released"], 1);
    assert_eq!(names(&site, start), ["B", "A"]);
    assert_eq!(site.control("GET", "/sandbox/events", json!({})).await["held"], 0);
}

#[tokio::test]
async fn a_gap_takes_the_place_of_a_change() {
    let site = up().await;
    site.faults(rule("event_gap", json!({"nth": [1]}))).await;
    let start = site.tip();
    accounts(&site, &["A", "B"]).await;
    let changes: Vec<_> = site
        .after(start, ACCOUNTS)
        .iter()
        .map(|e| e.change().to_owned())
        .collect();
    assert_eq!(changes, ["GAP_CREATE", "CREATE"]);
    assert!(site.after(start, ACCOUNTS)[0].told().is_empty());
}

#[tokio::test]
async fn events_of_one_object_come_in_two_schemas() {
    let site = up().await;
    let id = site.id("Account", "Name = 'Northwind Robotics'").await;
    site.wait(60).await;
    site.faults(rule("event_mixed_schema", json!({"nth": [2]}))).await;
    let start = site.tip();
    for phone in ["1", "2", "3"] {
        site.update("Account", &id, json!({"Phone": phone, "BillingCity": phone}))
            .await;
    }
    let events = site.after(start, ACCOUNTS);
    let ids: Vec<_> = events.iter().map(|event| &event.schema_id).collect();
    assert!(ids[0] == ids[2] && ids[0] != ids[1]);
    assert_eq!(events[0].bits("changedFields"), ["0x400040", "4-0x02"]);
    assert_eq!(
        events[1].bits("changedFields"),
        ["0x800080", "5-0x02"],
        "everything is one further"
    );
    assert_eq!(events[0].changed(), events[1].changed());
    assert_eq!(events[1].payload["Phone"], "2");
    site.faults(rule("event_mixed_schema", json!({}))).await;
    let start = site.tip();
    let opportunity = site.opportunity().await;
    let role = site
        .id(
            "OpportunityContactRole",
            &format!("OpportunityId = '{opportunity}' AND Role = 'Technical Buyer'"),
        )
        .await;
    site.update("OpportunityContactRole", &role, json!({"Role": "Other"}))
        .await;
    let event = &site.after(start, "/data/OpportunityContactRoleChangeEvent")[0];
    assert_eq!(event.payload["Added_Meanwhile__c"], Json::Null);
    assert_eq!(event.changed(), ["LastModifiedDate", "Role"]);
}

#[tokio::test]
async fn positions_expire_and_streams_begin_anew_in_the_middle_of_things() {
    let site = up().await;
    let topic = site.topic(ACCOUNTS);
    let read = |after| {
        let sandbox = &site.running.sandbox;
        sandbox
            .events
            .bus
            .read(&topic, after, 10, sandbox.clock.now())
            .map(|page| page.events.len())
    };
    let start = site.tip();
    accounts(&site, &["A"]).await;
    let first = site.tip();
    site.faults(rule(
        "event_replay_expired",
        json!({"object": "AccountChangeEvent"}),
    ))
    .await;
    accounts(&site, &["B"]).await;
    assert_eq!((read(start), read(first)), (Err(Unreadable), Ok(1)));
    let second = site.tip();
    site.faults(rule("event_stream_reset", json!({"path": "/data/Account"})))
        .await;
    accounts(&site, &["C"]).await;
    assert_eq!((read(first), read(second)), (Err(Unreadable), Err(Unreadable)));
    assert_eq!(site.all(ACCOUNTS).len(), 1);
}

#[tokio::test]
async fn rules_choose_by_object_client_and_topic_and_the_same_seed_chooses_the_same() {
    let site = up().await;
    let mut rules = rule("event_drop", json!({"client": "cpq"}))
        .as_array()
        .unwrap()
        .clone();
    rules.extend(
        rule("event_duplicate", json!({"path": "/event/"}))
            .as_array()
            .unwrap()
            .clone(),
    );
    site.faults(rules.into()).await;
    let start = site.tip();
    let headers = [("Sforce-Call-Options", "client=cpq")];
    site.call(
        reqwest::Method::POST,
        "/sobjects/Account",
        &headers,
        json!({"Name": "Ours"}),
    )
    .await;
    accounts(&site, &["Theirs"]).await;
    site.post("/sobjects/CPQ_Quote_Changed__e", json!({"Quote_Number__c": "Q"}))
        .await;
    assert_eq!(names(&site, start), ["Theirs"]);
    assert_eq!(site.after(start, "/event/CPQ_Quote_Changed__e").len(), 2);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let rules = json!([{"when": {"probability": 0.5}, "fault": {"kind": "event_drop"}}]);
        site.faults(json!({"seed": 11, "rules": rules})).await;
        let start = site.tip();
        accounts(&site, &["1", "2", "3", "4", "5", "6", "7", "8"]).await;
        runs.push(names(&site, start));
    }
    assert_eq!(runs[0], runs[1]);
    assert!((1..8).contains(&runs[0].len()));
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused() {
    let site = up().await;
    for (rule, why) in [
        (
            json!({"when": {"method": "POST"}, "fault": {"kind": "event_drop"}}),
            "an event has no method",
        ),
        (
            json!({"fault": {"kind": "late_commit", "seconds": 90_000}}),
            "a transaction ends after",
        ),
        (
            json!({"fault": {"kind": "event_delay", "events": 0}}),
            "at least one",
        ),
    ] {
        let (status, answer) = site.control_any("PUT", "/sandbox/faults", json!([rule])).await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    }
}

/// The row appears after the poller has read up to now, with a stamp that it has passed.
#[tokio::test]
async fn a_late_commit_is_stamped_before_it_can_be_seen() {
    let site = up().await;
    site.faults(json!([{"when": {"object": "Account"}, "fault": {"kind": "late_commit", "seconds": 300}}]))
        .await;
    let start = site.tip();
    let id = site.create("Account", json!({"Name": "Late"})).await;
    let (_, row) = site
        .get(&format!(
            "/sobjects/Account/{id}?fields=SystemModstamp,LastModifiedDate"
        ))
        .await;
    assert_eq!(row["SystemModstamp"], "2026-11-22T09:55:30.000+0000");
    assert_eq!(row["LastModifiedDate"], row["SystemModstamp"]);
    let event = &site.after(start, ACCOUNTS)[0];
    let commit = event.header()["commitTimestamp"].as_i64().unwrap();
    assert_eq!(
        commit - event.payload["LastModifiedDate"].as_i64().unwrap(),
        300_000
    );
}
