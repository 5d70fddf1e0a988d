//! Events that tell less than they should.

use cpq_domain::change::ChangeKind;
use serde_json::json;

use crate::house::{House, house, opportunities};

async fn gap(house: &House, body: serde_json::Value) {
    house.control("POST", "/sandbox/events/gap", body).await;
}

#[tokio::test]
async fn a_gap_is_about_exactly_its_records() {
    let house = house().await;
    let (one, two) = (
        house.opportunity("OPP-4482").await,
        house.opportunity("OPP-4483").await,
    );
    let mut stream = house.stands().await;
    for (change, kind) in [
        ("GAP_CREATE", ChangeKind::Created),
        ("GAP_UPDATE", ChangeKind::Unknown),
        ("GAP_DELETE", ChangeKind::Deleted),
        ("GAP_UNDELETE", ChangeKind::Restored),
    ] {
        gap(
            &house,
            json!({"object": "Opportunity", "recordIds": [one, two], "changeType": change}),
        )
        .await;
        let told = stream.changes(2).await;
        let mut both = vec![one.clone(), two.clone()];
        both.sort();
        assert_eq!(opportunities(&told), both);
        assert!(told.iter().all(|told| told.hint.kind == kind), "{told:?}");
    }
    let account = house
        .id("SELECT Id FROM Account WHERE Name = 'Lakeside Packaging'")
        .await;
    gap(
        &house,
        json!({"object": "Account", "recordIds": [account], "changeType": "GAP_UPDATE"}),
    )
    .await;
    let told = stream.change().await;
    assert_eq!(
        (told.opportunity.as_str(), told.hint.kind),
        (two.as_str(), ChangeKind::Unknown)
    );
}

#[tokio::test]
async fn an_overflow_and_records_that_are_not_named_are_a_sweep() {
    let house = house().await;
    let id = house.opportunity("OPP-4482").await;
    let mut stream = house.stands().await;
    for body in [
        json!({"object": "Opportunity", "changeType": "GAP_OVERFLOW"}),
        json!({"object": "Opportunity", "changeType": "GAP_UPDATE"}),
        json!({"object": "Account", "changeType": "GAP_OVERFLOW"}),
    ] {
        let now = house.running.sandbox.clock.now();
        gap(&house, body.clone()).await;
        let batch = stream.batch().await;
        assert!(batch.changes.is_empty(), "{batch:?}");
        let from = batch.sweep_from.expect("a sweep");
        assert!(from < now, "{from}");
    }
    // One of an object that is none of our business is not.
    gap(
        &house,
        json!({"object": "Product2", "changeType": "GAP_OVERFLOW"}),
    )
    .await;
    house.update("Opportunity", &id, json!({"NextStep": "On"})).await;
    assert_eq!(stream.change().await.opportunity.as_str(), id);
}

#[tokio::test]
async fn a_real_overflow_tells_the_first_changes_and_a_sweep() {
    let house = crate::house::house_with(|settings| settings.change_overflow_after = 3).await;
    let mut stream = house.stands().await;
    let record = json!({"attributes": {"type": "Opportunity"}, "Name": "N", "StageName": "Qualification",
        "CloseDate": "2027-01-31"});
    let records = vec![record; 5];
    house
        .rest(
            "POST",
            "composite/sobjects",
            json!({"allOrNone": true, "records": records}),
        )
        .await;
    let (mut told, mut swept) = (0, false);
    while !swept {
        let batch = stream.batch().await;
        told += batch.changes.len();
        swept |= batch.sweep_from.is_some();
    }
    assert_eq!(told, 3);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_a_sweep_and_the_feed_goes_on() {
    let house = house().await;
    let id = house.opportunity("OPP-4482").await;
    house.update("Opportunity", &id, json!({"NextStep": "On"})).await;
    let schema = house.events().await.last().expect("an event")["schemaId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut stream = house.stands().await;
    let append = |schema: &str, payload: Vec<u8>| {
        let sandbox = &house.running.sandbox;
        let (now, kind) = (sandbox.clock.now(), "OpportunityChangeEvent");
        sandbox
            .events
            .bus
            .append(now, "an-event".into(), kind.into(), schema.into(), payload.into());
    };
    for (n, (schema, payload)) in [
        ("no-such-schema", b"x".to_vec()),
        (schema.as_str(), b"rubbish".to_vec()),
        (schema.as_str(), Vec::new()),
        (schema.as_str(), vec![0xff; 500]),
        (schema.as_str(), vec![b'x'; (2 << 20) + 1]),
    ]
    .into_iter()
    .enumerate()
    {
        let seen = stream.position().seen_until;
        append(schema, payload);
        let batch = stream.batch().await;
        assert!(batch.changes.is_empty(), "{batch:?}");
        assert!(batch.sweep_from.is_some_and(|from| from >= seen), "{batch:?}");
        house
            .update("Opportunity", &id, json!({"NextStep": format!("On {n}")}))
            .await;
        assert_eq!(stream.change().await.opportunity.as_str(), id);
    }
}
