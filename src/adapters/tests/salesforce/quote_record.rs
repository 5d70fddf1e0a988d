//! The quote's own record, upserted in the call that writes the opportunity.

use cpq_domain::adapter::{CrmAdapter as _, CrmWrite, CrmWritten, QuoteRecord};
use cpq_domain::error::Written;
use cpq_domain::id::{QuoteId, RecordId};
use cpq_domain::value::Value;
use cpq_domain::view::Patch;
use cpq_domain::{Code, Error};
use serde_json::{Value as Json, json};

use crate::fake::{Asked, Reply, Server, call};
use crate::org::{ID, adapter, page};
use crate::write::{composite, order, part, refusal, status};

const ROLLED_BACK: &str =
    "The transaction was rolled back since another operation in the same transaction failed.";
const BOOK: &str = "01sD0000000Kv3gIAC";

pub fn patch(fields: &[(&str, Value)]) -> Patch {
    let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone()));
    Patch {
        fields: fields.collect(),
        ..Patch::default()
    }
}

/// What a first sync writes.
fn new_record() -> Patch {
    patch(&[
        ("quote.status", Value::Choice("draft".into())),
        ("quote_record.key", Value::text("root-1")),
        ("quote_record.name", Value::text("Acme – 40 seats")),
        (
            "quote_record.expiration_date",
            Value::Date("2026-12-24".parse().expect("a date")),
        ),
        ("quote_record.status", Value::Choice("Draft".into())),
    ])
}

fn moved_on() -> Patch {
    patch(&[("quote_record.status", Value::Choice("Presented".into()))])
}

pub fn ordered(id: &str, key: &str, patch: &Patch) -> CrmWrite {
    let key = QuoteId::new(key).expect("an id");
    CrmWrite {
        quote_record: Some(QuoteRecord {
            key,
            name: "a fallback".into(),
            price_book: Some(RecordId::new(BOOK).expect("an id")),
            revision: 1,
        }),
        ..order(id, patch)
    }
}

async fn write(server: &Server, patch: &Patch) -> Result<CrmWritten, Error> {
    adapter(server)
        .write(&call("csync-007"), &ordered(ID, "root-1", patch))
        .await
}

pub fn parts(asked: &Asked) -> Vec<Json> {
    let body = asked.json();
    body["compositeRequest"].as_array().expect("parts").clone()
}

fn last_of_path(part: &Json) -> String {
    let url = part["url"].as_str().expect("a URL");
    let path = url.split('?').next().expect("a path");
    path.rsplit('/').next().expect("a segment").to_owned()
}

fn is_quote(part: &Json) -> bool {
    part["url"]
        .as_str()
        .is_some_and(|url| url.contains("/sobjects/Quote/") && !url.contains("/composite/"))
}

fn is_collection(part: &Json) -> bool {
    part["url"]
        .as_str()
        .is_some_and(|url| url.contains("/composite/sobjects"))
}

fn records(part: &Json) -> Vec<Json> {
    part["body"]["records"].as_array().expect("records").clone()
}

/// What a server does that takes every write, and makes or changes the records of quotes and lines.
pub async fn take(asked: Asked) -> Reply {
    let parts = parts(&asked);
    let (_, changes) = parts.split_last().expect("parts");
    let mut answers = Vec::new();
    let mut rows: Vec<Json> = Vec::new();
    let taken = |created: bool| json!({"id": "0Q0D000000Kv3g5IAB", "success": true, "errors": [], "created": created});
    for change in changes {
        if is_quote(change) {
            let created = change["body"].get("OpportunityId").is_some();
            let mut record = change["body"].clone();
            record["CPQ_Quote_Key__c"] = json!(last_of_path(change));
            belong(&mut rows, "Quotes", record);
            answers.push(part(if created { 201 } else { 200 }, taken(created)));
        } else if is_collection(change) {
            let child = match records(change)[0]["attributes"]["type"].as_str() {
                Some("Quote") => "Quotes",
                _ => "OpportunityLineItems",
            };
            for record in records(change) {
                belong(&mut rows, child, record);
            }
            answers.push(part(200, json!(vec![taken(true); records(change).len()])));
        } else {
            let mut record = change["body"].clone();
            record["Id"] = json!(last_of_path(change));
            record["LastModifiedDate"] = json!("2026-03-17T16:30:00.000+0000");
            rows.push(record);
            answers.push(part(204, Json::Null));
        }
    }
    answers.push(part(200, page(rows)));
    composite(answers)
}

