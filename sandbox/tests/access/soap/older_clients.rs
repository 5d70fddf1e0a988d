//! What clients write that were made for old versions: beatbox and pyforce.

use super::{Said, envelope};
use crate::house::{House, house_with};
use serde_json::json;

async fn org() -> (House, String) {
    let house = house_with(|options| options.scenario = Some("crm-sync".into())).await;
    let session = house.soap_session().await;
    (house, session)
}

async fn call(house: &House, session: &str, version: &str, body: &str) -> Said {
    let header = format!("<SessionHeader><sessionId>{session}</sessionId></SessionHeader>");
    let path = format!("/services/Soap/u/{version}");
    let said = house.soap(&path, envelope(&header, body)).await;
    assert_eq!(said.status, 200, "{}", said.text);
    said
}

#[tokio::test]
async fn every_version_writes_many_records_at_once() {
    let (house, session) = org().await;
    // The data API has had collections since 42.0, and upserts of collections since 46.0.
    for version in ["31.0", "41.0", "45.0"] {
        let account = "<sObjects><type>Account</type><Name>Old</Name></sObjects>";
        let made = call(&house, &session, version, &format!("<create>{account}</create>")).await;
        let id = made.first("id");
        let row = format!("<sObjects><type>Account</type><Id>{id}</Id><Site>Brno</Site></sObjects>");
        let changed = call(&house, &session, version, &format!("<update>{row}</update>")).await;
        assert_eq!(changed.first("success"), "true", "{}", changed.text);
        let upsert = format!("<upsert><externalIDFieldName>Id</externalIDFieldName>{row}</upsert>");
        let said = call(&house, &session, version, &upsert).await;
        assert_eq!(
            (said.first("success"), said.first("created")),
            ("true".into(), "false".into())
        );
        let retrieve =
            format!("<fieldList>Site</fieldList><sObjectType>Account</sObjectType><ids>{id}</ids>");
        let read = call(
            &house,
            &session,
            version,
            &format!("<retrieve>{retrieve}</retrieve>"),
        )
        .await;
        assert_eq!(read.first("Site"), "Brno");
        let gone = call(
            &house,
            &session,
            version,
            &format!("<delete><ids>{id}</ids></delete>"),
        )
        .await;
        assert_eq!((gone.first("success"), gone.first("id")), ("true".into(), id));
    }
}

#[tokio::test]
async fn records_are_deleted_by_id_as_well_as_by_ids() {
    let (house, session) = org().await;
    let account = "<create><sObjects><type>Account</type><Name>Old</Name></sObjects></create>";
    let id = call(&house, &session, "59.0", account).await.first("id");
    let gone = call(
        &house,
        &session,
        "59.0",
        &format!("<delete><id>{id}</id></delete>"),
    )
    .await;
    assert_eq!((gone.first("success"), gone.first("id")), ("true".into(), id));
}

#[tokio::test]
async fn a_time_without_a_zone_is_in_gmt() {
    let (house, _) = org().await;
    let frozen = json!({"freeze": "2026-12-01T12:00:00Z"});
    house.control("POST", "/sandbox/clock", frozen).await;
    let session = house.soap_session().await;
    let account = "<create><sObjects><type>Account</type><Name>Old</Name></sObjects></create>";
    let id = call(&house, &session, "59.0", account).await.first("id");
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 600}))
        .await;
    let window = |from: &str, until: &str| {
        format!(
            "<getUpdated><sObjectType>Account</sObjectType><startDate>{from}</startDate>\
             <endDate>{until}</endDate></getUpdated>"
        )
    };
    let body = window("2026-12-01T11:59:00.562815", "2026-12-01T12:05:00");
    assert_eq!(call(&house, &session, "59.0", &body).await.all("ids"), [id]);
    let body = window("2026-12-01T12:01:00", "2026-12-01T12:05:00");
    assert!(call(&house, &session, "59.0", &body).await.all("ids").is_empty());
    let nonsense = house
        .call(&session, &window("yesterday", "2026-12-01T12:05:00"))
        .await;
    assert_eq!(nonsense.fault(), (500, "sf:INVALID_REPLICATION_DATE".to_owned()));
}

#[tokio::test]
async fn a_search_shows_each_record_that_it_found() {
    let (house, session) = org().await;
    let body = "<search><searchString>FIND {Northwind*} IN NAME FIELDS RETURNING Account(Id, Name), Contact(Id)\
                </searchString></search>";
    // The data API answers with a bare list up to version 36.
    for version in ["31.0", "59.0"] {
        let said = call(&house, &session, version, body).await;
        assert!(
            said.text.contains(
                "<searchRecords><record xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>001"
            )
        );
        assert_eq!(said.all("Name"), ["Northwind Robotics"], "{}", said.text);
    }
    let said = house
        .call(
            &session,
            "<search><searchString>FIND Northwind</searchString></search>",
        )
        .await;
    assert_eq!(said.fault(), (500, "sf:MALFORMED_SEARCH".to_owned()));
}

#[tokio::test]
async fn a_path_may_end_with_a_slash() {
    let house = house_with(|_| {}).await;
    let body = super::login(&house.info.username, &house.info.password);
    assert_eq!(house.soap("/services/Soap/u/59.0/", body).await.status, 200);
    // As simple-salesforce asks for metadata.
    let said = house
        .soap("/services/Soap/m/59.0/", envelope("", "<describeMetadata/>"))
        .await;
    assert_eq!(said.fault(), (500, "sf:FUNCTIONALITY_NOT_ENABLED".to_owned()));
}
