//! The description of the API: complete, in step with the table of keys, and the one that is committed.

use std::collections::BTreeSet;

use cpq_api::access::{Access, ROUTES, SCOPES};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

fn document() -> serde_json::Value {
    serde_json::from_str(&cpq_api::openapi_json().expect("a text")).expect("it is JSON")
}

/// Every operation of the document, as (method, path, operation).
fn operations(document: &serde_json::Value) -> Vec<(String, String, serde_json::Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item").clone();
        item.into_iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    all.collect()
}

#[test]
fn every_described_route_has_its_key_and_every_key_its_route() {
    let described: BTreeSet<_> = operations(&document())
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    let keyed: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .collect();
    assert_eq!(described, keyed);
    assert_eq!(keyed.len(), ROUTES.len(), "a route is listed twice");
}

#[test]
fn every_operation_tells_its_key_and_the_shape_of_its_failures() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let route = ROUTES
            .iter()
            .find(|route| route.method == method && route.path == path)
            .expect("it is listed");
        let security = operation["security"].as_array().expect("security is told");
        match route.access {
            Access::Open | Access::Signed => assert!(security.is_empty(), "{method} {path}"),
            Access::Token => {
                assert_eq!(security, &[serde_json::json!({"bearer": []})], "{method} {path}");
            }
            Access::Scope(scope) | Access::ScopeOrLoopback(scope) => {
                assert!(SCOPES.contains(&scope));
                assert_eq!(security[0]["bearer"][0], scope, "{method} {path}");
            }
        }
        let refusal = &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(refusal, "#/components/schemas/ErrorReport", "{method} {path}");
        assert!(
            operation["operationId"].is_string() && operation["summary"].is_string(),
            "{method} {path}"
        );
    }
    for scope in SCOPES {
        let used = |route: &cpq_api::access::Route| matches!(route.access, Access::Scope(s) | Access::ScopeOrLoopback(s) if s == *scope);
        assert!(ROUTES.iter().any(used), "no route needs {scope}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    let known = document["components"]["schemas"].as_object().expect("schemas");
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().expect("a name");
        assert!(
            known.contains_key(name),
            "{name} is referred to and not described"
        );
    }
    let named = [
        "SyncRequest",
        "SyncResult",
        "SyncEvent",
        "SyncReport",
        "SyncPlan",
        "OwnershipRule",
        "Quote",
        "QuotePatch",
        "ErrorReport",
        "ErrorCode",
        "FieldValue",
        "WebhookReceipt",
        "QuoteStatus",
    ];
    for name in named {
        assert!(known.contains_key(name), "{name} is missing");
    }
}

#[test]
fn the_committed_description_is_the_real_one() {
    let now = cpq_api::openapi_json().expect("it is JSON");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(COMMITTED, &now).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == now,
        "the API and {COMMITTED} differ. If the change is meant, write it down with\n\n    \
         UPDATE_OPENAPI=1 cargo test -p cpq-api the_committed_description\n\nand commit the file: clients are built from it."
    );
}
