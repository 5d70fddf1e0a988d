//! Bodies of an org, and adapters for it.

use std::sync::Arc;

use cpq_adapters::salesforce::{Config, SalesforceAdapter};
use cpq_domain::id::ConnectionName;
use cpq_domain::schema::CrmSchema;
use serde_json::{Value as Json, json};

use crate::fake::{Server, Still, Tokens};

pub const ID: &str = "006D000000Kv3g5IAB";

/// An adapter that knows the org already.
pub fn adapter(server: &Server) -> SalesforceAdapter {
    adapter_with(server, config(), Some(&schema()))
}

pub fn adapter_with(server: &Server, config: Config, schema: Option<&CrmSchema>) -> SalesforceAdapter {
    SalesforceAdapter::new(config, Tokens::of(server), Arc::new(Still), schema).expect("it is set up")
}

pub fn config() -> Config {
    Config {
        currency: Some("USD".into()),
        ..Config::new(ConnectionName::new("crm").expect("a name"))
    }
}

/// Objects of the org: name, then `name:type:scale:u` for each field; `u` is updateable, `c` is set on create only, and
/// `k` is a unique external id.
const OBJECTS: &[(&str, &str)] = &[
    (
        "Opportunity",
        "Id:id Name:string:0:u AccountId:reference OwnerId:reference Pricebook2Id:reference RecordTypeId:reference \
         StageName:picklist:0:u Amount:currency:2:u Probability:percent:0:u CloseDate:date:0:u Type:picklist:0:u \
         NextStep:string:0:u IsWon:boolean IsClosed:boolean LeadSource:picklist:0:u Description:textarea:0:u \
         LastModifiedDate:datetime LastModifiedById:reference Opportunity_Number__c:string:0:u CPQ_Quote_Number__c:string:0:u \
         CPQ_Quote_Status__c:picklist:0:u CPQ_Quote_Revision__c:double:0:u CPQ_Net_Total__c:currency:2:u \
         CPQ_Discount_Percent__c:percent:2:u CPQ_Valid_Until__c:date:0:u CPQ_Correlation_Id__c:string:0:u",
    ),
    (
        "Account",
        "Id:id Name:string:0:u Industry:picklist:0:u Website:url:0:u Phone:phone:0:u AnnualRevenue:currency:0:u \
         NumberOfEmployees:int:0:u BillingStreet:textarea:0:u BillingCity:string:0:u BillingState:string:0:u \
         BillingPostalCode:string:0:u BillingCountry:string:0:u ShippingStreet:textarea:0:u \
         ShippingCity:string:0:u ShippingState:string:0:u ShippingPostalCode:string:0:u ShippingCountry:string:0:u",
    ),
    ("User", "Id:id Name:string"),
    ("Pricebook2", "Id:id Name:string:0:u"),
    ("RecordType", "Id:id DeveloperName:string"),
    ("Product2", "Id:id Name:string:0:u ProductCode:string:0:u"),
    (
        "OpportunityContactRole",
        "Id:id ContactId:reference:0:u Role:picklist:0:u IsPrimary:boolean:0:u",
    ),
    (
        "Contact",
        "Id:id FirstName:string:0:u LastName:string:0:u Email:email:0:u Phone:phone:0:u Title:string:0:u",
    ),
    (
        "OpportunityLineItem",
        "Id:id OpportunityId:reference:0:c PricebookEntryId:reference:0:c Product2Id:reference ProductCode:string Quantity:double:2:u UnitPrice:currency:2:u Discount:percent:2:u \
         TotalPrice:currency:2:u ServiceDate:date:0:u Description:string:0:u SortOrder:int:0:u CPQ_Line_Key__c:string:0:k",
    ),
    (
        "Quote",
        "Id:id Name:string:0:u OpportunityId:reference:0:c Pricebook2Id:reference:0:u Status:picklist:0:u \
         ExpirationDate:date:0:u CPQ_Sync_State__c:string:0:u CPQ_Quote_Key__c:string:0:k",
    ),
];

/// The answer to the describe of an object, or the refusal where the org does not have it.
pub fn describe(object: &str) -> (u16, Json) {
    let Some((name, fields)) = OBJECTS.iter().find(|(name, _)| *name == object) else {
        return (
            404,
            json!([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]),
        );
    };
    let fields: Vec<Json> = fields.split_whitespace().map(field).collect();
    (
        200,
        json!({"name": name, "label": name, "custom": false, "fields": fields, "urls": {},
        "createable": true, "updateable": true, "childRelationships": [
            {"childSObject": "Quote", "field": "OpportunityId", "relationshipName": "Quotes"},
            {"childSObject": "Task", "field": "WhatId", "relationshipName": "Tasks"},
            {"childSObject": "Quote", "field": "Twin__c", "relationshipName": null},
        ]}),
    )
}

fn field(spec: &str) -> Json {
    let mut parts = spec.split(':');
    let (name, kind) = (parts.next().expect("a name"), parts.next().expect("a type"));
    let scale: u32 = parts.next().map_or(0, |scale| scale.parse().expect("a scale"));
    let access = parts.next().unwrap_or_default();
    let (updateable, key) = (matches!(access, "u" | "k"), access == "k");
    json!({
        "name": name, "type": kind, "scale": scale, "length": 255, "updateable": updateable,
        "createable": updateable || access == "c",
        "nillable": true, "calculated": false, "externalId": key, "unique": key, "restrictedPicklist": false,
        "picklistValues": [], "digits": 0, "soapType": "xsd:string",
    })
}

