//! Platform events published through the data API.

use crate::site::{START, Site, up, up_with};
use reqwest::Method;
use serde_json::{Value as Json, json};

const TOPIC: &str = "/event/CPQ_Quote_Changed__e";
const EVENT: &str = "/sobjects/CPQ_Quote_Changed__e";

fn quote(number: &str) -> Json {
    json!({"Quote_Number__c": number, "Net_Total__c": 1234.5, "Is_Primary__c": true, "Valid_Until__c": "2026-12-31"})
}

fn part(method: &str, path: &str, reference: &str, body: Json) -> Json {
    json!({"method": method, "url": format!("/services/data/v68.0{path}"), "referenceId": reference, "body": body})
}

/// An event that goes out at once, beside the one of the demo org.
async fn define_alert(site: &Site) {
    let event = json!({"name": "Alert__e", "publish": "immediately", "fields": [{"name": "Text__c", "type": "string", "length": 5}]});
    site.control(
        "POST",
        "/sandbox/seed",
        json!({"add": true, "platformEvents": [event]}),
    )
    .await;
}

#[tokio::test]
async fn a_create_answers_with_the_uuid_of_the_event_that_goes_out() {
    let site = up().await;
    let start = site.tip();
    let (status, answer) = site.post(EVENT, quote("Q-1")).await;
    assert_eq!(status, 201);
    assert_eq!(answer["success"], true);
    assert!(answer["id"].as_str().unwrap().starts_with("e00"));
    assert_eq!(answer["errors"][0]["statusCode"], "OPERATION_ENQUEUED");
    assert_eq!(answer["errors"][0]["fields"], json!([]));
    let events = site.after(start, TOPIC);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].id, answer["errors"][0]["message"]);
    let at = START.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let expected = json!({
        "CreatedDate": at, "CreatedById": site.running.sandbox.org.lock().unwrap().first_user().to_string(),
        "Quote_Number__c": "Q-1", "Net_Total__c": 1234.5, "Is_Primary__c": true, "Valid_Until__c": 1_798_675_200_000_i64,
    });
    assert_eq!(Json::Object(events[0].told()), expected);
    assert!(site.after(start, "/data/ChangeEvents").is_empty());
}

#[tokio::test]
async fn collections_and_composites_publish_too() {
    let site = up().await;
    let start = site.tip();
    let record = |number: &str| {
        let mut record = quote(number);
        record["attributes"] = json!({"type": "CPQ_Quote_Changed__e"});
        record
    };
    let bad = json!({"attributes": {"type": "CPQ_Quote_Changed__e"}});
    let (_, answer) = site
        .post(
            "/composite/sobjects",
            json!({"records": [record("Q-1"), bad, record("Q-2")]}),
        )
        .await;
    let codes: Vec<_> = (0..3)
        .map(|n| answer[n]["errors"][0]["statusCode"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "OPERATION_ENQUEUED",
            "REQUIRED_FIELD_MISSING",
            "OPERATION_ENQUEUED"
        ]
    );
    assert_eq!(
        (&answer[0]["success"], &answer[1]["success"]),
        (&json!(true), &json!(false))
    );
    let parts = json!({"compositeRequest": [part("POST", EVENT, "a", quote("Q-3"))]});
    let (_, answer) = site.post("/composite", parts).await;
    let body = &answer["compositeResponse"][0]["body"];
    assert_eq!(body["errors"][0]["statusCode"], "OPERATION_ENQUEUED");
    let numbers: Vec<_> = site
        .after(start, TOPIC)
        .iter()
        .map(|e| e.payload["Quote_Number__c"].clone())
        .collect();
    assert_eq!(numbers, [json!("Q-1"), json!("Q-2"), json!("Q-3")]);
}

#[tokio::test]
async fn an_event_after_commit_is_rolled_back_and_one_at_once_is_not() {
    let site = up().await;
    define_alert(&site).await;
    let start = site.tip();
    let parts = |last: Json| {
        json!({"allOrNone": true, "compositeRequest": [
            part("POST", "/sobjects/Account", "a", json!({"Name": "Acme"})),
            part("POST", EVENT, "b", quote("Q-1")),
            part("POST", "/sobjects/Alert__e", "c", json!({"Text__c": "hello"})),
            part("POST", "/sobjects/Contact", "d", last),
        ]})
    };
    site.post("/composite", parts(json!({}))).await;
    assert!(site.after(start, TOPIC).is_empty());
    assert!(site.after(start, "/data/ChangeEvents").is_empty());
    let alerts = site.after(start, "/event/Alert__e");
    assert_eq!(alerts.len(), 1);
    let start = alerts[0].replay_id;
    site.post("/composite", parts(json!({"LastName": "Li"}))).await;
    let account = &site.after(start, "/data/AccountChangeEvent")[0];
    let (alert, event) = (
        &site.after(start, "/event/Alert__e")[0],
        &site.after(start, TOPIC)[0],
    );
    assert!(
        alert.replay_id < account.replay_id,
        "it goes out before the record is there"
    );
    assert!(account.replay_id < event.replay_id);
}

