//! How far composite calls may go, and what they leave behind when they go further.

use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn node(method: &str, url: &str, reference: &str) -> Json {
    json!({"method": method, "url": format!("/services/data/v68.0{url}"), "referenceId": reference,
           "body": {"Name": "Bounds"}})
}

fn graph(id: &str, nodes: &[Json]) -> Json {
    json!({"graphId": id, "compositeRequest": nodes})
}

fn refusal(site: &mut Site, graphs: &[Json]) -> (u16, String) {
    code(&site.post("/composite/graph", json!({"graphs": graphs})))
}

#[test]
fn a_graph_has_few_kinds_of_nodes() {
    let mut site = Site::new();
    // A version is part of a kind.
    let kinds = |count: usize| -> Vec<Json> {
        (0..count)
            .map(|n| {
                let mut node = node("POST", "/sobjects/Account", &format!("r{n}"));
                node["url"] = json!(format!("/services/data/v{}.0/sobjects/Account", 50 + n));
                node
            })
            .collect()
    };
    assert_eq!(
        refusal(&mut site, &[graph("g", &kinds(16))]),
        (400, "LIMIT_EXCEEDED".into())
    );
    assert!(
        site.rows("SELECT Id FROM Account WHERE Name = 'Bounds'")
            .is_empty()
    );
    let (status, body) = site.post("/composite/graph", json!({"graphs": [graph("g", &kinds(15))]}));
    assert_eq!((status, &body["graphs"][0]["isSuccessful"]), (200, &json!(true)));
}

#[test]
fn graphs_hold_rows_only_and_have_plain_names() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    for url in [
        "/sobjects/Account/describe".to_owned(),
        "/sobjects/Account/updated?start=x".to_owned(),
        format!("/sobjects/Opportunity/{id}/Account/Owner"),
        "/query?q=SELECT+Id+FROM+Account".to_owned(),
        "/composite/sobjects".to_owned(),
    ] {
        assert_eq!(
            refusal(&mut site, &[graph("g", &[node("GET", &url, "a")])]).0,
            400,
            "{url}"
        );
    }
    let fits = [node("POST", "/sobjects/Account", "a")];
    for name in ["", "_g", "g-1", "g 1", &"g".repeat(41)] {
        assert_eq!(
            refusal(&mut site, &[graph(name, &fits)]),
            (400, "JSON_PARSER_ERROR".into()),
            "{name}"
        );
    }
    let twice = [graph("g", &fits), graph("g", &fits)];
    assert_eq!(refusal(&mut site, &twice), (400, "JSON_PARSER_ERROR".into()));
}

#[test]
fn trees_count_as_heavy_parts() {
    let mut site = Site::new();
    let tree = |n: usize| {
        let record = json!({"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Bounds"});
        json!({"method": "POST", "url": "/services/data/v68.0/composite/tree/Account", "referenceId": format!("r{n}"),
               "body": {"records": [record]}})
    };
    let parts = |count| -> Vec<Json> { (0..count).map(tree).collect() };
    let six = site.post("/composite", json!({"compositeRequest": parts(6)}));
    assert_eq!(code(&six), (400, "LIMIT_EXCEEDED".into()));
    assert_eq!(
        site.post("/composite", json!({"compositeRequest": parts(5)})).0,
        200
    );
    assert_eq!(site.rows("SELECT Id FROM Account WHERE Name = 'Bounds'").len(), 5);
}

#[test]
fn what_a_refused_tree_had_made_is_gone() {
    let mut site = Site::new();
    let record = |kind: &str, reference: &str| json!({"attributes": {"type": kind, "referenceId": reference}, "Name": "Bounds"});
    let cases = [
        vec![record("Account", "a"), record("Account", "a")],
        vec![record("Account", "a"), record("Contact", "b")],
    ];
    for records in cases {
        let refused = site.post("/composite/tree/Account", json!({"records": records}));
        assert_eq!(code(&refused), (400, "INVALID_INPUT".into()));
        assert!(
            site.rows("SELECT Id FROM Account WHERE Name = 'Bounds'")
                .is_empty()
        );
    }
}
