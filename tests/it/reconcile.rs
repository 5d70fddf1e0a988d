//! `cpq reconcile`: 300 opportunities, drift of every kind behind the service's back, found, told and repaired.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::House;

const COUNT: usize = 300;

/// A house whose CRM has so many opportunities besides those of the scenario, none of them with a quote.
fn loaded(count: usize) -> House {
    let house = House::seeded();
    let mut scenario = sandbox::scenario::named("crm-sync").expect("the scenario");
    scenario.generate = serde_json::from_value(json!({ "opportunities": count })).ok();
    house.control(Method::POST, "/sandbox/seed", &json!(scenario));
    house.cpq(&["auth", "connect-crm"]).ok();
    house
}

fn number(n: usize) -> String {
    format!("LOAD-{n:06}")
}

/// A person at the CRM.
fn rep(house: &House, object: &str, id: &str, values: &Json) {
    house.crm(Method::PATCH, &format!("sobjects/{object}/{id}"), values);
}

fn id_of(house: &House, n: usize) -> String {
    one(
        house,
        &format!(
            "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = '{}'",
            number(n)
        ),
    )
}

/// The id of the first row of a query.
fn one(house: &House, soql: &str) -> String {
    house.soql(soql)[0]["Id"].as_str().expect("an id").to_owned()
}

fn child(house: &House, object: &str, n: usize) -> String {
    one(
        house,
        &format!(
            "SELECT Id FROM {object} WHERE OpportunityId = '{}' ORDER BY Id",
            id_of(house, n)
        ),
    )
}

/// A defect at the CPQ: its file is changed while nobody looks.
fn cpq(house: &House, n: usize, change: impl Fn(&mut Json)) {
    let store = rusqlite::Connection::open(house.state().join("cpq.db")).expect("the store opens");
    let read = "SELECT body FROM quotes WHERE opportunity_number = ?1";
    let text: String = store
        .query_row(read, [number(n)], |row| row.get(0))
        .expect("a quote");
    let mut body: Json = serde_json::from_str(&text).expect("JSON");
    change(&mut body);
    let write = "UPDATE quotes SET body = ?2, status = ?3 WHERE opportunity_number = ?1";
    let status = body["status"].as_str().expect("a status").to_owned();
    store
        .execute(write, (number(n), body.to_string(), status))
        .expect("written");
}

/// Drift of every kind, one opportunity each.
fn drift(house: &House) {
    let opportunity = |n: usize, values: Json| rep(house, "Opportunity", &id_of(house, n), &values);
    opportunity(1, json!({"Name": "Renamed"}));
    opportunity(2, json!({"CPQ_Net_Total__c": 1}));
    opportunity(3, json!({"CPQ_Quote_Status__c": "accepted"}));
    opportunity(4, json!({"CPQ_Quote_Number__c": null}));
    opportunity(5, json!({"CPQ_Valid_Until__c": "2031-01-01"}));
    opportunity(6, json!({"CPQ_Discount_Percent__c": 55}));
    opportunity(7, json!({"CPQ_Quote_Revision__c": 9}));
    opportunity(8, json!({"CloseDate": "2031-02-03"}));
    rep(
        house,
        "Quote",
        &child(house, "Quote", 9),
        &json!({"Name": "Mine"}),
    );
    rep(
        house,
        "Quote",
        &child(house, "Quote", 10),
        &json!({"Status": "Needs Review"}),
    );
    house.crm(
        Method::DELETE,
        &format!("sobjects/Quote/{}", child(house, "Quote", 11)),
        &json!(null),
    );
    let line = |n: usize| child(house, "OpportunityLineItem", n);
    rep(house, "OpportunityLineItem", &line(12), &json!({"Quantity": 77}));
    house.crm(
        Method::DELETE,
        &format!("sobjects/OpportunityLineItem/{}", line(13)),
        &json!(null),
    );
    let account = format!(
        "SELECT AccountId FROM Opportunity WHERE Id = '{}'",
        id_of(house, 14)
    );
    let account = house.soql(&account)[0]["AccountId"]
        .as_str()
        .expect("an account")
        .to_owned();
    rep(house, "Account", &account, &json!({"Name": "Acne"}));
    house.crm(
        Method::DELETE,
        &format!("sobjects/Opportunity/{}", id_of(house, 15)),
        &json!(null),
    );
    cpq(house, 16, |quote| {
        quote["context"]["account.name"] = json!({"text": "Acne"})
    });
    cpq(house, 17, |quote| quote["lines"][0]["quantity"] = json!("78"));
    cpq(house, 18, |quote| {
        drop(quote["lines"].as_array_mut().expect("lines").remove(0))
    });
    cpq(house, 19, |quote| quote["validUntil"] = json!("2031-04-05"));
    cpq(house, 20, |quote| quote["name"] = json!("Theirs"));
    cpq(house, 21, |quote| quote["status"] = json!("approved"));
    // Both at once.
    opportunity(22, json!({"Name": "Renamed"}));
    cpq(house, 22, |quote| {
        quote["context"]["opportunity.name"] = json!({"text": "Otherwise"})
    });
    // Not a difference: each side may keep its own.
    opportunity(23, json!({"NextStep": "call them", "Description": "private"}));
    cpq(house, 23, |quote| quote["paymentTerms"] = json!("NET90"));
}

