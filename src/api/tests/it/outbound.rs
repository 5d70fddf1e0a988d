//! Salesforce outbound messages.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use cpq_api::PathSecret;
use cpq_domain::change::Hint;
use cpq_domain::event::EventKind;
use cpq_domain::run::{RunState, Trigger};
use cpq_domain::{Code, Error};
use jiff::SignedDuration;
use roxmltree::Document;

use crate::house::{Answer, House, ORGANIZATION, PATH_SECRET};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
const SESSION: &str = "00D000000000001!AQcanaryOfTheSession";

/// A notification: its id, the object, and fields of the record.
fn notification(id: &str, object: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!(
        "<Notification><Id>{id}</Id><sObject xsi:type=\"sf:{object}\" \
         xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">"
    );
    for (name, value) in fields {
        write!(text, "<sf:{name}>{value}</sf:{name}>").unwrap();
    }
    text + "</sObject></Notification>"
}

/// The opportunity number `n` in notification number `n`.
fn told(n: usize) -> String {
    let (id, record) = (format!("04l{n:012}AAA"), format!("006{n:012}AAA"));
    notification(&id, "Opportunity", &[("Id", &record), ("Name", "A &amp; B")])
}

/// An envelope as Salesforce sends it.
fn envelope(organization: &str, session: &str, notifications: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"{SOAP}\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n \
         <soapenv:Body>\n  <notifications xmlns=\"{OUTBOUND}\">\n   \
         <OrganizationId>{organization}</OrganizationId>\n   <ActionId>04k000000000001AAA</ActionId>\n   {session}\n   \
         <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/68.0/00D</EnterpriseUrl>\n   \
         <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/68.0/00D</PartnerUrl>\n   {notifications}\n  \
         </notifications>\n </soapenv:Body>\n</soapenv:Envelope>"
    )
}

fn usual(notifications: &str) -> String {
    envelope(ORGANIZATION, "<SessionId xsi:nil=\"true\"/>", notifications)
}

async fn post(house: &House, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(format!("/api/v1/outbound-messages/{path}")).header("content-type", kind);
    house.send(request.body(body.into()).unwrap()).await
}

async fn deliver(house: &House, body: impl Into<Body>) -> Answer {
    let path = format!("workflow/{PATH_SECRET}");
    post(house, &path, "text/xml; charset=UTF-8", body).await
}

/// Reads the answer as Salesforce does: this very shape, or it was no acknowledgement.
#[track_caller]
fn assert_acked(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
    let document = Document::parse(&answer.body).unwrap();
    let mut node = document.root_element();
    for (space, name) in [
        (SOAP, "Envelope"),
        (SOAP, "Body"),
        (OUTBOUND, "notificationsResponse"),
        (OUTBOUND, "Ack"),
    ] {
        assert!(node.has_tag_name((space, name)), "{}", answer.body);
        if name != "Ack" {
            assert_eq!(node.children().count(), 1, "{}", answer.body);
            node = node.first_child().unwrap();
        }
    }
    assert_eq!(node.text(), Some("true"));
}

