//! Codes and statuses, each with its treatment.

use cpq_domain::Code;

use super::{Said, Verdict, limit_kind, limit_wait};
use crate::limits;
use crate::salesforce::record_id;

/// How one thing that Salesforce said is treated.
pub(super) fn verdict(status: u16, said: &Said) -> Verdict {
    let mut verdict = plain(by_code(said).unwrap_or_else(|| by_status(status)));
    match said.code.as_str() {
        "REQUEST_LIMIT_EXCEEDED" => {
            verdict.limit = limit_kind(&said.message);
            verdict.retry_after_ms = Some(limit_wait(verdict.limit));
        }
        "ENTITY_IS_LOCKED" | "ALREADY_IN_PROCESS" => {
            verdict.retry_after_ms = Some(limits::APPROVAL_LOCK_RETRY_MS);
            verdict.next = Some("finish or recall the approval in the CRM; the sync tries again by itself");
        }
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE" | "ORG_IN_MAINTENANCE" => {
            verdict.retry_after_ms = Some(limits::MAINTENANCE_RETRY_MS);
        }
        "STORAGE_LIMIT_EXCEEDED" => verdict.next = Some("free data storage in the org, then sync again"),
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" => {
            verdict.next =
                Some("give the integration user the permission API Enabled, in an edition with API access");
        }
        "DUPLICATE_VALUE" => verdict.existing = named_record(&said.message).into_iter().collect(),
        "DUPLICATES_DETECTED" => verdict.existing.clone_from(&said.matches),
        _ => {}
    }
    if verdict.code == Code::CrmLimit && verdict.retry_after_ms.is_none() {
        verdict.retry_after_ms = Some(limits::LIMIT_RETRY_MS);
    }
    if verdict.code == Code::SchemaDrift {
        (verdict.object, verdict.field) = missing(&said.message);
    }
    verdict
}

fn plain(code: Code) -> Verdict {
    Verdict {
        code,
        retry_after_ms: None,
        limit: None,
        next: None,
        object: None,
        field: None,
        existing: Vec::new(),
    }
}

#[rustfmt::skip]
fn by_code(said: &Said) -> Option<Code> {
    let text = said.message.as_str();
    Some(match said.code.as_str() {
        // Session and access
        "INVALID_SESSION_ID" if !is_renewable(text) => Code::ScopeMissing,
        "INVALID_SESSION_ID" | "Bad_OAuth_Token" | "Missing_OAuth_Token" => Code::SessionRefused,
        "INSUFFICIENT_ACCESS" | "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "TRANSFER_REQUIRES_READ" | "INVALID_FIELD_FOR_INSERT_UPDATE" | "FIELD_NOT_UPDATABLE"
        | "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "FUNCTIONALITY_NOT_ENABLED" | "LICENSE_LIMIT_EXCEEDED"
        | "TRIAL_EXPIRED" | "STORAGE_LIMIT_EXCEEDED" | "Wrong_Org" | "TXN_SECURITY_NO_ACCESS"
        | "TXN_SECURITY_END_A_SESSION" | "TXN_SECURITY_TWO_FA_REQUIRED" | "TXN_SECURITY_FAIL_CLOSE"
        | "TXN_SECURITY_RUNTIME_ERROR" | "TXN_SECURITY_APEX_ERROR" => Code::CrmForbidden,

        // Limits
        "REQUEST_LIMIT_EXCEEDED" | "LIMIT_EXCEEDED" | "EXCEEDED_QUOTA" => Code::CrmLimit,

        // Passes with time
        "UNABLE_TO_LOCK_ROW" | "ENTITY_IS_LOCKED" | "ALREADY_IN_PROCESS" => Code::CrmLocked,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" => wrapped(text),
        "SERVER_UNAVAILABLE" | "TOO_MANY_APEX_REQUESTS" | "UNKNOWN_EXCEPTION" | "QUERY_TIMEOUT"
        | "REQUEST_RUNNING_TOO_LONG" | "INVALID_QUERY_LOCATOR" | "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE"
        | "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE" | "ORG_IN_MAINTENANCE"
        | "TXN_SECURITY_METERING_ERROR" | "NOT_ACCEPTABLE" => Code::CrmUnavailable,
        "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE" => Code::CrmConflict,

        // Records
        "NOT_FOUND" if text.contains("external ID field") => Code::SchemaDrift,
        "NOT_FOUND" | "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY" | "Bad_Id" => Code::RecordNotFound,
        "DUPLICATE_VALUE" | "DUPLICATES_DETECTED" => Code::CrmDuplicate,
        "DUPLICATE_EXTERNAL_ID" => Code::CrmAmbiguous,

        // The org is not as we think
        "INVALID_FIELD" if text.starts_with("Foreign key external ID") => Code::RecordNotFound,
        "INVALID_FIELD" | "INVALID_TYPE" => Code::SchemaDrift,

        // The position is gone
        "INVALID_REPLICATION_DATE" => Code::CursorExpired,

        // We are wrong about the protocol
        "INVALID_AUTH_HEADER" | "MALFORMED_QUERY" | "MALFORMED_SEARCH" | "INVALID_QUERY_FILTER_OPERATOR"
        | "JSON_PARSER_ERROR" | "XML_PARSER_ERROR" | "POST_BODY_PARSE_ERROR" | "METHOD_NOT_ALLOWED"
        | "UNSUPPORTED_MEDIA_TYPE" | "UNSUPPORTED_API_VERSION" | "MISSING_ARGUMENT" | "ID_REQUIRED"
        | "EXCEEDED_MAX_SIZE_REQUEST" | "EXCEEDED_ID_LIMIT" | "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS"
        | "QUERY_TOO_COMPLICATED" | "OPERATION_TOO_LARGE" | "PROCESSING_HALTED" | "BATCH_PROCESSING_HALTED"
        | "ALL_OR_NONE_OPERATION_ROLLED_BACK" => Code::ProtocolViolation,

        // The data was refused; the status may be any
        "REQUIRED_FIELD_MISSING" | "FIELD_CUSTOM_VALIDATION_EXCEPTION" | "STRING_TOO_LONG"
        | "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" | "INVALID_TYPE_ON_FIELD_IN_RECORD" | "INVALID_EMAIL_ADDRESS"
        | "INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD" | "FIELD_INTEGRITY_EXCEPTION" | "FIELD_FILTER_VALIDATION_EXCEPTION"
        | "STANDARD_PRICE_NOT_DEFINED" | "INACTIVE_OWNER_OR_USER" | "OP_WITH_INVALID_USER_TYPE_EXCEPTION"
        | "NUMBER_OUTSIDE_VALID_RANGE" | "MALFORMED_ID" | "ENTITY_IS_ARCHIVED" | "CANNOT_DELETE_ENTITY"
        | "DELETE_FAILED" | "DEPENDENCY_EXISTS" | "SELF_REFERENCE_FROM_TRIGGER" | "MIXED_DML_OPERATION"
        | "CIRCULAR_DEPENDENCY" | "APEX_ERROR" => Code::CrmRejected,
        _ => return None,
    })
}