/// What [`drift`] leaves to find, by field and cause.
fn drifted() -> BTreeMap<String, u64> {
    [
        ("opportunity.name crm_edited", 1),
        ("quote.net_total crm_edited", 1),
        ("quote.status crm_edited", 1),
        ("quote.number crm_edited", 1),
        ("quote.valid_until crm_edited", 1),
        ("quote.discount_percent crm_edited", 1),
        ("quote.revision crm_edited", 1),
        ("opportunity.close_date crm_edited", 1),
        ("quote_record.name crm_edited", 1),
        ("quote_record.status crm_edited", 1),
        ("quote_record.key quote_record_missing", 1),
        ("quote_record.name quote_record_missing", 1),
        ("quote_record.expiration_date quote_record_missing", 1),
        ("quote_record.status quote_record_missing", 1),
        ("quote_record.sync_state quote_record_missing", 1),
        // The CRM sums its own lines.
        ("opportunity.amount crm_edited", 2),
        ("line.quantity crm_edited", 1),
        // What the CPQ changes of a draft's lines is its own: 17 and 18 do not differ.
        ("line.exists line_missing", 1),
        ("account.name crm_edited", 1),
        ("record deleted_in_crm", 1),
        ("account.name cpq_edited", 1),
        ("quote.valid_until cpq_edited", 1),
        ("quote_record.expiration_date cpq_edited", 1),
        ("quote_record.name cpq_edited", 1),
        ("quote.status cpq_edited", 1),
        ("quote_record.status cpq_edited", 1),
        ("opportunity.name both_edited", 1),
    ]
    .map(|(key, count)| (key.to_owned(), count))
    .into()
}

/// `field cause` → values, as found.
fn found(told: &Json) -> BTreeMap<String, u64> {
    let fields = told["report"]["found"]["fields"].as_array().expect("fields");
    let count = |one: &Json| {
        let field = one["field"].as_str().unwrap_or("record");
        let key = format!("{field} {}", one["cause"].as_str().expect("a cause"));
        (key, one["count"].as_u64().expect("a count"))
    };
    fields.iter().map(count).collect()
}

/// Opportunities with differences of this cause.
fn named(told: &Json, cause: &str) -> Vec<String> {
    let records = told["records"].as_array().expect("records");
    let has = |record: &&Json| {
        let differences = record["differences"].as_array().expect("differences");
        differences.iter().any(|one| one["cause"] == cause)
    };
    let mut names: Vec<String> = records
        .iter()
        .filter(has)
        .map(|record| record["opportunity"].as_str().expect("a number").to_owned())
        .collect();
    names.sort();
    names
}

/// What both sides hold, past the product.
fn stamps(house: &House) -> (Vec<Json>, Vec<Json>) {
    let opportunities = "SELECT Id, SystemModstamp FROM Opportunity ORDER BY Id";
    (
        house.soql(opportunities),
        house.soql("SELECT Id, SystemModstamp FROM Quote ORDER BY Id"),
    )
}

fn certificates(house: &House) -> Vec<Json> {
    let told = house.cpq(&["--json", "reconcile", "certificates"]).json();
    told["certificates"].as_array().expect("certificates").clone()
}

