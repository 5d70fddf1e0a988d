//! How long events are kept, what a restart leaves of them, and what a test can see.

use crate::site::{Site, up, up_with};
use sandbox::events::{ReplayId, Topic, Unreadable};
use serde_json::json;

fn read(site: &Site, topic: &Topic, after: ReplayId) -> Result<usize, Unreadable> {
    let sandbox = &site.running.sandbox;
    let page = sandbox.events.bus.read(topic, after, 1_000, sandbox.clock.now());
    page.map(|page| page.events.len())
}

async fn account(site: &Site, name: &str) -> ReplayId {
    site.create("Account", json!({"Name": name})).await;
    site.tip()
}

#[tokio::test]
async fn events_are_kept_for_three_days_by_the_sandboxs_clock() {
    let a_month = 30 * 24 * 3_600;
    let site = up_with(|options| options.settings.session_lifetime_seconds = a_month).await;
    let topic = site.topic("/data/ChangeEvents");
    let start = site.tip();
    let first = account(&site, "Monday").await;
    site.wait(71 * 3_600).await;
    let second = account(&site, "Thursday").await;
    assert_eq!(read(&site, &topic, start), Ok(2));
    site.wait(2 * 3_600).await;
    assert_eq!(read(&site, &topic, start), Err(Unreadable));
    assert_eq!(
        read(&site, &topic, first),
        Ok(1),
        "everything after it is still there"
    );
    assert_eq!(site.all("/data/ChangeEvents").len(), 1);
    site.wait(80 * 3_600).await;
    assert_eq!(read(&site, &topic, first), Err(Unreadable));
    assert_eq!(read(&site, &topic, second), Ok(0), "nothing was missed by then");
    assert_eq!(
        read(&site, &topic, ReplayId(second.0 + 1)),
        Err(Unreadable),
        "this was never given out"
    );
}

#[tokio::test]
async fn a_reset_of_the_stream_makes_every_position_useless() {
    let site = up().await;
    let topic = site.topic("/data/ChangeEvents");
    let start = site.tip();
    let first = account(&site, "Before").await;
    site.control("POST", "/sandbox/events/reset", json!({})).await;
    for old in [start, first] {
        assert_eq!(read(&site, &topic, old), Err(Unreadable));
    }
    let again = account(&site, "After").await;
    assert!(again > first);
    assert_eq!(site.all("/data/ChangeEvents").len(), 1);
    site.control("POST", "/sandbox/events/reset", json!({"before": again.0}))
        .await;
    assert_eq!(
        site.all("/data/ChangeEvents").len(),
        1,
        "only what stands before it is gone"
    );
}

#[tokio::test]
async fn another_org_in_the_same_sandbox_begins_a_new_stream_and_more_records_do_not() {
    let site = up().await;
    let topic = site.topic("/data/ChangeEvents");
    let first = account(&site, "Before").await;
    let more = json!({"add": true, "records": [{"object": "Account", "values": {"Name": "Seeded"}}]});
    site.control("POST", "/sandbox/seed", more).await;
    assert_eq!(read(&site, &topic, first), Ok(0), "seeds are told to nobody");
    for path in ["/sandbox/seed", "/sandbox/reset"] {
        let at = site.tip();
        site.control("POST", path, json!({"scenario": "crm-sync"})).await;
        assert_eq!(read(&site, &topic, at), Err(Unreadable), "{path}");
    }
}

