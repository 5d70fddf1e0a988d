//! Which changes send something.

use crate::endpoint::Endpoint;
use crate::site::{Site, site, site_with};
use sandbox::Options;
use serde_json::{Value, json};

/// Names of the records that were sent, up to and with the last change, which always is.
async fn names(site: &Site, endpoint: &mut Endpoint) -> Vec<String> {
    site.account("last").await;
    let mut names = Vec::new();
    loop {
        let seen = endpoint.next().await;
        let sent = seen
            .notifications()
            .into_iter()
            .map(|(_, fields)| fields[1].1.clone());
        names.extend(sent);
        if names.last().is_some_and(|name| name == "last") {
            return names;
        }
    }
}

#[tokio::test]
async fn kinds_of_change_are_told_apart() {
    for (on, wanted) in [
        (json!(["create"]), vec!["created"]),
        (json!(["update"]), vec!["updated"]),
        (json!(["delete", "create"]), vec!["created", "deleted"]),
        (
            json!(["create", "update", "delete", "undelete"]),
            vec!["created", "updated", "deleted"],
        ),
    ] {
        let (site, mut endpoint) = (site().await, Endpoint::start().await);
        site.callout(&endpoint.url, json!({"when": {"on": on}})).await;
        let id = site.account("made").await;
        site.empty().await;
        site.update("Account", &id, json!({"Name": "edited"})).await;
        site.empty().await;
        site.delete("Account", &id).await;
        site.empty().await;
        let mut found = Vec::new();
        while endpoint.left() > 0 {
            found.push(endpoint.next().await.json()["type"].as_str().unwrap().to_owned());
        }
        let wanted: Vec<String> = wanted.into_iter().map(|verb| format!("Account.{verb}")).collect();
        assert_eq!(found, wanted);
    }
}

#[tokio::test]
async fn an_outbound_message_follows_creates_and_updates_and_never_a_delete() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    let id = site.account("made").await;
    assert_eq!(endpoint.next().await.records(), std::slice::from_ref(&id));
    site.update("Account", &id, json!({"Name": "edited"})).await;
    assert_eq!(endpoint.next().await.field("Name").as_deref(), Some("edited"));
    site.delete("Account", &id).await;
    assert_eq!(names(&site, &mut endpoint).await, ["last"]);
}

#[tokio::test]
async fn a_changed_field_and_criteria_choose_the_updates() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    let url = endpoint.url.clone();
    let when = json!({"on": ["update"], "changed": ["Industry"], "criteria": [
        {"field": "NumberOfEmployees", "operation": "greaterThan", "value": 100},
        {"field": "Name", "operation": "startsWith", "value": "ACME"}]});
    site.message(&url, json!({"when": when, "fields": ["Name", "Industry"]}))
        .await;
    let small = site
        .create("Account", json!({"Name": "Acme small", "NumberOfEmployees": 100}))
        .await;
    let large = site
        .create("Account", json!({"Name": "Acme large", "NumberOfEmployees": 101}))
        .await;
    let other = site
        .create("Account", json!({"Name": "Other", "NumberOfEmployees": 500}))
        .await;
    for id in [&small, &large, &other] {
        site.update("Account", id, json!({"Phone": "1"})).await;
        site.update("Account", id, json!({"Industry": "Banking"})).await;
    }
    site.update(
        "Account",
        &other,
        json!({"Name": "Acme, renamed", "Industry": "Energy"}),
    )
    .await;
    assert_eq!(endpoint.next().await.records(), [large]);
    assert_eq!(endpoint.next().await.records(), [other]);
    site.empty().await;
    assert_eq!(endpoint.left(), 0);
}