fn the_plan_names_them(house: &House, plan: &Json) {
    assert_eq!(plan["differing"], 20);
    assert_eq!(named(plan, "deleted_in_crm"), [number(15)]);
    assert_eq!(named(plan, "line_missing"), [number(13)]);
    assert_eq!(named(plan, "both_edited"), [number(22)]);
    assert_eq!(plan["report"]["inFlight"], 0);
    assert_eq!(
        plan["report"]["lookedAt"], 303,
        "two of the scenario's opportunities take no part: {plan}"
    );
    // Two pages, each in two parts because children count as rows; what differs once more; and twice the one that is not
    // there, with a look into the bin.
    let calls = plan["report"]["apiCalls"].as_u64().expect("a count");
    assert!(calls <= 9, "{calls}");
    assert!(certificates(house).iter().any(|one| one["verdict"] == "red"));
    let rep_name = one(house, "SELECT Id FROM Opportunity WHERE Name = 'Renamed' LIMIT 1");
    assert!(!rep_name.is_empty(), "the dry run corrected nothing");
}

#[test]
fn three_hundred_opportunities_drift_and_come_back() {
    let house = loaded(COUNT);
    let first = house.cpq(&["--json", "reconcile"]);
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!(
        found(&first.json()),
        BTreeMap::from([("record never_synced".to_owned(), 301)])
    );
    let made = house.cpq(&["--json", "reconcile", "--repair"]).ok().json();
    assert_eq!(made["report"]["repair"]["repaired"], 301, "{made}");

    drift(&house);
    let plan = house.cpq(&["--json", "reconcile", "--repair", "--dry-run"]);
    assert_eq!(plan.code, 1, "{plan:?}");
    let plan = plan.json();
    assert_eq!(found(&plan), drifted(), "{plan:#}");
    the_plan_names_them(&house, &plan);

    let repaired = house.cpq(&["--json", "reconcile", "--repair"]);
    assert_eq!(repaired.code, 1, "two remain: {repaired:?}");
    let repaired = repaired.json();
    assert_eq!(repaired["report"]["repair"]["repaired"], 18, "{repaired:#}");
    assert_eq!(repaired["differing"], 2);
    let records = repaired["records"].as_array().expect("records");
    let remains = |number: String| {
        let found = records
            .iter()
            .find(|one| one["state"] == "remains" && one["opportunity"] == number.as_str());
        found.unwrap_or_else(|| panic!("{number} does not remain: {repaired:#}"))
    };
    let remaining = remains(number(15));
    assert!(
        remaining["reason"]
            .as_str()
            .expect("a reason")
            .contains("restore"),
        "{remaining}"
    );
    // A quote record that a person deleted is not made again until a person says so.
    remains(number(11));
    let recreate = [
        "sync",
        "deleted",
        "--opportunity",
        &number(11),
        "--record",
        "quote_record",
        "--answer",
        "recreate",
    ];
    house.cpq(&recreate).ok();
    under_the_matrix(&house);

    let deleted = remaining["quote"].as_str().expect("a quote");
    house
        .cpq(&[
            "quote",
            "transition",
            deleted,
            "cancel",
            "--reason",
            "the opportunity is gone",
        ])
        .ok();
    nothing_differs_any_more(&house);
}

fn nothing_differs_any_more(house: &House) {
    let before = stamps(house);
    let again = house.cpq(&["--json", "reconcile", "--repair"]).ok().json();
    assert_eq!(
        (found(&again), &again["differing"]),
        (BTreeMap::new(), &json!(0)),
        "{again}"
    );
    assert_eq!(stamps(house), before, "nothing was written");
    let green = certificates(house);
    assert!(green.iter().all(|one| one["verdict"] == "green"), "{green:#?}");
    let counted: i64 = green
        .iter()
        .filter(|one| one["object"] == "opportunity")
        .map(|one| one["crmCount"].as_i64().expect("a count"))
        .sum();
    assert_eq!(counted, 300);
}

