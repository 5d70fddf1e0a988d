//! Answers of Salesforce, spoilt: whatever comes, it is read or refused.

use cpq_domain::Error;
use cpq_domain::id::ConnectionName;

use super::config::Config;
use super::errors::{About, refusal};
use super::{fields, limit_info};
use crate::expression::Expression;
use crate::json::Node;
use crate::mutation::{cases, spoilt};

const ERRORS: [&[u8]; 6] = [
    br#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
    br#"[{"message":"Value not allowed","errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","fields":["StageName"]}]"#,
    br#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#,
    br#"{"compositeResponse":[{"body":[{"errorCode":"PROCESSING_HALTED","message":"rolled back"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"a"}]}"#,
    br#"[{"id":null,"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access","fields":[]}]}]"#,
    b"<html><head><title>We are down for maintenance.</title></head><body><h1>503</h1></body></html>",
];

const ANSWERS: [&[u8]; 3] = [
    br#"{"totalSize":1,"done":false,"nextRecordsUrl":"/services/data/v68.0/query/01g-2000","records":[{"attributes":{"type":"Opportunity","url":"/services/data/v68.0/sobjects/Opportunity/006Sb0000000001IAA"},"Id":"006Sb0000000001IAA","Amount":46250.00,"Account":{"Name":"Northwind"},"OpportunityLineItems":{"totalSize":2,"done":true,"records":[{"Quantity":2.0,"UnitPrice":1.5e3}]}}]}"#,
    br#"{"totalSize":0,"done":true,"records":[]}"#,
    br#"{"DailyApiRequests":{"Max":15000,"Remaining":14998},"a":[1,-2.50,1e3,null,true,"\u00e4\n"]}"#,
];

/// Whatever is refused is refused in words that a terminal can show.
fn presentable(error: &Error) {
    assert!(
        !error.message.is_empty() && !error.message.chars().any(char::is_control),
        "{error:?}"
    );
    assert!(error.message.len() < 4_000, "{}", error.message.len());
}

#[test]
fn a_refusal_is_understood_or_said_to_be_none() {
    for case in 0..cases() {
        let body = spoilt(&ERRORS, case);
        let status = 300 + u16::try_from(case % 300).expect("it is small");
        presentable(&refusal(About::default(), status, None, &body));
    }
}

#[test]
fn an_answer_is_read_or_refused() {
    for case in 0..cases() {
        match Node::parse(&spoilt(&ANSWERS, case)) {
            Ok(node) => drop(node.at(["records", "Id"]).and_then(Node::text)),
            Err(error) => presentable(&error),
        }
    }
}

#[test]
fn the_count_of_calls_is_read_or_left_out() {
    for case in 0..cases() {
        let header = spoilt(
            &[
                b"api-usage=18/5000",
                b"api-usage=25/5000, per-app-api-usage=17/250(appName=cpq)",
            ],
            case,
        );
        let _ = limit_info::parse(&String::from_utf8_lossy(&header));
    }
}

#[test]
fn a_mapping_is_loaded_or_its_faults_are_told() {
    let embedded = include_bytes!("fields.toml");
    let own = b"[[field]]\nname = 'opportunity.name'\npath = 'Name'\n\n[[field]]\nname = 'x.y'\nexpression = 'record.Name'\n";
    // A mapping is long, and each case reads the embedded one too.
    for case in 0..cases() / 20 {
        let text = spoilt(&[&embedded[..2_000], own], case);
        let config = Config {
            fields: Some(String::from_utf8_lossy(&text).into_owned()),
            ..Config::new(ConnectionName::new("crm").expect("a name"))
        };
        let faults = fields::faults(&config);
        assert!(faults.is_empty() || fields::load(&config).is_err());
    }
}

#[test]
fn an_expression_compiles_or_says_why_not() {
    let good: [&[u8]; 4] = [
        b"if value == () { \"none\" } else { value.to_upper() }",
        b"record.Amount * 2 + 1",
        b"value.split(\",\").len()",
        b"switch value { \"a\" => 1, _ => 2 }",
    ];
    for case in 0..cases() {
        let text = spoilt(&good, case);
        let text = String::from_utf8_lossy(&text);
        if let Ok(expression) = Expression::compile(&text, case % 2 == 0) {
            assert_eq!(expression.text(), text.as_ref());
        }
    }
}
