//! What is wrong outside: clocks, limits, hosts, certificates, a CPQ elsewhere, and what waits for somebody.

use reqwest::Method;
use serde_json::json;

use super::{Report, configure, doctor, post};
use crate::house::{House, said};

#[test]
fn clocks_calls_and_hosts_are_looked_at_from_outside() {
    let house = House::connected();
    post(&house, "/sandbox/clock", json!({"offsetSeconds": -90}));
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 0, "a warning: {report:#?}");
    report.has(
        "connection",
        "clock",
        "warn",
        &["s ahead of that of the CRM", "NTP"],
    );
    post(&house, "/sandbox/clock", json!({"offsetSeconds": 0}));
    // The doctor itself makes a few, at the same time as it asks for their number: many more are made before.
    for _ in 0..40 {
        house.soql("SELECT Id FROM Account LIMIT 1");
    }
    let most = used(&doctor(&house, &[])) + 10;
    post(&house, "/sandbox/config", json!({"dailyApiRequests": most}));
    let crowded = doctor(&house, &[]);
    let words = format!("{} of {most} used", used(&crowded));
    crowded.has("connection", "API calls", "warn", &[&words, "System Overview"]);
    assert!(used(&crowded) >= most - 10, "what was used stays used");
    post(&house, "/sandbox/config", json!({"dailyApiRequests": 5_000_000}));
}

/// API calls of the day, as the doctor tells them.
fn used(report: &Report) -> u64 {
    let check = report.check("connection", "API calls");
    let found = check["found"].as_str().expect("words");
    let count = found.split(' ').next().expect("a number");
    count.parse().unwrap_or_else(|_| panic!("{found}"))
}

#[test]
fn hosts_and_topics_are_told_apart() {
    let house = House::connected();
    for (text, name, words) in [
        (
            "pubsub_endpoint = \"nowhere.invalid:7443\"",
            "Pub/Sub host",
            ["nowhere.invalid cannot be resolved", "resolver"],
        ),
        (
            "pubsub_endpoint = \"127.0.0.1:9\"",
            "Pub/Sub host",
            ["port 9 cannot be reached", "firewall"],
        ),
        (
            "topics = [\"/data/Sales__chn\"]",
            "change events",
            ["/data/Sales__chn", "looked for every 60 s instead"],
        ),
    ] {
        configure(&house, &format!("[changes]\n{text}\n"));
        let report = doctor(&house, &[]);
        assert_eq!(report.code, 0, "changes are looked for instead: {report:#?}");
        report.has("connection", name, "warn", &words);
    }
    configure(&house, "");
    doctor(&house, &[]).has("connection", "change events", "ok", &["all that is watched"]);
    house.control(
        Method::PUT,
        "/sandbox/events/capture",
        &json!({"entities": ["Account", "Quote"]}),
    );
    let report = doctor(&house, &[]);
    report.has(
        "connection",
        "change events",
        "warn",
        &["tell nothing of Opportunity,", "Change Data Capture"],
    );
    configure(&house, "[changes]\nmode = \"polling\"\n");
    doctor(&house, &[]).has("connection", "change events", "ok", &["every 60 s"]);
    house.cpq(&["sandbox", "stop"]).ok();
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "connection",
        "instance host",
        "fail",
        &["cannot be reached", "refused"],
    );
    report.has("connection", "token", "fail", &["CRM_UNAVAILABLE"]);
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_from_a_host_that_is_not_there() {
    let house = House::seeded();
    let info = house.control(Method::GET, "/sandbox/info", &json!(null));
    let text = |name: &str| info[name].as_str().expect("a text").to_owned();
    configure(
        &house,
        &format!("[crm]\nca_file = {:?}\n", text("caCertificatePath")),
    );
    let (url, client) = (text("tlsInstanceUrl"), text("clientId"));
    let args = [
        "auth",
        "connect-crm",
        "--flow",
        "client-credentials",
        "--login-url",
        &url,
        "--client-id",
        &client,
    ];
    let mut login = house.command(&args);
    login.env("CPQ_CRM_CLIENT_SECRET", text("clientSecret"));
    said(&mut login).ok();
    doctor(&house, &[]).has("connection", "login host", "ok", &["its certificate is trusted"]);
    configure(&house, "");
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "connection",
        "login host",
        "fail",
        &["is open, and TLS fails", "crm.ca_file"],
    );
    report.has("connection", "token", "fail", &[]);
}

#[test]
fn a_cpq_elsewhere_is_asked_with_its_token() {
    let elsewhere = House::empty();
    let cpq = elsewhere.serve();
    let house = House::connected();
    configure(
        &house,
        &format!("[cpq]\nkind = \"rest\"\nurl = \"{}\"\n", cpq.url),
    );
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has("configuration", "secrets", "fail", &["CPQ_REMOTE_TOKEN"]);
    report.has(
        "cpq",
        "elsewhere",
        "fail",
        &["cpq.token_variable", "CONFIG_INVALID"],
    );
    let with = |token: &str, args: &[&str]| {
        let mut command = house.command(&[&["--json", "doctor"], args].concat());
        Report::of(&said(command.env("CPQ_REMOTE_TOKEN", token)))
    };
    with(&cpq.token, &[]).has("cpq", "elsewhere", "ok", &["takes the token", "version 0."]);
    with("wrong", &[]).has("cpq", "elsewhere", "fail", &["UNAUTHENTICATED"]);
    with("wrong", &["--offline"]).has("cpq", "elsewhere", "skipped", &["--offline"]);
}

#[test]
fn what_waits_for_somebody_is_told() {
    let house = House::connected();
    house.cpq(&["sync", "run", "--opportunity", "OPP-404"]);
    house
        .cpq(&[
            "token",
            "create",
            "--client",
            "desk",
            "--scope",
            "sync:read",
            "--days",
            "3",
        ])
        .ok();
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 0, "{report:#?}");
    report.has(
        "work",
        "dead letters",
        "warn",
        &["OPPORTUNITY_NOT_FOUND", "cpq dlq"],
    );
    report.has(
        "work",
        "API tokens",
        "warn",
        &["of desk ends at", "cpq token create"],
    );
}

mod on_a_server {
    use super::*;
    use crate::schema::Schema;

    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn a_store_on_a_server_tells_version_distance_and_clock() {
        let (house, schema) = (House::empty(), Schema::new("doctor"));
        schema.configure(&house, "");
        house.seed();
        house.cpq(&["auth", "connect-crm"]).ok();
        let report = doctor(&house, &[]);
        assert_eq!(report.code, 0, "{report:#?}");
        report.has(
            "store",
            "engine",
            "ok",
            &["PostgreSQL 1", "answers in", "without TLS"],
        );
        report.has("store", "clock", "ok", &["the store's server agree"]);
        report.has(
            "configuration",
            "file",
            "warn",
            &["store.url = (not shown)", "chmod 600"],
        );
        assert!(
            !house.state().join("cpq.db").exists(),
            "no file is made beside it"
        );
        drop(house);
        schema.remove();
    }
}
