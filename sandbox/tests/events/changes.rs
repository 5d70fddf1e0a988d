//! Creates, updates, deletes: which events they make, and what these say.

use crate::site::{START, up, up_plain};
use reqwest::Method;
use serde_json::{Value as Json, json};

const ALL: &str = "/data/ChangeEvents";

fn millis() -> i64 {
    START.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[tokio::test]
async fn a_create_tells_every_value_and_marks_nothing_as_changed() {
    let site = up().await;
    let start = site.tip();
    let body = json!({"Name": "Acme", "BillingStreet": "Elm 1", "BillingCity": "Bern", "NumberOfEmployees": 12, "AnnualRevenue": 1500.5, "Tax_Id__c": "X"});
    let id = site.create("Account", body).await;
    let events = site.after(start, "/data/AccountChangeEvent");
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(
        (event.change(), event.entity(), event.ids()),
        ("CREATE", "Account", vec![id.as_str()])
    );
    let header = event.header();
    assert_eq!(header["commitTimestamp"], millis());
    assert_eq!(header["sequenceNumber"], 1);
    assert_eq!(header["changeOrigin"], "com/salesforce/api/rest/68.0");
    for list in ["changedFields", "nulledFields", "diffFields"] {
        assert!(event.bits(list).is_empty());
    }
    let user = header["commitUser"].as_str().unwrap();
    let expected = json!({
        "Name": "Acme", "NumberOfEmployees": 12, "AnnualRevenue": 1501.0, "Tax_Id__c": "X", "OwnerId": user,
        "CreatedDate": millis(), "CreatedById": user, "LastModifiedDate": millis(), "LastModifiedById": user,
        "BillingAddress": {"Street": "Elm 1", "City": "Bern", "State": null, "PostalCode": null, "Country": null,
                           "Latitude": null, "Longitude": null, "GeocodeAccuracy": null},
    });
    assert_eq!(Json::Object(event.told()), expected);
}

/// Example A of the guide: the street of an account without record types.
#[tokio::test]
async fn the_street_of_an_account_is_bit_0_of_field_4_beside_bit_22() {
    let site = up().await;
    let id = site.id("Account", "Name = 'Northwind Robotics'").await;
    site.wait(60).await;
    let start = site.tip();
    site.update("Account", &id, json!({"BillingStreet": "Werkstraße 14"}))
        .await;
    let event = &site.after(start, "/data/AccountChangeEvent")[0];
    assert_eq!(event.bits("changedFields"), ["0x400000", "4-0x01"]);
    assert_eq!(event.changed(), ["BillingAddress.Street", "LastModifiedDate"]);
    assert_eq!(event.payload["BillingAddress"]["Street"], "Werkstraße 14");
    assert_eq!(event.payload["BillingAddress"]["City"], Json::Null);
    assert_eq!(event.payload["Name"], Json::Null);
}

/// Example B: stage, amount and close date of an opportunity without line items.
#[tokio::test]
async fn a_moved_opportunity_has_the_bits_that_a_real_one_has() {
    let site = up_plain().await;
    let body = json!({"Name": "Plain", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": 100});
    let id = site.create("Opportunity", body).await;
    site.wait(60).await;
    let start = site.tip();
    let body = json!({"StageName": "Needs Analysis", "Amount": 200.25, "CloseDate": "2027-01-31"});
    site.update("Opportunity", &id, body).await;
    let event = &site.after(start, "/data/OpportunityChangeEvent")[0];
    assert_eq!(event.bits("changedFields"), ["0x650004E0"]);
    let expected = [
        "Amount",
        "CloseDate",
        "LastAmountChangedHistoryId",
        "LastCloseDateChangedHistoryId",
        "LastModifiedDate",
        "LastStageChangeDate",
        "Probability",
        "StageName",
    ];
    assert_eq!(event.changed(), expected);
    let told = event.told();
    assert_eq!(told.keys().count(), expected.len(), "{told:?}");
    assert_eq!(told["Amount"], 200.25);
    assert_eq!(
        told["CloseDate"], 1_801_353_600_000_i64,
        "midnight UTC of the 31st"
    );
    assert_eq!(told["LastStageChangeDate"], millis() + 60_000);
}

#[tokio::test]
async fn a_field_that_became_null_is_in_both_lists() {
    let site = up().await;
    let id = site.id("Account", "Name = 'Northwind Robotics'").await;
    site.wait(60).await;
    let start = site.tip();
    site.update(
        "Account",
        &id,
        json!({"Phone": null, "BillingCity": null, "Website": "https://new.example"}),
    )
    .await;
    let event = &site.after(start, "/data/AccountChangeEvent")[0];
    assert_eq!(event.names("nulledFields"), ["BillingAddress.City", "Phone"]);
    assert_eq!(
        event.changed(),
        ["BillingAddress.City", "LastModifiedDate", "Phone", "Website"]
    );
    assert_eq!(event.payload["Phone"], Json::Null);
}

#[tokio::test]
async fn two_updates_in_one_second_both_tell_when() {
    let site = up().await;
    let id = site.id("Account", "Name = 'Northwind Robotics'").await;
    site.wait(60).await;
    let start = site.tip();
    site.update("Account", &id, json!({"Phone": "1"})).await;
    site.update("Account", &id, json!({"Phone": "2"})).await;
    let events = site.after(start, "/data/AccountChangeEvent");
    for event in &events {
        assert_eq!(event.changed(), ["LastModifiedDate", "Phone"]);
        assert_eq!(event.payload["LastModifiedDate"], millis() + 60_000);
    }
    assert_ne!(
        events[0].header()["transactionKey"],
        events[1].header()["transactionKey"]
    );
    let number = |n: usize| events[n].header()["commitNumber"].as_i64().unwrap();
    assert!(number(0) < number(1));
}

#[tokio::test]
async fn a_delete_takes_its_children_along_in_one_transaction() {
    let site = up().await;
    let id = site.id("Account", "Name = 'Lakeside Packaging'").await;
    let opportunity = site.id("Opportunity", "Opportunity_Number__c = 'OPP-4483'").await;
    let start = site.tip();
    site.delete("Account", &id).await;
    let events = site.after(start, ALL);
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.entity(), e.change(), e.ids()[0]))
        .collect();
    assert_eq!(
        told,
        [
            ("Opportunity", "DELETE", opportunity.as_str()),
            ("Account", "DELETE", id.as_str())
        ]
    );
    assert_eq!(
        events[0].header()["transactionKey"],
        events[1].header()["transactionKey"]
    );
    let sequence: Vec<_> = events
        .iter()
        .map(|e| e.header()["sequenceNumber"].as_i64().unwrap())
        .collect();
    assert_eq!(sequence, [1, 2]);
    assert!(
        events
            .iter()
            .all(|e| e.told().is_empty() && e.changed().is_empty())
    );
}

#[tokio::test]
async fn a_line_item_and_the_amount_it_makes_are_one_transaction() {
    let site = up().await;
    let opportunity = site.opportunity().await;
    let entry = site
        .id(
            "PricebookEntry",
            "Pricebook2.Name = 'Enterprise 2026' AND Product2.ProductCode = 'SVC-INSTALL'",
        )
        .await;
    site.wait(60).await;
    let start = site.tip();
    let line =
        json!({"OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": 1390});
    let line = site.create("OpportunityLineItem", line).await;
    let events = site.after(start, ALL);
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.entity(), e.change(), e.ids()[0]))
        .collect();
    assert_eq!(
        told,
        [
            ("OpportunityLineItem", "CREATE", line.as_str()),
            ("Opportunity", "UPDATE", opportunity.as_str())
        ]
    );
    assert_eq!(
        events[1].changed(),
        [
            "Amount",
            "LastAmountChangedHistoryId",
            "LastModifiedDate",
            "TotalOpportunityQuantity"
        ]
    );
    assert_eq!(
        events[0].header()["transactionKey"],
        events[1].header()["transactionKey"]
    );
}

