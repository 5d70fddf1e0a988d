//! One endpoint must not hold up another, nor the sandbox.

use crate::endpoint::{Endpoint, Reply};
use crate::site::{site, site_with};
use sandbox::Options;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_dead_and_a_stuck_endpoint_hold_up_nobody() {
    let (site, mut good, mut stuck) = (site().await, Endpoint::start().await, Endpoint::start().await);
    // A port that nobody listens on.
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    stuck.will((0..100).map(|_| Reply::Hang));
    site.message(&stuck.url, json!({"name": "Stuck"})).await;
    site.message(&dead, json!({"name": "Dead"})).await;
    site.message(&good.url, json!({"name": "Good"})).await;
    for n in 0..5 {
        site.account(&format!("Account {n}")).await;
        good.next().await;
    }
    stuck.next().await;
    stuck.next().await;
    site.until("the dead one was noticed", async || {
        let pending = site.pending().await;
        let mut dead = pending.iter().filter(|item| item["rule"] == "Dead");
        dead.all(|item| item["last"]["status"] == 0).then_some(())
    })
    .await;
    assert_eq!(stuck.left(), 0, "no more than two at once");
    let under_way = site
        .pending()
        .await
        .iter()
        .filter(|item| item["underWay"] == true)
        .count();
    assert!(under_way >= 2);
    // Ends although deliveries hang.
    site.running.shutdown().await;
}

#[tokio::test]
async fn an_endpoint_that_takes_too_long_has_failed() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.control("PATCH", "/sandbox/config", json!({"outboundTimeoutMillis": 20}))
        .await;
    site.message(&endpoint.url, json!({})).await;
    endpoint.will([Reply::Hang]);
    site.account("Slow").await;
    endpoint.next().await;
    let item = site.tried(1).await;
    assert_eq!(item["last"]["error"], "no answer within 20 ms");
    assert_eq!(item["last"]["status"], 0);
}

#[tokio::test]
async fn a_new_address_of_a_rule_is_where_its_queue_goes() {
    let (site, mut wrong, mut right) = (site().await, Endpoint::start().await, Endpoint::start().await);
    site.message(&wrong.url, json!({})).await;
    site.freeze().await;
    wrong.will_fail(1);
    let id = site.account("Moved").await;
    wrong.next().await;
    site.tried(1).await;
    let rule = json!({"name": "Changed", "object": "Account", "endpointUrl": right.url});
    let shown = site
        .control("PUT", "/sandbox/outbound-messages", json!([rule]))
        .await;
    assert_eq!(
        shown["outboundMessages"][0]["actionId"], "04kSb0000000001IAA",
        "it is the same message"
    );
    assert_eq!(shown["outboundMessages"][0]["pending"], 1);
    site.control("POST", "/sandbox/deliveries/retry", json!({})).await;
    assert_eq!(right.next().await.records(), [id]);
}

#[tokio::test]
async fn what_waits_for_a_rule_that_is_gone_is_given_up() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    endpoint.will_fail(1);
    site.account("Orphan").await;
    endpoint.next().await;
    site.tried(1).await;
    site.control("DELETE", "/sandbox/outbound-messages/Changed", Value::Null)
        .await;
    let failed = site
        .until("it was given up", async || site.failed().await.into_iter().next())
        .await;
    assert_eq!(failed["reason"], "its rule does not exist any more");
    site.control("DELETE", "/sandbox/deliveries/pending", Value::Null)
        .await;
    assert!(site.failed().await.is_empty());
}

#[tokio::test]
async fn an_endpoint_may_speak_tls_with_a_certificate_of_its_own() {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let secure = site_with(Options {
        tls_listen: listen,
        ..Options::default()
    })
    .await;
    let site = site().await;
    let url = format!("{}/nothing/here", secure.info.tls_instance_url.clone().unwrap());
    assert!(url.starts_with("https://localhost:"));
    site.message(&url, json!({})).await;
    site.account("Sealed").await;
    let item = site.tried(1).await;
    assert_eq!(
        item["last"]["error"], "the endpoint answered 404",
        "it was reached"
    );
}
