//! The queue outlives the process, and not a reset.

use crate::endpoint::{Endpoint, Reply};
use crate::site::{site, site_in};
use serde_json::{Value, json};

#[tokio::test]
async fn what_waits_is_sent_after_a_restart_when_it_is_due() {
    let (dir, mut endpoint) = (tempfile::tempdir().unwrap(), Endpoint::start().await);
    let site = site_in(dir.path()).await;
    site.message(&endpoint.url, json!({})).await;
    site.callout(
        &endpoint.url,
        json!({"retry": {"attempts": 3, "firstMillis": 60_000}}),
    )
    .await;
    site.freeze().await;
    endpoint.will_fail(2);
    let id = site.account("Patient").await;
    let bodies = [endpoint.next().await.body, endpoint.next().await.body];
    site.logged(2).await;
    site.running.shutdown().await;

    let site = site_in(dir.path()).await;
    let pending = site.pending().await;
    assert_eq!(pending.len(), 2);
    assert!(
        pending
            .iter()
            .all(|item| item["attempts"] == 1 && item["last"]["status"] == 500),
        "{pending:?}"
    );
    site.advance(30).await;
    let message = endpoint.next().await;
    assert_eq!(message.records(), [id]);
    site.advance(30).await;
    let callout = endpoint.next().await;
    assert!(bodies.contains(&callout.body), "a callout is repeated as it was");
    site.empty().await;
    let next = site.account("Next").await;
    let seen = [endpoint.next().await, endpoint.next().await];
    let envelope = seen.iter().find(|seen| seen.body.starts_with("<?xml")).unwrap();
    assert_eq!(envelope.records(), [next]);
    assert_ne!(
        envelope.notifications()[0].0,
        message.notifications()[0].0,
        "ids are not given out again"
    );
}

#[tokio::test]
async fn what_was_under_way_at_the_end_is_sent_again() {
    let (dir, mut endpoint) = (tempfile::tempdir().unwrap(), Endpoint::start().await);
    let site = site_in(dir.path()).await;
    site.message(&endpoint.url, json!({})).await;
    endpoint.will([Reply::Hang]);
    site.account("Halfway").await;
    let first = endpoint.next().await;
    site.running.shutdown().await;
    let site = site_in(dir.path()).await;
    let second = endpoint.next().await;
    assert_eq!(second.notifications(), first.notifications());
    site.empty().await;
}

#[tokio::test]
async fn a_reset_and_a_seed_forget_rules_and_queue() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    for (path, body) in [
        ("/sandbox/reset", json!({})),
        ("/sandbox/seed", json!({"scenario": "crm-sync"})),
    ] {
        site.message(&endpoint.url, json!({})).await;
        endpoint.will_fail(1);
        let token = site.login(&site.running.sandbox.info().username).await;
        site.call_as(&token, "POST", "/sobjects/Account", json!({"Name": "Forgotten"}))
            .await;
        endpoint.next().await;
        site.tried(1).await;
        site.control("POST", path, body).await;
        assert!(site.pending().await.is_empty(), "{path}");
        let rules = site
            .control("GET", "/sandbox/outbound-messages", Value::Null)
            .await;
        assert_eq!(rules["outboundMessages"], json!([]), "{path}");
    }
}