#[tokio::test]
async fn subscribers_go_on_where_they_were_after_a_restart_with_a_state_directory() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_owned();
    let with_state = |options: &mut sandbox::Options| options.state_dir = Some(state.clone());
    let site = up_with(with_state).await;
    let first = account(&site, "First").await;
    let second = account(&site, "Second").await;
    site.post(
        "/sobjects/CPQ_Quote_Changed__e",
        json!({"Quote_Number__c": "Q-1"}),
    )
    .await;
    let before = site.after(first, "/data/ChangeEvents");
    let segment = json!({"Account": [{"name": "Segment__c", "type": "string", "length": 10}]});
    site.control("POST", "/sandbox/seed", json!({"add": true, "fields": segment}))
        .await;
    let usage = site
        .running
        .sandbox
        .events
        .quota()
        .usage(site.running.sandbox.clock.now());
    assert_eq!(usage.published.0, 1);
    let tip = site.tip();
    site.running.shutdown().await;

    let site = up_with(with_state).await;
    assert_eq!(site.tip(), tip);
    let events = site.after(first, "/data/ChangeEvents");
    let told = |events: &[crate::decoded::Decoded]| -> Vec<_> {
        events
            .iter()
            .map(|e| (e.replay_id, e.id.clone(), e.schema_id.clone(), e.payload.clone()))
            .collect()
    };
    assert_eq!(
        told(&events),
        told(&before),
        "in the schema that was replaced meanwhile"
    );
    assert_eq!(events[0].replay_id, second);
    let third = account(&site, "Third").await;
    assert!(third > tip);
    let events = site.after(second, "/data/ChangeEvents");
    assert_eq!(events[0].payload["Name"], "Third");
    let number = |event: &crate::decoded::Decoded| event.header()["commitNumber"].as_i64().unwrap();
    assert!(number(&events[0]) > number(&before[0]));
    let usage = site
        .running
        .sandbox
        .events
        .quota()
        .usage(site.running.sandbox.clock.now());
    assert_eq!(usage.published.0, 1, "what was used is used");
}

#[tokio::test]
async fn two_sandboxes_without_a_state_directory_share_no_positions() {
    let (one, two) = (up().await, up().await);
    let at = account(&one, "Here").await;
    account(&two, "There").await;
    let topic = two.topic("/data/ChangeEvents");
    assert_eq!(read(&two, &topic, at), Err(Unreadable));
}

#[tokio::test]
async fn people_read_what_is_on_the_bus() {
    let site = up().await;
    let start = site.tip();
    let id = site
        .create("Account", json!({"Name": "Acme", "BillingCity": "Bern"}))
        .await;
    site.wait(60).await;
    site.update(
        "Account",
        &id,
        json!({"BillingCity": null, "ShippingCity": "Basel", "Phone": "7"}),
    )
    .await;
    site.post(
        "/sobjects/CPQ_Quote_Changed__e",
        json!({"Quote_Number__c": "Q-1"}),
    )
    .await;
    let list = site
        .control("GET", &format!("/sandbox/events?after={}", start.0), json!({}))
        .await;
    let events = list["events"].as_array().unwrap();
    let names: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["AccountChangeEvent", "AccountChangeEvent", "CPQ_Quote_Changed__e"]
    );
    let header = &events[1]["payload"]["ChangeEventHeader"];
    let changed = json!([
        "Phone",
        "LastModifiedDate",
        "BillingAddress.City",
        "ShippingAddress.City"
    ]);
    assert_eq!(header["changedFields"], changed);
    assert_eq!(header["nulledFields"], json!(["BillingAddress.City"]));
    assert_eq!(events[2]["payload"]["Quote_Number__c"], "Q-1");
    assert_eq!(list["tip"], events[2]["replayId"]);
    let path = format!(
        "/sandbox/events?after={}&topic=/data/AccountChangeEvent&limit=1",
        start.0
    );
    let list = site.control("GET", &path, json!({})).await;
    assert_eq!(list["events"], json!([events[0]]));
    let list = site.control("GET", "/sandbox/events?limit=1", json!({})).await;
    assert_eq!(list["events"], json!([events[2]]), "the newest");
    for wrong in ["topic=/data/Nope", "after=1", "nope=1"] {
        let (status, _) = site
            .control_any("GET", &format!("/sandbox/events?{wrong}"), json!({}))
            .await;
        assert_eq!(status, 400, "{wrong}");
    }
}
