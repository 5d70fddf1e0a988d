//! Writing.

use cpq_domain::adapter::{CrmAdapter as _, CrmWrite, CrmWritten};
use cpq_domain::error::Written;
use cpq_domain::id::{LineKey, RecordId};
use cpq_domain::quote::OpportunityRef;
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{LineChange, Patch};
use cpq_domain::{Code, Error};
use serde_json::{Value as Json, json};

use crate::fake::{Asked, Reply, Server, call, raw, reply};
use crate::org::{ID, adapter, page};

pub fn status(to: &str) -> Patch {
    let fields = [("quote.status".into(), Value::Choice(to.into()))];
    Patch {
        fields: fields.into(),
        ..Patch::default()
    }
}

pub fn order(id: &str, patch: &Patch) -> CrmWrite {
    CrmWrite {
        opportunity: OpportunityRef {
            system: "crm".into(),
            id: RecordId::new(id).expect("an id"),
            number: None,
        },
        patch: patch.clone(),
        unmodified_since: "2026-03-17T16:21:26Z".parse().expect("a moment"),
        quote_record: None,
        lines: Default::default(),
        record_type: None,
    }
}

pub async fn write(server: &Server, patch: &Patch) -> Result<CrmWritten, Error> {
    adapter(server).write(&call("csync-007"), &order(ID, patch)).await
}

pub fn part(status: u16, body: Json) -> Json {
    json!({"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": "x"})
}

pub fn composite(parts: Vec<Json>) -> Reply {
    reply(200, json!({"compositeResponse": parts}))
}

pub fn refusal(status: u16, code: &str, message: &str) -> Json {
    part(
        status,
        json!([{"message": message, "errorCode": code, "fields": []}]),
    )
}

/// What a server does that takes every write.
pub async fn take(asked: Asked) -> Reply {
    let parts = asked.json()["compositeRequest"]
        .as_array()
        .expect("parts")
        .clone();
    let (_, changes) = parts.split_last().expect("parts");
    let mut answers = vec![part(204, Json::Null); changes.len()];
    let rows = changes.iter().map(|change| {
        let id = change["url"]
            .as_str()
            .and_then(|url| url.rsplit('/').next())
            .expect("an id");
        let mut row = change["body"].clone();
        row["Id"] = json!(id);
        row["LastModifiedDate"] = json!("2026-03-17T16:30:00.000+0000");
        row
    });
    answers.push(part(200, page(rows.collect())));
    composite(answers)
}

#[tokio::test]
async fn one_call_writes_under_the_condition_and_reads_back() {
    let server = Server::start(take).await;
    let mut patch = status("sent");
    let total = "12345678901234.07".parse().expect("an amount");
    patch
        .fields
        .insert("quote.net_total".into(), Value::Money(Money::new(total, "USD")));
    patch.fields.insert("quote.valid_until".into(), Value::Null);
    patch
        .fields
        .insert("quote.number".into(), Value::text("Q-\"2026\"-0137"));
    let written = write(&server, &patch).await.expect("it is written");

    assert_eq!(written.modified_at.to_string(), "2026-03-17T16:30:00Z");
    assert_eq!(
        written.view.get("quote.status"),
        Some(&Value::Choice("sent".into()))
    );
    assert_eq!(written.view.get("quote.valid_until"), Some(&Value::Null));
    assert_eq!(written.view.fields.len(), 4);

    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        String::from_utf8_lossy(&asked[0].body).contains("\"CPQ_Net_Total__c\":12345678901234.07"),
        "the amount is not exact"
    );
    let body = asked[0].json();
    assert_eq!(body["allOrNone"], true);
    assert_eq!(body["collateSubrequests"], false);
    let change = &body["compositeRequest"][0];
    assert_eq!(change["method"], "PATCH");
    assert_eq!(
        change["url"],
        format!("/services/data/v68.0/sobjects/Opportunity/{ID}")
    );
    assert_eq!(
        change["httpHeaders"]["If-Unmodified-Since"],
        "Tue, 17 Mar 2026 16:21:26 GMT"
    );
    assert_eq!(change["body"]["CPQ_Valid_Until__c"], Json::Null);
    assert_eq!(change["body"]["CPQ_Quote_Number__c"], "Q-\"2026\"-0137");
    assert_eq!(change["body"]["CPQ_Correlation_Id__c"], "csync-007");
    assert_eq!(change["body"].as_object().map(serde_json::Map::len), Some(5));
}

