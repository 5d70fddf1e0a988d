//! What Salesforce was recorded to say, and what it means to us.

use cpq_domain::Code::{self, *};
use cpq_domain::Error;
use cpq_domain::error::LimitKind;

use super::{About, refusal};
use crate::limits;

fn error(status: u16, body: &str) -> Error {
    let about = About {
        connection: "crm",
        object: "Opportunity",
        record: "006X",
        verb: "write",
    };
    refusal(about, status, None, body.as_bytes())
}

/// The usual body with one entry.
fn array(code: &str, message: &str) -> String {
    serde_json::json!([{"message": message, "errorCode": code}]).to_string()
}

/// Status, code, message, what it means.
#[rustfmt::skip]
const SAID: &[(u16, &str, &str, Code)] = &[
    (401, "INVALID_SESSION_ID", "Session expired or invalid", SessionRefused),
    (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", ScopeMissing),
    (401, "INVALID_SESSION_ID", "Connected app is not attached to Agent", ScopeMissing),
    (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", ProtocolViolation),
    (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", CrmLimit),
    (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", CrmLimit),
    (400, "LIMIT_EXCEEDED", "", CrmLimit),
    (400, "EXCEEDED_QUOTA", "", CrmLimit),
    (503, "TOO_MANY_APEX_REQUESTS", "", CrmUnavailable),
    (503, "SERVER_UNAVAILABLE", "Server temporarily unavailable", CrmUnavailable),
    (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.", CrmUnavailable),
    (503, "REQUEST_RUNNING_TOO_LONG", "", CrmUnavailable),
    (400, "QUERY_TIMEOUT", "Your query request was running for too long.", CrmUnavailable),
    (400, "INVALID_QUERY_LOCATOR", "invalid query locator", CrmUnavailable),
    (400, "TXN_SECURITY_METERING_ERROR", "We can't complete the action", CrmUnavailable),
    (503, "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", "", CrmUnavailable),
    (400, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", CrmUnavailable),
    (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 001X", CrmLocked),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "T: execution of AfterUpdate caused by: System.DmlException: Update failed. first error: UNABLE_TO_LOCK_ROW, unable", CrmLocked),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: System.LimitException: Too many SOQL queries: 101", CrmUnavailable),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: System.NullPointerException", CrmRejected),
    (400, "CANNOT_EXECUTE_FLOW_TRIGGER", "We can't save this record because the “X” process failed.", CrmRejected),
    (400, "ENTITY_IS_LOCKED", "the record you are trying to edit is locked", CrmLocked),
    (400, "ALREADY_IN_PROCESS", "", CrmLocked),
    (400, "MALFORMED_QUERY", "unexpected token: SELEKT", ProtocolViolation),
    (400, "INVALID_FIELD", "No such column 'X__c' on sobject of type Opportunity", SchemaDrift),
    (400, "INVALID_FIELD", "Foreign key external ID: A1 not found for field Ext__c in entity Account", RecordNotFound),
    (400, "INVALID_TYPE", "sObject type 'XYZZY' is not supported.", SchemaDrift),
    (400, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: xyz", ProtocolViolation),
    (400, "JSON_PARSER_ERROR", "Unexpected character", ProtocolViolation),
    (400, "MALFORMED_ID", "Record ID: id value of incorrect type: x", CrmRejected),
    (404, "NOT_FOUND", "The requested resource does not exist", RecordNotFound),
    (404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Ext__c", SchemaDrift),
    (404, "ENTITY_IS_DELETED", "entity is deleted", RecordNotFound),
    (400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", RecordNotFound),
    (405, "METHOD_NOT_ALLOWED", "HTTP Method 'PATCH' not allowed.", ProtocolViolation),
    (415, "UNSUPPORTED_MEDIA_TYPE", "", ProtocolViolation),
    (400, "DUPLICATE_VALUE", "duplicate value found: Ext__c duplicates value on record with id: 001Vr00000m4eGCIAY", CrmDuplicate),
    (400, "DUPLICATES_DETECTED", "Use one of these records?", CrmDuplicate),
    (300, "DUPLICATE_EXTERNAL_ID", "", CrmAmbiguous),
    (400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Website__c]", CrmRejected),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Ask Finance first.", CrmRejected),
    (400, "STRING_TOO_LONG", "Name: data value too large: x (max length=120)", CrmRejected),
    (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Rating: bad value for restricted picklist field: Bad", CrmRejected),
    (400, "FIELD_INTEGRITY_EXCEPTION", "field integrity exception: PricebookEntryId", CrmRejected),
    (400, "NUMBER_OUTSIDE_VALID_RANGE", "", CrmRejected),
    (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: X.", CrmForbidden),
    (403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", CrmForbidden),
    (400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", CrmForbidden),
    (403, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id: 006X", CrmForbidden),
    (403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", CrmForbidden),
    (403, "API_CURRENTLY_DISABLED", "", CrmForbidden),
    (400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", CrmForbidden),
    (403, "TXN_SECURITY_NO_ACCESS", "", CrmForbidden),
    (412, "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", "", CrmConflict),
    (400, "SOMETHING_NEW", "never heard of", CrmRejected),
    (500, "SOMETHING_NEW", "never heard of", CrmUnavailable),
    (409, "SOMETHING_NEW", "never heard of", CrmConflict),
    (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", CrmLimit),
    (403, "LIMIT_EXCEEDED", "", CrmLimit),
    (503, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", CrmUnavailable),
    (503, "ORG_IN_MAINTENANCE", "", CrmUnavailable),
    (406, "NOT_ACCEPTABLE", "", CrmUnavailable),
    (400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date", CursorExpired),
    (400, "QUERY_TOO_COMPLICATED", "", ProtocolViolation),
    (400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's", ProtocolViolation),
    (400, "EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore()", ProtocolViolation),
    (400, "EXCEEDED_MAX_SIZE_REQUEST", "", ProtocolViolation),
    (400, "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS", "", ProtocolViolation),
    (400, "MALFORMED_SEARCH", "No search term found.", ProtocolViolation),
    (400, "XML_PARSER_ERROR", "", ProtocolViolation),
    (400, "POST_BODY_PARSE_ERROR", "", ProtocolViolation),
    (400, "MISSING_ARGUMENT", "", ProtocolViolation),
    (400, "ID_REQUIRED", "", ProtocolViolation),
    (404, "UNSUPPORTED_API_VERSION", "", ProtocolViolation),
    (400, "PROCESSING_HALTED", "The transaction was rolled back", ProtocolViolation),
    (412, "BATCH_PROCESSING_HALTED", "Batch processing halted per request", ProtocolViolation),
    (400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back", ProtocolViolation),
    (400, "ENTITY_IS_ARCHIVED", "", CrmRejected),
    (400, "CANNOT_DELETE_ENTITY", "", CrmRejected),
    (400, "DELETE_FAILED", "", CrmRejected),
    (400, "DEPENDENCY_EXISTS", "", CrmRejected),
    (400, "INVALID_TYPE_ON_FIELD_IN_RECORD", "Amount: value not of required type: abc", CrmRejected),
    (400, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: 123", CrmRejected),
    (400, "INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD", "", CrmRejected),
    (400, "FIELD_FILTER_VALIDATION_EXCEPTION", "", CrmRejected),
    (400, "STANDARD_PRICE_NOT_DEFINED", "", CrmRejected),
    (400, "INACTIVE_OWNER_OR_USER", "operation performed with inactive user [005X]", CrmRejected),
    (400, "OP_WITH_INVALID_USER_TYPE_EXCEPTION", "", CrmRejected),
    (400, "MIXED_DML_OPERATION", "", CrmRejected),
    (400, "CIRCULAR_DEPENDENCY", "", CrmRejected),
    (400, "SELF_REFERENCE_FROM_TRIGGER", "", CrmRejected),
    (500, "APEX_ERROR", "System.NullPointerException", CrmRejected),
    (400, "FIELD_NOT_UPDATABLE", "", CrmForbidden),
    (403, "INSUFFICIENT_ACCESS", "", CrmForbidden),
    (400, "TRANSFER_REQUIRES_READ", "", CrmForbidden),
    (403, "FUNCTIONALITY_NOT_ENABLED", "", CrmForbidden),
    (403, "LICENSE_LIMIT_EXCEEDED", "", CrmForbidden),
    (403, "TRIAL_EXPIRED", "", CrmForbidden),
    (403, "TXN_SECURITY_END_A_SESSION", "", CrmForbidden),
    (403, "TXN_SECURITY_TWO_FA_REQUIRED", "", CrmForbidden),
    (403, "TXN_SECURITY_FAIL_CLOSE", "", CrmForbidden),
    (403, "TXN_SECURITY_RUNTIME_ERROR", "", CrmForbidden),
    (403, "TXN_SECURITY_APEX_ERROR", "", CrmForbidden),
];

/// What we send, and what no row above may be wrong about: every code that the catalogue sorts is tried.
#[test]
fn no_code_of_the_catalogue_is_without_a_row() {
    let catalogue = include_str!("catalogue.rs");
    let sorting = catalogue
        .split("fn by_code")
        .nth(1)
        .and_then(|rest| rest.split("fn by_status").next())
        .expect("the sorting");
    let codes = sorting
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.len() > 3 && text.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    let tried = |code: &&str| SAID.iter().any(|(_, said, ..)| said == code);
    let missing: Vec<&str> = codes.filter(|code| !tried(code)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn what_was_said_is_kept_without_secrets() {
    let token = "00DB0000000TfcR!AQQAQexampleexample";
    for body in [
        array("SOMETHING_NEW", &format!("bad session {token}")),
        format!("no {token} here"),
    ] {
        let error = error(400, &body);
        let report = serde_json::to_string(&error.report(None)).expect("JSON");
        assert!(!report.contains("AQQAQ"), "{report}");
        assert!(report.contains("[redacted]"), "{report}");
    }
}

#[test]
fn every_code_has_its_meaning_and_keeps_the_words() {
    for (status, code, message, meaning) in SAID {
        let error = error(*status, &array(code, message));
        assert_eq!(error.code, *meaning, "{status} {code} {message}");
        let upstream = error.upstream.expect("the words are kept");
        assert_eq!(
            (upstream.status, upstream.code.as_str(), upstream.message.as_str()),
            (*status, *code, *message)
        );
        assert_eq!(error.place.connection.as_deref(), Some("crm"), "{code}");
        assert!(error.message.contains(code), "{}", error.message);
    }
}

/// Status, body as it is, what it means.
#[rustfmt::skip]
const BODIES: &[(u16, &str, Code)] = &[
    (300, r#"["/services/data/v68.0/sobjects/W/a","/services/data/v68.0/sobjects/W/b"]"#, CrmAmbiguous),
    (302, "", ProtocolViolation),
    (401, "", SessionRefused),
    (403, "Bad_OAuth_Token", SessionRefused),
    (403, "Wrong_Org", CrmForbidden),
    (403, "<html><title>Forbidden</title></html>", CrmForbidden),
    (404, "", RecordNotFound),
    (406, "", CrmUnavailable),
    (409, "", CrmConflict),
    (410, "[]", ProtocolViolation),
    (412, "", CrmConflict),
    (414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>", ProtocolViolation),
    (420, "<html></html>", CrmUnavailable),
    (429, "slow down", CrmLimit),
    (431, "", ProtocolViolation),
    (500, "<html><body>oops</body></html>", CrmUnavailable),
    (502, "", CrmUnavailable),
    (503, "Service Unavailable", CrmUnavailable),
    (400, "{not json", CrmRejected),
    (400, r#"{"error":"invalid_grant","error_description":"x"}"#, CrmRejected),
    (400, r#"{"errorCode":"UNABLE_TO_LOCK_ROW","message":"x"}"#, CrmLocked),
    (200, r#"[{"success":true,"id":"001","errors":[]},{"success":false,"errors":[{"statusCode":"STRING_TOO_LONG","message":"x","fields":["Name"]}]}]"#, CrmRejected),
    (200, r#"[{"success":false,"errors":[{"statusCode":"ALL_OR_NONE_OPERATION_ROLLED_BACK","message":"Record rolled back"}]},
              {"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW","message":"x"}]}]"#, CrmLocked),
    (200, r#"{"hasErrors":true,"results":[{"statusCode":412,"result":[{"errorCode":"BATCH_PROCESSING_HALTED","message":"Batch processing halted per request"}]},
              {"statusCode":400,"result":[{"errorCode":"INVALID_FIELD","message":"No such column 'X' on entity 'Y'"}]}]}"#, SchemaDrift),
    (200, r#"{"compositeResponse":[{"httpStatusCode":400,"body":[{"errorCode":"PROCESSING_HALTED","message":"rolled back"}]},
              {"httpStatusCode":400,"body":[{"errorCode":"DUPLICATE_VALUE","message":"x"}]}]}"#, CrmDuplicate),
    (200, r#"{"graphs":[{"isSuccessful":false,"graphResponse":{"compositeResponse":[{"httpStatusCode":400,"body":[{"errorCode":"PROCESSING_HALTED","message":"x"}]},
              {"httpStatusCode":403,"body":[{"errorCode":"INSUFFICIENT_ACCESS","message":"x"}]}]}}]}"#, CrmForbidden),
    (400, r#"[{"errorCode":"PROCESSING_HALTED","message":"We rolled back the transaction"}]"#, ProtocolViolation),
];

#[test]
fn every_dialect_is_understood() {
    for (status, body, meaning) in BODIES {
        let error = error(*status, body);
        assert_eq!(error.code, *meaning, "{status} {body}");
        assert!(!error.message.contains('<'), "{}", error.message);
    }
}

#[test]
fn waits_go_by_the_kind_of_limit() {
    let wait = |message: &str| error(403, &array("REQUEST_LIMIT_EXCEEDED", message)).retry_after_ms;
    assert_eq!(
        wait("TotalRequests Limit exceeded."),
        Some(limits::DAILY_LIMIT_RETRY_MS)
    );
    assert_eq!(
        wait("ConcurrentPerOrgLongTxn Limit exceeded."),
        Some(limits::CONCURRENT_LIMIT_RETRY_MS)
    );
    assert_eq!(wait("etwas anderes"), Some(limits::LIMIT_RETRY_MS));
    let kind = |code: &str, message: &str| error(403, &array(code, message)).limit_kind();
    let limit = "REQUEST_LIMIT_EXCEEDED";
    assert_eq!(
        kind(limit, "TotalRequests Limit exceeded."),
        Some(LimitKind::Daily)
    );
    let at_once = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    assert_eq!(kind(limit, at_once), Some(LimitKind::Concurrent));
    assert_eq!(kind(limit, "etwas anderes"), None);
    // A lock is somebody else's write, not a limit of ours: fewer calls would not help.
    let lock = "unable to obtain exclusive access to this record";
    assert_eq!(kind("UNABLE_TO_LOCK_ROW", lock), None);
    assert_eq!(error(429, "").retry_after_ms, Some(limits::LIMIT_RETRY_MS));
    let locked = error(400, &array("ENTITY_IS_LOCKED", "x"));
    assert_eq!(locked.retry_after_ms, Some(limits::APPROVAL_LOCK_RETRY_MS));
    let told = refusal(About::default(), 503, Some(7), b"");
    assert_eq!(told.retry_after_ms, Some(7_000));
}

#[test]
fn drift_names_object_and_field() {
    for (message, object, field) in [
        (
            "\nSELECT Bacon__c FROM Account\n  ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'. If",
            "Account",
            Some("Bacon__c"),
        ),
        (
            "No such column 'X__c' on sobject of type Opportunity",
            "Opportunity",
            Some("X__c"),
        ),
        ("sObject type 'XYZZY' is not supported. If", "XYZZY", None),
        (
            "Didn't understand relationship 'RecordType' in field path.",
            "Opportunity",
            Some("RecordType"),
        ),
    ] {
        let error = error(400, &array("INVALID_FIELD", message));
        assert_eq!(error.place.object.as_deref(), Some(object), "{message}");
        assert_eq!(error.place.field.as_deref(), field, "{message}");
    }
}

#[test]
fn records_in_the_way_are_named() {
    let body = array(
        "DUPLICATE_VALUE",
        "duplicate value found: E__c duplicates value on record with id: 001Vr00000m4eGCIAY",
    );
    let facts = error(400, &body).facts.expect("facts");
    assert_eq!(facts["existing"], serde_json::json!(["001Vr00000m4eGCIAY"]));
    for key in ["duplicateResut", "duplicateResult"] {
        let body = format!(
            r#"[{{"{key}":{{"matchResults":[{{"matchRecords":[{{"record":{{"Id":"0031i000013x2TEAAY"}}}}]}}]}},"errorCode":"DUPLICATES_DETECTED","message":"x"}}]"#
        );
        let facts = error(400, &body).facts.expect("facts");
        assert_eq!(
            facts["existing"],
            serde_json::json!(["0031i000013x2TEAAY"]),
            "{key}"
        );
    }
}

#[test]
fn all_that_was_said_is_kept() {
    let body = r#"[{"errorCode":"STRING_TOO_LONG","message":"a","fields":["A__c"]},{"errorCode":"REQUIRED_FIELD_MISSING","message":"b","fields":["B__c"]}]"#;
    let error = error(400, body);
    assert_eq!(error.place.field.as_deref(), Some("A__c"));
    let facts = error.facts.expect("facts");
    assert_eq!(
        facts["errors"],
        serde_json::json!(["STRING_TOO_LONG: a", "REQUIRED_FIELD_MISSING: b"])
    );
}

proptest::proptest! {
    #[test]
    fn no_body_breaks_it(status in 300_u16..600, body in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let error = refusal(About::default(), status, None, &body);
        proptest::prop_assert!(!error.message.is_empty());
    }

    #[test]
    fn no_text_of_the_vendor_breaks_it(code in "[A-Z_]{0,20}", message in proptest::arbitrary::any::<String>()) {
        let body = array(&code, &message);
        proptest::prop_assert!(error(400, &body).upstream.is_some());
    }
}

/// The failures of the downtime that the fixtures tell of are sorted as the fixture says.
#[test]
fn a_downtimes_failures_mean_what_the_fixture_says() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../../../../fixtures/sync_failures.json")).expect("JSON");
    let events = fixture["events"].as_array().expect("events");
    let mut told = 0;
    for event in events {
        let upstream = &event["error"]["upstream"];
        let text = |name: &str| upstream[name].as_str().expect("a text");
        let status = upstream["status"].as_u64().expect("a status");
        // Status 0 is an answer that never came: there is nothing to sort.
        if status > 0 {
            let error = error(
                u16::try_from(status).expect("a status"),
                &array(text("code"), text("message")),
            );
            assert_eq!(error.code.as_str(), event["error"]["code"], "{event}");
            assert_eq!(
                error.class().passes_with_time(),
                event["error"]["passesWithTime"],
                "{event}"
            );
            told += 1;
        }
    }
    assert!(told > 50, "only {told} of {} events were sorted", events.len());
}

/// A write that failed with a code that we do not know, or in the middle, is read back before it is sent again.
#[test]
fn only_a_known_refusal_says_that_nothing_was_done() {
    let said = |code: &str| super::did_nothing(array(code, "x").as_bytes());
    assert!(said("SERVER_UNAVAILABLE") && said("UNABLE_TO_LOCK_ROW"));
    assert!(!said("UNKNOWN_EXCEPTION") && !said("REQUEST_RUNNING_TOO_LONG") && !said("SOMETHING_NEW"));
    assert!(!super::did_nothing(b"") && !super::did_nothing(b"<html>"));
}
