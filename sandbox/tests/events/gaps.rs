//! Events that only say that there was a change: of themselves, and on demand.

use crate::site::{up, up_with};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn a_change_that_is_too_large_for_an_event_is_a_gap() {
    let site = up().await;
    let fields: Vec<Json> = (0..9)
        .map(|n| json!({"name": format!("Text{n}__c"), "type": "textarea", "length": 131_072}))
        .collect();
    site.control(
        "POST",
        "/sandbox/seed",
        json!({"add": true, "fields": {"Account": fields}}),
    )
    .await;
    let mut body = json!({"Name": "Large"});
    for n in 0..9 {
        body[format!("Text{n}__c")] = "x".repeat(131_072).into();
    }
    let start = site.tip();
    let id = site.create("Account", body).await;
    let event = &site.after(start, "/data/AccountChangeEvent")[0];
    assert_eq!((event.change(), event.ids()), ("GAP_CREATE", vec![id.as_str()]));
    assert!(event.told().is_empty());
    assert!(event.changed().is_empty());
    assert_eq!(event.header()["changeOrigin"], "com/salesforce/api/rest/68.0");
    site.update("Account", &id, json!({"Name": "Still large"})).await;
    assert_eq!(
        site.after(event.replay_id, "/data/AccountChangeEvent")[0].change(),
        "UPDATE"
    );
}

#[tokio::test]
async fn a_transaction_with_too_many_changes_ends_in_an_overflow_for_each_object() {
    let site = up_with(|options| options.settings.change_overflow_after = 3).await;
    let record = |kind: &str, field: &str, name: &str| {
        let mut record = json!({"attributes": {"type": kind}});
        record[field] = name.into();
        record
    };
    let account = |name: &str| record("Account", "Name", name);
    let contact = |name: &str| record("Contact", "LastName", name);
    let records = json!([
        account("A"),
        contact("B"),
        account("C"),
        contact("D"),
        contact("E"),
        account("F")
    ]);
    let start = site.tip();
    site.post(
        "/composite/sobjects",
        json!({"allOrNone": true, "records": records}),
    )
    .await;
    let events = site.after(start, "/data/ChangeEvents");
    let told: Vec<_> = events
        .iter()
        .map(|e| {
            (
                e.entity(),
                e.change(),
                e.header()["sequenceNumber"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Account", "CREATE", 1),
            ("Contact", "CREATE", 2),
            ("Account", "CREATE", 3),
            ("Contact", "GAP_OVERFLOW", 4),
            ("Account", "GAP_OVERFLOW", 5),
        ]
    );
    assert_eq!(events[3].ids(), ["003000000000000AAA"]);
    let keys: Vec<_> = events
        .iter()
        .map(|e| e.header()["transactionKey"].clone())
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn an_update_counts_once_for_each_field() {
    let site = up_with(|options| options.settings.change_overflow_after = 3).await;
    let id = site.id("Account", "Name = 'Northwind Robotics'").await;
    site.wait(60).await;
    let start = site.tip();
    // With the date of the change these are three fields, then four.
    site.update("Account", &id, json!({"Phone": "1", "Fax": "1"}))
        .await;
    site.update("Account", &id, json!({"Phone": "2", "Fax": "2", "Site": "2"}))
        .await;
    let told: Vec<_> = site
        .after(start, "/data/AccountChangeEvent")
        .iter()
        .map(|e| e.change().to_owned())
        .collect();
    assert_eq!(told, ["UPDATE", "GAP_OVERFLOW"]);
}

#[tokio::test]
async fn gaps_are_made_on_demand() {
    let site = up().await;
    let start = site.tip();
    let id = site.opportunity().await;
    let made = json!({"object": "Opportunity", "recordIds": [id], "changeType": "GAP_DELETE"});
    let answer = site.control("POST", "/sandbox/events/gap", made).await;
    for made in [
        json!({"object": "Opportunity"}),
        json!({"object": "Opportunity", "changeType": "GAP_OVERFLOW"}),
        json!({"object": "Account", "field": "Tax_Id__c"}),
    ] {
        site.control("POST", "/sandbox/events/gap", made).await;
    }
    let events = site.after(start, "/data/ChangeEvents");
    assert_eq!(events[0].replay_id.0, answer["replayId"]);
    let told: Vec<_> = events.iter().map(|e| (e.change(), e.ids()[0])).collect();
    assert_eq!(
        told,
        [
            ("GAP_DELETE", id.as_str()),
            ("GAP_UPDATE", "006*"),
            ("GAP_OVERFLOW", "006000000000000AAA"),
            ("UPDATE", "001*")
        ]
    );
    assert_eq!(events[3].names("nulledFields"), ["Tax_Id__c"]);
    assert_eq!(events[3].changed(), ["Tax_Id__c"]);
    for (wrong, why) in [
        (json!({"object": "Nothing"}), "no object Nothing"),
        (json!({"object": "Organization"}), "nothing captures"),
        (
            json!({"object": "Account", "changeType": "CREATE"}),
            "CREATE is none of",
        ),
        (
            json!({"object": "Account", "changeType": "UPDATE"}),
            "needs a field",
        ),
        (json!({"object": "Account", "field": "Nope"}), "no field Nope"),
    ] {
        let (status, answer) = site.control_any("POST", "/sandbox/events/gap", wrong).await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    }
}
