//! Reading records.

use super::{ENTERPRISE, PARTNER, Said, envelope};
use crate::house::{House, house_with};
use roxmltree::{Document, Node};

async fn org() -> (House, String) {
    let house = house_with(|options| options.scenario = Some("crm-sync".into())).await;
    let session = house.soap_session().await;
    (house, session)
}

fn query(text: &str) -> String {
    format!("<query><queryString>{text}</queryString></query>")
}

/// Names and texts of the children of the first record; nil has no text.
fn first_record(said: &Said) -> Vec<(String, Option<String>)> {
    let document = Document::parse(&said.text).unwrap();
    let record = document
        .descendants()
        .find(|node| node.tag_name().name() == "records")
        .unwrap_or_else(|| panic!("{}", said.text));
    let shown = |node: Node<'_, '_>| (node.tag_name().name().to_owned(), node.text().map(str::to_owned));
    record.children().map(shown).collect()
}

#[tokio::test]
async fn a_partner_record_has_its_type_and_its_id_first() {
    let (house, session) = org().await;
    let text = "SELECT Name, NumberOfEmployees, Id, Fax FROM Account WHERE Name LIKE 'Northwind%'";
    let said = house.call(&session, &query(text)).await;
    let record = first_record(&said);
    let names: Vec<&str> = record.iter().map(|(name, _)| name.as_str()).collect();
    // The id comes twice when it is selected, as in every recording of a real org.
    assert_eq!(names, ["type", "Id", "Name", "NumberOfEmployees", "Id", "Fax"]);
    assert_eq!(record[3].1.as_deref(), Some("840"));
    assert_eq!(record[5].1, None);
    assert!(
        said.text
            .contains("<result xsi:type=\"QueryResult\"><done>true</done>")
    );
    assert!(
        said.text
            .contains("<records xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>001")
    );
    let said = house
        .call(&session, &query("SELECT Name FROM Account LIMIT 1"))
        .await;
    assert_eq!(first_record(&said)[1], ("Id".to_owned(), None));
    assert_eq!(said.first("size"), "1");
}

#[tokio::test]
async fn parents_children_addresses_and_instants_have_their_types() {
    let (house, session) = org().await;
    let text = "SELECT Name, BillingAddress, CreatedDate, Owner.Name, (SELECT LastName FROM Contacts) FROM Account \
                ORDER BY Name DESC";
    let said = house.call(&session, &query(text)).await;
    for part in [
        "<sf:BillingAddress xsi:type=\"address\"><latitude xsi:nil=\"true\"/>",
        "<city>Dresden</city>",
        "<sf:Owner xsi:type=\"sf:sObject\"><sf:type>User</sf:type><sf:Id xsi:nil=\"true\"/><sf:Name>",
        "<sf:Contacts xsi:type=\"QueryResult\"><done>true</done><queryLocator xsi:nil=\"true\"/>",
        "<sf:LastName>Hoffmann</sf:LastName>",
        // The second account has no contacts.
        "<sf:Contacts xsi:nil=\"true\"/>",
    ] {
        assert!(said.text.contains(part), "{part} in {}", said.text);
    }
    assert!(said.first("CreatedDate").ends_with(".000Z"));
}

