//! Platform events that come in as Avro, good ones and everything else.

use crate::site::{Site, up, up_with};
use apache_avro::Schema;
use apache_avro::types::{Record, Value as Avro};
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;
use sandbox::events::{Events, ReplayId, Topic};
use sandbox::org::Org;
use serde_json::json;

const TOPIC: &str = "/event/CPQ_Quote_Changed__e";

fn datum(schema: &Schema, number: Option<&str>) -> Vec<u8> {
    let mut record = Record::new(schema).unwrap();
    record.put("CreatedDate", 1_767_225_600_000_i64);
    record.put("CreatedById", "005000000000001AAA");
    record.put("Net_Total__c", Some(7.5));
    if let Some(number) = number {
        record.put("Quote_Number__c", Some(number));
    }
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    writer.write_value_to_vec(Avro::from(record)).unwrap()
}

fn schema_of(site: &Site, id: &str) -> Schema {
    Schema::parse_str(&site.running.sandbox.events.schema(id).unwrap()).unwrap()
}

/// Publishes as the first user; answers the position or the code of the refusal.
fn publish(
    site: &Site,
    topic: &Topic,
    schema: &str,
    bytes: &[u8],
    id: Option<&str>,
) -> Result<ReplayId, &'static str> {
    let sandbox = &site.running.sandbox;
    let org = sandbox.org.lock().unwrap();
    let now = sandbox.clock.now();
    let result = sandbox.events.publish(&org, topic, schema, bytes, id, now);
    result.map_err(|refused| refused.code())
}

#[tokio::test]
async fn a_datum_is_stored_as_it_came() {
    let site = up().await;
    let topic = site.topic(TOPIC);
    let bytes = datum(&schema_of(&site, &topic.schema_id), Some("Q-2026-0137"));
    let start = site.tip();
    let at = publish(&site, &topic, &topic.schema_id, &bytes, Some("my-own-id")).unwrap();
    publish(&site, &topic, &topic.schema_id, &bytes, Some("")).unwrap();
    let events = site.after(start, TOPIC);
    assert_eq!((events[0].replay_id, events[0].id.as_str()), (at, "my-own-id"));
    assert_eq!(events[1].id.len(), 36, "without an id it gets one");
    assert_eq!(events[0].payload["Quote_Number__c"], "Q-2026-0137");
    let channel = json!({"channels": [{"name": "Big__chn", "channelType": "event", "members": [
        {"selectedEntity": "CPQ_Quote_Changed__e", "filterExpression": "Net_Total__c = 7.5"}]}]});
    site.control("PUT", "/sandbox/events/capture", channel).await;
    publish(&site, &topic, &topic.schema_id, &bytes, None).unwrap();
    assert_eq!(site.after(start, "/event/Big__chn").len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_no_trace() {
    let site = up_with(|options| options.settings.hourly_published_events = 1).await;
    let topic = site.topic(TOPIC);
    let schema = schema_of(&site, &topic.schema_id);
    let good = datum(&schema, Some("Q-1"));
    let start = site.tip();
    let account = site.topic("/data/AccountChangeEvent");
    for (topic, id, bytes, code) in [
        (&topic, "AAAAAAAAAAAAAAAAAAAAAA", &good[..], "PUBLISH"),
        (&topic, &*account.schema_id, &good, "PUBLISH"),
        (&account, &*account.schema_id, &good, "PUBLISH"),
        (&topic, &*topic.schema_id, &good[..good.len() - 1], "PUBLISH"),
        (&topic, &*topic.schema_id, &[&good[..], &[0]].concat(), "PUBLISH"),
        (&topic, &*topic.schema_id, &[], "PUBLISH"),
        (
            &topic,
            &*topic.schema_id,
            &datum(&schema, None),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            &topic,
            &*topic.schema_id,
            &datum(&schema, Some(&"x".repeat(1024 * 1024))),
            "PUBLISH",
        ),
    ] {
        assert_eq!(publish(&site, topic, id, bytes, None), Err(code));
    }
    assert_eq!(site.tip(), start);
    publish(&site, &topic, &topic.schema_id, &good, None).unwrap();
    assert_eq!(
        publish(&site, &topic, &topic.schema_id, &good, None),
        Err("LIMIT_EXCEEDED")
    );
}

#[tokio::test]
async fn an_old_schema_of_the_event_is_still_good() {
    let site = up().await;
    let old = site.topic(TOPIC);
    let bytes = datum(&schema_of(&site, &old.schema_id), Some("Q-1"));
    let more = json!({"CPQ_Quote_Changed__e": [{"name": "Region__c", "type": "string", "length": 9}]});
    site.control("POST", "/sandbox/seed", json!({"add": true, "fields": more}))
        .await;
    let new = site.topic(TOPIC);
    assert_ne!(new.schema_id, old.schema_id);
    let start = site.tip();
    publish(&site, &new, &old.schema_id, &bytes, None).unwrap();
    assert_eq!(
        publish(&site, &new, &new.schema_id, &bytes, None),
        Err("PUBLISH"),
        "it lacks the new field"
    );
    assert_eq!(site.after(start, TOPIC)[0].schema_id, *old.schema_id);
}

fn demo() -> (Events, Org) {
    let now = jiff::Timestamp::from_second(1_767_225_600).unwrap();
    let mut org = Org::empty(now);
    org.load(&sandbox::scenario::named("crm-sync").unwrap(), now)
        .unwrap();
    (Events::default(), org)
}

proptest! {
    /// Whatever bytes come, the answer is a refusal or an event that reads back.
    #[test]
    fn no_bytes_break_it(bytes in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        // Near misses: a good datum, cut, with a byte changed.
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(cut, at, byte)| {
            let (events, org) = demo();
            let topic = events.topic(&org, TOPIC).unwrap();
            let schema = Schema::parse_str(&events.schema(&topic.schema_id).unwrap()).unwrap();
            let mut bytes = datum(&schema, Some("Q-2026-0137"));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            bytes
        }),
    ]) {
        thread_local! {
            static DEMO: (Events, Org) = demo();
        }
        DEMO.with(|(events, org)| {
            let topic = events.topic(org, TOPIC).unwrap();
            let now = jiff::Timestamp::from_second(1_767_225_600).unwrap();
            let before = events.bus.tip();
            let result = events.publish(org, &topic, &topic.schema_id, &bytes, None, now);
            if result.is_ok() {
                let page = events.bus.read(&topic, before, 1, now).unwrap();
                assert_eq!(&page.events[0].payload[..], &bytes[..]);
            } else {
                assert_eq!(events.bus.tip(), before);
            }
        });
    }
}
