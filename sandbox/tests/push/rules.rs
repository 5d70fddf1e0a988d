//! Declaring what is to be sent: at run time and in a scenario, and what is refused.

use crate::endpoint::Endpoint;
use crate::site::site;
use serde_json::{Value, json};

fn with(more: Value) -> Value {
    let mut rule = json!({"name": "Rule", "object": "Account", "endpointUrl": "http://127.0.0.1:8080/in"});
    rule.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    rule
}

#[tokio::test]
async fn a_rule_that_does_not_fit_is_refused_and_changes_nothing() {
    let site = site().await;
    site.control(
        "PUT",
        "/sandbox/outbound-messages",
        json!([with(json!({"name": "Good"}))]),
    )
    .await;
    let messages = [
        (json!({"endpointUrl": "http://192.168.1.7/in"}), "loopback only"),
        (json!({"endpointUrl": "https://example.com/"}), "loopback only"),
        (json!({"endpointUrl": "http://127.0.0.1:22/"}), "port"),
        (json!({"name": "two words"}), "no API name"),
        (json!({"name": ""}), "no API name"),
        (json!({"name": "Good"}), "two of the name"),
        (json!({"object": "Nothing__c"}), "no object Nothing__c"),
        (json!({"fields": ["Nope__c"]}), "no field Nope__c"),
        (json!({"fields": ["BillingAddress"]}), "compound"),
        (json!({"when": {"changed": ["Nope__c"]}}), "no field Nope__c"),
        (json!({"when": {"on": []}}), "never be sent"),
        (
            json!({"when": {"on": ["delete"]}}),
            "never send an outbound message",
        ),
        (json!({"when": {"on": ["merge"]}}), "unknown variant"),
        (
            json!({"when": {"criteria": [{"field": "NumberOfEmployees", "value": "many"}]}}),
            "many",
        ),
        (
            json!({"when": {"criteria": [{"field": "NumberOfEmployees", "operation": "contains", "value": "1"}]}}),
            "holds no text",
        ),
        (
            json!({"when": {"criteria": [{"field": "Name", "operation": "lessThan"}]}}),
            "compared with nothing",
        ),
        (
            json!({"when": {"exceptBy": ["nobody@example.com"]}}),
            "no user nobody",
        ),
        (json!({"integrationUser": "nobody@example.com"}), "no user nobody"),
        (json!({"apiVersion": "latest"}), "apiVersion latest"),
        (json!({"typo": 1}), "unknown field"),
    ];
    for (more, why) in messages {
        let (status, body) = site
            .try_control("POST", "/sandbox/outbound-messages", with(more))
            .await;
        let error = body["error"].as_str().unwrap_or_default();
        assert!(status == 400 && error.contains(why), "{why}: {status} {body}");
    }
    let shown = site
        .control("GET", "/sandbox/outbound-messages", Value::Null)
        .await;
    assert_eq!(shown["outboundMessages"].as_array().unwrap().len(), 1);
    let many: Vec<Value> = (0..51).map(|n| with(json!({"name": format!("R{n}")}))).collect();
    let (status, _) = site
        .try_control("PUT", "/sandbox/outbound-messages", json!(many))
        .await;
    assert_eq!(status, 400);
    let (status, body) = site
        .try_control("PUT", "/sandbox/outbound-messages/muted-users", json!(["nobody"]))
        .await;
    assert_eq!(status, 400, "{body}");
}

#[tokio::test]
async fn a_callout_that_does_not_fit_is_refused() {
    let site = site().await;
    for (more, why) in [
        (json!({"body": {"a": ["{!$Record.Nope__c}"]}}), "no field Nope__c"),
        (json!({"body": "{!$Secret.Key}"}), "names nothing"),
        (
            json!({"body": {"a": "{!$Record.Name}".repeat(201)}}),
            "merge fields",
        ),
        (json!({"body": {"a": "x".repeat(70_000)}}), "longer than"),
        (
            json!({"headers": {"Content-Length": "1"}}),
            "belongs to the connection",
        ),
        (json!({"headers": {"no name": "1"}}), "no name of a header"),
        (json!({"headers": {"X-A": "line\nbreak"}}), "cannot be sent"),
        (
            json!({"headers": {"X-A": "{!$Record.Nope__c}"}}),
            "no field Nope__c",
        ),
        (json!({"secret": "short"}), "whsec_"),
        (json!({"timeoutMillis": 120_001}), "timeoutMillis"),
        (json!({"retry": {"attempts": 0}}), "retry.attempts"),
        (
            json!({"endpointUrl": "http://metadata.google.internal/"}),
            "loopback only",
        ),
    ] {
        let (status, body) = site
            .try_control("PUT", "/sandbox/callouts", json!([with(more)]))
            .await;
        let error = body["error"].as_str().unwrap_or_default();
        assert!(status == 400 && error.contains(why), "{why}: {status} {body}");
    }
    let (status, body) = site
        .try_control("PUT", "/sandbox/callouts", json!("nonsense"))
        .await;
    assert_eq!(status, 400, "{body}");
}

#[tokio::test]
async fn a_scenario_declares_what_is_sent() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    let scenario = json!({
        "name": "pushing",
        "user": {"Username": "sender@example.com"},
        "fields": {"Account": [{"name": "Tax_Id__c", "type": "string"}]},
        "records": [{"object": "Account", "values": {"Name": "Seeded", "Tax_Id__c": "1"}}],
        "outboundMessages": [with(json!({
            "name": "Taxed", "fields": ["Tax_Id__c"], "endpointUrl": endpoint.url, "integrationUser": "sender@example.com"}))],
        "callouts": [with(json!({"name": "Quiet", "endpointUrl": endpoint.url, "active": false}))],
        "mutedUsers": [],
    });
    site.control("POST", "/sandbox/seed", scenario.clone()).await;
    let token = site.login("sender@example.com").await;
    let values = json!({"Name": "Made", "Tax_Id__c": "2"});
    let (_, body) = site.call_as(&token, "POST", "/sobjects/Account", values).await;
    let seen = endpoint.next().await;
    assert_eq!(
        seen.records(),
        [body["id"].as_str().unwrap()],
        "seeding itself sends nothing"
    );
    assert_eq!(seen.field("Tax_Id__c").as_deref(), Some("2"));
    site.empty().await;
    assert_eq!(endpoint.left(), 0, "an inactive rule sends nothing");

    let more = json!({"add": true, "name": "more", "callouts": [with(json!({"name": "Second", "endpointUrl": endpoint.url}))]});
    site.control("POST", "/sandbox/seed", more).await;
    let shown = site.control("GET", "/sandbox/callouts", Value::Null).await;
    assert_eq!(shown["callouts"].as_array().unwrap().len(), 2);

    let bad = json!({"name": "bad", "outboundMessages": [with(json!({"fields": ["Nope__c"]}))]});
    let (status, body) = site.try_control("POST", "/sandbox/seed", bad).await;
    assert_eq!(status, 400);
    assert!(
        body["error"]
            .as_str()
            .unwrap()
            .contains("outbound message Rule: Account has no field Nope__c"),
        "{body}"
    );
    let shown = site
        .control("GET", "/sandbox/outbound-messages", Value::Null)
        .await;
    assert_eq!(shown["outboundMessages"][0]["name"], "Taxed");
}