/// Puts a child record under the opportunity that it names, or under the last one.
fn belong(rows: &mut [Json], child: &str, mut record: Json) {
    record["Id"] = json!("00kD000000Kv3g5IAB");
    let named = rows
        .iter()
        .position(|row| row["Id"] == record["OpportunityId"])
        .unwrap_or(rows.len() - 1);
    let opportunity = rows.get_mut(named).expect("opportunities come first");
    let mut records = opportunity[child]["records"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    records.push(record);
    opportunity[child] = page(records);
    opportunity["LastModifiedDate"] = json!("2026-03-17T16:30:01.000+0000");
}

#[tokio::test]
async fn a_new_record_is_made_in_the_call_that_writes_the_opportunity() {
    let server = Server::start(take).await;
    let written = write(&server, &new_record()).await.expect("it is written");
    assert_eq!(written.view.text("quote.status"), Some("draft"));
    assert_eq!(written.view.text("quote_record.key"), Some("root-1"));
    assert_eq!(written.view.text("quote_record.name"), Some("Acme – 40 seats"));
    assert_eq!(written.view.text("quote_record.status"), Some("Draft"));
    assert_eq!(written.view.fields.len(), 5);
    assert_eq!(
        written.modified_at.to_string(),
        "2026-03-17T16:30:01Z",
        "the record moved the opportunity's date"
    );

    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].json()["allOrNone"], true);
    let parts = parts(&asked[0]);
    assert_eq!(parts.len(), 3, "opportunity, quote, read-back, in this order");
    assert_eq!(last_of_path(&parts[0]), ID);
    assert_eq!(
        parts[0]["httpHeaders"]["If-Unmodified-Since"],
        "Tue, 17 Mar 2026 16:21:26 GMT"
    );
    assert_eq!(parts[1]["method"], "PATCH");
    assert_eq!(
        parts[1]["url"],
        "/services/data/v68.0/sobjects/Quote/CPQ_Quote_Key__c/root-1"
    );
    assert!(
        parts[1].get("httpHeaders").is_none(),
        "the condition is the opportunity's"
    );
    let body = json!({"OpportunityId": ID, "Pricebook2Id": BOOK, "Name": "Acme – 40 seats",
                      "ExpirationDate": "2026-12-24", "Status": "Draft"});
    assert_eq!(parts[1]["body"], body, "neither id nor key may stand in it");
    assert_eq!(parts[2]["method"], "GET");
}

#[tokio::test]
async fn a_record_that_is_there_is_changed_and_only_in_what_differs() {
    let server = Server::start(take).await;
    let written = write(&server, &moved_on()).await.expect("it is written");
    assert_eq!(written.view.text("quote_record.status"), Some("Presented"));
    assert_eq!(written.view.fields.len(), 1);
    let parts = parts(&server.asked()[0]);
    assert_eq!(parts[1]["body"], json!({"Status": "Presented"}));
    let url = parts[1]["url"].as_str().expect("a URL");
    assert!(
        url.ends_with("/Quote/CPQ_Quote_Key__c/root-1?updateOnly=true"),
        "a change must not make an orphan: {url}"
    );
    let answers_nothing = |asked: Asked| async move {
        let reply = take(asked).await;
        let bytes = axum::body::to_bytes(reply.into_body(), 1 << 20)
            .await
            .expect("a body");
        let mut body: Json = serde_json::from_slice(&bytes).expect("JSON");
        body["compositeResponse"][1] = part(204, Json::Null);
        crate::fake::reply(200, body)
    };
    let old = Server::start(answers_nothing).await;
    write(&old, &moved_on())
        .await
        .expect("older versions answer an update with 204");
}

#[tokio::test]
async fn a_new_record_has_a_name_whatever_the_patch_says() {
    let server = Server::start(take).await;
    let only_key = patch(&[("quote_record.key", Value::text("root-1"))]);
    write(&server, &only_key).await.expect("it is written");
    assert_eq!(parts(&server.asked()[0])[1]["body"]["Name"], "a fallback");
}

#[tokio::test]
async fn the_record_is_not_touched_where_nothing_of_it_is_written() {
    let server = Server::start(take).await;
    write(&server, &status("sent")).await.expect("it is written");
    let parts = parts(&server.asked()[0]);
    assert_eq!(parts.len(), 2);
    assert!(!parts[1]["url"].to_string().contains("Quotes"), "{}", parts[1]);
}

#[tokio::test]
async fn a_write_that_does_not_say_whose_record_it_means_is_refused_before_anything_is_sent() {
    let server = Server::start(take).await;
    let error = adapter(&server).write(&call("c"), &order(ID, &moved_on())).await;
    assert_eq!(error.expect_err("it is refused").code, Code::Unsupported);
    assert!(server.asked().is_empty());
}