#[tokio::test]
async fn a_hole_in_the_sequence_is_the_change_of_an_object_that_is_not_captured() {
    let site = up().await;
    site.control(
        "PUT",
        "/sandbox/events/capture",
        json!({"entities": ["Opportunity"]}),
    )
    .await;
    let opportunity = site.opportunity().await;
    let line = site
        .id("OpportunityLineItem", "Product2.ProductCode = 'RX-900'")
        .await;
    site.wait(60).await;
    let start = site.tip();
    site.update("OpportunityLineItem", &line, json!({"Quantity": 7}))
        .await;
    let events = site.after(start, ALL);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].ids(), [opportunity]);
    assert_eq!(events[0].header()["sequenceNumber"], 2);
}

#[tokio::test]
async fn several_writes_of_a_record_in_one_transaction_are_one_event_with_the_first_kind_and_the_last_values()
{
    let site = up().await;
    let start = site.tip();
    let parts = json!({"allOrNone": true, "compositeRequest": [
        {"method": "POST", "url": "/services/data/v68.0/sobjects/Account", "referenceId": "a", "body": {"Name": "First"}},
        {"method": "PATCH", "url": "/services/data/v68.0/sobjects/Account/@{a.id}", "referenceId": "b", "body": {"Name": "Last", "Phone": "7"}},
        {"method": "POST", "url": "/services/data/v68.0/sobjects/Contact", "referenceId": "c", "body": {"LastName": "Li", "Salutation": "Dr.", "AccountId": "@{a.id}"}},
    ]});
    let (status, _) = site.post("/composite", parts).await;
    assert_eq!(status, 200);
    let events = site.after(start, ALL);
    let told: Vec<_> = events.iter().map(|e| (e.entity(), e.change())).collect();
    assert_eq!(told, [("Account", "CREATE"), ("Contact", "CREATE")]);
    assert_eq!(
        (&events[0].payload["Name"], &events[0].payload["Phone"]),
        (&json!("Last"), &json!("7"))
    );
    let name = json!({"Salutation": "Dr.", "FirstName": null, "LastName": "Li"});
    assert_eq!(events[1].payload["Name"], name);
    assert_eq!(
        events[0].header()["transactionKey"],
        events[1].header()["transactionKey"]
    );
}