/// What a describe of the org gives.
pub fn schema() -> CrmSchema {
    let mut schema = CrmSchema::default();
    for (name, _) in OBJECTS {
        let (_, description) = describe(name);
        let fields = description["fields"]
            .as_array()
            .expect("fields")
            .iter()
            .map(|field| {
                let text = |name: &str| field[name].as_str().expect("text").to_owned();
                let schema = cpq_domain::schema::FieldSchema {
                    name: text("name"),
                    kind: text("type"),
                    length: 255,
                    scale: field["scale"]
                        .as_u64()
                        .expect("a scale")
                        .try_into()
                        .expect("small"),
                    createable: field["createable"] == true,
                    updateable: field["updateable"] == true,
                    nillable: true,
                    calculated: false,
                    external_id: field["externalId"] == true,
                    unique: field["unique"] == true,
                    ..Default::default()
                };
                (text("name"), schema)
            });
        schema.objects.insert((*name).to_owned(), fields.collect());
    }
    let quotes = cpq_domain::schema::ChildSchema {
        object: "Quote".into(),
        field: "OpportunityId".into(),
    };
    schema.children.insert("Quotes".into(), quotes);
    schema
}

/// One opportunity as a query answers it.
pub fn row(id: &str, number: &str) -> Json {
    json!({
        "attributes": {"type": "Opportunity", "url": format!("/services/data/v68.0/sobjects/Opportunity/{id}")},
        "Id": id, "LastModifiedDate": "2026-03-17T16:21:26.000+0000", "Opportunity_Number__c": number,
        "LastModifiedById": "005D000000Kv3g5IAB", "LastModifiedBy": {"attributes": {"type": "User"}, "Name": "Jo Rep"},
        "Name": "Acme – 40 seats", "StageName": "Proposal/Price Quote", "Amount": 1.39E8, "Probability": 75.0,
        "CloseDate": "2026-12-31", "Type": null, "NextStep": "", "IsWon": false, "IsClosed": false,
        "LeadSource": "Web", "Description": "a\r\nb", "AccountId": "001D000000Kv3g5IAB",
        "CPQ_Quote_Number__c": "Q-2026-0137", "CPQ_Quote_Status__c": "draft", "CPQ_Quote_Revision__c": 1.0,
        "CPQ_Net_Total__c": 18240.5, "CPQ_Discount_Percent__c": 12.5, "CPQ_Valid_Until__c": "2026-12-24",
        "Owner": {"attributes": {"type": "User"}, "Name": "Jo Rep"},
        "Pricebook2": {"attributes": {"type": "Pricebook2"}, "Name": "Standard"},
        "RecordType": null,
        "Account": {
            "attributes": {"type": "Account"}, "Name": "Acme", "Industry": "Energy", "Website": "acme.example",
            "Phone": "+1 555 0100", "AnnualRevenue": 5.0E7, "NumberOfEmployees": 250, "BillingStreet": "1 Main St",
            "BillingCity": "Reno", "BillingState": "NV", "BillingPostalCode": "89501", "BillingCountry": "US",
            "ShippingStreet": null, "ShippingCity": null, "ShippingState": null, "ShippingPostalCode": null,
            "ShippingCountry": null,
        },
        "OpportunityContactRoles": {"totalSize": 2, "done": true, "records": [
            {"attributes": {}, "Id": "00KD000000Kv3g5IAB", "IsPrimary": false, "Role": "Decision Maker",
             "ContactId": "003D000000AAAAAIAA",
             "Contact": {"FirstName": "Dee", "LastName": "Maker", "Email": "dee@acme.example", "Phone": null, "Title": "CFO"}},
            {"attributes": {}, "Id": "00KD000000Kv3g6IAB", "IsPrimary": true, "Role": null,
             "ContactId": "003D000000BBBBBIAA",
             "Contact": {"FirstName": "Pia", "LastName": "First", "Email": "pia@acme.example", "Phone": null, "Title": null}},
        ]},
        "OpportunityLineItems": {"totalSize": 2, "done": true, "records": [
            line("00kD000000Kv3g5IAB", Some("L1"), 40.0),
            line("00kD000000Kv3g6IAB", None, 1.5),
        ]},
        "Quotes": null,
    })
}

pub fn line(id: &str, key: Option<&str>, quantity: f64) -> Json {
    json!({
        "attributes": {"type": "OpportunityLineItem"}, "Id": id, "CPQ_Line_Key__c": key, "ProductCode": "SEAT-PRO",
        "Product2": {"Name": "Pro seat"}, "Quantity": quantity, "UnitPrice": 500.0, "Discount": null,
        "TotalPrice": 20000.0, "ServiceDate": "2027-01-01", "Description": null, "SortOrder": 1,
    })
}

/// A page of a query.
pub fn page(rows: Vec<Json>) -> Json {
    json!({"totalSize": rows.len(), "done": true, "records": rows})
}
