//! Faults of record writes: the codes that can be asked for, with the status and text Salesforce gives them.

/// Code, HTTP status of a single-record call, typical message.
type Row = (&'static str, u16, &'static str);

/// Codes that row faults can raise ("REST API Developer Guide", Status Codes and Error Responses).
const ROWS: &[Row] = &[
    (
        "UNABLE_TO_LOCK_ROW",
        400,
        "unable to obtain exclusive access to this record or 1 records: ",
    ),
    (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        400,
        "The record does not meet a validation rule of this org.",
    ),
    (
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        400,
        "OpportunityTrigger: execution of BeforeUpdate\n\ncaused by: System.LimitException: Too many SOQL queries: 101",
    ),
    (
        "DUPLICATE_VALUE",
        400,
        "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
    ),
    ("ENTITY_IS_LOCKED", 400, "the entity is locked for editing"),
    ("STORAGE_LIMIT_EXCEEDED", 400, "storage limit exceeded"),
    (
        "INSUFFICIENT_ACCESS_OR_READONLY",
        403,
        "insufficient access rights on object id",
    ),
    (
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        403,
        "insufficient access rights on cross-reference id",
    ),
    (
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        503,
        "The org is in read-only mode for maintenance.",
    ),
    (
        "UNKNOWN_EXCEPTION",
        500,
        "An unexpected error occurred. Please include this ErrorId if you contact support: 0-0 (0)",
    ),
];

/// The row of a code, if row faults know it.
pub fn typical(code: &str) -> Option<Row> {
    ROWS.iter().find(|(known, ..)| *known == code).copied()
}

/// All codes, for a message.
pub fn known() -> String {
    ROWS.iter().map(|(code, ..)| *code).collect::<Vec<_>>().join(", ")
}
