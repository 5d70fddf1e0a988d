//! First syncs of several opportunities at the same time: what their calls share, and that each stands alone.

use cpq_domain::Code;
use cpq_domain::adapter::{CrmAdapter as _, CrmWrite};
use cpq_domain::error::Written;
use cpq_domain::value::Value;
use serde_json::{Value as Json, json};

use crate::fake::{Server, call};
use crate::lines::{is_collection, key, new, quoted, take};
use crate::org::adapter;
use crate::quote_record::{ordered, parts, patch};
use crate::write::{composite, part, refusal};

/// The order of the `n`-th of several opportunities, whose quote has a record and three lines that are new.
fn first_sync(n: usize) -> CrmWrite {
    let lines = (1..=3).map(|line| (key(&format!("L{line}")), quoted("2", "10", "900")));
    let mut write = new(lines);
    let quote = patch(&[
        ("quote.status", Value::Choice("draft".into())),
        ("quote_record.key", Value::text(format!("root-{n}"))),
    ]);
    write.patch.fields = quote.fields.clone();
    CrmWrite {
        lines: write.lines,
        patch: write.patch,
        ..ordered(&format!("006D00000000{n:03}AAA"), &format!("root-{n}"), &quote)
    }
}

/// What the vendor allows in one composite call.
fn assert_within_limits(parts: &[Json]) {
    let is_query = |part: &&Json| part["url"].as_str().is_some_and(|url| url.contains("/query?"));
    let heavy = parts
        .iter()
        .filter(|part| is_collection(part) || is_query(part))
        .count();
    assert!(
        parts.len() <= 25 && heavy <= 5,
        "{} parts, {heavy} of them heavy",
        parts.len()
    );
    for part in parts.iter().filter(|part| is_collection(part)) {
        let rows = part["body"]["records"].as_array().map_or(0, Vec::len);
        assert!(rows <= 200, "{rows} records in one collection");
    }
}

#[tokio::test]
async fn first_syncs_at_the_same_time_fill_their_calls() {
    let server = Server::start(|asked| async move {
        if asked.param("q").is_some() {
            return take(asked).await;
        }
        assert_within_limits(&parts(&asked));
        crate::quote_record::take(asked).await
    })
    .await;
    let adapter = adapter(&server);
    let orders: Vec<_> = (0..100).map(first_sync).collect();
    let call = call("c");
    adapter
        .write(&call, &orders[0])
        .await
        .expect("it is written, and the products are known");
    let before = server.asked().len();
    let results =
        futures_util::future::join_all(orders[1..].iter().map(|order| adapter.write(&call, order))).await;
    for (order, result) in orders[1..].iter().zip(results) {
        let (id, written) = (&order.opportunity.id, result.expect("it is written"));
        let root = order.quote_record.as_ref().map(|record| record.key.as_str());
        assert_eq!(written.view.text("quote_record.key"), root, "{id}");
        assert_eq!(written.view.lines.len(), 3, "{id}");
    }
    let calls = server.asked().len() - before;
    assert!(calls <= 6, "99 first syncs took {calls} calls");
}

#[tokio::test]
async fn a_bad_line_in_a_shared_collection_falls_with_its_own_opportunity() {
    let bad = "root-7.L2";
    let server = Server::start(move |asked| async move {
        if asked.param("q").is_some() {
            return take(asked).await;
        }
        let parts = parts(&asked);
        let rows = |part: &Json| part["body"]["records"].as_array().cloned().unwrap_or_default();
        let is_bad = |row: &Json| row["CPQ_Line_Key__c"] == bad;
        let Some(culprit) = parts.iter().position(|part| rows(part).iter().any(is_bad)) else {
            return crate::quote_record::take(asked).await;
        };
        let answer = |row: &Json| match is_bad(row) {
            true => json!({"success": false, "errors": [{"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "too few"}]}),
            false => json!({"success": false, "errors": [{"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "Record rolled back"}]}),
        };
        let fell = (0..parts.len()).map(|at| match at == culprit {
            true => part(200, rows(&parts[at]).iter().map(answer).collect::<Vec<_>>().into()),
            false => refusal(400, "PROCESSING_HALTED", "rolled back"),
        });
        composite(fell.collect())
    })
    .await;
    let adapter = adapter(&server);
    let orders: Vec<_> = (0..20).map(first_sync).collect();
    let call = call("c");
    let results =
        futures_util::future::join_all(orders.iter().map(|order| adapter.write(&call, order))).await;
    for (at, result) in results.into_iter().enumerate() {
        match at {
            7 => {
                let error = result.expect_err("a line is bad");
                assert_eq!((error.code, error.written), (Code::CrmRejected, Written::No));
                assert_eq!(error.place.record.as_deref(), Some("L2"), "{error:?}");
            }
            at => assert_eq!(result.expect("it is written").view.lines.len(), 3, "{at}"),
        }
    }
}
