//! Lines: what is sent of them, how they are found again, and what their refusals mean.

use std::collections::BTreeMap;

use cpq_adapters::salesforce::{Config, SalesforceAdapter};
use cpq_domain::adapter::{CrmAdapter as _, CrmWrite, LineRecord};
use cpq_domain::error::Written;
use cpq_domain::id::{LineKey, RecordId};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{Fields, LineChange, Patch};
use cpq_domain::{Code, Error};
use serde_json::{Value as Json, json};

use crate::fake::{Asked, Reply, Server, call, reply};
use crate::org::{ID, adapter, adapter_with, config, line, page, schema};
use crate::quote_record::{ordered, parts};
use crate::write::{composite, part, refusal};

const RECORD: &str = "00kD000000Kv3g5IAB";
const ENTRY: &str = "01uD0000000Kv3gIAC";

pub fn key(text: &str) -> LineKey {
    LineKey::new(text).expect("a key")
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

fn money(text: &str) -> Value {
    Value::Money(Money::new(text.parse().expect("an amount"), "USD"))
}

/// A line as the CPQ has it.
pub fn quoted(quantity: &str, discount: &str, net: &str) -> Fields {
    [
        ("line.sku".into(), Value::text("SEAT-PRO")),
        ("line.name".into(), Value::text("Pro seat")),
        ("line.quantity".into(), number(quantity)),
        ("line.discount_percent".into(), number(discount)),
        ("line.list_unit".into(), money("500")),
        ("line.net_total".into(), money(net)),
        ("line.description".into(), Value::Null),
    ]
    .into()
}

/// Nothing of these lines is in the CRM yet.
pub fn new(lines: impl IntoIterator<Item = (LineKey, Fields)>) -> CrmWrite {
    let lines: BTreeMap<_, _> = lines.into_iter().collect();
    let put = lines
        .iter()
        .map(|(key, fields)| (key.clone(), LineChange::Put(fields.clone())));
    let patch = Patch {
        lines: put.collect(),
        ..Patch::default()
    };
    let whole = |(key, fields)| (key, LineRecord { record: None, fields });
    CrmWrite {
        lines: lines.into_iter().map(whole).collect(),
        ..ordered(ID, "root-1", &patch)
    }
}

/// A change of a line that is there.
fn changed(put: Fields, whole: Fields) -> CrmWrite {
    let mut write = new([(key("L1"), whole)]);
    write.patch.lines.insert(key("L1"), LineChange::Put(put));
    write.lines.get_mut(&key("L1")).expect("a line").record = Some(RecordId::new(RECORD).expect("an id"));
    write
}

pub fn is_collection(part: &Json) -> bool {
    part["url"]
        .as_str()
        .is_some_and(|url| url.contains("/composite/sobjects"))
}

/// A server that has one product and takes every write.
pub async fn take(asked: Asked) -> Reply {
    if let Some(soql) = asked.param("q") {
        assert!(soql.contains("FROM PricebookEntry"), "{soql}");
        return reply(200, page(vec![json!({"Id": ENTRY, "ProductCode": "Seat-Pro"})]));
    }
    let parts = parts(&asked);
    let answer = |sent: &Json| match is_collection(sent) {
        true => {
            let rows = sent["body"]["records"].as_array().map_or(1, Vec::len);
            part(
                200,
                json!(vec![json!({"id": RECORD, "success": true, "errors": []}); rows]),
            )
        }
        false if sent["url"].as_str().is_some_and(|url| url.contains("query?")) => {
            let lines = vec![line(RECORD, Some("root-1.L1"), 40.0)];
            let records = vec![json!({"CPQ_Quote_Key__c": "root-1"})];
            part(
                200,
                page(vec![
                    json!({"Id": ID, "LastModifiedDate": "2026-03-17T16:30:00.000+0000",
                "OpportunityLineItems": page(lines), "Quotes": page(records)}),
                ]),
            )
        }
        false => part(204, Json::Null),
    };
    composite(parts.iter().map(answer).collect())
}

/// The records that the calls wrote.
fn records(server: &Server) -> Vec<Json> {
    let calls = server.asked();
    let parts = calls
        .iter()
        .filter(|asked| asked.param("q").is_none())
        .flat_map(parts);
    let collections = parts.filter(is_collection);
    collections
        .flat_map(|part| part["body"]["records"].as_array().cloned().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn lines_go_with_the_rest_in_one_call_and_each_product_is_asked_for_once() {
    let server = Server::start(take).await;
    let adapter = adapter(&server);
    let mut write = new([
        (key("L1"), quoted("40", "10", "17999.99")),
        (key("L2"), quoted("1", "0", "500")),
    ]);
    write.patch.lines.insert(key("L9"), LineChange::Remove);
    let gone = LineRecord {
        record: Some(RecordId::new("00kD000000Kv3g9IAB").expect("an id")),
        fields: Fields::new(),
    };
    write.lines.insert(key("L9"), gone);
    let written = adapter
        .write(&call("csync-007"), &write)
        .await
        .expect("it is written");
    assert_eq!(
        written.view.lines[&key("L1")]["line.quantity"],
        number("40"),
        "as it stands there now"
    );

    let asked = server.asked();
    assert_eq!(asked.len(), 2, "the products, then one call");
    let soql = asked[0].param("q").expect("a query");
    for words in [
        "Pricebook2Id = '01sD0000000Kv3gIAC'",
        "IsActive = TRUE",
        "ProductCode IN ('seat-pro')",
    ] {
        assert!(soql.contains(words), "{soql}");
    }
    let parts = parts(&asked[1]);
    assert_eq!(asked[1].json()["allOrNone"], true);
    let urls: Vec<&str> = parts
        .iter()
        .map(|part| part["url"].as_str().expect("a URL"))
        .collect();
    assert!(
        urls[1].ends_with("/composite/sobjects?ids=00kD000000Kv3g9IAB&allOrNone=true"),
        "{urls:?}"
    );
    assert!(
        urls[2].ends_with("/composite/sobjects/OpportunityLineItem/CPQ_Line_Key__c"),
        "{urls:?}"
    );
    assert!(parts[0]["httpHeaders"]["If-Unmodified-Since"].is_string());
    let expected = json!({"attributes": {"type": "OpportunityLineItem"}, "CPQ_Line_Key__c": "root-1.L1",
        "OpportunityId": ID, "PricebookEntryId": ENTRY, "Quantity": 40, "Discount": 10, "TotalPrice": 17999.99});
    assert_eq!(
        parts[2]["body"]["records"][0], expected,
        "a total, and no unit price"
    );

    adapter
        .write(&call("csync-008"), &write)
        .await
        .expect("it is written");
    assert_eq!(server.asked().len(), 3, "the product is known by now");
}

#[tokio::test]
async fn a_line_that_is_there_keeps_its_record_and_is_given_its_key() {
    let server = Server::start(take).await;
    let adapter = adapter(&server);
    let cases = [
        // What differs, and what is sent of it.
        (
            [("line.quantity", number("41"))],
            json!({"Quantity": 41, "TotalPrice": 20500}),
        ),
        ([("line.net_total", money("20500"))], json!({"TotalPrice": 20500})),
        (
            [("line.service_start", Value::Null)],
            json!({"ServiceDate": null}),
        ),
    ];
    for (put, sent) in cases {
        let put: Fields = put.map(|(name, value)| (name.into(), value)).into();
        let write = changed(put, quoted("41", "0", "20500"));
        adapter.write(&call("c"), &write).await.expect("it is written");
        let record = records(&server).pop().expect("a record");
        let mut expected = json!({"attributes": {"type": "OpportunityLineItem"}, "Id": RECORD,
            "CPQ_Line_Key__c": "root-1.L1"});
        let sent = sent.as_object().expect("fields").clone();
        expected.as_object_mut().expect("fields").extend(sent);
        assert_eq!(record, expected);
    }
    assert!(
        server.asked().iter().all(|asked| asked.param("q").is_none()),
        "no product is looked up"
    );

    let free = changed(
        [("line.discount_percent".into(), number("100"))].into(),
        quoted("41", "100", "0"),
    );
    adapter.write(&call("c"), &free).await.expect("it is written");
    let record = records(&server).pop().expect("a record");
    assert_eq!(
        record["TotalPrice"], 0,
        "nothing is known of its unit price: {record}"
    );
    let other = changed(
        [("line.sku".into(), Value::text("SEAT-PRO"))].into(),
        quoted("2", "100", "0"),
    );
    adapter.write(&call("c"), &other).await.expect("it is written");
    let last = parts(server.asked().last().expect("a call"));
    assert_eq!(last[1]["method"], "DELETE", "another product is another line");
    let record = &last[2]["body"]["records"][0];
    assert_eq!(
        record["UnitPrice"], 500,
        "no unit price gives this total: {record}"
    );
    assert!(record.get("TotalPrice").is_none(), "{record}");
}

/// What a refusal of the second of two lines becomes.
async fn refused(write: &CrmWrite, status: u16, code: &'static str, message: &'static str) -> Error {
    let server = Server::start(move |asked| async move {
        if asked.param("q").is_some() {
            return take(asked).await;
        }
        let fell = || refusal(400, "PROCESSING_HALTED", "The transaction was rolled back");
        let error = |code: &str, message: &str| json!({"statusCode": code, "message": message, "fields": []});
        let row = |error| json!({"success": false, "errors": [error]});
        let rows = json!([
            row(error("ALL_OR_NONE_OPERATION_ROLLED_BACK", "with others")),
            row(error(code, message))
        ]);
        composite(vec![fell(), part(status, rows), fell()])
    })
    .await;
    adapter(&server)
        .write(&call("c"), write)
        .await
        .expect_err("it is refused")
}

#[tokio::test]
async fn a_refused_line_is_named_and_takes_all_with_it() {
    let two = new([
        (key("L1"), quoted("1", "0", "500")),
        (key("L2"), quoted("1", "0", "500")),
    ]);
    let taken =
        "Unable to create/update fields: OpportunityId. Please check the security settings of this field.";
    for (status, code, message, meant) in [
        (
            400,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "not today",
            Code::CrmRejected,
        ),
        (
            200,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "not today",
            Code::CrmRejected,
        ),
        (400, "INVALID_FIELD_FOR_INSERT_UPDATE", taken, Code::CrmDuplicate),
        (
            400,
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access",
            Code::CrmLocked,
        ),
    ] {
        let error = refused(&two, status, code, message).await;
        assert_eq!((error.code, error.written), (meant, Written::No), "{error:?}");
        assert_eq!(error.place.object.as_deref(), Some("OpportunityLineItem"));
        assert_eq!(error.place.record.as_deref(), Some("L2"));
    }
    let mut there = two;
    for (at, line) in there.lines.values_mut().enumerate() {
        let id = format!("00kD000000Kv3g{at}IAB");
        line.record = Some(RecordId::new(id).expect("an id"));
    }
    let put = || LineChange::Put([("line.quantity".into(), number("2"))].into());
    there.patch.lines.values_mut().for_each(|change| *change = put());
    let error = refused(&there, 400, "ENTITY_IS_DELETED", "entity is deleted").await;
    assert_eq!(
        error.code,
        Code::CrmConflict,
        "it was there when it was read: {error:?}"
    );
}

fn many(count: usize) -> CrmWrite {
    let mut write = new((0..count).map(|n| (key(&format!("N{n}")), quoted("1", "0", "500"))));
    let status = [("quote.status".into(), Value::Choice("approved".into()))];
    write.patch.fields = status.into();
    write
}

#[tokio::test]
async fn lines_that_do_not_fit_into_one_call_are_written_between_two_marks() {
    let server = Server::start(take).await;
    adapter(&server)
        .write(&call("csync-007"), &many(1_700))
        .await
        .expect("it is written");
    let calls: Vec<Vec<Json>> = server.asked()[1..].iter().map(parts).collect();
    assert_eq!(calls.len(), 3);
    let body = |call: usize, part: usize| calls[call][part]["body"].clone();
    assert_eq!(body(0, 1)["CPQ_Sync_State__c"], "writing 1");
    assert_eq!(body(2, 1), json!({"CPQ_Sync_State__c": "complete 1"}));
    for (at, (parts, counted)) in calls.iter().zip([800, 800, 100]).enumerate() {
        let lines = parts.iter().filter(|part| is_collection(part));
        let rows = lines.map(|part| part["body"]["records"].as_array().expect("records").len());
        assert_eq!(rows.sum::<usize>(), counted);
        let status = parts[0]["body"].get("CPQ_Quote_Status__c");
        assert_eq!(status.is_some(), at == 2, "what tells of the version comes last");
        let since = match at {
            0 => "Tue, 17 Mar 2026 16:21:26 GMT",
            _ => "Tue, 17 Mar 2026 16:30:00 GMT",
        };
        assert_eq!(parts[0]["httpHeaders"]["If-Unmodified-Since"], since);
    }
    assert!(
        !calls[0]
            .iter()
            .any(|part| part["url"].to_string().contains("OpportunityLineItems"))
    );
}

#[tokio::test]
async fn a_refusal_of_a_later_call_says_that_some_of_it_is_in_place() {
    for (nth, written) in [(1, Written::No), (2, Written::Partly), (3, Written::Partly)] {
        let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let server = Server::start(move |asked| {
            let calls = calls.clone();
            async move {
                let counts = asked.param("q").is_none();
                let call = calls.fetch_add(usize::from(counts), std::sync::atomic::Ordering::SeqCst) + 1;
                match counts && call == nth {
                    false => take(asked).await,
                    true => {
                        let mut fell =
                            vec![refusal(400, "PROCESSING_HALTED", "rolled back"); parts(&asked).len()];
                        fell[0] = refusal(412, "PRECONDITION_FAILED", "it was modified");
                        composite(fell)
                    }
                }
            }
        })
        .await;
        let error = adapter(&server)
            .write(&call("c"), &many(1_700))
            .await
            .expect_err("it is refused");
        assert_eq!(
            (error.code, error.written),
            (Code::CrmConflict, written),
            "call {nth}"
        );
        assert!(error.message.contains(&format!("call {nth} of 3")), "{error}");
    }
}

#[tokio::test]
async fn without_a_place_for_the_mark_or_the_key_nothing_is_sent_and_the_field_is_named() {
    let adapter_without = |server: &Server, object: &str, field: &str| -> SalesforceAdapter {
        let mut schema = schema();
        schema.objects.get_mut(object).expect("an object").remove(field);
        adapter_with(server, config(), Some(&schema))
    };
    let server = Server::start(take).await;
    let unmarked = adapter_without(&server, "Quote", "CPQ_Sync_State__c");
    assert!(
        !unmarked
            .mapping()
            .warnings
            .iter()
            .any(|warning| warning.contains("Sync_State"))
    );
    let error = unmarked
        .write(&call("c"), &many(801))
        .await
        .expect_err("a reader could not tell");
    assert_eq!((error.code, error.written), (Code::Unsupported, Written::No));
    assert!(
        error
            .next
            .expect("a way out")
            .contains("CPQ_Sync_State__c, Text(40)")
    );
    unmarked
        .write(&call("c"), &many(800))
        .await
        .expect("one call needs no mark");

    let server = Server::start(take).await;
    let keyless = adapter_without(&server, "OpportunityLineItem", "CPQ_Line_Key__c");
    assert!(!keyless.mapping().fields["line.exists"].writable);
    assert!(!keyless.mapping().fields["line.quantity"].writable);
    let error = keyless
        .write(&call("c"), &many(1))
        .await
        .expect_err("lines are only read");
    assert_eq!(error.code, Code::Unsupported);
    assert!(
        error
            .message
            .contains("OpportunityLineItem.CPQ_Line_Key__c does not exist"),
        "{error}"
    );
}

/// What a server does that takes writes of one record and of collections too.
async fn take_apart(asked: Asked) -> Reply {
    let (is_change, path) = (asked.method == "PATCH", asked.uri.path());
    if is_change && path.contains("/composite/sobjects") {
        return reply(200, json!([{"id": RECORD, "success": true, "errors": []}]));
    }
    if is_change {
        return reply(204, Json::Null);
    }
    match asked.param("q") {
        Some(soql) if soql.contains("FROM Opportunity ") => {
            let lines = vec![line(RECORD, Some("root-1.L1"), 40.0)];
            let row = json!({"Id": ID, "LastModifiedDate": "2026-03-17T16:31:00.000+0000",
                "OpportunityLineItems": page(lines), "Quotes": page(vec![json!({"CPQ_Quote_Key__c": "root-1"})])});
            reply(200, page(vec![row]))
        }
        _ => take(asked).await,
    }
}

#[tokio::test]
async fn a_text_that_would_be_a_reference_follows_its_line_in_a_call_that_knows_none() {
    let server = Server::start(take_apart).await;
    let mut whole = quoted("40", "10", "18000");
    whole.insert("line.description".into(), Value::text("for @{write0.id}"));
    let write = new([(key("L1"), whole.clone())]);
    let description = "[[field]]\nname = \"line.description\"\nobject = \"OpportunityLineItem\"\n\
                       path = \"Description\"\ntype = \"text\"\nwritable = true\n";
    let config = Config {
        fields: Some(description.into()),
        ..config()
    };
    let org = adapter_with(&server, config, Some(&schema()));
    let written = org.write(&call("csync-007"), &write).await;
    let written = written.expect("it is written");
    assert_eq!(written.modified_at.to_string(), "2026-03-17T16:31:00Z");
    let asked = server.asked();
    let first = asked
        .iter()
        .find(|asked| asked.uri.path().ends_with("/composite"));
    let first = first.expect("a composite call").json().to_string();
    assert!(
        first.contains("root-1.L1") && !first.contains("@{write0"),
        "{first}"
    );
    let own: Vec<_> = asked.iter().filter(|asked| asked.method == "PATCH").collect();
    assert_eq!(own.len(), 1, "only the line has such a text");
    assert!(
        own[0]
            .uri
            .path()
            .contains("/composite/sobjects/OpportunityLineItem/")
    );
    let record = &own[0].json()["records"][0];
    assert_eq!(record["Description"], "for @{write0.id}");
    assert_eq!(record.as_object().map(serde_json::Map::len), Some(3), "{record}");
    // A line that is there is named by its id.
    let put = Fields::from([("line.description".into(), Value::text("@{x.y}"))]);
    let again = org.write(&call("csync-008"), &changed(put, whole)).await;
    again.expect("it is written");
    let last = server.asked().into_iter().rfind(|asked| asked.method == "PATCH");
    let last = last.expect("a change").json();
    assert_eq!(last["records"][0]["Id"], RECORD);
    assert_eq!(last["records"][0]["Description"], "@{x.y}");
}
