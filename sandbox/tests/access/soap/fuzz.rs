//! Anything at all is answered in SOAP's words, at once.

use super::{envelope, login};
use crate::house::{House, house};
use proptest::prelude::*;
use proptest::sample::Index;

/// Cases of one property; each is a request.
const CASES: u32 = 256;

/// Runs a property against one house.
fn against(check: impl Fn(&tokio::runtime::Runtime, &House)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = runtime.block_on(house());
    check(&runtime, &house);
}

fn answered(runtime: &tokio::runtime::Runtime, house: &House, body: Vec<u8>) -> Result<(), TestCaseError> {
    let said = runtime.block_on(house.soap("/services/Soap/u/59.0", body));
    prop_assert!(matches!(said.status, 200 | 500), "{} {}", said.status, said.text);
    prop_assert!(roxmltree::Document::parse(&said.text).is_ok(), "{}", said.text);
    let panicked = said.text.contains("ErrorId");
    prop_assert!(!panicked, "{}", said.text);
    if said.status == 500 {
        prop_assert!(said.text.contains("<faultcode>"), "{}", said.text);
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Pieces that XML is made of, in no order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<"),
        Just(">"),
        Just("/"),
        Just("</"),
        Just("<!--"),
        Just("-->"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("<?xml version=\"1.0\"?>"),
        Just("<!DOCTYPE a>"),
        Just("&"),
        Just("&#x0;"),
        Just("&lt;"),
        Just("&a;"),
        Just(" xmlns=\"urn:partner.soap.sforce.com\""),
        Just(" xsi:type=\"a:b\""),
        Just(" xsi:nil=\"true\""),
        Just("login"),
        Just("create"),
        Just("query"),
        Just("sObjects"),
        Just("type"),
        Just("Id"),
        Just("="),
        Just("'"),
        Just("\""),
        Just("\0"),
        Just("é"),
        Just("\u{fffe}"),
        Just("\r"),
        Just(" "),
        Just("a"),
        Just(":"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn random_bytes() {
    against(|runtime, house| {
        proptest!(config(), |(body in proptest::collection::vec(any::<u8>(), 0..400))| {
            answered(runtime, house, body)?;
        });
    });
}

#[test]
fn pieces_of_xml_anywhere_in_an_envelope() {
    against(|runtime, house| {
        let session = runtime.block_on(house.soap_session());
        let header = format!("<SessionHeader><sessionId>{session}</sessionId></SessionHeader>");
        proptest!(config(), |(in_header in soup(), in_body in soup())| {
            answered(runtime, house, in_body.clone().into_bytes())?;
            let body = envelope(&format!("{header}{in_header}"), &in_body);
            answered(runtime, house, body.into_bytes())?;
            let body = envelope(&header, &format!("<create><sObjects><type>Account</type>{in_body}</sObjects></create>"));
            answered(runtime, house, body.into_bytes())?;
        });
    });
}

#[test]
fn a_right_message_with_bytes_changed() {
    against(|runtime, house| {
        let right = login(&house.info.username, "wrong").into_bytes();
        proptest!(config(), |(changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6))| {
            let mut body = right.clone();
            for (at, byte) in &changes {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            answered(runtime, house, body)?;
        });
    });
}

#[test]
fn every_operation_with_any_arguments() {
    against(|runtime, house| {
        let session = runtime.block_on(house.soap_session());
        let header = format!("<SessionHeader><sessionId>{session}</sessionId></SessionHeader>");
        let operations = proptest::sample::select(vec![
            "create",
            "undelete",
            "merge",
            "emptyRecycleBin",
            "update",
            "upsert",
            "delete",
            "retrieve",
            "query",
            "queryAll",
            "queryMore",
            "getUpdated",
            "getDeleted",
            "describeSObject",
            "describeSObjects",
            "describeGlobal",
            "getUserInfo",
            "getServerTimestamp",
        ]);
        let names = proptest::sample::select(vec![
            "sObjects",
            "ids",
            "queryString",
            "queryLocator",
            "sObjectType",
            "fieldList",
            "externalIDFieldName",
            "startDate",
            "endDate",
            "type",
            "Id",
            "Name",
            "AccountId",
            "Account",
            "fieldsToNull",
            "AnnualRevenue",
        ]);
        let texts = prop_oneof![
            "[ -~é]{0,30}".prop_map(|text| text.replace(['<', '&'], "")),
            Just("Account".to_owned()),
            Just("Contact".to_owned()),
            Just("SELECT Id FROM Account".to_owned()),
            Just("2026-11-01T00:00:00Z".to_owned()),
            Just("001Sb0000000001AAA".to_owned()),
            Just("Id".to_owned()),
            Just("9".repeat(400)),
            Just("NaN".to_owned()),
            Just("-".to_owned()),
        ];
        let leaf = (names, texts).prop_map(|(name, text)| format!("<{name}>{text}</{name}>"));
        let tree = leaf.prop_recursive(3, 20, 4, |inner| {
            proptest::collection::vec(inner, 0..4)
                .prop_map(|inner| format!("<sObjects>{}</sObjects>", inner.concat()))
        });
        proptest!(config(), |(operation in operations, inside in proptest::collection::vec(tree, 0..5))| {
            let body = envelope(&header, &format!("<{operation}>{}</{operation}>", inside.concat()));
            answered(runtime, house, body.into_bytes())?;
        });
    });
}
