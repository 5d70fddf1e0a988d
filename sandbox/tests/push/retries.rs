//! What happens when an endpoint does not acknowledge.

use crate::endpoint::{ACK, Endpoint, Reply};
use crate::site::site;
use jiff::Timestamp;
use serde_json::{Value, json};

fn seconds(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_second()
}

#[tokio::test]
async fn waits_double_from_half_a_minute_to_two_hours_and_end_after_a_day() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    endpoint.will_fail(100);
    site.account("Unheard").await;
    let mut waits = Vec::new();
    let failed = loop {
        endpoint.next().await;
        let item = site.tried(waits.len() as u64 + 1).await;
        let now = site.control("GET", "/sandbox/clock", Value::Null).await;
        let wait = seconds(&item["dueAt"]) - seconds(&now["now"]);
        assert_eq!(item["last"]["status"], 500);
        waits.push(wait);
        site.advance(wait).await;
        let next = site
            .until("it was tried again or given up", async || {
                let failed = site.failed().await;
                (!failed.is_empty() || site.logged(0).await.len() > waits.len()).then_some(failed)
            })
            .await;
        if let Some(failed) = next.into_iter().next() {
            break failed;
        }
    };
    let doubled = [30, 60, 120, 240, 480, 960, 1_920, 3_840];
    assert_eq!(waits[..8], doubled);
    assert!(waits[8..].iter().all(|wait| *wait == 7_200), "{waits:?}");
    assert_eq!(
        waits.len(),
        19,
        "30 s, 60 s, … and then every two hours until a day is over"
    );
    assert_eq!(failed["reason"], "it was not acknowledged in time");
    assert_eq!(
        seconds(&failed["failedAt"]) - seconds(&failed["queuedAt"]),
        waits.iter().sum::<i64>()
    );
    assert!(site.pending().await.is_empty());
}

#[tokio::test]
async fn nothing_is_tried_before_its_time_and_new_messages_overtake_old_ones() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    endpoint.will_fail(1);
    let old = site.account("Old").await;
    endpoint.next().await;
    site.tried(1).await;
    site.advance(29).await;
    let new = site.account("New").await;
    assert_eq!(endpoint.next().await.records(), [new], "the old one is not due");
    site.advance(1).await;
    assert_eq!(endpoint.next().await.records(), [old]);
    site.empty().await;
}

/// Status and body of bad answers, with a part of what is said about them.
fn bad_answers() -> Vec<(u16, String, &'static str)> {
    let doctype = ACK.replacen(
        "<soapenv:Envelope",
        "<!DOCTYPE x [<!ENTITY t \"true\">]>\n<soapenv:Envelope",
        1,
    );
    let deep = format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000));
    vec![
        (200, String::new(), "no XML"),
        (200, "OK".into(), "no XML"),
        (200, "<html/>".into(), "no SOAP 1.1 envelope"),
        (202, ACK.into(), "answered 202"),
        (500, ACK.into(), "answered 500"),
        (301, ACK.into(), "answered 301"),
        (200, ACK.replace("true", "false"), "Ack is not true"),
        (200, ACK.replace("true", "1"), "Ack is not true"),
        (200, ACK.replace("true", "True"), "Ack is not true"),
        (200, ACK.replace("true", "<x>true</x>"), "Ack is not true"),
        (
            200,
            ACK.replace("2005/09/outbound", "2005/09/inbound"),
            "notificationsResponse",
        ),
        (200, ACK.replace("<Ack>true</Ack>", ""), "exactly one Ack"),
        (
            200,
            ACK.replace("<Ack>true</Ack>", "<Ack>true</Ack><Ack>true</Ack>"),
            "exactly one Ack",
        ),
        (200, ACK.replace("<Ack>", "text<Ack>"), "exactly one Ack"),
        (
            200,
            ACK.replace(
                "schemas.xmlsoap.org/soap/envelope/",
                "www.w3.org/2003/05/soap-envelope",
            ),
            "no SOAP 1.1",
        ),
        (
            200,
            ACK.replace("soapenv:Body", "soapenv:Header"),
            "exactly one Body",
        ),
        (200, ACK[..ACK.len() - 4].into(), "no XML"),
        (200, doctype, "no XML"),
        (200, deep, "no XML"),
        (200, format!("{ACK}{}", " ".repeat(70_000)), "longer than 65536"),
    ]
}

#[tokio::test]
async fn anything_but_the_exact_acknowledgement_is_a_failure() {
    let cases = bad_answers();
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    site.control(
        "PATCH",
        "/sandbox/config",
        json!({"outboundRetryMillis": 1_000, "outboundRetryLongestMillis": 1_000}),
    )
    .await;
    endpoint.will(
        cases
            .iter()
            .map(|(status, body, _)| Reply::Body(*status, body.clone())),
    );
    site.account("Suspicious").await;
    for (n, (status, body, why)) in cases.iter().enumerate() {
        endpoint.next().await;
        let item = site.tried(n as u64 + 1).await;
        let error = item["last"]["error"].as_str().unwrap();
        assert!(error.contains(why), "{status} {body}: {error}");
        assert_eq!(item["last"]["status"], *status);
        site.advance(1).await;
    }
    endpoint.next().await;
    site.empty().await;
}

#[tokio::test]
async fn acknowledgements_of_other_stacks_are_understood() {
    for ack in [
        format!("\u{FEFF}{ACK}"),
        ACK.replace("soapenv", "S")
            .replace("<Ack>true</Ack>", "<Ack>\n true </Ack>"),
        ACK.replace(
            "<soapenv:Body>",
            "<soapenv:Header><x/></soapenv:Header><soapenv:Body>",
        ),
        ACK.replace(
            "<notificationsResponse xmlns=",
            "<o:notificationsResponse xmlns:o=",
        )
        .replace("</notificationsResponse", "</o:notificationsResponse")
        .replace("<Ack>true</Ack>", "<o:Ack>true</o:Ack>"),
    ] {
        let (site, mut endpoint) = (site().await, Endpoint::start().await);
        site.message(&endpoint.url, json!({})).await;
        endpoint.will([Reply::Body(200, ack.clone())]);
        site.account("Heard").await;
        endpoint.next().await;
        let entry = site.logged(1).await.remove(0);
        assert_eq!(entry["outcome"], "delivered", "{ack}: {entry}");
        assert!(site.pending().await.is_empty());
    }
}

#[tokio::test]
async fn a_retry_on_demand_sends_now_even_what_was_given_up() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    endpoint.will_fail(2);
    site.account("Wanted").await;
    endpoint.next().await;
    let item = site.tried(1).await;
    let nothing = site
        .control("POST", "/sandbox/deliveries/retry", json!({"rule": "Another"}))
        .await;
    assert_eq!(nothing["retried"], 0);
    let one = site
        .control("POST", "/sandbox/deliveries/retry", json!({"ids": [item["id"]]}))
        .await;
    assert_eq!(one["retried"], 1);
    endpoint.next().await;
    site.tried(2).await;
    site.advance(86_400).await;
    site.until("it was given up", async || {
        (!site.failed().await.is_empty()).then_some(())
    })
    .await;
    let all = site.control("POST", "/sandbox/deliveries/retry", json!({})).await;
    assert_eq!(all["retried"], 1);
    let seen = endpoint.next().await;
    assert_eq!(item["id"], seen.notifications()[0].0, "the same notification");
    site.empty().await;
    assert!(site.failed().await.is_empty());
    let entries = site.logged(3).await;
    let outcomes: Vec<_> = entries
        .iter()
        .map(|entry| entry["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["refused", "refused", "delivered"]);
}
