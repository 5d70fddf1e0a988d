//! Who did what: at the API, in the browser, at the command line; and what happens to whoever changes it.

use rusqlite::Connection;
use serde_json::Value as Json;

use crate::house::{House, http};

fn entries(house: &House) -> Vec<Json> {
    let said = house.cpq(&["audit", "list", "--limit", "1000", "--json"]).ok();
    let mut entries = said.json()["entries"].as_array().expect("entries").clone();
    entries.reverse();
    entries
}

fn brief(entry: &Json) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {}",
        text("client"),
        text("act"),
        text("subject"),
        text("result")
    )
}

#[test]
fn acts_of_the_command_line_are_told_with_their_end() {
    let house = House::synced();
    let token = house.cpq(&["token", "create", "--client", "portal", "--scope", "sync:read"]);
    token.ok();
    house.cpq(&["token", "create", "--client", "portal", "--scope", "no:such"]);
    house.cpq(&["dlq", "discard", "--all", "--reason", "a trial"]);
    house.cpq(&["auth", "disconnect"]).ok();
    let told: Vec<String> = entries(&house).iter().map(brief).collect();
    for wanted in [
        "cli auth.connect the default connection -",
        "cli auth.connect the default connection done",
        "cli token.create portal: sync:read done",
        "cli token.create portal: no:such REQUEST_INVALID",
        "cli auth.disconnect the default connection done",
    ] {
        assert!(told.iter().any(|entry| entry == wanted), "{wanted}: {told:#?}");
    }
    assert!(
        !told.iter().any(|entry| entry.contains("sync/opportunities")),
        "syncs have their own journal: {told:#?}"
    );
}

#[test]
fn a_service_tells_its_start_its_logins_and_its_end() {
    let house = House::seeded();
    let service = house.serve();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for token in ["wrong", service.token.as_str()] {
        let body = format!("token={token}");
        http(
            reqwest::Method::POST,
            &format!("{}/login", service.url),
            &form,
            &body,
        );
    }
    service.end();
    let entries = entries(&house);
    let told: Vec<String> = entries.iter().map(brief).collect();
    let of = |act: &str| told.iter().filter(|entry| entry.contains(act)).count();
    assert_eq!(
        (of("service.start"), of("service.stop"), of(" login ")),
        (1, 1, 2),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|entry| entry == " login  UNAUTHENTICATED"),
        "{told:#?}"
    );
    let login = entries
        .iter()
        .find(|entry| entry["act"] == "login" && entry["result"] == "done");
    let login = login.expect("a login");
    assert_eq!(login["client"], "tests");
    assert_eq!(login["origin"], "127.0.0.1");
}

#[test]
fn whoever_changes_it_is_seen() {
    let house = House::synced();
    house
        .cpq(&["token", "create", "--client", "portal", "--scope", "sync:read"])
        .ok();
    let good = house.cpq(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(good["ok"], true, "{good}");
    let head = good["hash"].as_str().expect("a hash").to_owned();
    house
        .cpq(&["token", "create", "--client", "other", "--scope", "sync:read"])
        .ok();
    house.cpq(&["audit", "verify", "--holds", &head]).ok();
    let exported = house.cpq(&["audit", "export"]).ok().out;
    assert_eq!(exported.lines().count(), entries(&house).len());

    let raw = Connection::open(house.state().join("cpq.db")).expect("the store");
    let run = |sql: &str| {
        raw.execute(sql, [])
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let broken = |because: &str| {
        let said = house.cpq(&["audit", "verify", "--holds", &head]);
        assert!(
            said.code == 1 && said.out.contains("ok=false"),
            "{because}: {said:?}"
        );
    };
    run("UPDATE audit SET client = client || 'x' WHERE position = 2");
    broken("a word of an entry was changed");
    run("UPDATE audit SET client = rtrim(client, 'x') WHERE position = 2");
    house.cpq(&["audit", "verify"]).ok();
    let last = entries(&house).len();
    run(&format!("DELETE FROM audit WHERE position = {last}"));
    broken("the last entry was cut off");
    run(&format!("DELETE FROM audit WHERE position > {}", last - 3));
    run(&format!(
        "UPDATE counters SET value = {} WHERE name = 'audit'",
        last - 3
    ));
    house.cpq(&["audit", "verify"]).ok();
    broken("the end was cut off with its counter, and only the hash that was kept shows it");
}