/// The owner's value is where it belongs: the rep's renaming at the CPQ, the CPQ's total at the CRM.
fn under_the_matrix(house: &House) {
    let soql = |n: usize, field: &str| {
        let query = format!(
            "SELECT {field} FROM Opportunity WHERE Opportunity_Number__c = '{}'",
            number(n)
        );
        house.soql(&query)[0][field].clone()
    };
    let quote = |n: usize| {
        let number = soql(n, "CPQ_Quote_Number__c");
        house
            .cpq(&["--json", "quote", "show", number.as_str().expect("a number")])
            .ok()
            .json()
    };
    assert_eq!(quote(1)["context"]["opportunity.name"]["text"], "Renamed");
    assert_eq!(soql(1, "Name"), "Renamed");
    assert_ne!(soql(2, "CPQ_Net_Total__c"), 1);
    assert_eq!(soql(3, "CPQ_Quote_Status__c"), "draft");
    assert_ne!(soql(4, "CPQ_Quote_Number__c"), Json::Null);
    assert_ne!(quote(16)["context"]["account.name"]["text"], "Acne");
    assert_eq!(soql(21, "CPQ_Quote_Status__c"), "approved");
    assert_eq!(quote(22)["context"]["opportunity.name"]["text"], "Renamed");
    assert_eq!(soql(23, "NextStep"), "call them");
}

#[test]
fn a_killed_reconcile_is_resumed_and_a_service_does_it_for_a_caller() {
    let house = loaded(450);
    let hold = json!([{"when": {"path": "/query"}, "fault": {"kind": "latency", "millis": 700}}]);
    house.faults(hold);
    let mut killed = house
        .command(&["reconcile"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let looked = |house: &House| -> u64 {
        let store = rusqlite::Connection::open(house.state().join("cpq.db")).expect("the store opens");
        let told = store.query_row("SELECT told FROM reconciliations", [], |row| {
            row.get::<_, String>(0)
        });
        let told: Json = told
            .ok()
            .and_then(|told| serde_json::from_str(&told).ok())
            .unwrap_or_default();
        told["lookedAt"].as_u64().unwrap_or(0)
    };
    crate::house::until("the first page", || looked(&house), |looked| *looked > 0);
    killed.kill().expect("it can be killed");
    killed.wait().expect("it ends");
    let before = looked(&house);
    assert!(before < 450, "it was killed too late");
    house.faults(json!([]));
    let resumed = house.cpq(&["--json", "reconcile", "--resume"]);
    assert_eq!(resumed.code, 1, "{resumed:?}");
    let resumed = resumed.json();
    assert_eq!(
        (&resumed["report"]["lookedAt"], &resumed["state"]),
        (&json!(453), &json!("done"))
    );
    assert_eq!(
        found(&resumed),
        BTreeMap::from([("record never_synced".to_owned(), 451)])
    );
    let nothing = house.cpq(&["reconcile", "--resume"]);
    assert!(
        nothing.code == 1 && nothing.err.contains("cpq reconcile"),
        "{nothing:?}"
    );

    a_caller_starts_one(&house);
}

fn a_caller_starts_one(house: &House) {
    let service = house.serve();
    let (status, started) = service.json(Method::POST, "/api/v1/reconciliations", &[], &json!({}));
    assert_eq!(status, 202, "{started}");
    let path = format!(
        "/api/v1/reconciliations/{}",
        started["id"].as_str().expect("an id")
    );
    let look = || service.json(Method::GET, &path, &[], &Json::Null).1;
    let done = crate::house::until("the end", look, |told| told["state"] != "running");
    assert_eq!(
        (&done["state"], &done["differing"]),
        (&json!("done"), &json!(451)),
        "{done}"
    );
    let records = format!("{path}/records?limit=200");
    let (_, page) = service.json(Method::GET, &records, &[], &Json::Null);
    let next = page["next"].as_str().expect("another page").to_owned();
    let (_, page) = service.json(Method::GET, &format!("{records}&after={next}"), &[], &Json::Null);
    assert_eq!(page["records"].as_array().map(Vec::len), Some(200));
    let (_, red) = service.json(Method::GET, "/api/v1/certificates?verdict=red", &[], &Json::Null);
    assert_eq!(red["certificates"][0]["differing"], 451, "{red}");
    for (bad, body) in [
        (
            "/api/v1/reconciliations",
            json!({"since": "2999-01-01T00:00:00Z"}),
        ),
        ("/api/v1/reconciliations", json!({"resume": true, "repair": true})),
        ("/api/v1/reconciliations", json!({"sine": 1})),
    ] {
        let (status, told) = service.json(Method::POST, bad, &[], &body);
        assert_eq!(
            (status, &told["code"]),
            (400, &json!("REQUEST_INVALID")),
            "{body}"
        );
    }
    let (status, _) = service.json(Method::GET, "/api/v1/reconciliations/nothing", &[], &Json::Null);
    assert_eq!(status, 400);
}