#[tokio::test]
async fn attributes_of_fields_are_enforced_and_nothing_else_can_be_done_to_events() {
    let site = up().await;
    define_alert(&site).await;
    let start = site.tip();
    for (body, code) in [
        (json!({}), "REQUIRED_FIELD_MISSING"),
        (json!({"Quote_Number__c": "x".repeat(41)}), "STRING_TOO_LONG"),
        (json!({"Quote_Number__c": "Q", "Nope__c": 1}), "INVALID_FIELD"),
        (
            json!({"Quote_Number__c": "Q", "ReplayId": "7"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
    ] {
        let (status, answer) = site.post(EVENT, body).await;
        assert_eq!((status, &answer[0]["errorCode"]), (400, &json!(code)));
    }
    let (_, answer) = site.post("/sobjects/Alert__e", json!({"Text__c": "hi"})).await;
    let path = format!("/sobjects/Alert__e/{}", answer["id"].as_str().unwrap());
    assert_eq!(site.get(&path).await.0, 404);
    let (status, _) = site
        .call(Method::PATCH, &path, &[], json!({"Text__c": "ho"}))
        .await;
    assert_eq!(status, 400);
    let (status, answer) = site.call(Method::DELETE, &path, &[], Json::Null).await;
    let code = &answer[0]["errorCode"];
    assert_eq!((status, code), (400, &json!("INSUFFICIENT_ACCESS_OR_READONLY")));
    assert_eq!(site.after(start, "/event/Alert__e").len(), 1);
}

#[tokio::test]
async fn what_no_event_can_have_is_refused_when_it_is_defined() {
    let site = up().await;
    for (event, why) in [
        (json!({"name": "Alert"}), "must end in __e"),
        (
            json!({"name": "Alert__e", "fields": [{"name": "Text", "type": "string"}]}),
            "must end in __c",
        ),
        (
            json!({"name": "Alert__e", "fields": [{"name": "Total__c", "type": "currency"}]}),
            "an event's field is one of",
        ),
    ] {
        let (status, answer) = site
            .control_any(
                "POST",
                "/sandbox/seed",
                json!({"add": true, "platformEvents": [event]}),
            )
            .await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    }
}

#[tokio::test]
async fn the_hours_allowance_and_the_limits_resource_count_what_was_published() {
    let site = up_with(|options| options.settings.hourly_published_events = 2).await;
    assert_eq!(site.post(EVENT, quote("Q-1")).await.0, 201);
    assert_eq!(site.post(EVENT, quote("Q-2")).await.0, 201);
    let (status, answer) = site.post(EVENT, quote("Q-3")).await;
    assert_eq!((status, &answer[0]["errorCode"]), (400, &json!("LIMIT_EXCEEDED")));
    let events = &site.running.sandbox.events;
    assert_eq!(events.quota().deliver(7, site.running.sandbox.clock.now()), 7);
    let (_, limits) = site.get("/limits").await;
    assert_eq!(
        limits["HourlyPublishedPlatformEvents"],
        json!({"Max": 2, "Remaining": 0})
    );
    assert_eq!(
        limits["DailyDeliveredPlatformEvents"],
        json!({"Max": 50_000, "Remaining": 49_993})
    );
    assert_eq!(
        limits["MonthlyPlatformEventsUsageEntitlement"],
        json!({"Max": 1_500_000, "Remaining": 1_499_993})
    );
    let (_, old) = site.get("/services/data/v47.0/limits").await;
    assert_eq!(old["MonthlyPlatformEvents"]["Remaining"], 1_499_993);
    assert!(old.get("MonthlyPlatformEventsUsageEntitlement").is_none());
    site.control("PATCH", "/sandbox/config", json!({"dailyDeliveredEvents": 8}))
        .await;
    assert_eq!(events.quota().deliver(2, site.running.sandbox.clock.now()), 1);
    assert_eq!(events.quota().deliver(2, site.running.sandbox.clock.now()), 0);
    site.wait(3_600).await;
    assert_eq!(site.post(EVENT, quote("Q-3")).await.0, 201);
}