#[tokio::test]
async fn an_enterprise_record_is_of_its_own_type_and_leaves_nulls_away() {
    let (house, session) = org().await;
    let header = format!("<SessionHeader><sessionId>{session}</sessionId></SessionHeader>");
    let text = "SELECT Id, Name, Fax, Owner.Name FROM Account WHERE Name LIKE 'North%'";
    let body = envelope(&header, &query(text)).replace(PARTNER, ENTERPRISE);
    let said = house.soap("/services/Soap/c/59.0", body).await;
    let names: Vec<String> = first_record(&said).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Id", "Name", "Owner"]);
    assert!(said.text.contains("<result><done>true</done>"));
    assert!(said.text.contains("<records xsi:type=\"sf:Account\"><sf:Id>"));
    assert!(
        said.text
            .contains("xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"")
    );
}

#[tokio::test]
async fn counts_and_groups() {
    let (house, session) = org().await;
    let said = house
        .call(&session, &query("SELECT COUNT() FROM Opportunity"))
        .await;
    assert_eq!((said.first("size"), said.all("records").len()), ("3".into(), 0));
    let said = house
        .call(
            &session,
            &query("SELECT COUNT(Id) n, SUM(Amount) FROM Opportunity WHERE Amount != null"),
        )
        .await;
    assert!(
        said.text
            .contains("<sf:type>AggregateResult</sf:type><sf:Id xsi:nil=\"true\"/>")
    );
    assert!(
        said.text.contains("<sf:n xsi:type=\"xsd:int\">2</sf:n>"),
        "{}",
        said.text
    );
    assert!(
        said.text.contains("<sf:expr0 xsi:type=\"xsd:double\">"),
        "{}",
        said.text
    );
}

#[tokio::test]
async fn a_large_result_is_read_page_by_page() {
    let (house, session) = org().await;
    let rows = "<sObjects><type>Contact</type><LastName>L</LastName></sObjects>".repeat(200);
    for _ in 0..3 {
        let said = house.call(&session, &format!("<create>{rows}</create>")).await;
        assert!(said.all("success").iter().all(|one| one == "true"));
    }
    let header = "<QueryOptions><batchSize>250</batchSize></QueryOptions>";
    let text = query("SELECT Id FROM Contact WHERE LastName = 'L'");
    let mut said = house.call_with(&session, header, &text).await;
    let mut sizes = vec![said.all("records").len()];
    while said.first("done") == "false" {
        assert_eq!(said.first("size"), "600");
        let locator = said.first("queryLocator");
        let more = format!("<queryMore><queryLocator>{locator}</queryLocator></queryMore>");
        said = house.call(&session, &more).await;
        sizes.push(said.all("records").len());
    }
    assert_eq!(sizes, [250, 250, 100]);
    // Five hundred is what SOAP hands out unless asked.
    assert_eq!(house.call(&session, &text).await.all("records").len(), 500);
    let wrong = house
        .call(&session, "<queryMore><queryLocator>x</queryLocator></queryMore>")
        .await;
    assert_eq!(wrong.first("exceptionCode"), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn deleted_records_are_seen_by_query_all() {
    let (house, session) = org().await;
    let id = house
        .call(&session, &query("SELECT Id FROM Contact LIMIT 1"))
        .await
        .first("Id");
    house
        .call(&session, &format!("<delete><ids>{id}</ids></delete>"))
        .await;
    let text = format!("SELECT Id, IsDeleted FROM Contact WHERE Id = '{id}'");
    assert_eq!(house.call(&session, &query(&text)).await.first("size"), "0");
    let all = format!("<queryAll><queryString>{text}</queryString></queryAll>");
    assert_eq!(house.call(&session, &all).await.first("IsDeleted"), "true");
}

#[tokio::test]
async fn a_wrong_query_says_where() {
    let (house, session) = org().await;
    let said = house
        .call(&session, &query("SELECT adfId, Name FROM Contact"))
        .await;
    assert_eq!(said.fault(), (500, "sf:INVALID_FIELD".to_owned()));
    assert!(
        said.text
            .contains("<sf:InvalidFieldFault xsi:type=\"sf:InvalidFieldFault\">")
    );
    assert_eq!(
        (said.first("row"), said.first("column")),
        ("1".into(), "8".into())
    );
    let said = house.call(&session, &query("SELEKT")).await;
    assert_eq!(said.first("exceptionCode"), "MALFORMED_QUERY");
    let said = house.call(&session, "<query/>").await;
    assert_eq!(said.first("exceptionCode"), "MALFORMED_QUERY");
    let said = house.call(&session, &query("SELECT Id FROM Nope")).await;
    assert_eq!(said.first("exceptionCode"), "INVALID_TYPE");
}

#[tokio::test]
async fn a_query_may_be_longer_than_any_address() {
    let (house, session) = org().await;
    let names = vec!["'Northwind Robotics'"; 1_500].join(",");
    let said = house
        .call(
            &session,
            &query(&format!("SELECT Id FROM Account WHERE Name IN ({names})")),
        )
        .await;
    assert_eq!(said.first("size"), "1", "{}", said.text);
}

#[tokio::test]
async fn retrieve_keeps_the_order_and_leaves_gaps() {
    let (house, session) = org().await;
    let all = house.call(&session, &query("SELECT Name FROM Account")).await;
    assert_eq!(all.first("size"), "2");
    let ids = house
        .call(&session, &query("SELECT Id FROM Account"))
        .await
        .all("Id");
    let retrieve = |kind: &str, list: &str, ids: &str| {
        format!("<retrieve><fieldList>{list}</fieldList><sObjectType>{kind}</sObjectType>{ids}</retrieve>")
    };
    let asked = format!(
        "<ids>{}</ids><ids>001Sb0000000999</ids><ids>{}</ids>",
        ids[2], ids[0]
    );
    let said = house
        .call(&session, &retrieve("account", "Name, CreatedDate", &asked))
        .await;
    assert_eq!(said.all("Id"), [ids[2].clone(), ids[0].clone()], "{}", said.text);
    assert!(said.text.contains("<result xsi:nil=\"true\"/>"));
    let said = house
        .call(&session, &retrieve("Account", "Name", "<ids>bad</ids>"))
        .await;
    assert_eq!(said.fault(), (500, "sf:MALFORMED_ID".to_owned()));
    assert!(said.text.contains("InvalidIdFault"));
    let said = house.call(&session, &retrieve("Account", "Nope", &asked)).await;
    assert_eq!(said.first("exceptionCode"), "INVALID_FIELD");
    let said = house.call(&session, &retrieve("Nope", "Name", &asked)).await;
    assert_eq!(said.first("exceptionCode"), "INVALID_TYPE");
}
