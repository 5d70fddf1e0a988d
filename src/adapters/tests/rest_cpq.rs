//! The adapter for a CPQ over HTTP on the wire.

mod fake;

use std::sync::Arc;

use cpq_adapters::rest_cpq::{Config, RestCpqAdapter};
use cpq_domain::adapter::{CpqAdapter as _, CpqWrite, QuoteTarget};
use cpq_domain::error::Written;
use cpq_domain::id::{ConnectionName, IdempotencyKey, OpportunityKey, QuoteId, RecordId};
use cpq_domain::quote::{OpportunityRef, Transition};
use cpq_domain::value::Value;
use cpq_domain::view::Patch;
use cpq_domain::{Code, Error};
use fake::{Reply, Server, Still, call, raw, reply};
use serde_json::{Value as Json, json};

fn adapter(server: &Server) -> RestCpqAdapter {
    let name = ConnectionName::new("cpq").expect("a name");
    let config = Config::new(name, format!("{}/", server.url), "secret-token".into());
    RestCpqAdapter::new(&config, Arc::new(Still)).expect("it is set up")
}

fn quote(revision: u32, status: &str) -> Json {
    let zero = json!({"amount": "0.00", "currency": "USD"});
    json!({
        "id": format!("q-{revision}"), "rootId": "q-1", "number": "Q-2026-0137", "revision": revision,
        "status": status, "version": 3, "isPrimary": true, "name": "Acme",
        "opportunity": {"system": "crm", "id": "006D000000Kv3g5IAB", "number": "OPP-4482"}, "currency": "USD",
        "lines": [], "totals": {"list": zero, "lineDiscount": zero, "headerDiscount": zero, "net": zero,
        "discountPercent": "0", "optionalNet": zero}, "context": {"account.name": {"text": "Acme"}},
        "createdAt": "2026-03-17T16:21:26Z", "updatedAt": "2026-03-17T16:21:26Z",
    })
}

fn opportunity() -> OpportunityRef {
    OpportunityRef {
        system: "crm".into(),
        id: RecordId::new("006D000000Kv3g5IAB").expect("an id"),
        number: OpportunityKey::new("OPP-4482").ok(),
    }
}

fn patch() -> Patch {
    Patch {
        fields: [("account.name".into(), Value::text("Acme"))].into(),
        ..Patch::default()
    }
}

fn existing() -> QuoteTarget {
    QuoteTarget::Existing {
        id: QuoteId::new("q-1").expect("an id"),
        etag: "\"q-1.3\"".into(),
    }
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new("run-1/write.cpq").expect("a key")
}

fn report(status: u16, error: &Error) -> Reply {
    reply(
        status,
        serde_json::to_value(error.report(Some("c"))).expect("it is JSON"),
    )
}

#[tokio::test]
async fn the_current_revision_is_found() {
    let server = Server::start(|asked| async move {
        match asked.param("cursor") {
            None => reply(
                200,
                json!({"quotes": [quote(2, "sent"), quote(3, "superseded")], "cursor": "more"}),
            ),
            Some(_) => reply(200, json!({"quotes": [quote(1, "superseded")]})),
        }
    })
    .await;
    let key = OpportunityKey::new("OPP/44#82").expect("a key");
    let found = adapter(&server)
        .find(&call("c"), "crm", &key)
        .await
        .expect("it answers");
    assert_eq!(found.map(|quote| quote.revision), Some(2));
    let asked = server.asked();
    assert_eq!(asked[0].uri.path(), "/api/v1/quotes");
    assert_eq!(asked[0].param("opportunity").as_deref(), Some("OPP/44#82"));
    assert_eq!(asked[0].param("system").as_deref(), Some("crm"));
    assert_eq!(asked[0].header("authorization"), "Bearer secret-token");
    assert_eq!(asked[0].header("x-correlation-id"), "c");
    assert_eq!(asked[0].header("idempotency-key"), "");
}

#[tokio::test]
async fn no_quote_is_none() {
    let server = Server::start(|_| async { reply(200, json!({"quotes": []})) }).await;
    let key = OpportunityKey::new("OPP-1").expect("a key");
    assert_eq!(
        adapter(&server)
            .find(&call("c"), "crm", &key)
            .await
            .expect("it answers"),
        None
    );
}

#[tokio::test]
async fn a_quote_is_made_under_its_key() {
    let server = Server::start(|_| async { reply(201, quote(1, "draft")) }).await;
    let write = CpqWrite {
        target: QuoteTarget::New(opportunity()),
        patch: patch(),
    };
    let made = adapter(&server)
        .write(&call("c"), &key(), &write)
        .await
        .expect("it is made");
    assert_eq!(made.etag(), "\"q-1.3\"");
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.uri.path()),
        ("POST", "/api/v1/quotes")
    );
    assert_eq!(asked.header("idempotency-key"), "run-1/write.cpq");
    let opportunity = json!({"system": "crm", "id": "006D000000Kv3g5IAB", "number": "OPP-4482"});
    let expected =
        json!({"opportunity": opportunity, "patch": {"fields": {"account.name": {"text": "Acme"}}}});
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn a_quote_is_changed_and_moved_under_its_entity_tag() {
    let server = Server::start(|_| async { reply(200, quote(1, "draft")) }).await;
    let adapter = adapter(&server);
    let write = CpqWrite {
        target: existing(),
        patch: patch(),
    };
    adapter
        .write(&call("c"), &key(), &write)
        .await
        .expect("it is changed");
    adapter
        .transition(
            &call("c"),
            &key(),
            &existing(),
            Transition::Decline,
            Some("price"),
        )
        .await
        .expect("it is moved");
    adapter
        .preview(&call("c"), &write)
        .await
        .expect("it answers")
        .expect("it can");
    adapter
        .get(&call("c"), &QuoteId::new("q-1").expect("an id"))
        .await
        .expect("it is there");

    let asked = server.asked();
    let lines: Vec<String> = asked
        .iter()
        .map(|asked| format!("{} {}", asked.method, asked.uri.path()))
        .collect();
    assert_eq!(
        lines,
        [
            "PATCH /api/v1/quotes/q-1",
            "POST /api/v1/quotes/q-1/transitions",
            "POST /api/v1/quotes/preview",
            "GET /api/v1/quotes/q-1"
        ]
    );
    assert_eq!(asked[0].header("if-match"), "\"q-1.3\"");
    assert_eq!(
        asked[0].json(),
        json!({"fields": {"account.name": {"text": "Acme"}}})
    );
    assert_eq!(asked[1].header("if-match"), "\"q-1.3\"");
    assert_eq!(
        asked[1].json(),
        json!({"transition": "decline", "reason": "price"})
    );
    assert_eq!(asked[2].json()["quoteId"], "q-1");
    assert_eq!(asked[2].header("idempotency-key"), "");
}

