//! Which changes become events, and channels that carry several kinds, filter and add fields.

use crate::site::{Site, up};
use sandbox::events::NoTopic;
use serde_json::{Value as Json, json};

async fn capture(site: &Site, capture: Json) {
    site.control("PUT", "/sandbox/events/capture", capture).await;
}

fn channel(name: &str, members: Json) -> Json {
    json!({"channels": [{"name": name, "members": members}]})
}

#[tokio::test]
async fn only_what_is_captured_is_told() {
    let site = up().await;
    capture(&site, json!({"entities": ["Contact"]})).await;
    let start = site.tip();
    let account = site.create("Account", json!({"Name": "Acme"})).await;
    assert_eq!(site.tip(), start);
    site.create("Contact", json!({"LastName": "Li", "AccountId": account}))
        .await;
    let entities: Vec<_> = site
        .after(start, "/data/ChangeEvents")
        .iter()
        .map(|e| e.entity().to_owned())
        .collect();
    assert_eq!(entities, ["Contact"]);
    assert!(site.after(start, "/data/AccountChangeEvent").is_empty());
}

#[tokio::test]
async fn topics_exist_for_what_can_be_captured() {
    let site = up().await;
    let org = site.running.sandbox.org.lock().unwrap();
    let topic = |name: &str| site.running.sandbox.events.topic(&org, name);
    let one = topic("/data/OpportunityChangeEvent").unwrap();
    assert!(!one.can_publish && one.schema_id.len() == 22);
    let all = topic("/data/ChangeEvents").unwrap();
    assert!(!all.can_publish && all.schema_id.is_empty());
    assert!(topic("/event/CPQ_Quote_Changed__e").unwrap().can_publish);
    assert_eq!(topic(" "), Err(NoTopic::Blank));
    for name in [
        "/data/OrganizationChangeEvent",
        "/data/Opportunity",
        "/event/ChangeEvents",
        "/data/CPQ_Quote_Changed__e",
        "OpportunityChangeEvent",
        "/data/Sales__chn",
        "/event/Account",
        "/topic/Account",
    ] {
        assert_eq!(topic(name), Err(NoTopic::Unknown), "{name}");
    }
}

#[tokio::test]
async fn a_channel_carries_its_members_only() {
    let site = up().await;
    let members = json!([{"selectedEntity": "AccountChangeEvent"}, {"selectedEntity": "Contact"}]);
    capture(&site, channel("Sales__chn", members)).await;
    let start = site.tip();
    let account = site.create("Account", json!({"Name": "Acme"})).await;
    site.create("Contact", json!({"LastName": "Li", "AccountId": account}))
        .await;
    site.create("Product2", json!({"Name": "Arm"})).await;
    let entities: Vec<_> = site
        .after(start, "/data/Sales__chn")
        .iter()
        .map(|e| e.entity().to_owned())
        .collect();
    assert_eq!(entities, ["Account", "Contact"]);
    assert_eq!(site.after(start, "/data/ChangeEvents").len(), 3);
    assert!(site.topic("/data/Sales__chn").schema_id.is_empty());
}

#[tokio::test]
async fn a_member_of_a_channel_need_not_be_on_the_standard_one() {
    let site = up().await;
    let mut settings = channel("Sales__chn", json!([{"selectedEntity": "Account"}]));
    settings["entities"] = json!(["Contact"]);
    capture(&site, settings).await;
    let start = site.tip();
    site.create("Account", json!({"Name": "Acme"})).await;
    assert_eq!(site.after(start, "/data/Sales__chn").len(), 1);
    assert!(site.after(start, "/data/ChangeEvents").is_empty());
}

#[tokio::test]
async fn fields_that_a_channel_adds_come_with_updates_and_deletes_and_are_not_changed() {
    let site = up().await;
    let member = json!([{"selectedEntity": "OpportunityChangeEvent", "enrichedFields": ["Name", "Opportunity_Number__c", "Amount"]}]);
    capture(&site, channel("Sales__chn", member)).await;
    let id = site.id("Opportunity", "Opportunity_Number__c = 'OPP-4483'").await;
    site.wait(60).await;
    let start = site.tip();
    site.update("Opportunity", &id, json!({"NextStep": "Call", "Amount": null}))
        .await;
    let event = &site.after(start, "/data/Sales__chn")[0];
    assert_eq!(event.payload["Opportunity_Number__c"], "OPP-4483");
    assert_eq!(event.payload["Name"], "Lakeside Packaging – Palletizer");
    assert_eq!(
        event.changed(),
        [
            "Amount",
            "LastAmountChangedHistoryId",
            "LastModifiedDate",
            "NextStep"
        ]
    );
    assert_eq!(event.names("nulledFields"), ["Amount"]);
    let plain = &site.after(start, "/data/OpportunityChangeEvent")[0];
    assert_eq!(
        (&plain.payload["Name"], plain.changed()),
        (&Json::Null, event.changed())
    );
    site.delete("Opportunity", &id).await;
    let gone = &site.after(event.replay_id, "/data/Sales__chn")[0];
    assert_eq!(
        (gone.change(), &gone.payload["Opportunity_Number__c"]),
        ("DELETE", &json!("OPP-4483"))
    );
    assert_eq!(gone.payload["Amount"], Json::Null);
}

