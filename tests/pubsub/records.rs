//! What happens to an opportunity, and what is told of it.

use cpq_adapters::salesforce::pubsub::PlatformEvent;
use cpq_domain::adapter::{CrmAdapter as _, CrmWrite};
use cpq_domain::change::ChangeKind;
use cpq_domain::id::OpportunityKey;
use cpq_domain::value::Value;
use cpq_domain::view::Patch;
use serde_json::json;

use crate::house::{call, fields, house, opportunities};

#[tokio::test]
async fn an_opportunity_is_made_changed_emptied_deleted_and_brought_back() {
    let house = house().await;
    let mut stream = house.stands().await;
    let begin = stream.position().seen_until;
    let id = house.new_opportunity("Line 5").await;
    let made = stream.change().await;
    assert_eq!(
        (made.opportunity.as_str(), made.hint.kind),
        (id.as_str(), ChangeKind::Created)
    );
    assert_eq!(made.hint.source, "pubsub /data/ChangeEvents Opportunity");
    assert!(
        !made.hint.ours && made.hint.by.as_deref().is_some_and(|by| by.starts_with("005")),
        "{made:?}"
    );
    assert!(made.hint.at.is_some_and(|at| at > begin), "{made:?}");

    house
        .update(
            "Opportunity",
            &id,
            json!({"Amount": 12, "NextStep": "Call", "Description": "Long"}),
        )
        .await;
    let changed = stream.change().await;
    assert_eq!(changed.hint.kind, ChangeKind::Changed);
    let expected = [
        "opportunity.amount",
        "opportunity.description",
        "opportunity.next_step",
    ];
    assert_eq!(fields(&changed), expected);
    assert_ne!(changed.hint.event, made.hint.event);

    house.update("Opportunity", &id, json!({"NextStep": null})).await;
    assert_eq!(fields(&stream.change().await), ["opportunity.next_step"]);

    house.delete("Opportunity", &id).await;
    let deleted = stream.change().await;
    assert_eq!(
        (deleted.opportunity.as_str(), deleted.hint.kind),
        (id.as_str(), ChangeKind::Deleted)
    );
    house
        .control("POST", "/sandbox/records/undelete", json!({"ids": [id]}))
        .await;
    let back = stream.change().await;
    assert_eq!(
        (back.opportunity.as_str(), back.hint.kind),
        (id.as_str(), ChangeKind::Restored)
    );
}

#[tokio::test]
async fn what_we_wrote_ourselves_is_labelled() {
    let house = house().await;
    let adapter = house.adapter();
    let mut stream = house.stands().await;
    let key = OpportunityKey::new("OPP-4482").expect("a key");
    let read = adapter.read(&call(), &key).await.expect("it reads");
    let write = CrmWrite {
        opportunity: read.opportunity.clone(),
        patch: Patch {
            fields: [("quote.number".into(), Value::text("Q-1"))].into(),
            ..Patch::default()
        },
        unmodified_since: read.modified_at,
        quote_record: None,
        record_type: None,
        lines: std::collections::BTreeMap::new(),
    };
    adapter.write(&call(), &write).await.expect("it writes");
    let ours = stream.change().await;
    assert!(ours.hint.ours, "{ours:?}");
    assert_eq!(fields(&ours), ["quote.number"]);
    house
        .update(
            "Opportunity",
            read.opportunity.id.as_str(),
            json!({"NextStep": "Call"}),
        )
        .await;
    assert!(!stream.change().await.hint.ours);
}

#[tokio::test]
async fn one_event_of_several_records_is_several_changes() {
    let house = house().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(house.new_opportunity(&format!("Line {n}")).await);
    }
    let mut stream = house.stands().await;
    let record =
        |id: &String| json!({"attributes": {"type": "Opportunity"}, "id": id, "NextStep": "Together"});
    let records: Vec<_> = ids.iter().map(record).collect();
    house
        .rest(
            "PATCH",
            "composite/sobjects",
            json!({"allOrNone": true, "records": records}),
        )
        .await;
    let changes = stream.changes(5).await;
    let stored = house.events().await;
    let merged = stored.last().expect("an event")["payload"]["ChangeEventHeader"]["recordIds"].clone();
    assert_eq!(
        merged.as_array().expect("ids").len(),
        5,
        "the sandbox merged them: {merged}"
    );
    ids.sort();
    assert_eq!(opportunities(&changes), ids);
    assert!(changes.iter().all(|change| change.hint == changes[0].hint));
    assert_eq!(fields(&changes[0]), ["opportunity.next_step"]);
}

