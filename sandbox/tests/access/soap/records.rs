//! Writing records.

use super::{ENTERPRISE, PARTNER, Said};
use crate::house::{House, house_with};

async fn org() -> (House, String) {
    let house = house_with(|options| options.scenario = Some("crm-sync".into())).await;
    let session = house.soap_session().await;
    (house, session)
}

fn account(fields: &str) -> String {
    format!("<sObjects><type>Account</type>{fields}</sObjects>")
}

impl Said {
    fn successes(&self) -> String {
        self.all("success").join(" ")
    }
}

#[tokio::test]
async fn each_record_of_a_create_has_a_result_of_its_own() {
    let (house, session) = org().await;
    let body = format!(
        "<create>{}{}<sObjects><type>Contact</type><LastName>Lovelace</LastName></sObjects></create>",
        account("<Name>Ada &amp; Co</Name><NumberOfEmployees>12</NumberOfEmployees>"),
        account("<Phone>1</Phone>"),
    );
    let said = house.call(&session, &body).await;
    assert_eq!(said.status, 200, "{}", said.text);
    assert_eq!(said.successes(), "true false true");
    assert_eq!(said.first("statusCode"), "REQUIRED_FIELD_MISSING");
    assert_eq!(said.first("fields"), "Name");
    let ids = said.all("id");
    assert!(ids[0].starts_with("001") && ids[1].is_empty() && ids[2].starts_with("003"));
    let path = format!("/services/data/v59.0/sobjects/Account/{}", ids[0]);
    let row: serde_json::Value = house.get(&path, &session).await.json().await.unwrap();
    assert_eq!(
        (row["Name"].as_str(), row["NumberOfEmployees"].as_i64()),
        (Some("Ada & Co"), Some(12))
    );
}

#[tokio::test]
async fn the_odd_namespaces_of_jsforce_are_taken() {
    let (house, session) = org().await;
    let body = format!(
        "<create xmlns=\"{PARTNER}\" xmlns:ns1=\"sobject.partner.soap.sforce.com\"><ns1:sObjects><type>Account</type>\
         <Name>J</Name></ns1:sObjects></create>"
    );
    assert_eq!(house.call(&session, &body).await.successes(), "true");
}

#[tokio::test]
async fn an_update_changes_what_is_there_and_clears_only_what_it_names() {
    let (house, session) = org().await;
    let body = account("<Name>Before</Name><Phone>1</Phone><Fax>2</Fax><Site>3</Site>");
    let id = house
        .call(&session, &format!("<create>{body}</create>"))
        .await
        .first("id");
    let change = format!(
        "<update>{}{}{}</update>",
        account(&format!(
            "<fieldsToNull>Phone</fieldsToNull><Id>{id}</Id><Name>After</Name><Fax xsi:nil=\"true\"/><Site/>"
        )),
        account("<Name>No id</Name>"),
        account("<Id>001Sb0000000999</Id><Name>Nobody</Name>"),
    );
    let said = house.call(&session, &change).await;
    assert_eq!(said.successes(), "true false false");
    assert_eq!(
        said.all("statusCode"),
        ["MISSING_ARGUMENT", "INVALID_CROSS_REFERENCE_KEY"]
    );
    let path = format!("/services/data/v59.0/sobjects/Account/{id}?fields=Name,Phone,Fax,Site");
    let row: serde_json::Value = house.get(&path, &session).await.json().await.unwrap();
    assert_eq!(row["Name"], "After");
    assert!(row["Phone"].is_null());
    assert_eq!(
        (row["Fax"].as_str(), row["Site"].as_str()),
        (Some("2"), Some("3"))
    );
}

#[tokio::test]
async fn an_upsert_makes_or_changes_by_the_external_id() {
    let (house, session) = org().await;
    let upsert = |number: &str, name: &str| {
        format!(
            "<upsert><externalIDFieldName>Opportunity_Number__c</externalIDFieldName><sObjects><type>Opportunity</type>\
             <Opportunity_Number__c>{number}</Opportunity_Number__c><Name>{name}</Name>\
             <StageName>Prospecting</StageName><CloseDate>2026-12-31</CloseDate></sObjects></upsert>"
        )
    };
    let made = house.call(&session, &upsert("S-1", "Made")).await;
    assert_eq!(
        (made.first("created"), made.successes()),
        ("true".into(), "true".into())
    );
    let changed = house.call(&session, &upsert("S-1", "Changed")).await;
    assert_eq!(
        (changed.first("created"), changed.first("id")),
        ("false".into(), made.first("id"))
    );
    let wrong = upsert("S-1", "x").replace("Opportunity_Number__c</external", "StageName</external");
    let said = house.call(&session, &wrong).await;
    assert_eq!(said.fault(), (500, "sf:INVALID_FIELD".to_owned()));
    // A child finds its parent by external id, too.
    let child = "<create><sObjects><type>Quote</type><Name>Q</Name><Opportunity><type>Opportunity</type>\
                 <Opportunity_Number__c>S-1</Opportunity_Number__c></Opportunity></sObjects></create>";
    let said = house.call(&session, child).await;
    assert_eq!(said.successes(), "true", "{}", said.text);
}

