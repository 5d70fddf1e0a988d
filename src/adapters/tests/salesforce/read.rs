//! Reading.

use cpq_domain::Code;
use cpq_domain::adapter::CrmAdapter as _;
use cpq_domain::id::{LineKey, OpportunityKey};
use cpq_domain::value::{Money, Value};
use serde_json::json;

use crate::fake::{Server, call, raw, reply};
use crate::org::{ID, adapter, adapter_with, config, describe, line, page, row};

fn key(text: &str) -> OpportunityKey {
    OpportunityKey::new(text).expect("a key")
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

fn usd(text: &str) -> Value {
    Value::Money(Money::new(text.parse().expect("an amount"), "USD"))
}

#[tokio::test]
async fn one_round_trip_brings_the_whole_context() {
    let server = Server::start(|_| async { reply(200, page(vec![row(ID, "OPP-4482")])) }).await;
    let adapter = adapter(&server);
    let read = adapter
        .read(&call("csync-001"), &key("OPP-4482"))
        .await
        .expect("it is there");

    assert_eq!(read.opportunity.id.as_str(), ID);
    assert_eq!(read.opportunity.system, "crm");
    assert_eq!(read.opportunity.number, Some(key("OPP-4482")));
    assert_eq!(read.modified_at.to_string(), "2026-03-17T16:21:26Z");
    let by = read.modified_by.expect("the org tells");
    assert_eq!(
        (by.id.as_str(), by.name.as_deref()),
        ("005D000000Kv3g5IAB", Some("Jo Rep"))
    );
    for (field, value) in [
        ("opportunity.amount", usd("139000000")),
        ("opportunity.probability", number("75")),
        ("opportunity.owner", Value::text("Jo Rep")),
        ("opportunity.next_step", Value::Null),
        ("opportunity.record_type", Value::Null),
        ("opportunity.stage", Value::Choice("Proposal/Price Quote".into())),
        ("quote.name", Value::text("Acme – 40 seats")),
        ("quote.net_total", usd("18240.5")),
        (
            "quote.valid_until",
            Value::Date("2026-12-24".parse().expect("a date")),
        ),
        ("quote.currency", Value::Choice("USD".into())),
        ("quote.price_list", Value::text("Standard")),
        ("account.annual_revenue", usd("50000000")),
        ("account.employees", number("250")),
        ("account.shipping_city", Value::Null),
        ("contact.first_name", Value::text("Pia")),
        ("contact.role", Value::Null),
    ] {
        assert_eq!(read.view.get(field), Some(&value), "{field}");
    }
    let keys: Vec<&str> = read.view.lines.keys().map(LineKey::as_str).collect();
    assert_eq!(keys, ["00kD000000Kv3g6IAB", "L1"]);
    let first = &read.view.lines[&LineKey::new("L1").expect("a key")];
    assert_eq!(first["line.quantity"], number("40"));
    assert_eq!(first["line.list_unit"], usd("500"));
    assert_eq!(first["line.name"], Value::text("Pro seat"));
    assert_eq!(server.asked().len(), 1);
    assert_eq!(
        adapter.budget().map(|budget| (budget.used, budget.max)),
        Some((20, 101_000))
    );
}

#[tokio::test]
async fn the_one_request_asks_for_what_the_org_has_and_says_who_asks() {
    let server = Server::start(|_| async { reply(200, page(vec![row(ID, "OPP-4482")])) }).await;
    let adapter = adapter(&server);
    let read = adapter.read(&call("csync-001"), &key("OPP-4482")).await;
    read.expect("it is there");

    let asked = server.asked();
    assert_eq!(asked[0].uri.path(), "/services/data/v68.0/query");
    assert_eq!(asked[0].header("authorization"), "Bearer token-0");
    assert_eq!(asked[0].header("x-correlation-id"), "csync-001");
    assert_eq!(asked[0].header("sforce-call-options"), "client=cpq");
    assert!(asked[0].header("traceparent").starts_with("00-4bf9"));
    assert!(asked[0].header("accept-encoding").contains("gzip"));
    let soql = asked[0].param("q").expect("a query");
    assert!(
        soql.ends_with("FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'"),
        "{soql}"
    );
    assert!(
        soql.contains("(SELECT Id, CPQ_Line_Key__c, ProductCode, Product2.Name"),
        "{soql}"
    );
    assert!(
        !soql.contains("CPQ_Legal_Name__c"),
        "the org has no such field: {soql}"
    );
    let own = soql.split("(SELECT").next().expect("columns of the opportunity");
    assert_eq!(
        own.matches(" Name,").count(),
        1,
        "a column is named twice: {soql}"
    );
}

#[tokio::test]
async fn an_id_of_either_length_names_the_opportunity_too() {
    let server = Server::start(|_| async { reply(200, page(vec![row(ID, "OPP-4482")])) }).await;
    let adapter = adapter(&server);
    for id in [&ID[..15], ID] {
        let read = adapter.read(&call("c"), &key(id)).await.expect("it is there");
        assert_eq!(read.opportunity.id.as_str(), ID);
    }
    let soql = server.asked()[0].param("q").expect("a query");
    let expected = format!("WHERE Id = '{ID}' OR Opportunity_Number__c = '{}'", &ID[..15]);
    assert!(soql.ends_with(&expected), "{soql}");
}

#[tokio::test]
async fn none_is_not_found_and_two_are_ambiguous() {
    let server = Server::start(|asked| async move {
        match asked.param("q").is_some_and(|soql| soql.contains("OPP-2")) {
            true => reply(
                200,
                page(vec![row(ID, "OPP-2"), row("006D000000Kv3g6IAB", "opp-2")]),
            ),
            false => reply(200, page(vec![])),
        }
    })
    .await;
    let adapter = adapter(&server);
    let none = adapter
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect_err("it is not there");
    assert_eq!(none.code, Code::OpportunityNotFound);
    assert_eq!(none.place.record.as_deref(), Some("OPP-1"));
    let two = adapter
        .read(&call("c"), &key("OPP-2"))
        .await
        .expect_err("there are two");
    assert_eq!(two.code, Code::CrmAmbiguous);
}

#[tokio::test]
async fn an_opportunity_without_account_contact_and_lines_is_read() {
    let server = Server::start(|_| async {
        let mut bare = row(ID, "OPP-1");
        for field in [
            "AccountId",
            "Account",
            "OpportunityContactRoles",
            "OpportunityLineItems",
            "Pricebook2",
        ] {
            bare[field] = json!(null);
        }
        reply(200, page(vec![bare]))
    })
    .await;
    let read = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect("it is there");
    for field in [
        "account.id",
        "account.name",
        "contact.id",
        "contact.email",
        "quote.price_list",
    ] {
        assert_eq!(read.view.get(field), Some(&Value::Null), "{field}");
    }
    assert!(read.view.lines.is_empty());
}

#[tokio::test]
async fn a_decision_maker_stands_in_for_a_primary_contact() {
    let server = Server::start(|_| async {
        let mut row = row(ID, "OPP-1");
        row["OpportunityContactRoles"]["records"][1]["IsPrimary"] = json!(false);
        reply(200, page(vec![row]))
    })
    .await;
    let read = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect("it is there");
    assert_eq!(read.view.text("contact.first_name"), Some("Dee"));
    assert_eq!(read.view.text("contact.role"), Some("Decision Maker"));
}

#[tokio::test]
async fn all_pages_of_lines_are_read_and_a_copied_line_hides_nothing() {
    let next = "/services/data/v68.0/query/01gB000003OCxSPIA1-200";
    let server = Server::start(move |asked| async move {
        if asked.uri.path() == next {
            return reply(200, page(vec![line("00kD000000Kv3g7IAB", Some("L1"), 3.0)]));
        }
        let mut row = row(ID, "OPP-1");
        row["OpportunityLineItems"]["done"] = json!(false);
        row["OpportunityLineItems"]["nextRecordsUrl"] = json!(next);
        reply(200, page(vec![row]))
    })
    .await;
    let read = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect("it is there");
    let keys: Vec<&str> = read.view.lines.keys().map(LineKey::as_str).collect();
    assert_eq!(keys, ["00kD000000Kv3g6IAB", "00kD000000Kv3g7IAB", "L1"]);
}

#[tokio::test]
async fn a_page_on_another_host_is_not_followed() {
    let server = Server::start(|_| async {
        let next = json!({"totalSize": 2, "done": false, "nextRecordsUrl": "@evil.example/x", "records": []});
        reply(200, next)
    })
    .await;
    let error = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect_err("it is refused");
    assert_eq!(error.code, Code::ProtocolViolation);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn reads_at_the_same_time_share_calls() {
    let server = Server::start(|asked| async move {
        let soql = asked.param("q").expect("a query");
        let keys = soql.split('\'').filter(|part| part.starts_with("OPP-"));
        let rows = keys
            .map(|number| row(&format!("006D000000{:05}AAA", &number[4..]), number))
            .collect();
        reply(200, page(rows))
    })
    .await;
    let adapter = adapter(&server);
    let calls: Vec<_> = (0..100)
        .map(|n| (call(&format!("c{n}")), key(&format!("OPP-{:05}", 100 + n))))
        .collect();
    let reads = futures_util::future::join_all(calls.iter().map(|(call, key)| adapter.read(call, key))).await;
    for ((_, key), read) in calls.iter().zip(reads) {
        assert_eq!(read.expect("it is there").opportunity.number.as_ref(), Some(key));
    }
    let asked = server.asked();
    assert!(asked.len() <= 5, "100 reads took {} calls", asked.len());
    assert!(
        asked
            .iter()
            .any(|asked| asked.header("x-correlation-id").contains(','))
    );
}

#[tokio::test]
async fn an_org_that_was_not_described_yet_is_described_once() {
    let server = Server::start(|asked| async move {
        if asked.uri.path() != "/services/data/v68.0/composite" {
            return reply(200, page(vec![row(ID, "OPP-1")]));
        }
        let parts = asked.json()["compositeRequest"].as_array().expect("parts").clone();
        let answers: Vec<_> = parts
            .iter()
            .map(|part| {
                let url = part["url"].as_str().expect("a URL");
                let (status, body) = match url.split('/').nth(5) {
                    Some(object) => describe(object),
                    None => (200, page(vec![json!({"TimeZoneSidKey": "Europe/Berlin"})])),
                };
                json!({"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": part["referenceId"]})
            })
            .collect();
        reply(200, json!({"compositeResponse": answers}))
    })
    .await;
    let adapter = adapter_with(&server, config(), None);
    adapter
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect("it is there");
    adapter
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect("it is there");
    assert_eq!(server.asked().len(), 3);

    let mapping = adapter.mapping();
    let total = &mapping.fields["quote.net_total"];
    assert_eq!(
        (total.path.as_str(), total.writable, total.shape.scale),
        ("Opportunity.CPQ_Net_Total__c", true, Some(2))
    );
    assert!(mapping.fields["line.exists"].writable);
    assert!(!mapping.fields.contains_key("account.tax_id"));
    let warning = "account.tax_id is not synced: Account.Tax_Id__c does not exist or is hidden from our user";
    assert!(
        mapping.warnings.iter().any(|found| found == warning),
        "{:?}",
        mapping.warnings
    );
}

#[tokio::test]
async fn a_field_that_vanished_is_named() {
    let server = Server::start(|_| async {
        let message = "\nSELECT Id, CPQ_Net_Total__c FROM Opportunity\n           ^\nERROR at Row:1:Column:12\n\
                       No such column 'CPQ_Net_Total__c' on entity 'Opportunity'. If you are attempting to use a custom field";
        reply(400, json!([{"message": message, "errorCode": "INVALID_FIELD"}]))
    })
    .await;
    let error = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect_err("it is refused");
    assert_eq!(error.code, Code::SchemaDrift);
    assert_eq!(error.place.field.as_deref(), Some("CPQ_Net_Total__c"));
    assert_eq!(error.place.object.as_deref(), Some("Opportunity"));
    assert!(error.message.contains("No such column"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_json_or_never_ends_is_a_violation() {
    let server =
        Server::start(|_| async { raw(200, "text/html", "<html><title>Maintenance</title></html>") }).await;
    let error = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect_err("it is refused");
    assert_eq!(error.code, Code::ProtocolViolation);

    let server = Server::start(|_| async { raw(200, "application/json", vec![b' '; 17 << 20]) }).await;
    let error = adapter(&server)
        .read(&call("c"), &key("OPP-1"))
        .await
        .expect_err("it is refused");
    assert_eq!(error.code, Code::ProtocolViolation);
    assert!(error.message.contains("too large"), "{error}");
}
