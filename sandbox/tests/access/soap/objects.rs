//! Describes, and what changed since.

use crate::house::{House, house_with};
use serde_json::json;

async fn org() -> (House, String) {
    let house = house_with(|options| options.scenario = Some("crm-sync".into())).await;
    let session = house.soap_session().await;
    (house, session)
}

#[tokio::test]
async fn describes_have_the_members_of_the_wsdl() {
    let (house, session) = org().await;
    let said = house.call(&session, "<describeGlobal/>").await;
    assert_eq!(said.first("encoding"), "UTF-8");
    assert!(said.all("name").contains(&"Opportunity".to_owned()));
    assert_eq!(
        said.all("urls").len() + said.all("sobjectDescribeOption").len(),
        0
    );
    let body = "<describeSObject><sObjectType>opportunity</sObjectType></describeSObject>";
    let said = house.call(&session, body).await;
    assert_eq!(said.all("result").len(), 1);
    assert_eq!(said.all("keyPrefix"), ["006"]);
    assert!(said.first("urlNew").ends_with("/006/e"));
    let fields = said.all("fields");
    let rest: serde_json::Value = house
        .get("/services/data/v59.0/sobjects/Opportunity/describe", &session)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(fields.len(), rest["fields"].as_array().unwrap().len());
    assert!(said.all("value").contains(&"Prospecting".to_owned()));
    assert!(said.text.contains("<soapType>tns:ID</soapType>"));
    assert!(said.text.contains("<referenceTo>Account</referenceTo>"));
}

#[tokio::test]
async fn several_objects_are_described_in_the_asked_order() {
    let (house, session) = org().await;
    let body = "<describeSObjects><sObjectType>Contact</sObjectType><sObjectType>Account</sObjectType></describeSObjects>";
    let said = house.call(&session, body).await;
    assert_eq!(said.all("keyPrefix"), ["003", "001"]);
    for body in [
        "<describeSObject><sObjectType>Nope</sObjectType></describeSObject>",
        "<describeSObjects/>",
    ] {
        let said = house.call(&session, body).await;
        assert_eq!(said.fault(), (500, "sf:INVALID_TYPE".to_owned()));
        assert!(said.text.contains("InvalidSObjectFault"));
    }
    let many = "<sObjectType>Account</sObjectType>".repeat(101);
    let said = house
        .call(&session, &format!("<describeSObjects>{many}</describeSObjects>"))
        .await;
    assert_eq!(said.first("exceptionCode"), "EXCEEDED_ID_LIMIT");
}

#[tokio::test]
async fn whatever_the_global_describe_names_can_be_described() {
    let (house, session) = org().await;
    let names = house.call(&session, "<describeGlobal/>").await.all("name");
    for name in ["Account", "AccountChangeEvent", "CPQ_Quote_Changed__e"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    for name in names {
        let body = format!("<describeSObject><sObjectType>{name}</sObjectType></describeSObject>");
        let said = house.call(&session, &body).await;
        assert!(said.all("name").contains(&name), "{name}: {}", said.text);
        assert!(!said.all("fields").is_empty(), "{name}");
    }
    // An event of something that has none is as wrong as any other name.
    for name in ["NopeChangeEvent", "ChangeEvent", "../Account", "Account/describe"] {
        let body = format!("<describeSObject><sObjectType>{name}</sObjectType></describeSObject>");
        let said = house.call(&session, &body).await;
        assert_eq!(said.fault(), (500, "sf:INVALID_TYPE".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn changes_and_deletions_of_a_window() {
    let (house, _) = org().await;
    let frozen = json!({"freeze": "2026-12-01T12:00:00Z"});
    house.control("POST", "/sandbox/clock", frozen).await;
    let session = house.soap_session().await;
    let create = "<create><sObjects><type>Account</type><Name>A</Name></sObjects>\
                  <sObjects><type>Account</type><Name>B</Name></sObjects></create>";
    let ids = house.call(&session, create).await.all("id");
    house
        .call(&session, &format!("<delete><ids>{}</ids></delete>", ids[1]))
        .await;
    house
        .control("POST", "/sandbox/clock", json!({"advanceSeconds": 120}))
        .await;
    let window = |call: &str| {
        format!(
            "<{call}><sObjectType>Account</sObjectType><startDate>2026-12-01T11:00:00Z</startDate>\
             <endDate>2026-12-01T13:05:00+01:00</endDate></{call}>"
        )
    };
    let said = house.call(&session, &window("getUpdated")).await;
    assert_eq!(said.all("ids"), [ids[0].clone()], "{}", said.text);
    assert_eq!(said.first("latestDateCovered"), "2026-12-01T12:02:00.000Z");
    let said = house.call(&session, &window("getDeleted")).await;
    assert_eq!(said.first("id"), ids[1]);
    assert_eq!(said.first("deletedDate"), "2026-12-01T12:00:00.000Z");
    let said = house
        .call(
            &session,
            &window("getUpdated").replace("2026-12-01T11", "2025-12-01T11"),
        )
        .await;
    assert_eq!(said.fault(), (500, "sf:INVALID_REPLICATION_DATE".to_owned()));
}
