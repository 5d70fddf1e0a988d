//! The golden path, to the letter on a fresh seed.

use serde_json::json;

use crate::house::House;

const LINE: &str = "status=success quote=Q-2026-0137 correlation=csync-001\n";

#[test]
fn one_opportunity_becomes_one_quote_and_a_replay_makes_no_second() {
    let house = House::connected();
    let run = [
        "sync",
        "run",
        "--opportunity",
        "OPP-4482",
        "--idempotency-key",
        "k-1",
    ];
    assert_eq!(house.cpq(&run).ok().out, LINE);
    assert_eq!(
        house.cpq(&run).ok().out,
        LINE,
        "the same key prints the same line"
    );
    let quotes = house.cpq(&["--json", "quote", "list"]).ok().json();
    assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
    let row = &house.soql("SELECT CPQ_Quote_Number__c, CPQ_Quote_Status__c, CPQ_Net_Total__c, CPQ_Correlation_Id__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0];
    assert_eq!(row["CPQ_Quote_Number__c"], "Q-2026-0137");
    assert_eq!(row["CPQ_Quote_Status__c"], "draft");
    assert_eq!(row["CPQ_Net_Total__c"], 308_849.0);
    assert_eq!(row["CPQ_Correlation_Id__c"], "csync-001");
}

#[test]
fn without_a_key_the_first_line_is_the_same_and_a_second_look_changes_nothing() {
    let house = House::connected();
    assert_eq!(
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok().out,
        LINE
    );
    let again = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"])
        .ok()
        .json();
    assert_eq!(again["quoteId"], "Q-2026-0137");
    assert_eq!(again["correlationId"], "csync-002");
    assert_eq!(again["outcome"]["effect"], "no_change", "{again}");
}

#[test]
fn the_salesforce_id_names_the_same_opportunity() {
    let house = House::connected();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let id =
        house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]["Id"].clone();
    let by_id = house
        .cpq(&[
            "--json",
            "sync",
            "run",
            "--opportunity",
            id.as_str().expect("an id"),
        ])
        .ok()
        .json();
    assert_eq!(by_id["quoteId"], "Q-2026-0137", "{by_id}");
    assert_eq!(by_id["outcome"]["effect"], "no_change", "{by_id}");
}

#[test]
fn the_status_shows_every_stage_with_time_and_duration() {
    let house = House::connected();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let status = house
        .cpq(&["--json", "sync", "status", "--correlation", "csync-001"])
        .ok()
        .json();
    let stages = status["stages"].as_array().expect("stages").clone();
    let names: Vec<_> = stages.iter().filter_map(|stage| stage["name"].as_str()).collect();
    for wanted in [
        "read.crm",
        "read.cpq",
        "read.base",
        "decide",
        "write.cpq",
        "write.crm",
    ] {
        assert!(names.contains(&wanted), "{wanted} is missing in {names:?}");
    }
    for stage in stages
        .iter()
        .filter(|stage| stage["name"].as_str().is_some_and(|name| name.contains('.')))
    {
        assert_eq!(stage["status"], "done", "{stage}");
        assert!(
            stage["startedAt"].is_string() && stage["durationMs"].is_number(),
            "{stage}"
        );
    }
    let text = house
        .cpq(&["sync", "status", "--correlation", "csync-001"])
        .ok()
        .out;
    assert!(text.starts_with(LINE.trim_end()), "{text}");
}