#[tokio::test]
async fn a_report_comes_back_as_the_error_it_was() {
    let server = Server::start(|_| async {
        report(
            412,
            &Error::new(Code::QuoteConflict, "somebody changed it").fact("etag", "\"q-1.4\""),
        )
    })
    .await;
    let write = CpqWrite {
        target: existing(),
        patch: patch(),
    };
    let error = adapter(&server)
        .write(&call("c"), &key(), &write)
        .await
        .expect_err("it is refused");
    assert_eq!((error.code, error.written), (Code::QuoteConflict, Written::No));
    assert_eq!(error.facts.expect("facts")["etag"], "\"q-1.4\"");
}

#[tokio::test]
async fn a_lost_answer_leaves_a_write_open_and_a_read_not() {
    let server = Server::start(|_| async { raw(504, "text/html", "<html></html>") }).await;
    let write = CpqWrite {
        target: existing(),
        patch: patch(),
    };
    let error = adapter(&server)
        .write(&call("c"), &key(), &write)
        .await
        .expect_err("it is lost");
    assert_eq!(
        (error.code, error.written),
        (Code::OutcomeUnknown, Written::Unknown)
    );
    let error = adapter(&server)
        .get(&call("c"), &QuoteId::new("q-1").expect("an id"))
        .await
        .expect_err("it is lost");
    assert_eq!((error.code, error.written), (Code::CpqUnavailable, Written::No));
    let told = format!("{error:?}");
    assert!(!told.contains("secret-token"), "{told}");
}

#[tokio::test]
async fn an_answer_outside_of_the_contract_is_a_violation() {
    let server = Server::start(|_| async { reply(200, json!({"id": "q-1"})) }).await;
    let error = adapter(&server)
        .get(&call("c"), &QuoteId::new("q-1").expect("an id"))
        .await
        .expect_err("it is not one");
    assert_eq!(error.code, Code::ProtocolViolation);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let name = || ConnectionName::new("cpq").expect("a name");
    for config in [
        Config::new(name(), "ftp://cpq.example", "t".into()),
        Config::new(name(), "not a url", "t".into()),
        Config::new(name(), "https://cpq.example", "a\nb".into()),
    ] {
        let error = RestCpqAdapter::new(&config, Arc::new(Still))
            .err()
            .expect("it is refused");
        assert_eq!(error.code, Code::ConfigInvalid);
    }
}

#[tokio::test]
async fn all_quotes_come_page_by_page_and_many_one_by_one() {
    let server = Server::start(|asked| async move {
        let mut old = quote(1, "superseded");
        old["supersededById"] = json!("q-2");
        let mut older = quote(3, "draft");
        older["updatedAt"] = json!("2026-01-01T00:00:00Z");
        let opportunity = asked.param("opportunity");
        match (opportunity.as_deref(), asked.param("cursor")) {
            (Some("006D000000Kv3g5IAB"), _) => reply(200, json!({"quotes": [quote(2, "draft")]})),
            (Some(_), _) => reply(200, json!({"quotes": []})),
            (None, None) => reply(200, json!({"quotes": [quote(2, "draft"), old], "cursor": "more"})),
            (None, Some(_)) => reply(200, json!({"quotes": [older], "cursor": "yet more"})),
        }
    })
    .await;
    let cpq = adapter(&server);
    let first = cpq
        .page(&call("reconcile-1"), "crm", None, None, 2)
        .await
        .expect("a page");
    assert_eq!((first.quotes.len(), first.next.as_deref()), (1, Some("more")));
    let asked = server.asked();
    assert_eq!(asked[0].param("system").as_deref(), Some("crm"));
    assert_eq!(asked[0].param("opportunity"), None);

    // Changed last first: behind the first one that is older there is nothing to look for.
    let since = "2026-02-01T00:00:00Z".parse().ok();
    let last = cpq
        .page(&call("reconcile-1"), "crm", since, Some("more"), 2)
        .await
        .expect("a page");
    assert_eq!((last.quotes.len(), last.next), (0, None));

    let ids = ["006D000000Kv3g5IAB", "006D000000Kv3g6IAB"].map(|id| RecordId::new(id).expect("an id"));
    let found = cpq
        .find_many(&call("reconcile-1"), "crm", &ids)
        .await
        .expect("an answer");
    assert_eq!(found.len(), 1);
}
