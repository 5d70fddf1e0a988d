//! `cpq doctor` on real installations: one that is well, and one for each thing that can be wrong.

mod outside;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Said, until};

/// What the doctor said.
#[derive(Debug)]
struct Report {
    code: i32,
    checks: Vec<Json>,
}

impl Report {
    fn of(said: &Said) -> Report {
        let told = said.json();
        let checks = told["checks"]
            .as_array()
            .unwrap_or_else(|| panic!("{said:?}"))
            .clone();
        assert_eq!(told["ok"], said.code == 0, "{said:?}");
        Report {
            code: said.code,
            checks,
        }
    }

    /// A check by its group and name.
    fn check(&self, group: &str, name: &str) -> &Json {
        let found = self
            .checks
            .iter()
            .find(|check| check["group"] == group && check["name"] == name);
        found.unwrap_or_else(|| panic!("no {group} {name} in {self:#?}"))
    }

    /// Its verdict, and everything that it says.
    fn says(&self, group: &str, name: &str) -> (String, String) {
        let check = self.check(group, name);
        (
            check["verdict"].as_str().expect("a verdict").to_owned(),
            check.to_string(),
        )
    }

    /// Asserts a verdict and words.
    fn has(&self, group: &str, name: &str, verdict: &str, words: &[&str]) {
        let (found, said) = self.says(group, name);
        assert_eq!(found, verdict, "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in {said}");
        }
        let is_bad = verdict == "warn" || verdict == "fail";
        assert_eq!(
            self.check(group, name)["fix"].is_string(),
            is_bad,
            "what is bad has a fix: {said}"
        );
    }

    /// Names of the checks with a verdict.
    fn with(&self, verdict: &str) -> Vec<String> {
        let these = self.checks.iter().filter(|check| check["verdict"] == verdict);
        these
            .map(|check| format!("{}.{}", check["group"], check["name"]).replace('"', ""))
            .collect()
    }
}

fn doctor(house: &House, args: &[&str]) -> Report {
    Report::of(&house.cpq(&[&["--json", "doctor"], args].concat()))
}

fn configure(house: &House, text: &str) {
    std::fs::write(house.path().join("cpq.toml"), text).expect("the configuration");
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the mode");
}

fn post(house: &House, path: &str, body: Json) {
    house.control(Method::POST, path, &body);
}

/// Every check of an installation with one connection and a running service.
const EVERYTHING: [(&str, &[&str]); 7] = [
    (
        "configuration",
        &["file", "secrets", "field mapping", "retention", "webhooks"],
    ),
    ("state_directory", &["directory", "sealing key", "files", "disk"]),
    ("store", &["schema", "engine", "integrity", "nodes", "purge"]),
    ("service", &["running", "ready", "version"]),
    ("cpq", &["embedded"]),
    (
        "connection",
        &[
            "grant",
            "scopes",
            "token",
            "API",
            "API calls",
            "clock",
            "key fields",
            "permissions",
            "mapping",
            "ownership",
            "change events",
            "login host",
            "instance host",
            "Pub/Sub host",
            "circuit",
            "feeds",
        ],
    ),
    (
        "work",
        &["dead letters", "conflicts", "waiting", "silence", "API tokens"],
    ),
];

#[test]
fn a_healthy_installation_has_nothing_to_mend_and_is_not_changed() {
    let house = House::connected();
    let _service = house.serve_as(&[], &[]);
    let feeds = || house.cpq(&["feeds"]);
    until("the feeds", feeds, |said| {
        said.code == 0 && said.out.contains("pubsub") && said.out.contains("poll")
    });
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 0, "{report:#?}");
    assert_eq!(
        (report.with("fail"), report.with("warn")),
        (Vec::new(), Vec::new()),
        "{report:#?}"
    );
    for (group, names) in EVERYTHING {
        names.iter().for_each(|name| report.has(group, name, "ok", &[]));
    }
    report.has("cpq", "embedded", "ok", &["Q-2026-0137"]);
    let plain = house.cpq(&["doctor"]).ok().out;
    assert!(plain.contains("\nconnection crm\n  ok       grant"), "{plain}");
    assert!(plain.contains(" ok, in "), "{plain}");
    // Nothing but the token was written: the number is still free, and no description was stored anew.
    house.control(Method::DELETE, "/sandbox/requests", &json!(null));
    let offline = doctor(&house, &["--offline"]);
    assert_eq!(offline.code, 0, "{offline:#?}");
    assert_eq!(
        offline.with("skipped"),
        [
            "connection.token",
            "connection.API",
            "connection.change events",
            "connection.hosts"
        ]
    );
    offline.has("connection", "permissions", "ok", &["by what the org said at"]);
    let made = house.control(Method::GET, "/sandbox/requests", &json!(null));
    let of_doctor = made["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter(|one| one["path"] == "/services/oauth2/token");
    assert_eq!(of_doctor.count(), 0, "{made}");
    let unknown = doctor(&house, &["--connection", "second"]);
    assert_eq!(unknown.code, 1);
    unknown.has(
        "connection",
        "grant",
        "fail",
        &["no connection named second", "cpq auth status"],
    );
}