/// A server that refuses the record and therefore takes back the rest.
async fn refusing(status: u16, body: Json) -> Server {
    Server::start(move |_| {
        let body = body.clone();
        async move {
            let fell = || refusal(400, "PROCESSING_HALTED", ROLLED_BACK);
            composite(vec![fell(), part(status, body), fell()])
        }
    })
    .await
}

fn said(code: &str, message: &str, fields: &[&str]) -> Json {
    json!([{"errorCode": code, "message": message, "fields": fields}])
}

#[tokio::test]
async fn each_refusal_of_a_record_has_its_meaning_and_its_place() {
    let taken =
        "duplicate value found: CPQ_Quote_Key__c duplicates value on record with id: 0Q0D000000Kv3g5IAB";
    let unknown = "Provided external ID field does not exist or is not accessible: CPQ_Quote_Key__c";
    let picklist = "Status: bad value for restricted picklist field: Presented";
    let parent =
        "Unable to create/update fields: OpportunityId. Please check the security settings of this field.";
    let (new, old) = (new_record(), moved_on());
    for (patch, http, body, code, field) in [
        (
            &new,
            400,
            said("DUPLICATE_VALUE", taken, &[]),
            Code::CrmDuplicate,
            None,
        ),
        (
            &new,
            400,
            said("INVALID_FIELD_FOR_INSERT_UPDATE", parent, &["OpportunityId"]),
            Code::CrmDuplicate,
            Some("OpportunityId"),
        ),
        (
            &old,
            404,
            json!([{"errorCode": "NOT_FOUND", "message": unknown}]),
            Code::SchemaDrift,
            Some("CPQ_Quote_Key__c"),
        ),
        (
            &old,
            404,
            json!([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]),
            Code::CrmConflict,
            None,
        ),
        (
            &old,
            400,
            said("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", picklist, &["Status"]),
            Code::CrmRejected,
            Some("Status"),
        ),
        (
            &old,
            403,
            said("INSUFFICIENT_ACCESS_OR_READONLY", "no", &[]),
            Code::CrmForbidden,
            None,
        ),
    ] {
        let server = refusing(http, body).await;
        let error = write(&server, patch).await.expect_err("it is refused");
        assert_eq!((error.code, error.written), (code, Written::No), "{error:?}");
        assert_eq!(error.place.object.as_deref(), Some("Quote"), "{error:?}");
        assert_eq!(error.place.field.as_deref(), field, "{error:?}");
        assert_eq!(error.place.record.as_deref(), Some("root-1"), "{error:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_unique_is_told_with_the_records_that_carry_it() {
    let server = Server::start(|_| async {
        let urls = json!([
            "/services/data/v68.0/sobjects/Quote/0Q0D000000Kv3g5IAB",
            "/services/data/v68.0/sobjects/Quote/0Q0D000000Kv3g6IAB"
        ]);
        // It is no error to the call as a whole, so the opportunity stands.
        composite(vec![
            part(204, Json::Null),
            part(300, urls),
            part(200, page(vec![])),
        ])
    })
    .await;
    let error = write(&server, &moved_on()).await.expect_err("which one?");
    assert_eq!((error.code, error.written), (Code::CrmAmbiguous, Written::Partly));
    let facts = error.facts.as_ref().expect("facts");
    assert_eq!(
        facts["records"],
        json!(["0Q0D000000Kv3g5IAB", "0Q0D000000Kv3g6IAB"])
    );
}

#[tokio::test]
async fn a_changed_opportunity_takes_its_record_with_it() {
    let server = Server::start(|_| async {
        let fell = || refusal(400, "PROCESSING_HALTED", ROLLED_BACK);
        composite(vec![part(412, Json::Null), fell(), fell()])
    })
    .await;
    let error = write(&server, &new_record()).await.expect_err("it changed");
    assert_eq!((error.code, error.written), (Code::CrmConflict, Written::No));
    assert_eq!(error.place.object.as_deref(), Some("Opportunity"));
}

#[tokio::test]
async fn in_a_shared_call_each_opportunity_stands_or_falls_with_its_record() {
    let (stale, bad) = ("006D00000000003AAA", "key-7");
    let server = Server::start(move |asked| async move {
        let parts = parts(&asked);
        assert!(parts.len() <= 25, "{} parts", parts.len());
        assert_eq!(asked.json()["allOrNone"], true);
        let is_stale = |part: &Json| last_of_path(part) == stale;
        if let Some(culprit) = parts.iter().position(is_stale) {
            let fell = (0..parts.len()).map(|at| match at == culprit {
                true => part(412, Json::Null),
                false => refusal(400, "PROCESSING_HALTED", ROLLED_BACK),
            });
            return composite(fell.collect());
        }
        let is_bad = |part: &Json| match is_collection(part) {
            true => records(part).iter().any(|row| row["CPQ_Quote_Key__c"] == bad),
            false => last_of_path(part) == bad,
        };
        let Some(culprit) = parts.iter().position(is_bad) else {
            return take(asked).await;
        };
        let missing = json!([{"errorCode": "REQUIRED_FIELD_MISSING", "message": "Required: [X__c]", "fields": []}]);
        let row = |row: &Json| match row["CPQ_Quote_Key__c"] == bad {
            true => json!({"success": false, "errors": [{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required: [X__c]"}]}),
            false => json!({"success": false, "errors": [{"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "Record rolled back"}]}),
        };
        let fell = (0..parts.len()).map(|at| match at == culprit {
            true if is_collection(&parts[at]) => {
                part(400, records(&parts[at]).iter().map(row).collect::<Vec<_>>().into())
            }
            true => part(400, missing.clone()),
            false => refusal(400, "PROCESSING_HALTED", ROLLED_BACK),
        });
        composite(fell.collect())
    })
    .await;
    let adapter = adapter(&server);
    let orders: Vec<_> = (0..40)
        .map(|n| {
            ordered(
                &format!("006D00000000{n:03}AAA"),
                &format!("key-{n}"),
                &new_record(),
            )
        })
        .collect();
    let call = call("c");
    let results =
        futures_util::future::join_all(orders.iter().map(|order| adapter.write(&call, order))).await;
    for (at, result) in results.into_iter().enumerate() {
        match at {
            3 => assert_eq!(result.expect_err("it is stale").code, Code::CrmConflict),
            7 => assert_eq!(result.expect_err("it is bad").code, Code::CrmRejected),
            at => {
                let written = result.unwrap_or_else(|error| panic!("{at}: {error:?}"));
                assert_eq!(written.view.text("quote_record.key"), Some(&*format!("key-{at}")));
            }
        }
    }
    let calls = server.asked().len();
    assert!(
        calls <= 6,
        "40 opportunities, of which 2 fail, took {calls} calls"
    );
}

#[tokio::test]
async fn a_shared_call_that_falls_without_a_culprit_is_taken_apart() {
    let server = Server::start(move |asked| async move {
        let parts = parts(&asked);
        // A text that looks like a reference makes Salesforce halt its part with the code of a bystander.
        let is_odd = |part: &Json| match is_collection(part) {
            true => records(part).iter().any(|row| row["CPQ_Quote_Key__c"] == "key-5"),
            false => last_of_path(part) == "key-5",
        };
        let odd = parts.iter().any(is_odd);
        if !odd {
            return take(asked).await;
        }
        let fell = parts
            .iter()
            .map(|_| refusal(400, "PROCESSING_HALTED", ROLLED_BACK));
        composite(fell.collect())
    })
    .await;
    let adapter = adapter(&server);
    let orders: Vec<_> = (0..14)
        .map(|n| {
            ordered(
                &format!("006D00000000{n:03}AAA"),
                &format!("key-{n}"),
                &new_record(),
            )
        })
        .collect();
    let call = call("c");
    let results =
        futures_util::future::join_all(orders.iter().map(|order| adapter.write(&call, order))).await;
    for (at, result) in results.into_iter().enumerate() {
        assert_eq!(result.is_err(), at == 5, "{at}: {result:?}");
    }
}

/// What a collection says as a whole is nobody's fault until each has tried alone.
#[tokio::test]
async fn a_collection_that_is_refused_as_a_whole_is_taken_apart() {
    let server = Server::start(move |asked| async move {
        let parts = parts(&asked);
        let Some(shared) = parts.iter().position(is_collection) else {
            return take(asked).await;
        };
        let fell = (0..parts.len()).map(|at| match at == shared {
            true => refusal(400, "INVALID_INPUT", "all records must be of type Quote"),
            false => refusal(400, "PROCESSING_HALTED", ROLLED_BACK),
        });
        composite(fell.collect())
    })
    .await;
    let adapter = adapter(&server);
    let orders: Vec<_> = (0..8)
        .map(|n| {
            ordered(
                &format!("006D00000000{n:03}AAA"),
                &format!("key-{n}"),
                &new_record(),
            )
        })
        .collect();
    let call = call("c");
    let results =
        futures_util::future::join_all(orders.iter().map(|order| adapter.write(&call, order))).await;
    for (at, result) in results.into_iter().enumerate() {
        let written = result.unwrap_or_else(|error| panic!("{at}: {error:?}"));
        assert_eq!(written.view.text("quote_record.key"), Some(&*format!("key-{at}")));
    }
}