#[tokio::test]
async fn nothing_to_write_is_no_call() {
    let server = Server::start(take).await;
    let written = write(&server, &Patch::default()).await.expect("it is fine");
    assert_eq!(written.modified_at.to_string(), "2026-03-17T16:21:26Z");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_anything_is_sent() {
    let server = Server::start(take).await;
    let field = |name: &str, value| Patch {
        fields: [(name.into(), value)].into(),
        ..Patch::default()
    };
    let line = LineKey::new("L1").expect("a key");
    let lines = Patch {
        lines: [(line, LineChange::Remove)].into(),
        ..Patch::default()
    };
    let euros = Value::Money(Money::new(1.into(), "EUR"));
    for (patch, code) in [
        (lines, Code::Unsupported),
        (
            field("quote.payment_terms", Value::text("NET30")),
            Code::SchemaDrift,
        ),
        (
            field("opportunity.stage", Value::Choice("Won".into())),
            Code::CrmForbidden,
        ),
        (field("account.name", Value::text("x")), Code::CrmForbidden),
        (field("quote.valid_until", Value::text("soon")), Code::CrmRejected),
        (field("quote.net_total", euros), Code::CrmRejected),
    ] {
        let error = write(&server, &patch).await.expect_err("it is refused");
        assert_eq!((error.code, error.written), (code, Written::No), "{patch:?}");
        assert!(
            error.place.field.is_some() && error.place.record.is_some(),
            "{error:?}"
        );
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_change_since_the_read_is_a_conflict() {
    let halted = "The transaction was rolled back since another operation in the same transaction failed.";
    let server = Server::start(move |_| async move {
        composite(vec![
            part(412, Json::Null),
            refusal(400, "PROCESSING_HALTED", halted),
        ])
    })
    .await;
    let error = write(&server, &status("sent")).await.expect_err("it changed");
    assert_eq!((error.code, error.written), (Code::CrmConflict, Written::No));
    assert_eq!(error.place.record.as_deref(), Some(ID));
}

#[tokio::test]
async fn a_write_that_fell_with_the_read_back_says_what_the_read_back_said() {
    let server = Server::start(|_| async {
        let why = "No such column 'CPQ_Quote_Status__c' on entity 'Opportunity'.";
        composite(vec![
            refusal(400, "PROCESSING_HALTED", "rolled back"),
            refusal(400, "INVALID_FIELD", why),
        ])
    })
    .await;
    let error = write(&server, &status("sent")).await.expect_err("it is refused");
    assert_eq!(error.code, Code::SchemaDrift);
    assert_eq!(error.place.field.as_deref(), Some("CPQ_Quote_Status__c"));
}

#[tokio::test]
async fn refusals_keep_the_words_of_the_vendor() {
    let server = Server::start(|_| async {
        let body = json!([{"message": "CPQ Status: bad value for restricted picklist field: sent",
            "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "fields": ["CPQ_Quote_Status__c"]}]);
        composite(vec![
            part(400, body),
            refusal(400, "PROCESSING_HALTED", "rolled back"),
        ])
    })
    .await;
    let error = write(&server, &status("sent")).await.expect_err("it is refused");
    assert_eq!(error.code, Code::CrmRejected);
    assert_eq!(error.place.field.as_deref(), Some("CPQ_Quote_Status__c"));
    let upstream = error.upstream.expect("words");
    assert_eq!(upstream.code, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
}

#[tokio::test]
async fn a_deleted_opportunity_is_not_found() {
    let server = Server::start(|_| async {
        let gone = refusal(404, "ENTITY_IS_DELETED", "entity is deleted");
        composite(vec![gone, refusal(400, "PROCESSING_HALTED", "rolled back")])
    })
    .await;
    assert_eq!(
        write(&server, &status("sent")).await.expect_err("gone").code,
        Code::OpportunityNotFound
    );
}

#[tokio::test]
async fn a_server_that_fails_in_the_middle_leaves_the_outcome_open() {
    for (status_code, body) in [(500, ""), (502, "<html></html>"), (504, "gateway timeout")] {
        let server = Server::start(move |_| async move { raw(status_code, "text/html", body) }).await;
        let error = write(&server, &status("sent")).await.expect_err("it fails");
        assert_eq!(
            (error.code, error.written),
            (Code::OutcomeUnknown, Written::Unknown),
            "{status_code}"
        );
    }
    let server = Server::start(|_| async { raw(200, "application/json", "{}") }).await;
    let error = write(&server, &status("sent"))
        .await
        .expect_err("it cannot be read");
    assert_eq!(error.code, Code::OutcomeUnknown);

    let busy = json!([{"message": "Server temporarily unavailable", "errorCode": "SERVER_UNAVAILABLE"}]);
    let server = Server::start(move |_| {
        let busy = busy.clone();
        async move { reply(503, busy) }
    })
    .await;
    let error = write(&server, &status("sent")).await.expect_err("it is busy");
    assert_eq!((error.code, error.written), (Code::CrmUnavailable, Written::No));
}

#[tokio::test]
async fn writes_at_the_same_time_share_calls_and_stand_alone() {
    let loser = "006D00000000013AAA";
    let server = Server::start(move |asked| async move {
        let parts = asked.json()["compositeRequest"]
            .as_array()
            .expect("parts")
            .clone();
        let many = parts.len() > 2;
        assert_eq!(
            asked.json()["allOrNone"],
            !many,
            "several writes must not fall together"
        );
        let hit = parts
            .iter()
            .position(|part| part["url"].as_str().is_some_and(|url| url.ends_with(loser)));
        let reply = take(asked).await;
        let Some(hit) = hit else { return reply };
        let bytes = axum::body::to_bytes(reply.into_body(), 1 << 20)
            .await
            .expect("a body");
        let mut body: Json = serde_json::from_slice(&bytes).expect("JSON");
        body["compositeResponse"][hit] = part(412, Json::Null);
        crate::fake::reply(200, body)
    })
    .await;
    let adapter = adapter(&server);
    let orders: Vec<_> = (0..60)
        .map(|n| order(&format!("006D00000000{n:03}AAA"), &status("sent")))
        .collect();
    let call = call("c");
    let results =
        futures_util::future::join_all(orders.iter().map(|order| adapter.write(&call, order))).await;
    for (order, result) in orders.iter().zip(results) {
        match order.opportunity.id.as_str() == loser {
            true => assert_eq!(result.expect_err("it lost").code, Code::CrmConflict),
            false => assert_eq!(result.expect("it is written").view.fields.len(), 1),
        }
    }
    assert!(
        server.asked().len() <= 6,
        "60 writes took {} calls",
        server.asked().len()
    );
}

#[tokio::test]
async fn a_text_that_would_be_a_reference_waits_for_the_same_condition() {
    let server = Server::start(|asked: Asked| async move {
        match asked.method.as_str() {
            "PATCH" => reply(
                412,
                json!([{"message": "it was changed since", "errorCode": "PRECONDITION_FAILED"}]),
            ),
            _ => take(asked).await,
        }
    })
    .await;
    let mut patch = status("sent");
    patch
        .fields
        .insert("quote.number".into(), Value::text("Q-@{write0.id}"));
    let error = write(&server, &patch).await.expect_err("somebody was faster");
    assert_eq!((error.code, error.written), (Code::CrmConflict, Written::Partly));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    let first = asked[0].json()["compositeRequest"][0]["body"].clone();
    assert_eq!(
        (&first["CPQ_Quote_Status__c"], &first["CPQ_Quote_Number__c"]),
        (&json!("sent"), &Json::Null)
    );
    assert_eq!(asked[1].json(), json!({"CPQ_Quote_Number__c": "Q-@{write0.id}"}));
    // What was read back is the condition of what comes after.
    assert_eq!(
        asked[1].header("if-unmodified-since"),
        "Tue, 17 Mar 2026 16:30:00 GMT"
    );
}