#[test]
fn where_nothing_is_yet_nothing_is_made() {
    let house = House::empty();
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "connection",
        "grant",
        "fail",
        &["no CRM is connected", "cpq auth connect-crm"],
    );
    report.has("store", "schema", "warn", &["not there yet"]);
    report.has("state_directory", "directory", "warn", &["--state-dir"]);
    report.has("service", "running", "warn", &["cpq serve"]);
    assert!(!house.state().exists(), "looking makes nothing");
    let seeded = House::seeded();
    doctor(&seeded, &[]);
    assert!(!seeded.state().join("sealing.key").exists() && !seeded.state().join("cli.token").exists());
}

#[test]
fn a_configuration_that_cannot_be_read_hides_nothing_else() {
    let house = House::connected();
    configure(&house, "[crm]\ncurency = \"EUR\"\n");
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has("configuration", "file", "fail", &["curency", "CONFIG_INVALID"]);
    report.has("state_directory", "directory", "ok", &[]);
    assert_eq!(report.with("skipped").len(), 5, "{report:#?}");
    configure(
        &house,
        "[crm]\ncurrency = \"EUR\"\n[webhooks]\nsources = { flow = \"env:CPQ_FLOW\", crm = \"whsec_CANARY\" }\n[retention]\njournal_days = 0\n",
    );
    mode(&house.path().join("cpq.toml"), 0o644);
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "configuration",
        "file",
        "warn",
        &["crm.currency = \\\"EUR\\\" (default \\\"USD\\\")", "chmod 600"],
    );
    report.has(
        "configuration",
        "secrets",
        "fail",
        &["CPQ_FLOW", "webhooks.sources.crm"],
    );
    report.has("configuration", "retention", "warn", &["retention.journal_days"]);
    assert!(!format!("{report:?}").contains("CANARY"), "{report:#?}");
    report.has("connection", "token", "ok", &[]);
}

#[test]
fn what_others_could_read_is_told() {
    let house = House::connected();
    house.cpq(&["sync", "list"]).ok();
    mode(&house.state().join("sealing.key"), 0o644);
    mode(&house.state().join("cli.token"), 0o640);
    mode(&house.state(), 0o755);
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has("state_directory", "directory", "warn", &["mode 755", "chmod 700"]);
    report.has(
        "state_directory",
        "sealing key",
        "fail",
        &["mode 644", "chmod 600"],
    );
    report.has("state_directory", "files", "fail", &["cli.token", "chmod 600"]);
    mode(&house.state(), 0o777);
    doctor(&house, &[]).has("state_directory", "directory", "fail", &["others may change"]);
    mode(&house.state(), 0o700);
    mode(&house.state().join("cli.token"), 0o600);
    std::fs::remove_file(house.state().join("sealing.key")).expect("it goes");
    let report = doctor(&house, &[]);
    report.has(
        "connection",
        "grant",
        "fail",
        &["which is not here", "put that key back"],
    );
    assert!(
        !house.state().join("sealing.key").exists(),
        "looking makes no key"
    );
}

#[test]
fn a_revoked_grant_is_found_while_the_access_token_still_works() {
    let house = House::connected();
    post(&house, "/sandbox/grants/revoke", json!({}));
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "connection",
        "token",
        "fail",
        &["TOKEN_EXPIRED", "cpq auth connect-crm"],
    );
    report.has("connection", "API", "skipped", &["no token"]);
    report.has("connection", "permissions", "ok", &["by what the org said at"]);
    let again = doctor(&house, &[]);
    again.has("connection", "grant", "fail", &["dead since", "invalid_grant"]);
    again.has("connection", "token", "skipped", &[]);
    house.cpq(&["auth", "connect-crm"]).ok();
    assert_eq!(doctor(&house, &[]).code, 0);
    configure(&house, "[crm]\nconnection = \"north\"\n");
    let report = doctor(&house, &[]);
    report.has(
        "connection",
        "default",
        "warn",
        &["mean north", "crm is", "crm.connection"],
    );
}