#[tokio::test]
async fn newly_met_criteria_are_told_from_those_that_held_before() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    let criteria = json!([{"field": "Industry", "value": "Banking"}, {"field": "Phone", "operation": "notEqual", "value": null}]);
    site.message(
        &endpoint.url,
        json!({"when": {"criteria": criteria, "newlyMet": true}, "fields": ["Website"]}),
    )
    .await;
    let id = site.account("Bank").await;
    for change in [
        json!({"Industry": "Banking", "Website": "no phone"}),
        json!({"Phone": "1", "Website": "met"}),
        json!({"Phone": "2", "Website": "still met"}),
        json!({"Phone": null, "Website": "not met"}),
        json!({"Phone": "3", "Website": "met again"}),
    ] {
        site.update("Account", &id, change).await;
    }
    let born = json!({"Name": "Born a bank", "Industry": "banking", "Phone": "1", "Website": "born so"});
    site.create("Account", born).await;
    site.empty().await;
    let count: usize = {
        let mut count = 0;
        while endpoint.left() > 0 {
            count += endpoint.next().await.notifications().len();
        }
        count
    };
    assert_eq!(count, 3, "met, met again, born so");
}

#[tokio::test]
async fn within_one_request_each_transaction_sees_its_own_state() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    let when = json!({"on": ["update"], "criteria": [{"field": "Industry", "value": "Banking"}]});
    site.callout(
        &endpoint.url,
        json!({"when": when, "fields": ["Phone", "Industry"]}),
    )
    .await;
    let id = site.account("Bank").await;
    let patch = |reference: &str, body: Value| json!({"method": "PATCH", "url": format!("/services/data/v68.0/sobjects/Account/{id}"), "referenceId": reference, "body": body});
    let requests = [
        patch("a", json!({"Phone": "1"})),
        patch("b", json!({"Industry": "Banking"})),
        patch("c", json!({"Phone": "2"})),
    ];
    let (status, body) = site
        .call(
            "POST",
            "/composite",
            json!({"allOrNone": false, "compositeRequest": requests}),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    let mut phones = [endpoint.next().await.json(), endpoint.next().await.json()];
    phones.sort_by_key(|body| body["data"]["Phone"].to_string());
    assert_eq!(phones[0]["data"]["Phone"], "1");
    assert_eq!(phones[1]["data"]["Phone"], "2");
    site.empty().await;
    assert_eq!(
        endpoint.left(),
        0,
        "the first transaction did not meet the condition"
    );
}

#[tokio::test]
async fn what_was_rolled_back_sends_nothing() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    let records =
        json!([{"attributes": {"type": "Account"}, "Name": "Good"}, {"attributes": {"type": "Account"}}]);
    let (_, body) = site
        .call(
            "POST",
            "/composite/sobjects",
            json!({"allOrNone": true, "records": records}),
        )
        .await;
    assert_eq!(body[0]["success"], false, "{body}");
    assert_eq!(names(&site, &mut endpoint).await, ["last"]);
}

#[tokio::test]
async fn changes_of_a_muted_user_send_no_outbound_messages() {
    let scenario = json!({"name": "two users", "user": {"Username": "integration@example.com"}});
    let (site, mut endpoint) = (site_with(Options::default()).await, Endpoint::start().await);
    site.control("POST", "/sandbox/seed", scenario).await;
    let token = site.login("integration@example.com").await;
    site.message(&endpoint.url, json!({})).await;
    site.callout(
        &endpoint.url,
        json!({"when": {"exceptBy": ["integration@example.com"]}}),
    )
    .await;
    let users = site
        .control(
            "PUT",
            "/sandbox/outbound-messages/muted-users",
            json!(["INTEGRATION@example.com"]),
        )
        .await;
    assert_eq!(users, json!(["INTEGRATION@example.com"]));
    let made = site
        .call_as(&token, "POST", "/sobjects/Account", json!({"Name": "echo"}))
        .await;
    assert_eq!(made.0, 201);
    site.control("PUT", "/sandbox/outbound-messages/muted-users", json!([]))
        .await;
    let made = site
        .call_as(&token, "POST", "/sobjects/Account", json!({"Name": "last"}))
        .await;
    assert_eq!(made.0, 201);
    let seen = endpoint.next().await;
    assert_eq!(seen.field("Name").as_deref(), Some("last"));
    site.empty().await;
    assert_eq!(endpoint.left(), 0, "neither message nor callout of the echo");
}