fn by_status(status: u16) -> Code {
    match status {
        300 => Code::CrmAmbiguous,
        401 => Code::SessionRefused,
        403 => Code::CrmForbidden,
        404 => Code::RecordNotFound,
        409 | 412 => Code::CrmConflict,
        // 406 is transient in practice, and 420 means that the edge has no route to the instance just now.
        406 | 408 | 420 => Code::CrmUnavailable,
        429 => Code::CrmLimit,
        301..=399 | 405 | 410 | 413 | 414 | 415 | 428 | 431 => Code::ProtocolViolation,
        status if status >= 500 => Code::CrmUnavailable,
        status if status >= 400 => Code::CrmRejected,
        _ => Code::ProtocolViolation,
    }
}

/// Whether Salesforce says with this code that it did nothing. Of a code that we do not know, and of those that stand
/// for a failure in the middle, nobody can say so.
pub(crate) fn did_nothing(said: &Said) -> bool {
    let in_the_middle = matches!(
        said.code.as_str(),
        "UNKNOWN_EXCEPTION" | "REQUEST_RUNNING_TOO_LONG"
    );
    !in_the_middle && by_code(said).is_some()
}

/// Whether a new access token can help. Two refusals with the code of an expired session are about the app.
pub(crate) fn is_renewable(message: &str) -> bool {
    !message.contains("not valid for use with the REST API") && !message.contains("not attached to Agent")
}

/// Exceptions of triggers and flows carry the real one in their text.
fn wrapped(text: &str) -> Code {
    match text {
        text if text.contains("UNABLE_TO_LOCK_ROW") => Code::CrmLocked,
        text if text.contains("Too many SOQL queries") || text.contains("QUERY_TIMEOUT") => {
            Code::CrmUnavailable
        }
        text if text.contains("time limit exceeded") => Code::CrmUnavailable,
        _ => Code::CrmRejected,
    }
}

/// Object and field that a message calls missing: `No such column 'F' on entity 'O'`, `… on sobject of type O`,
/// `sObject type 'O' is not supported`, `Didn't understand relationship 'R'`, `… not accessible: F`.
fn missing(message: &str) -> (Option<String>, Option<String>) {
    let quoted = |after: &str| {
        let (_, rest) = message.split_once(after)?;
        rest.split_once('\'').map(|(name, _)| name.to_owned())
    };
    let word = |after: &str| {
        let (_, rest) = message.split_once(after)?;
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        (end > 0).then(|| rest[..end].to_owned())
    };
    let object = quoted("on entity '")
        .or_else(|| word("on sobject of type "))
        .or_else(|| quoted("sObject type '"));
    let field = quoted("No such column '")
        .or_else(|| quoted("understand relationship '"))
        .or_else(|| word("not accessible: "));
    (object, field)
}

/// The record named in `… duplicates value on record with id: 001…`.
fn named_record(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("with id: ")?;
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    record_id::long_form(&rest[..end])
}