/// The answer as a SOAP fault: whose fault, and why.
#[track_caller]
fn fault(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(!answer.body.contains("Ack"), "{}", answer.body);
    let document = Document::parse(&answer.body).unwrap();
    let fault = document
        .descendants()
        .find(|node| node.has_tag_name((SOAP, "Fault")))
        .unwrap();
    let child = |name| {
        fault
            .children()
            .find(|node| node.has_tag_name(name))
            .and_then(|node| node.text())
    };
    (
        child("faultcode").unwrap().to_owned(),
        child("faultstring").unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_notification_becomes_a_sync_with_a_hint() {
    let house = House::new().await;
    assert_acked(&deliver(&house, usual(&told(1))).await);
    let run = house.ended("csync-001").await;
    assert_eq!((run.trigger, run.state), (Trigger::Event, RunState::Succeeded));
    assert_eq!(run.lane.opportunity.as_str(), "006000000000001AAA");
    let history = house.engine.history(&run.correlation).await.unwrap();
    let hint = history
        .events
        .iter()
        .find(|event| event.kind == EventKind::Hint)
        .unwrap();
    let hint: Hint = hint.data.read().unwrap();
    assert_eq!(
        (hint.source.as_str(), hint.event.as_deref()),
        ("outbound message", Some("04l000000000001AAA"))
    );
}

#[tokio::test]
async fn a_hundred_notifications_become_a_hundred_syncs_and_one_more_none() {
    let house = House::new().await;
    let many = |count| (1..=count).map(told).collect::<String>();
    let (_, why) = fault(&deliver(&house, usual(&many(101))).await);
    assert!(why.contains("101 notifications"), "{why}");
    assert!(house.runs().await.is_empty());
    assert_acked(&deliver(&house, usual(&many(100))).await);
    assert_eq!(house.runs().await.len(), 100);
    assert_eq!(fault(&deliver(&house, usual("")).await).0, "soapenv:Client");
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_acknowledged_and_starts_nothing() {
    let house = House::new().await;
    assert_acked(&deliver(&house, usual(&told(1))).await);
    house.ended("csync-001").await;
    // Out of order and together with a later one, with the record as it is by then.
    let again = notification(
        "04l000000000001AAA",
        "Opportunity",
        &[("Id", "006000000000001AAA"), ("Name", "C")],
    );
    for wait in [60, 24 * 3600, 28 * 24 * 3600] {
        house.world.advance(SignedDuration::from_secs(wait));
        assert_acked(&deliver(&house, usual(&(told(2) + &again))).await);
        house.ended("csync-002").await;
    }
    assert_eq!(house.runs().await.len(), 2);
}

#[tokio::test]
async fn whoever_lacks_the_secret_of_the_source_gets_one_answer_before_anything_is_read() {
    let house = House::new().await;
    let stale = "0123456789abcdef0123456789abcdef";
    let mut told = std::collections::BTreeSet::new();
    for path in [
        format!("workflow/{stale}"),
        format!("nobody/{PATH_SECRET}"),
        format!("erp/{PATH_SECRET}"),
        format!("workflow/{}", &PATH_SECRET[..31]),
        format!("workflow/{PATH_SECRET}%20"),
        format!("workflow/{}", PATH_SECRET.to_uppercase()),
    ] {
        let answer = post(&house, &path, "text/xml", "not XML").await;
        let mut refusal = answer.is(401, "SIGNATURE_INVALID");
        refusal["correlationId"] = "the same".into();
        told.insert(refusal.to_string());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn a_path_with_a_secret_is_never_repeated() {
    let house = House::new().await;
    for path in [
        format!("workflow/{PATH_SECRET}/more"),
        format!("workflow%ff/{PATH_SECRET}"),
        format!("workflow/{PATH_SECRET}%ff"),
    ] {
        let answer = post(&house, &path, "text/xml", "").await;
        assert!(answer.status.is_client_error(), "{path}");
        assert!(
            !answer.body.contains(&PATH_SECRET[..16]),
            "{path}: {}",
            answer.body
        );
    }
    let get = house
        .get(&format!("/api/v1/outbound-messages/workflow/{PATH_SECRET}"))
        .await;
    let refusal = get.is(405, "METHOD_NOT_ALLOWED").to_string();
    assert!(!refusal.contains(&PATH_SECRET[..16]), "{refusal}");
}

#[tokio::test]
async fn an_old_and_a_new_secret_count_while_both_are_configured() {
    let new = "f".repeat(64);
    let secret = PathSecret::parse(&new.clone().into()).unwrap();
    let house = House::with(|state| {
        let mut settings = (*state.settings).clone();
        settings
            .outbound
            .sources
            .get_mut("workflow")
            .unwrap()
            .push(secret);
        state.settings = Arc::new(settings);
    })
    .await;
    assert_acked(&deliver(&house, usual(&told(1))).await);
    assert_acked(&post(&house, &format!("workflow/{new}"), "text/xml", usual(&told(2))).await);
}

#[tokio::test]
async fn another_organization_is_refused_by_name_and_fifteen_characters_of_ours_are_ours() {
    let house = House::new().await;
    let other = envelope("00D000000000002EAA", "", &told(1));
    let (whose, why) = fault(&deliver(&house, other).await);
    assert_eq!(whose, "soapenv:Server");
    assert!(
        why.contains("00D000000000002EAA") && why.contains("NOT_CONNECTED"),
        "{why}"
    );
    assert!(house.runs().await.is_empty());
    assert_acked(&deliver(&house, envelope(&ORGANIZATION[..15], "", &told(1))).await);
}

#[tokio::test]
async fn dangerous_xml_is_refused_unread() {
    let house = House::new().await;
    let laughs: String = (1..10).fold("<!ENTITY l0 \"ha\">".into(), |text, n| {
        format!("{text}<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))
    });
    let good = usual(&told(1));
    let (declaration, rest) = good.split_once('\n').unwrap();
    for (what, body, named) in [
        (
            "DTD",
            format!("{declaration}<!DOCTYPE a SYSTEM \"file:///etc/passwd\">{rest}"),
            "declaration",
        ),
        (
            "laughs",
            format!(
                "{declaration}<!DOCTYPE a [{laughs}]>{}",
                rest.replace("A &amp; B", "&l9;")
            ),
            "declaration",
        ),
        ("entity", good.replace("A &amp; B", "&l9;"), "no outbound message"),
        (
            "depth",
            good.replace("A &amp; B", &"<a>".repeat(100_000)),
            "nest deeper",
        ),
        (
            "nodes",
            good.replace("A &amp; B", &"<a/>".repeat(100_000)),
            "nodes",
        ),
    ] {
        let (whose, why) = fault(&deliver(&house, body).await);
        assert_eq!(whose, "soapenv:Client", "{what}");
        assert!(why.contains(named), "{what}: {why}");
    }
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn what_is_no_outbound_message_is_refused_with_its_reason_and_nothing_of_it_is_taken() {
    let house = House::new().await;
    let good = usual(&(told(1) + &told(2)));
    for (what, body) in [
        ("empty", String::new()),
        ("JSON", "{}".into()),
        ("cut", good[..good.len() / 2].into()),
        ("another namespace", good.replace(OUTBOUND, "urn:x")),
        (
            "SOAP 1.2",
            good.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope"),
        ),
        (
            "two bodies",
            good.replace("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>"),
        ),
        ("bad notification id", good.replace("04l000000000002AAA", "x")),
        ("bad record id", good.replace("006000000000002AAA", "' OR")),
        ("no type", good.replace(" xsi:type=\"sf:Opportunity\"", "")),
        ("foreign type", good.replace("sf:Opportunity", "xsd:Opportunity")),
        ("no organization", good.replace(ORGANIZATION, "")),
    ] {
        let (whose, why) = fault(&deliver(&house, body).await);
        assert_eq!(whose, "soapenv:Client", "{what}");
        assert!(why.contains("no outbound message"), "{what}: {why}");
    }
    let latin = usual(&told(1)).replace("A &amp; B", "\u{e9}").into_bytes();
    let latin: Vec<u8> = latin.into_iter().filter(|byte| *byte != 0xc3).collect();
    assert!(fault(&deliver(&house, latin).await).1.contains("UTF-8"));
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_xml_is_refused_before_it_is_read() {
    let house = House::new().await;
    let path = format!("workflow/{PATH_SECRET}");
    for kind in [
        "application/json",
        "application/soap+xml",
        "text/xml; charset=utf-16",
        "",
    ] {
        let answer = post(&house, &path, kind, usual(&told(1))).await;
        answer.is(415, "MEDIA_TYPE_UNSUPPORTED");
    }
    deliver(&house, "x".repeat(1024 * 1024 + 1))
        .await
        .is(413, "REQUEST_TOO_LARGE");
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn a_quote_leads_to_its_opportunity_and_one_without_is_acknowledged() {
    let house = House::new().await;
    let quote = |n: usize, fields: &[(&str, &str)]| notification(&format!("04l{n:012}AAA"), "Quote", fields);
    let led = quote(
        1,
        &[
            ("Id", "0Q0000000000001AAA"),
            ("OpportunityId", "006000000000007AAA"),
        ],
    );
    // Its field was not selected, or is empty, or the quote is gone; a repeat would bring the same.
    let stray = quote(2, &[("Id", "0Q0000000000002AAA")]);
    let strange = quote(
        3,
        &[("Id", "0Q0000000000003AAA"), ("OpportunityId", "an opportunity")],
    );
    assert_acked(&deliver(&house, usual(&(stray + &led + &strange))).await);
    let runs = house.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].lane.opportunity.as_str(), "006000000000007AAA");
}

#[tokio::test]
async fn an_object_that_nobody_configured_is_refused_but_the_others_are_taken() {
    let house = House::new().await;
    let order = notification("04l000000000009AAA", "Order__c", &[("Id", "a00000000000001AAA")]);
    let (_, why) = fault(&deliver(&house, usual(&(order + &told(1)))).await);
    assert!(
        why.contains("Order__c") && why.contains("outbound_messages.opportunity_fields"),
        "{why}"
    );
    assert_eq!(house.runs().await.len(), 1);
}

#[tokio::test]
async fn without_a_durable_sync_there_is_no_acknowledgement() {
    let house = House::with(|state| {
        state.organizations =
            Arc::new(|| Box::pin(async { Err(Error::new(Code::StoreUnavailable, "the disk is full")) }));
    })
    .await;
    let (whose, why) = fault(&deliver(&house, usual(&told(1))).await);
    assert_eq!(whose, "soapenv:Server");
    assert!(why.contains("the disk is full"), "{why}");
    assert!(house.runs().await.is_empty());
}

#[tokio::test]
async fn the_session_is_neither_kept_nor_told() {
    let house = House::new().await;
    let session = format!("<SessionId>{SESSION}</SessionId>");
    assert_acked(&deliver(&house, envelope(ORGANIZATION, &session, &told(1))).await);
    let run = house.ended("csync-001").await;
    let history = house.engine.history(&run.correlation).await.unwrap();
    let kept = format!("{history:?}");
    assert!(!kept.contains("canaryOfTheSession"), "{kept}");
    let broken = envelope(
        ORGANIZATION,
        &format!("<SessionId>{SESSION}</SessionI>"),
        &told(2),
    );
    let (_, why) = fault(&deliver(&house, broken).await);
    assert!(!why.contains("canaryOfTheSession"), "{why}");
}
