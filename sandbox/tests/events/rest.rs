//! Events in the data API: describes, schemas, and that they cannot be queried.

use crate::site::up;
use serde_json::{Value as Json, json};

fn entry<'a>(global: &'a Json, name: &str) -> &'a Json {
    global["sobjects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == name)
        .unwrap()
}

#[tokio::test]
async fn both_kinds_of_events_are_in_the_global_describe_and_neither_can_be_queried() {
    let site = up().await;
    let (_, global) = site.get("/sobjects").await;
    let event = entry(&global, "CPQ_Quote_Changed__e");
    assert_eq!(event["keyPrefix"], "e00");
    assert_eq!(event["label"], "CPQ Quote Changed");
    for (call, can) in [
        ("createable", true),
        ("queryable", false),
        ("updateable", false),
        ("deletable", false),
        ("retrieveable", false),
        ("layoutable", false),
    ] {
        assert_eq!(event[call], can, "{call}");
    }
    assert_eq!(
        event["urls"]["eventSchema"],
        "/services/data/v68.0/sobjects/CPQ_Quote_Changed__e/eventSchema"
    );
    let change = entry(&global, "OpportunityChangeEvent");
    assert_eq!(
        (&change["associateEntityType"], &change["associateParentEntity"]),
        (&json!("ChangeEvent"), &json!("Opportunity"))
    );
    assert_eq!(
        (&change["createable"], &change["queryable"]),
        (&json!(false), &json!(false))
    );
    for name in ["CPQ_Quote_Changed__e", "OpportunityChangeEvent"] {
        let (status, body) = site.get(&format!("/query?q=SELECT+Id+FROM+{name}")).await;
        assert_eq!(
            (status, &body[0]["errorCode"]),
            (400, &json!("INVALID_TYPE_FOR_OPERATION"))
        );
        let message = body[0]["message"].as_str().unwrap();
        assert!(
            message.ends_with(&format!("entity type {name} does not support query")),
            "{message}"
        );
    }
    let (status, body) = site.get("/query?q=SELECT+Id+FROM+NothingChangeEvent").await;
    assert_eq!((status, &body[0]["errorCode"]), (400, &json!("INVALID_TYPE")));
}

#[tokio::test]
async fn describes_show_an_events_fields_and_no_id() {
    let site = up().await;
    let names = |body: &Json| -> Vec<String> {
        body["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (status, body) = site.get("/sobjects/CPQ_Quote_Changed__e/describe").await;
    assert_eq!(status, 200);
    assert_eq!(
        names(&body)[..5],
        [
            "ReplayId",
            "EventUuid",
            "CreatedDate",
            "CreatedById",
            "Quote_Number__c"
        ]
    );
    assert_eq!(body["fields"][0]["createable"], false);
    assert_eq!(body["fields"][4]["createable"], true);
    let (status, body) = site.get("/sobjects/ContactChangeEvent/describe").await;
    assert_eq!(status, 200);
    let names = names(&body);
    assert_eq!(names[..2], ["ReplayId", "ChangeEventHeader"]);
    assert!(names.contains(&"FirstName".to_owned()) && !names.contains(&"SystemModstamp".to_owned()));
    assert_eq!(
        site.get("/sobjects/OrganizationChangeEvent/describe").await.0,
        404
    );
}

#[tokio::test]
async fn schemas_are_to_be_had_by_name_and_by_id_in_both_forms() {
    let site = up().await;
    let by_name = "/sobjects/CPQ_Quote_Changed__e/eventSchema";
    let (status, compact) = site.get(&format!("{by_name}?payloadFormat=COMPACT")).await;
    assert_eq!(status, 200);
    let id = compact["uuid"].as_str().unwrap().to_owned();
    assert_eq!(*site.topic("/event/CPQ_Quote_Changed__e").schema_id, id);
    let by_id = format!("/event/eventSchema/{id}");
    assert_eq!(
        site.get(&format!("{by_id}?payloadFormat=COMPACT")).await.1,
        compact
    );
    let (_, expanded) = site.get(&by_id).await;
    assert_eq!(site.get(by_name).await.1, expanded);
    assert_eq!(expanded["type"], "expanded-record");
    let payload = &expanded["fields"][0]["type"]["fields"][1]["type"];
    let created = json!({"name": "CreatedDate", "type": "string", "doc": "CreatedDate:DateTime"});
    assert_eq!(payload["fields"][0], created);
    assert_eq!(compact["fields"][0]["type"], "long");
    let (status, body) = site.get(&format!("{by_name}?payloadFormat=XML")).await;
    assert_eq!((status, body[0]["errorCode"].is_string()), (400, true));
    assert_eq!(site.get("/event/eventSchema/AAAAAAAAAAAAAAAAAAAAAA").await.0, 404);
    assert_eq!(site.get("/sobjects/Account/eventSchema").await.0, 404);
    let (_, change) = site
        .get("/sobjects/AccountChangeEvent/eventSchema?payloadFormat=COMPACT")
        .await;
    assert_eq!(*site.topic("/data/AccountChangeEvent").schema_id, change["uuid"]);
    let (_, old) = site
        .get("/services/data/v42.0/sobjects/CPQ_Quote_Changed__e/eventSchema")
        .await;
    assert_eq!(old, compact, "older versions know one form only");
}

#[tokio::test]
async fn nothing_can_be_written_to_a_change_event() {
    let site = up().await;
    let (status, body) = site
        .post("/sobjects/AccountChangeEvent", json!({"Name": "x"}))
        .await;
    assert_eq!(
        (status, &body[0]["errorCode"]),
        (400, &json!("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"))
    );
}