#[tokio::test]
async fn a_repeat_carries_the_same_event() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let mut stream = house.stands().await;
    house
        .faults(json!([{"when": {"object": "Opportunity"}, "fault": {"kind": "event_duplicate"}}]))
        .await;
    house
        .update("Opportunity", &id, json!({"NextStep": "Twice"}))
        .await;
    let twice = stream.changes(2).await;
    assert!(twice[0].hint.event.is_some());
    assert_eq!(twice[0], twice[1]);
}

#[tokio::test]
async fn events_of_several_schemas_are_read_each_with_its_own() {
    let house = house().await;
    let id = house.new_opportunity("Line 5").await;
    let mut stream = house.stands().await;
    let start = stream.position();
    let text =
        |name: &str| json!({"fields": {"Opportunity": [{"name": name, "type": "string", "length": 20}]}});
    house.update("Opportunity", &id, json!({"Amount": 1})).await;
    house
        .control("POST", "/sandbox/define", text("AAA_First__c"))
        .await;
    house
        .update(
            "Opportunity",
            &id,
            json!({"Amount": 2, "AAA_First__c": "x", "CPQ_Quote_Number__c": "Q-1"}),
        )
        .await;
    house
        .faults(
            json!([{"when": {"object": "Opportunity"}, "times": 1, "fault": {"kind": "event_mixed_schema"}}]),
        )
        .await;
    house
        .update(
            "Opportunity",
            &id,
            json!({"NextStep": "x", "CPQ_Quote_Number__c": "Q-2"}),
        )
        .await;
    house
        .update("Opportunity", &id, json!({"CPQ_Quote_Number__c": "Q-3"}))
        .await;
    stream.changes(4).await;
    let stored = house.events().await;
    let schemas: std::collections::BTreeSet<String> = stored
        .iter()
        .rev()
        .take(4)
        .map(|event| event["schemaId"].to_string())
        .collect();
    assert_eq!(schemas.len(), 3, "{schemas:?}");

    // All in one answer, and none of the schemas known.
    let batch = house.open(&start).await.batch().await;
    let told: Vec<Vec<&str>> = batch.changes.iter().map(fields).collect();
    assert_eq!(told[0], ["opportunity.amount"]);
    assert_eq!(told[1], ["opportunity.amount", "quote.number"]);
    assert_eq!(told[2], ["opportunity.next_step", "quote.number"]);
    assert_eq!(told[3], ["quote.number"]);
}

#[tokio::test]
async fn a_platform_event_names_an_opportunity_by_number_or_id() {
    let mut house = house().await;
    let field = |name: &str| json!({"name": name, "type": "string", "length": 40});
    let event = json!({"name": "CPQ_Sync__e", "publish": "immediately", "fields": [field("Key__c")]});
    house
        .control("POST", "/sandbox/define", json!({"platformEvents": [event]}))
        .await;
    house.feed.events.push(PlatformEvent {
        topic: "/event/CPQ_Sync__e".to_owned(),
        field: "Key__c".to_owned(),
    });
    let id = house.opportunity("OPP-4483").await;
    let mut stream = house.stands().await;
    for key in ["OPP-4483", id.as_str(), &id[..15], "opp-4483"] {
        house.create("CPQ_Sync__e", json!({"Key__c": key})).await;
        let told = stream.change().await;
        assert_eq!(
            (told.opportunity.as_str(), told.hint.kind),
            (id.as_str(), ChangeKind::Unknown),
            "{key}"
        );
        assert_eq!(told.hint.source, "pubsub /event/CPQ_Sync__e");
        assert!(told.hint.at.is_some() && told.hint.by.is_some(), "{told:?}");
    }
    // One that nobody has is passed over; one that names nothing is a sweep. The feed goes on behind both.
    house.create("CPQ_Sync__e", json!({"Key__c": "OPP-none"})).await;
    house.create("CPQ_Sync__e", json!({"Key__c": null})).await;
    while stream.next().await.sweep_from.is_none() {}
    house.create("CPQ_Sync__e", json!({"Key__c": "OPP-4483"})).await;
    assert_eq!(stream.change().await.opportunity.as_str(), id);
}