#[tokio::test]
async fn what_was_rolled_back_is_never_told() {
    let site = up().await;
    let start = site.tip();
    let parts = json!({"allOrNone": true, "compositeRequest": [
        {"method": "POST", "url": "/services/data/v68.0/sobjects/Account", "referenceId": "a", "body": {"Name": "Gone"}},
        {"method": "POST", "url": "/services/data/v68.0/sobjects/Contact", "referenceId": "b", "body": {}},
    ]});
    site.post("/composite", parts).await;
    assert!(site.after(start, ALL).is_empty());
}

#[tokio::test]
async fn the_same_change_of_several_records_is_one_event() {
    let site = up().await;
    let contacts = ["Hoffmann", "Dvořák", "Tanaka"];
    let mut ids = Vec::new();
    for name in contacts {
        ids.push(site.id("Contact", &format!("LastName = '{name}'")).await);
    }
    site.wait(60).await;
    let start = site.tip();
    let record =
        |id: &String, title: &str| json!({"attributes": {"type": "Contact"}, "id": id, "Title": title});
    let records = [
        record(&ids[0], "Buyer"),
        record(&ids[1], "Planner"),
        record(&ids[2], "Buyer"),
    ];
    let body = json!({"records": records});
    let (status, _) = site.call(Method::PATCH, "/composite/sobjects", &[], body).await;
    assert_eq!(status, 200);
    let events = site.after(start, ALL);
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.ids(), e.header()["sequenceNumber"].as_i64().unwrap()))
        .collect();
    assert_eq!(
        told,
        [(vec![ids[0].as_str(), &ids[2]], 1), (vec![ids[1].as_str()], 2)]
    );
    let path = format!("/composite/sobjects?ids={}", ids.join(","));
    site.call(Method::DELETE, &path, &[], Json::Null).await;
    let deletes: Vec<_> = site.after(events[1].replay_id, "/data/ContactChangeEvent");
    assert_eq!(deletes.len(), 1);
    assert_eq!(deletes[0].ids(), ids);
}

#[tokio::test]
async fn the_origin_names_api_version_and_client() {
    let site = up().await;
    let start = site.tip();
    let headers = [("Sforce-Call-Options", "client=cpq, defaultNamespace=x")];
    let path = "/services/data/v61.0/sobjects/Account";
    site.call(Method::POST, path, &headers, json!({"Name": "Ours"}))
        .await;
    let event = &site.after(start, ALL)[0];
    assert_eq!(
        event.header()["changeOrigin"],
        "com/salesforce/api/rest/61.0;client=cpq"
    );
}

#[tokio::test]
async fn long_texts_are_told_by_their_difference() {
    let site = up().await;
    let line =
        |n: usize| format!("Clause {n}: the parties agree on what stands here, and on nothing else at all.");
    let text = |changed: &str| {
        (0..30)
            .map(|n| if n == 3 { changed.to_owned() } else { line(n) })
            .collect::<Vec<_>>()
            .join("\n")
    };
    let id = site
        .create("Account", json!({"Name": "Texts", "Description": text("old")}))
        .await;
    site.wait(60).await;
    let start = site.tip();
    site.update("Account", &id, json!({"Description": text("new")}))
        .await;
    site.update("Account", &id, json!({"Description": "short"})).await;
    let events = site.after(start, "/data/AccountChangeEvent");
    assert_eq!(events[0].names("diffFields"), ["Description"]);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text("new").as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        events[0].payload["Description"],
        format!("--- \n+++ {hash}\n@@ -4,1 +4,1 @@\n-old\n+new")
    );
    assert!(events[1].names("diffFields").is_empty());
    assert_eq!(events[1].payload["Description"], "short");
}

#[tokio::test]
async fn the_create_of_a_price_book_entry_leaves_out_who_and_when() {
    let site = up().await;
    let product = site
        .create("Product2", json!({"Name": "Gripper", "IsActive": true}))
        .await;
    let start = site.tip();
    let book = site.id("Pricebook2", "IsStandard = true").await;
    let entry = json!({"Product2Id": product, "Pricebook2Id": book, "UnitPrice": 10, "IsActive": true});
    site.create("PricebookEntry", entry).await;
    let event = &site.after(start, "/data/PricebookEntryChangeEvent")[0];
    for absent in [
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
    ] {
        assert_eq!(event.payload[absent], Json::Null, "{absent}");
    }
    assert_eq!(event.payload["UnitPrice"], 10.0);
}