#[test]
fn what_the_org_does_not_let_us_do_is_named_field_by_field() {
    let house = House::connected();
    let permit = |entries: Json| house.control(Method::PUT, "/sandbox/permissions", &entries);
    permit(json!([{"object": "Opportunity", "fields": {
        "Opportunity_Number__c": "hidden", "CPQ_Net_Total__c": "readOnly"}}]));
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "connection",
        "key fields",
        "fail",
        &[
            "Opportunity.Opportunity_Number__c",
            "crm.opportunity_number_field",
        ],
    );
    report.has(
        "connection",
        "permissions",
        "fail",
        &[
            "Opportunity.CPQ_Net_Total__c",
            "`updateable` is false",
            "permission set",
        ],
    );
    permit(json!([{"object": "OpportunityLineItem", "read": false}]));
    let report = doctor(&house, &[]);
    report.has(
        "connection",
        "permissions",
        "fail",
        &["OpportunityLineItem does not exist, or our user may not read it"],
    );
    report.has(
        "connection",
        "key fields",
        "warn",
        &["lines are not synced", "line_key_field"],
    );
    permit(json!([{"object": "Quote", "create": false}]));
    doctor(&house, &[]).has(
        "connection",
        "key fields",
        "warn",
        &["may not create Quote records", "crm.quote_object"],
    );
    permit(json!([]));
    assert_eq!(doctor(&house, &[]).code, 0);
    std::fs::write(
        house.path().join("fields.toml"),
        "[[field]]\nname = \"opportunity.priority\"\nobject = \"Opportunity\"\npath = \"Priority__c\"\ntype = \"text\"\n",
    )
    .expect("a mapping");
    configure(&house, "[crm]\nfields_file = \"fields.toml\"\n");
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "connection",
        "ownership",
        "fail",
        &["opportunity.priority", "cpq ownership check"],
    );
}

#[test]
fn a_service_that_is_gone_is_told_from_one_that_was_never_started() {
    let house = House::connected();
    let service = house.serve();
    doctor(&house, &[]).has("service", "running", "ok", &[&service.url]);
    service.kill();
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has(
        "service",
        "running",
        "fail",
        &["nothing answers there", "cpq serve"],
    );
    std::fs::remove_file(house.state().join("service.json")).expect("it goes");
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 0, "{report:#?}");
    report.has("service", "running", "warn", &["no service runs"]);
    report.has("connection", "feeds", "warn", &["cpq serve"]);
}

#[test]
fn a_store_that_cannot_be_used_is_told_and_left_alone() {
    let house = House::connected();
    let path = house.state().join("cpq.db");
    let raw = || rusqlite::Connection::open(&path).expect("it opens");
    raw()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("all is in the file");
    let whole = std::fs::read(&path).expect("the store");
    let mut damaged = whole.clone();
    // Pages behind the first: the head stays, so that only a look at all of them finds it.
    let pages = damaged.len() / 4096;
    damaged[4096 * 2..4096 * (pages - 2)].fill(0x5a);
    std::fs::write(&path, &damaged).expect("damage");
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    let (verdicts, fixes): (Vec<_>, Vec<_>) = report
        .checks
        .iter()
        .filter(|check| check["group"] == "store" && check["verdict"] == "fail")
        .map(|check| (check["name"].clone(), check["fix"].to_string()))
        .unzip();
    assert!(
        !verdicts.is_empty() && fixes[0].contains("docs/store.md"),
        "{report:#?}"
    );
    assert_eq!(
        std::fs::read(&path).expect("the store"),
        damaged,
        "it was left as it is"
    );

    std::fs::write(&path, &whole).expect("whole again");
    raw()
        .execute_batch("PRAGMA user_version = 9999")
        .expect("a newer version is noted");
    let report = doctor(&house, &[]);
    assert_eq!(report.code, 1, "{report:#?}");
    report.has("store", "schema", "fail", &["STORE_TOO_NEW", "schema 9999"]);
    assert!(
        report
            .with("skipped")
            .contains(&"connection.everything".to_owned()),
        "{report:#?}"
    );
}
