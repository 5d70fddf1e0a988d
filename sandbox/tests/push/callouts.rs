//! JSON requests after a commit.

use crate::endpoint::{Endpoint, Reply, Seen};
use crate::site::site;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Whether the signature is right, computed as a receiver does (Standard Webhooks, Verifying).
fn is_signed(seen: &Seen) -> bool {
    let key = BASE64_STANDARD
        .decode(SECRET.trim_start_matches("whsec_"))
        .unwrap();
    let content = [
        seen.header("webhook-id"),
        seen.header("webhook-timestamp"),
        &seen.body,
    ]
    .join(".");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content.as_bytes());
    seen.header("webhook-signature") == format!("v1,{}", BASE64_STANDARD.encode(tag))
}

#[tokio::test]
async fn a_callout_posts_the_chosen_fields_as_apex_would() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.callout(
        &endpoint.url,
        json!({"fields": ["Name", "AnnualRevenue", "Phone"], "headers": {"X-Plain": "yes"}}),
    )
    .await;
    site.freeze().await;
    let id = site
        .create("Account", json!({"Name": "Acme", "AnnualRevenue": 12}))
        .await;
    let seen = endpoint.next().await;
    assert_eq!(
        seen.json(),
        json!({"type": "Account.created", "timestamp": "2026-03-01T12:00:00Z",
               "data": {"Id": id, "Name": "Acme", "AnnualRevenue": 12.0, "Phone": null}})
    );
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("user-agent"), "SFDC-Callout/68.0");
    assert_eq!(seen.header("sfdc_stack_depth"), "1");
    assert_eq!(seen.header("x-plain"), "yes");
    assert!(
        !seen.headers.contains_key("webhook-id"),
        "unsigned unless there is a secret"
    );
    let entry = site.logged(1).await.remove(0);
    assert_eq!(
        (&entry["outcome"], &entry["status"], &entry["kind"]),
        (&json!("delivered"), &json!(200), &json!("callout"))
    );
    assert_eq!(entry["records"], json!([id]));
}

#[tokio::test]
async fn a_template_is_filled_from_the_record_as_it_was_and_is() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    let body = json!({
        "operation": "{!$Trigger.operationType}", "revenue": "{!$Record.AnnualRevenue}", "phone": "{!$Record.Phone}",
        "text": "{!$Record__Prior.Name} is {!$Record.Name}, {!$Record.Phone}!", "by": ["{!$User.Username}"],
        "org": "{!$Organization.Id}", "constant": [1, true, null], "key": "{!$Flow.InterviewGuid}",
    });
    let headers =
        json!({"Idempotency-Key": "{!$Record.Id}/{!$Record.LastModifiedDate}", "User-Agent": "own\u{e9}"});
    site.callout(
        &endpoint.url,
        json!({"when": {"on": ["update"]}, "body": body, "headers": headers}),
    )
    .await;
    site.freeze().await;
    let id = site
        .create("Account", json!({"Name": "Old", "AnnualRevenue": 7}))
        .await;
    site.update("Account", &id, json!({"Name": "New"})).await;
    let seen = endpoint.next().await;
    let mut body = seen.json();
    let key = body["key"].take();
    assert_eq!(key.as_str().unwrap().len(), 36);
    assert_eq!(
        body,
        json!({"operation": "AFTER_UPDATE", "revenue": 7.0, "phone": null, "text": "Old is New, !",
               "by": [site.info.username], "org": site.info.organization_id, "constant": [1, true, null], "key": null})
    );
    assert_eq!(
        seen.header("idempotency-key"),
        format!("{id}/2026-03-01T12:00:00.000+0000")
    );
    assert_eq!(seen.headers["user-agent"].as_bytes(), "own\u{e9}".as_bytes());
}

#[tokio::test]
async fn a_signature_verifies_and_repetitions_keep_their_id() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.callout(
        &endpoint.url,
        json!({"secret": SECRET, "retry": {"attempts": 3, "firstMillis": 5_000}}),
    )
    .await;
    site.freeze().await;
    endpoint.will_fail(2);
    let id = site.account("Signed \u{1F512}").await;
    let first = endpoint.next().await;
    assert!(is_signed(&first));
    assert_eq!(first.header("webhook-timestamp"), "1772366400");
    site.tried(1).await;
    site.update("Account", &id, json!({"Name": "Later"})).await;
    endpoint.next().await;
    site.advance(5).await;
    let again = endpoint.next().await;
    assert!(is_signed(&again));
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(
        again.header("webhook-timestamp"),
        "1772366405",
        "the time is that of the try"
    );
    assert_eq!(again.body, first.body, "what was to be said is not said anew");
    site.empty().await;
}

#[tokio::test]
async fn a_failed_callout_is_not_repeated_unless_the_rule_says_so() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.callout(&endpoint.url, json!({"name": "Once"})).await;
    site.callout(
        &endpoint.url,
        json!({"name": "Thrice", "retry": {"attempts": 3, "firstMillis": 1_000}}),
    )
    .await;
    site.freeze().await;
    endpoint.will_fail(4);
    site.account("Unlucky").await;
    for seconds in [0, 1, 2] {
        site.advance(seconds).await;
        endpoint.next().await;
        if seconds == 0 {
            endpoint.next().await;
        }
        site.logged(2 + seconds as usize).await;
        site.until("the try was counted", async || {
            site.pending()
                .await
                .iter()
                .all(|item| item["underWay"] == false)
                .then_some(())
        })
        .await;
    }
    let failed = site.failed().await;
    let tried: Vec<_> = failed
        .iter()
        .map(|item| (item["rule"].as_str().unwrap(), item["attempts"].as_u64().unwrap()))
        .collect();
    assert_eq!(tried, [("Once", 1), ("Thrice", 3)]);
    assert_eq!(failed[0]["reason"], "the endpoint answered 500");
    assert!(site.pending().await.is_empty());
    assert_eq!(endpoint.left(), 0);
}

#[tokio::test]
async fn a_callout_may_follow_a_delete_and_waits_as_long_as_its_rule_says() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.callout(
        &endpoint.url,
        json!({"when": {"on": ["delete", "undelete"]}, "timeoutMillis": 20}),
    )
    .await;
    let id = site.account("Gone").await;
    endpoint.will([Reply::Hang]);
    site.delete("Account", &id).await;
    let seen = endpoint.next().await;
    assert_eq!(seen.json()["type"], "Account.deleted");
    assert_eq!(seen.json()["data"], json!({"Id": id, "Name": "Gone"}));
    let failed = site
        .until("it was given up", async || site.failed().await.into_iter().next())
        .await;
    assert_eq!(failed["reason"], "no answer within 20 ms");
}