#[test]
fn a_dry_run_tells_field_owner_rule_and_calls_and_writes_nothing() {
    let house = House::connected();
    house.control(reqwest::Method::DELETE, "/sandbox/requests", &json!(null));
    let plan = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482", "--dry-run"])
        .ok()
        .json();
    let decision = plan["decisions"]
        .as_array()
        .expect("decisions")
        .iter()
        .find(|one| one["field"] == "account.name")
        .cloned();
    let decision = decision.expect("the account's name is in the plan");
    assert_eq!(
        (&decision["owner"], &decision["policy"], &decision["verdict"]),
        (&json!("crm"), &json!("snapshot"), &json!("to_cpq"))
    );
    assert_eq!(decision["crm"], json!({"text": "Northwind Robotics"}));
    let total = plan["decisions"]
        .as_array()
        .expect("decisions")
        .iter()
        .find(|one| one["field"] == "quote.net_total")
        .cloned();
    assert_eq!(
        total.expect("the total is predicted")["cpq"],
        json!({"money": {"amount": "308849.00", "currency": "USD"}})
    );
    assert_eq!(plan["calls"].as_array().map(Vec::len), Some(4), "{plan}");
    assert!(
        house.cpq(&["--json", "quote", "list"]).ok().json()["quotes"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
    assert!(
        house.cpq(&["--json", "sync", "list"]).ok().json()["syncs"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
    let log = house.control(reqwest::Method::GET, "/sandbox/requests", &json!(null));
    let calls: Vec<_> = log["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter(|call| call["client"] == "cpq")
        .collect();
    assert!(
        !calls.is_empty() && calls.iter().all(|call| call["method"] == "GET"),
        "only reads: {log}"
    );
    let row = &house
        .soql("SELECT CPQ_Quote_Number__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0];
    assert!(row["CPQ_Quote_Number__c"].is_null(), "{row}");
    assert_eq!(
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok().out,
        LINE,
        "the dry run took no number"
    );
}

#[test]
fn the_acceptance_suite_passes_and_leaves_nothing_behind() {
    let house = House::connected();
    let count =
        || house.soql("SELECT Id FROM Opportunity").len() + house.soql("SELECT Id FROM Account").len();
    let before = count();
    let report = house
        .cpq(&["--json", "test", "--suite", "integration-sync"])
        .ok()
        .json();
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&json!(11), &json!(0)),
        "{report}"
    );
    assert_eq!(count(), before);
    assert_eq!(
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok().out,
        LINE,
        "the suite took no number"
    );
}

#[test]
fn the_acceptance_suite_notices_a_crm_that_refuses_writes() {
    let house = House::connected();
    house.faults(json!([{"when": {"object": "Opportunity", "client": "cpq"}, "fault": {"kind": "row_error", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION"}}]));
    let said = house.cpq(&["--json", "test", "--suite", "integration-sync"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.json()["failed"].as_u64() > Some(0));
}

#[test]
fn the_demo_does_it_all_in_one_command() {
    let house = House::empty();
    let said = house
        .cpq(&["--state-dir", "demo", "--json", "demo", "--once"])
        .ok();
    let told = said.json();
    assert_eq!(told["result"]["line"], LINE.trim_end());
    assert_eq!(told["result"]["replay"], LINE.trim_end());
    assert_eq!(told["result"]["quotes"], 1);
    assert!(
        said.err.contains("ms"),
        "each step is told with its time: {}",
        said.err
    );
}

#[test]
fn every_login_flow_works_against_the_sandbox() {
    let house = House::seeded();
    for flow in ["jwt", "client-credentials", "web"] {
        let said = house
            .cpq(&["--json", "auth", "connect-crm", "--flow", flow])
            .ok()
            .json();
        assert_eq!(said["flow"], flow, "{said}");
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    }
    let status = house.cpq(&["--json", "auth", "status"]).ok().json();
    assert_eq!(
        status[0]["identity"]["scopes"],
        json!(["api", "refresh_token"]),
        "{status}"
    );
    house.cpq(&["auth", "refresh"]).ok();
    house.cpq(&["auth", "rotate-key"]).ok();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let gone = house.cpq(&["--json", "auth", "disconnect"]).ok().json();
    assert_eq!(gone["revoked"], true, "{gone}");
    let refused = house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"]);
    assert_eq!(refused.json()["code"], "NOT_CONNECTED", "{refused:?}");
}

#[test]
fn an_org_behind_a_certificate_authority_of_its_own_is_reached_over_tls() {
    let house = House::seeded();
    let info = house.control(reqwest::Method::GET, "/sandbox/info", &json!(null));
    let text = |name: &str| info[name].as_str().expect("a text").to_owned();
    let args = [
        "--json",
        "auth",
        "connect-crm",
        "--flow",
        "client-credentials",
        "--client-id",
    ];
    let connect = || {
        let mut command = house.command(&args);
        command
            .arg(text("clientId"))
            .arg("--login-url")
            .arg(text("tlsInstanceUrl"));
        crate::house::said(command.env("CPQ_CRM_CLIENT_SECRET", text("clientSecret")))
    };
    assert_eq!(
        connect().json()["code"],
        "CRM_UNAVAILABLE",
        "a stranger's certificate is not trusted"
    );
    let config = format!("[crm]\nca_file = \"{}\"\n", text("caCertificatePath"));
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let connected = connect().ok().json();
    assert_eq!(
        connected["identity"]["instanceUrl"],
        text("tlsInstanceUrl"),
        "{connected}"
    );
    assert_eq!(
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok().out,
        LINE
    );
}