#[tokio::test]
async fn a_filter_lets_pass_what_it_holds_for_and_brings_its_fields_along() {
    let site = up().await;
    let filter = "(StageName = 'Closed Won' OR Amount >= 50000) AND ChangeEventHeader.changeType != 'DELETE'";
    let member = json!([{"selectedEntity": "Opportunity", "filterExpression": filter}]);
    capture(&site, channel("Big__chn", member)).await;
    let id = site.id("Opportunity", "Opportunity_Number__c = 'OPP-4483'").await;
    let small = site.id("Opportunity", "Opportunity_Number__c = 'OPP-4484'").await;
    site.wait(60).await;
    let start = site.tip();
    site.update("Opportunity", &id, json!({"NextStep": "Call"})).await;
    site.update("Opportunity", &small, json!({"NextStep": "Write"}))
        .await;
    site.update("Opportunity", &small, json!({"StageName": "Closed Won"}))
        .await;
    site.delete("Opportunity", &id).await;
    let events = site.after(start, "/data/Big__chn");
    let told: Vec<_> = events.iter().map(|e| e.ids()[0]).collect();
    assert_eq!(told, [id.as_str(), small.as_str()]);
    assert_eq!(events[0].payload["Amount"], 62000.0);
    assert!(!events[0].changed().contains(&"Amount".to_owned()));
    assert_eq!(site.after(start, "/data/ChangeEvents").len(), 4);
}

#[tokio::test]
async fn the_standard_channel_can_filter_too() {
    let site = up().await;
    let member = json!([{"selectedEntity": "Account", "filterExpression": "Name LIKE 'A%'"}]);
    capture(&site, channel("ChangeEvents", member)).await;
    let start = site.tip();
    site.create("Account", json!({"Name": "Acme"})).await;
    site.create("Account", json!({"Name": "Zeta"})).await;
    for topic in ["/data/ChangeEvents", "/data/AccountChangeEvent"] {
        let names: Vec<_> = site
            .after(start, topic)
            .iter()
            .map(|e| e.payload["Name"].clone())
            .collect();
        assert_eq!(names, [json!("Acme")], "{topic}");
    }
}

#[tokio::test]
async fn a_channel_of_platform_events_filters_what_was_published() {
    let site = up().await;
    let member = json!({"selectedEntity": "CPQ_Quote_Changed__e", "filterExpression": "Net_Total__c > 100 AND Quote_Status__c IN ('Approved', 'Accepted')"});
    let channels = json!({"channels": [
        {"name": "Won__chn", "channelType": "event", "members": [member]},
        {"name": "All__chn", "channelType": "event", "members": [{"selectedEntity": "CPQ_Quote_Changed__e"}]},
    ]});
    capture(&site, channels).await;
    let start = site.tip();
    for (number, total, status) in [
        ("Q-1", 50, "Approved"),
        ("Q-2", 500, "Approved"),
        ("Q-3", 500, "Draft"),
    ] {
        let body = json!({"Quote_Number__c": number, "Net_Total__c": total, "Quote_Status__c": status});
        site.post("/sobjects/CPQ_Quote_Changed__e", body).await;
    }
    let numbers = |topic: &str| -> Vec<String> {
        let events = site.after(start, topic);
        events
            .iter()
            .map(|e| e.payload["Quote_Number__c"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(numbers("/event/Won__chn"), ["Q-2"]);
    assert_eq!(numbers("/event/All__chn"), ["Q-1", "Q-2", "Q-3"]);
    assert_eq!(numbers("/event/CPQ_Quote_Changed__e"), ["Q-1", "Q-2", "Q-3"]);
}

#[tokio::test]
async fn what_does_not_fit_the_org_is_refused_and_changes_nothing() {
    let site = up().await;
    let before = site.control("GET", "/sandbox/events/capture", json!({})).await;
    let member = |more: Json| {
        let mut member = json!({"selectedEntity": "Account"});
        member
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        channel("Sales__chn", json!([member]))
    };
    for (wrong, why) in [
        (json!({"entities": ["Nothing"]}), "Nothing is no object"),
        (json!({"entityLimit": 5}), "at most 5"),
        (
            json!({"entities": ["Account", "Contact"], "entityLimit": 1}),
            "2 objects are selected",
        ),
        (channel("Sales", json!([])), "must end in __chn"),
        (
            channel("Sales__chn", json!([{"selectedEntity": "Nothing"}])),
            "no such event",
        ),
        (member(json!({"enrichedFields": ["Nope"]})), "no field Nope"),
        (member(json!({"filterExpression": "Nope = 1"})), "no field Nope"),
        (
            member(json!({"filterExpression": "Name = 'x' LIMIT 1"})),
            "a condition and nothing else",
        ),
        (member(json!({"filterExpression": "Name ="})), "unexpected token"),
        (
            member(json!({"filterExpression": "ChangeEventHeader.recordIds = 'x'"})),
            "cannot be filtered",
        ),
        (
            member(json!({"filterExpression": "Id IN (SELECT AccountId FROM Contact)"})),
            "cannot stand",
        ),
    ] {
        let (status, answer) = site.control_any("PUT", "/sandbox/events/capture", wrong).await;
        assert_eq!(status, 400, "{why}");
        assert!(
            answer["error"].as_str().unwrap().contains(why),
            "{answer} for {why}"
        );
    }
    assert_eq!(
        site.control("GET", "/sandbox/events/capture", json!({})).await,
        before
    );
    let five = json!(["Account", "Contact", "Opportunity", "Quote", "Product2"]);
    capture(&site, json!({"entities": five, "entityLimit": 5})).await;
}
