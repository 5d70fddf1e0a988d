//! What somebody changes in the CRM reaches the quote without anybody asking for it, and then there is silence.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, until};

/// A service that looks for changes every second.
const EVERY_SECOND: &str = "[service]\nlease_seconds = 2\n[changes]\nmode = \"polling\"\npoll_seconds = 1\n";

fn polling() -> House {
    let house = House::connected();
    std::fs::write(house.path().join("cpq.toml"), EVERY_SECOND).expect("the configuration");
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    house
}

fn opportunity(house: &House) -> Json {
    let soql = "SELECT Id, Name, SystemModstamp, CPQ_Net_Total__c, (SELECT Id, Quantity FROM OpportunityLineItems LIMIT 1) \
                FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'";
    house.soql(soql).remove(0)
}

fn id(record: &Json) -> &str {
    record["Id"].as_str().expect("an id")
}

fn rename(house: &House, name: &str) {
    let path = format!("sobjects/Opportunity/{}", id(&opportunity(house)));
    house.crm(Method::PATCH, &path, &json!({"Name": name}));
}

fn syncs(service: &Service) -> Vec<Json> {
    let answer = service
        .json(Method::GET, "/api/v1/sync?limit=200", &[], &json!(null))
        .1;
    answer["syncs"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .clone()
}

fn feed(service: &Service) -> Json {
    let answer = service.json(Method::GET, "/api/v1/feeds", &[], &json!(null)).1;
    answer["feeds"][0].clone()
}

/// The quote as text: whatever of it holds a name.
fn quotes(service: &Service) -> Json {
    service.json(Method::GET, "/api/v1/quotes", &[], &json!(null)).1
}

/// Waits until the reader has seen everything that was committed in the CRM until now, and all of it was worked off.
fn settled(house: &House, service: &Service) -> Vec<Json> {
    let now = house.control(Method::GET, "/sandbox/clock", &json!(null))["now"].clone();
    let now: jiff::Timestamp = now.as_str().and_then(|now| now.parse().ok()).expect("a moment");
    until(
        "a look beyond now",
        || feed(service),
        |feed| {
            let seen = feed["seenUntil"].as_str().and_then(|seen| seen.parse().ok());
            seen.is_some_and(|seen: jiff::Timestamp| seen > now + jiff::SignedDuration::from_secs(1))
        },
    );
    let at_rest = |syncs: &Vec<Json>| syncs.iter().all(|sync| sync["status"] == "success");
    until("rest", || syncs(service), at_rest)
}

/// A change of a person, also one that is made while no service runs, reaches the quote. Our own write comes back as one
/// more look that writes nothing, and then nothing happens any more.
#[test]
fn a_change_in_the_crm_reaches_the_quote_by_itself() {
    let house = polling();
    let service = house.serve_as(&[], &[]);
    until(
        "the first position",
        || feed(&service),
        |feed| feed["state"] == "live",
    );
    rename(&house, "Renamed while it runs");
    until(
        "the name",
        || quotes(&service),
        |quotes| quotes.to_string().contains("Renamed while it runs"),
    );

    service.kill();
    let line = opportunity(&house)["OpportunityLineItems"]["records"][0].clone();
    let path = format!("sobjects/OpportunityLineItem/{}", id(&line));
    house.crm(Method::PATCH, &path, &json!({"Quantity": 7}));
    let before = opportunity(&house)["CPQ_Net_Total__c"].clone();
    let service = house.serve_as(&[], &[]);
    let after = until(
        "the new total",
        || opportunity(&house)["CPQ_Net_Total__c"].clone(),
        |total| *total != before,
    );
    assert!(after.is_number(), "{after}");

    let before = settled(&house, &service).len();
    house.crm(Method::PATCH, &path, &json!({"Quantity": 8}));
    until(
        "the last total",
        || opportunity(&house)["CPQ_Net_Total__c"].clone(),
        |total| *total != after,
    );
    let mut syncs = settled(&house, &service);
    let stamp = opportunity(&house)["SystemModstamp"].clone();
    syncs.truncate(syncs.len() - before);
    let effect = |sync: &Json| sync["outcome"]["effect"].clone();
    let effects: Vec<Json> = syncs.iter().rev().map(effect).collect();
    assert!(
        effects == ["written", "no_change"] || effects == ["written"],
        "{syncs:#?}"
    );
    assert!(syncs.iter().all(|sync| sync["trigger"] == "poll"), "{syncs:#?}");
    let silence = settled(&house, &service).len();
    assert_eq!(silence, before + effects.len(), "something went on");
    assert_eq!(
        opportunity(&house)["SystemModstamp"],
        stamp,
        "it was written once more"
    );
}

/// A flow in the org asks for a look by an event of its own; one that names no opportunity is passed by.
#[test]
fn a_platform_event_of_the_org_leads_to_a_sync() {
    let house = House::connected();
    let event = json!({"platformEvents": [{"name": "CPQ_Sync__e", "fields": [{"name": "Opportunity__c", "type": "string", "length": 40}]}]});
    house.control(Method::POST, "/sandbox/define", &event);
    let settings = "[changes]\nfollow = \"all\"\ntopics = []\nevents = { \"/event/CPQ_Sync__e\" = \"Opportunity__c\" }\npoll_seconds = 600\n";
    std::fs::write(house.path().join("cpq.toml"), settings).expect("the configuration");
    let service = house.serve_as(&[], &[]);
    let live = |feeds: &Json| {
        let feeds = feeds["feeds"].as_array().map_or(&[][..], Vec::as_slice);
        feeds
            .iter()
            .any(|feed| feed["feed"] == "pubsub" && feed["state"] == "live")
    };
    let feeds = || service.json(Method::GET, "/api/v1/feeds", &[], &json!(null)).1;
    until("the subscription", feeds, live);
    for named in [json!("OPP-4482"), json!(null), json!("what is this?")] {
        house.crm(
            Method::POST,
            "sobjects/CPQ_Sync__e",
            &json!({ "Opportunity__c": named }),
        );
    }
    let synced = until(
        "a sync",
        || syncs(&service),
        |syncs| syncs.iter().any(|sync| sync["status"] == "success"),
    );
    assert_eq!(
        (synced.len(), &synced[0]["trigger"]),
        (1, &json!("event")),
        "{synced:#?}"
    );
    assert!(live(&feeds()), "the stream goes on");
}

/// A person's edit in the same transaction as something of ours is no echo: it reaches the quote.
#[test]
fn an_edit_beside_our_own_values_is_not_taken_for_an_echo() {
    let house = polling();
    let service = house.serve_as(&[], &[]);
    until(
        "the first position",
        || feed(&service),
        |feed| feed["state"] == "live",
    );
    settled(&house, &service);
    let last = syncs(&service)[0]["correlationId"].clone();
    let path = format!("sobjects/Opportunity/{}", id(&opportunity(&house)));
    let both = json!({"CPQ_Correlation_Id__c": last, "Name": "Renamed beside"});
    house.crm(Method::PATCH, &path, &both);
    until(
        "the name",
        || quotes(&service),
        |quotes| quotes.to_string().contains("Renamed beside"),
    );
}

/// Opportunities without a quote are left alone, unless all are wanted.
#[test]
fn opportunities_without_a_quote_are_left_alone_unless_all_are_wanted() {
    let house = polling();
    let other = "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4483'";
    let other = id(&house.soql(other)[0]).to_owned();
    let path = format!("sobjects/Opportunity/{other}");
    let service = house.serve_as(&[], &[]);
    until(
        "the first position",
        || feed(&service),
        |feed| feed["state"] == "live",
    );
    house.crm(Method::PATCH, &path, &json!({"NextStep": "call"}));
    let syncs = settled(&house, &service);
    assert!(
        syncs.iter().all(|sync| sync["opportunity"] == "OPP-4482"),
        "{syncs:#?}"
    );
    service.kill();

    let all = format!("{EVERY_SECOND}follow = \"all\"\n");
    std::fs::write(house.path().join("cpq.toml"), all).expect("the configuration");
    let service = house.serve_as(&[], &[]);
    house.crm(Method::PATCH, &path, &json!({"NextStep": "call again"}));
    let of_other = |syncs: &Vec<Json>| syncs.iter().any(|sync| sync["opportunity"] == json!(other));
    until("its sync", || self::syncs(&service), of_other);
}

/// The grant dies: the feed says so and what to do, and after a new login, which another process does, it reads on.
#[test]
fn a_dead_grant_is_told_of_and_a_login_heals_it() {
    let house = polling();
    let service = house.serve_as(&[], &[]);
    until(
        "the first position",
        || feed(&service),
        |feed| feed["state"] == "live",
    );
    let said = house.cpq(&["feeds"]).ok();
    assert!(said.out.contains("live"), "{said:?}");
    house.control(Method::POST, "/sandbox/grants/revoke", &json!({}));
    let behind = until(
        "the dead grant",
        || feed(&service),
        |feed| feed["state"] == "behind",
    );
    assert_eq!(behind["lastError"]["code"], "TOKEN_EXPIRED", "{behind}");
    let said = house.cpq(&["feeds"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("cpq auth connect-crm"), "{said:?}");
    rename(&house, "Renamed meanwhile");
    house.cpq(&["auth", "connect-crm"]).ok();
    until(
        "the name",
        || quotes(&service),
        |quotes| quotes.to_string().contains("Renamed meanwhile"),
    );
}

/// A connection that is made while the service runs is followed, and one that is given up is not any more.
#[test]
fn connections_come_and_go_while_the_service_runs() {
    let house = House::seeded();
    std::fs::write(house.path().join("cpq.toml"), EVERY_SECOND).expect("the configuration");
    let service = house.serve_as(&[], &[]);
    assert_eq!(feed(&service), json!(null));
    house.cpq(&["auth", "connect-crm"]).ok();
    until(
        "the first position",
        || feed(&service),
        |feed| feed["state"] == "live",
    );
    house.cpq(&["auth", "disconnect"]).ok();
    until("the end", || feed(&service), Json::is_null);
    let calls = || house.control(Method::GET, "/sandbox/requests", &json!(null))["apiCalls"].clone();
    house.cpq(&["auth", "connect-crm"]).ok();
    let before = calls();
    until(
        "the feed again",
        || feed(&service),
        |feed| feed["isRead"] == true && feed["state"] == "live",
    );
    until("a look", calls, |calls| *calls != before);
}