#[tokio::test]
async fn records_of_several_objects_are_upserted_by_id_in_one_call() {
    let (house, session) = org().await;
    let body = "<upsert><externalIDFieldName>Id</externalIDFieldName>\
                <sObjects><type>Account</type><Name>A</Name></sObjects>\
                <sObjects><type>Contact</type></sObjects>\
                <sObjects><type>Account</type><Name>B</Name></sObjects></upsert>";
    let said = house.call(&session, body).await;
    assert_eq!(said.successes(), "true false true");
    assert_eq!(said.all("created"), ["true", "false", "true"]);
    let before = house.account_count(&session).await;
    let header = "<AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>";
    let said = house.call_with(&session, header, body).await;
    assert_eq!(said.successes(), "false false false");
    let codes = said.all("statusCode");
    assert_eq!(codes[1], "REQUIRED_FIELD_MISSING");
    assert_eq!(codes[0], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(house.account_count(&session).await, before);
}

#[tokio::test]
async fn all_or_none_takes_everything_back() {
    let (house, session) = org().await;
    let before = house.account_count(&session).await;
    let body = format!("<create>{}{}</create>", account("<Name>A</Name>"), account(""));
    let header = "<AllOrNoneHeader><allOrNone>1</allOrNone></AllOrNoneHeader>";
    let said = house.call_with(&session, header, &body).await;
    assert_eq!(said.successes(), "false false");
    assert_eq!(said.first("statusCode"), "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(house.account_count(&session).await, before);
    assert_eq!(house.call(&session, &body).await.successes(), "true false");
    assert_eq!(house.account_count(&session).await, before + 1);
}

#[tokio::test]
async fn a_delete_tells_what_it_could_not_delete() {
    let (house, session) = org().await;
    let made = house
        .call(
            &session,
            &format!("<create>{}</create>", account("<Name>A</Name>")),
        )
        .await;
    let id = made.first("id");
    let body = format!("<delete><ids>{id}</ids><ids>nonsense</ids><ids>{id}</ids></delete>");
    let said = house.call(&session, &body).await;
    assert_eq!(said.successes(), "true false false");
    assert_eq!(said.all("statusCode"), ["MALFORMED_ID", "ENTITY_IS_DELETED"]);
    assert_eq!(house.call(&session, "<delete/>").await.status, 200);
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_refused_as_a_whole_and_changes_nothing() {
    let (house, session) = org().await;
    let before = house.account_count(&session).await;
    let many = account("<Name>A</Name>").repeat(201);
    let ids = "<ids>001000000000001</ids>".repeat(201);
    let good = account("<Name>A</Name>");
    for (body, code) in [
        (
            format!("<create>{good}<sObjects><type>Nope</type></sObjects></create>"),
            "sf:INVALID_TYPE",
        ),
        (format!("<create>{good}<sObjects/></create>"), "sf:INVALID_TYPE"),
        (
            format!("<create>{good}{}</create>", account("<Nope>1</Nope>")),
            "sf:INVALID_FIELD",
        ),
        (
            format!(
                "<create>{good}{}</create>",
                account("<fieldsToNull>Nope</fieldsToNull>")
            ),
            "sf:INVALID_FIELD",
        ),
        (
            format!(
                "<create>{good}{}</create>",
                account("<AnnualRevenue>abc</AnnualRevenue>")
            ),
            "soapenv:Client",
        ),
        (format!("<create>{many}</create>"), "sf:EXCEEDED_ID_LIMIT"),
        (format!("<delete>{ids}</delete>"), "sf:EXCEEDED_ID_LIMIT"),
    ] {
        let said = house.call(&session, &body).await;
        assert_eq!(said.fault(), (500, code.to_owned()), "{}", said.text);
    }
    assert_eq!(house.account_count(&session).await, before);
    let wrong =
        "<create><sObjects><type>Opportunity</type><CloseDate>tomorrow</CloseDate></sObjects></create>";
    let said = house.call(&session, wrong).await;
    assert_eq!(
        said.first("faultstring"),
        "'tomorrow' is not a valid value for the type xsd:date"
    );
}

#[tokio::test]
async fn the_enterprise_api_types_its_records() {
    let (house, session) = org().await;
    let body = format!(
        "<e:Envelope xmlns:e=\"{soap}\" xmlns=\"{ENTERPRISE}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:o=\"urn:sobject.enterprise.soap.sforce.com\"><e:Header><SessionHeader><sessionId>{session}</sessionId>\
         </SessionHeader></e:Header><e:Body><create><sObjects xsi:type=\"o:Account\"><o:Name>E</o:Name></sObjects>\
         </create></e:Body></e:Envelope>",
        soap = super::SOAP
    );
    let said = house.soap("/services/Soap/c/59.0", body).await;
    assert_eq!(said.successes(), "true", "{}", said.text);
}

#[tokio::test]
async fn texts_that_are_too_long_are_cut_only_when_asked_for() {
    let (house, session) = org().await;
    let body = format!(
        "<create>{}</create>",
        account(&format!("<Name>{}</Name>", "é".repeat(300)))
    );
    assert_eq!(
        house.call(&session, &body).await.first("statusCode"),
        "STRING_TOO_LONG"
    );
    let header = "<AllowFieldTruncationHeader><allowFieldTruncation>true</allowFieldTruncation></AllowFieldTruncationHeader>";
    assert_eq!(house.call_with(&session, header, &body).await.successes(), "true");
}

#[tokio::test]
async fn a_duplicate_is_let_through_by_the_header_alone() {
    let (house, session) = org().await;
    let rule = serde_json::json!({"duplicateRules": [{
        "object": "Contact", "name": "DR", "matchingRule": "MR", "action": "alert", "message": "Twice?",
        "fields": [{"field": "LastName"}],
    }]});
    house.control("POST", "/sandbox/define", rule).await;
    let body = "<create><sObjects><type>Contact</type><LastName>Hoffmann</LastName></sObjects></create>";
    assert_eq!(
        house.call(&session, body).await.first("statusCode"),
        "DUPLICATES_DETECTED"
    );
    let header = "<DuplicateRuleHeader><allowSave>true</allowSave></DuplicateRuleHeader>";
    assert_eq!(house.call_with(&session, header, body).await.successes(), "true");
}
