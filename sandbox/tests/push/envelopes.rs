//! The envelope of an outbound message, to the letter, and when its content is read.

use crate::endpoint::Endpoint;
use crate::site::site;
use serde_json::{Value, json};
use std::collections::HashSet;

#[tokio::test]
async fn the_envelope_is_the_one_that_salesforce_sends() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    let fields = json!([
        "StageName",
        "Amount",
        "Name",
        "CloseDate",
        "Id",
        "NextStep",
        "IsClosed",
        "AccountId",
        "CreatedDate"
    ]);
    site.message(
        &endpoint.url,
        json!({"object": "Opportunity", "fields": fields, "apiVersion": "60.0"}),
    )
    .await;
    site.freeze().await;
    let record = json!({"Name": "Tom & Jerry's <Deal>", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 12345678});
    let id = site.create("Opportunity", record).await;
    let seen = endpoint.next().await;
    let organization = &site.info.organization_id;
    let expected = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>{organization}</OrganizationId>
   <ActionId>04kSb0000000001IAA</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>{url}/services/Soap/c/60.0/{short}</EnterpriseUrl>
   <PartnerUrl>{url}/services/Soap/u/60.0/{short}</PartnerUrl>
   <Notification>
    <Id>04lSb0000000001IAA</Id>
    <sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>{id}</sf:Id>
     <sf:Amount>1.2345678E7</sf:Amount>
     <sf:CloseDate>2026-12-31</sf:CloseDate>
     <sf:CreatedDate>2026-03-01T12:00:00.000Z</sf:CreatedDate>
     <sf:IsClosed>false</sf:IsClosed>
     <sf:Name>Tom &amp; Jerry&apos;s &lt;Deal&gt;</sf:Name>
     <sf:StageName>Prospecting</sf:StageName>
    </sObject>
   </Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"#,
        url = site.info.instance_url,
        short = &organization[..15],
    );
    assert_eq!(seen.body, expected, "fields without a value are left out");
    assert_eq!(seen.header("content-type"), "text/xml; charset=utf-8");
    assert_eq!(seen.header("soapaction"), "\"\"");
    assert_eq!(seen.path, "/in");
}

#[tokio::test]
async fn a_message_tells_the_state_at_the_time_of_sending() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({"when": {"on": ["create"]}}))
        .await;
    site.freeze().await;
    endpoint.will_fail(1);
    let id = site.account("Before").await;
    let first = endpoint.next().await;
    assert_eq!(first.field("Name").as_deref(), Some("Before"));
    site.tried(1).await;
    site.update("Account", &id, json!({"Name": "After"})).await;
    site.advance(30).await;
    let second = endpoint.next().await;
    assert_eq!(
        second.field("Name").as_deref(),
        Some("After"),
        "what was in between is lost"
    );
    assert_eq!(
        second.notifications()[0].0,
        first.notifications()[0].0,
        "to recognise what comes again"
    );
    site.empty().await;
}

#[tokio::test]
async fn a_record_that_was_deleted_meanwhile_carries_no_data() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.freeze().await;
    endpoint.will_fail(1);
    let id = site.account("Short-lived").await;
    endpoint.next().await;
    site.tried(1).await;
    site.delete("Account", &id).await;
    site.advance(30).await;
    let seen = endpoint.next().await;
    assert_eq!(seen.notifications()[0].1, [("Id".to_owned(), id)]);
    site.empty().await;
}

#[tokio::test]
async fn many_changes_go_in_envelopes_of_a_hundred() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({})).await;
    site.control("PATCH", "/sandbox/config", json!({"deliveriesPerEndpoint": 1}))
        .await;
    let records: Vec<Value> = (0..200)
        .map(|n| json!({"attributes": {"type": "Account"}, "Name": format!("Account {n}")}))
        .collect();
    let (status, _) = site
        .call(
            "POST",
            "/composite/sobjects",
            json!({"allOrNone": true, "records": records}),
        )
        .await;
    assert_eq!(status, 200);
    let (first, second) = (endpoint.next().await, endpoint.next().await);
    assert_eq!(
        (first.notifications().len(), second.notifications().len()),
        (100, 100)
    );
    let all = [first.notifications(), second.notifications()].concat();
    let ids: HashSet<String> = all.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids.len(), 200);
    assert_eq!(all[0].1[1].1, "Account 0");
    site.empty().await;
    assert_eq!(endpoint.left(), 0);
    let entry = &site.logged(2).await[0];
    assert_eq!(entry["ids"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_session_is_handed_over_only_when_asked_for_and_it_works() {
    let (site, mut endpoint) = (site().await, Endpoint::start().await);
    site.message(&endpoint.url, json!({"includeSessionId": true}))
        .await;
    site.account("One").await;
    let token = endpoint.next().await.element("SessionId").expect("a session");
    let (status, _) = site.call_as(&token, "GET", "/limits", Value::Null).await;
    assert_eq!(status, 200);
    site.account("Two").await;
    assert_eq!(
        endpoint.next().await.element("SessionId"),
        Some(token),
        "not one session a message"
    );
}

#[tokio::test]
async fn the_wsdl_describes_the_message_and_its_endpoint() {
    let (site, endpoint) = (site().await, Endpoint::start().await);
    site.message(
        &endpoint.url,
        json!({"fields": ["OwnerId", "AnnualRevenue", "Name", "NumberOfEmployees"]}),
    )
    .await;
    let url = site.url("/sandbox/outbound-messages/Changed/wsdl");
    let answer = site.http.get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/xml; charset=utf-8");
    let text = answer.text().await.unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let elements = document
        .descendants()
        .filter(|node| node.tag_name().name() == "element");
    let typed: Vec<_> = elements
        .filter(|node| node.attribute("minOccurs") == Some("0") && node.attribute("maxOccurs").is_none())
        .map(|node| (node.attribute("name").unwrap(), node.attribute("type").unwrap()))
        .collect();
    assert_eq!(
        typed,
        [
            ("AnnualRevenue", "xsd:double"),
            ("Name", "xsd:string"),
            ("NumberOfEmployees", "xsd:int"),
            ("OwnerId", "ent:ID")
        ]
    );
    let address = document
        .descendants()
        .find(|node| node.tag_name().name() == "address")
        .unwrap();
    assert_eq!(address.attribute("location"), Some(endpoint.url.as_str()));
    let (status, _) = site
        .try_control("GET", "/sandbox/outbound-messages/Nothing/wsdl", Value::Null)
        .await;
    assert_eq!(status, 404);
}
