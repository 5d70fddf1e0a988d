//! Schemas: what they say, that they stay what they are, and that they change with the org.

use crate::site::{Site, up, up_plain};
use apache_avro::Schema;
use serde_json::{Value as Json, json};

fn schema(site: &Site, topic: &str) -> Json {
    let id = site.topic(topic).schema_id;
    let text = site.running.sandbox.events.schema(&id).unwrap();
    Schema::parse_str(&text).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["uuid"], *id);
    assert_eq!(id.len(), 22);
    json
}

fn names(schema: &Json) -> Vec<&str> {
    schema["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect()
}

fn field<'a>(schema: &'a Json, name: &str) -> &'a Json {
    schema["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["name"] == name)
        .unwrap()
}

#[tokio::test]
async fn an_opportunity_has_the_fields_of_a_real_one_in_their_order_then_the_custom_ones() {
    let site = up_plain().await;
    let schema = schema(&site, "/data/OpportunityChangeEvent");
    assert_eq!(
        (&schema["name"], &schema["namespace"]),
        (&json!("OpportunityChangeEvent"), &json!("com.sforce.eventbus"))
    );
    let names = names(&schema);
    let standard = "ChangeEventHeader AccountId IsPrivate Name Description StageName Amount Probability ExpectedRevenue \
        TotalOpportunityQuantity CloseDate Type NextStep LeadSource IsClosed IsWon ForecastCategory \
        ForecastCategoryName CampaignId HasOpportunityLineItem Pricebook2Id OwnerId CreatedDate CreatedById \
        LastModifiedDate LastModifiedById LastStageChangeDate ContactId ContractId LastAmountChangedHistoryId \
        LastCloseDateChangedHistoryId";
    assert_eq!(names[..31], standard.split_whitespace().collect::<Vec<_>>());
    let custom = names.iter().position(|name| name.ends_with("__c")).unwrap();
    assert!(names[custom..].iter().all(|name| name.ends_with("__c")));
    assert_eq!(names[custom], "Opportunity_Number__c");
    for left_out in ["Id", "IsDeleted", "SystemModstamp", "Fiscal", "LastViewedDate"] {
        assert!(!names.contains(&left_out), "{left_out}");
    }
}

#[tokio::test]
async fn docs_tell_kinds_apart_and_name_custom_fields() {
    let site = up().await;
    let opportunity = schema(&site, "/data/OpportunityChangeEvent");
    let told = |name: &str| {
        let field = field(&opportunity, name);
        (
            field["type"][1].clone(),
            field["doc"].as_str().unwrap().to_owned(),
        )
    };
    for (name, kind, doc) in [
        ("Amount", "double", "Data:Currency"),
        ("Probability", "double", "Data:Percent"),
        ("CloseDate", "long", "Data:DateOnly"),
        ("CreatedDate", "long", "CreatedDate:DateTime"),
        ("LastModifiedDate", "long", "Data:DateTime"),
        ("OwnerId", "string", "ForeignKey:EntityId"),
        ("Description", "string", "Data:StringPlusClob"),
        ("StageName", "string", "Data:DynamicEnum"),
        ("IsPrivate", "boolean", "Data:Boolean"),
    ] {
        assert_eq!(told(name), (json!(kind), doc.to_owned()), "{name}");
        assert_eq!(field(&opportunity, name)["default"], Json::Null);
    }
    let (_, doc) = told("CPQ_Net_Total__c");
    let id = doc.strip_prefix("Data:Currency:00N").unwrap();
    assert_eq!(id.len(), 12);
    assert_ne!(
        told("CPQ_Discount_Percent__c").1.rsplit(':').next(),
        doc.rsplit(':').next()
    );
}

#[tokio::test]
async fn a_record_is_defined_once_and_then_called_by_its_name() {
    let site = up().await;
    let account = schema(&site, "/data/AccountChangeEvent");
    assert_eq!(field(&account, "BillingAddress")["type"][1]["name"], "Address");
    assert_eq!(
        field(&account, "ShippingAddress")["type"],
        json!(["null", "Address"])
    );
    let name = field(&account, "Name");
    assert_eq!(name["doc"], "Data:Switchable_PersonName");
    assert_eq!(
        (&name["type"][1], &name["type"][2]["name"]),
        (&json!("string"), &json!("Switchable_PersonName"))
    );
    let contact = schema(&site, "/data/ContactChangeEvent");
    assert_eq!(field(&contact, "Name")["type"][1]["name"], "PersonName");
    assert!(!names(&contact).contains(&"FirstName"));
}

#[tokio::test]
async fn ids_are_the_same_in_every_org_of_the_same_make_and_change_with_its_fields() {
    let (one, two) = (up().await, up().await);
    let topic = "/data/AccountChangeEvent";
    let before = one.topic(topic).schema_id;
    assert_eq!(two.topic(topic).schema_id, before);
    let more =
        json!({"add": true, "fields": {"Account": [{"name": "Segment__c", "type": "string", "length": 10}]}});
    one.control("POST", "/sandbox/seed", more).await;
    let after = one.topic(topic).schema_id;
    assert_ne!(after, before);
    assert!(names(&schema(&one, topic)).contains(&"Segment__c"));
    assert!(
        one.running.sandbox.events.schema(&before).is_some(),
        "the old one stays readable"
    );
    let start = one.tip();
    one.create("Account", json!({"Name": "New", "Segment__c": "A"}))
        .await;
    let event = &one.after(start, topic)[0];
    assert_eq!(
        (event.schema_id.as_str(), &event.payload["Segment__c"]),
        (&*after, &json!("A"))
    );
}

#[tokio::test]
async fn the_first_record_type_of_an_object_moves_what_stands_behind_it() {
    let site = up().await;
    let kind = json!({"object": "Account", "name": "Partner"});
    site.control("POST", "/sandbox/define", json!({"recordTypes": [kind]}))
        .await;
    assert_eq!(
        names(&schema(&site, "/data/AccountChangeEvent"))[..6],
        [
            "ChangeEventHeader",
            "Name",
            "Type",
            "RecordTypeId",
            "ParentId",
            "BillingAddress"
        ]
    );
    let deals = schema(&site, "/data/OpportunityChangeEvent");
    assert_eq!(names(&deals)[1..4], ["AccountId", "RecordTypeId", "IsPrivate"]);
    let people = schema(&site, "/data/ContactChangeEvent");
    assert!(!names(&people).contains(&"RecordTypeId"));
}

#[tokio::test]
async fn custom_objects_tell_owner_name_and_audit_fields_first() {
    let site = up().await;
    let more = json!({"add": true, "objects": [{"name": "Invoice__c", "fields": [{"name": "Total__c", "type": "currency", "precision": 18, "scale": 2}]}]});
    site.control("POST", "/sandbox/seed", more).await;
    let topic = "/data/Invoice__ChangeEvent";
    assert_eq!(
        names(&schema(&site, topic)),
        [
            "ChangeEventHeader",
            "OwnerId",
            "Name",
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
            "LastModifiedById",
            "Total__c"
        ]
    );
    let start = site.tip();
    site.create("Invoice__c", json!({"Name": "I-1", "Total__c": 5}))
        .await;
    let event = &site.after(start, topic)[0];
    assert_eq!(
        (event.entity(), &event.payload["Total__c"]),
        ("Invoice__c", &json!(5.0))
    );
}
