//! The closed list of failures, and how each is treated.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the engine treats a failure. A closed set: a new kind of failure must be sorted into one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The access token ended; one refresh and one repeat.
    AuthExpired,
    /// The grant is dead; a person must reconnect. Runs of the connection wait, none is lost.
    AuthRevoked,
    /// We are who we are, and may not do this.
    Forbidden,
    /// The record is not there, or not visible to us; vendors do not tell the two apart.
    NotFound,
    /// The record was merged into another.
    Merged,
    /// The data was refused; sending it again gives the same answer.
    Validation,
    /// It exists already.
    Duplicate,
    /// Somebody changed it since we read it: read again and decide again.
    Conflict,
    /// Another writer holds it for a moment.
    Locked,
    /// Too many calls.
    RateLimited,
    /// Not there just now.
    Unavailable,
    /// Sent, and the answer was lost.
    UnknownOutcome,
    /// The position in a change feed is too old.
    CursorExpired,
    /// A field or object that we rely on is gone or changed.
    SchemaDrift,
    /// The other side cannot do this at all.
    Unsupported,
    /// The other side answered what the protocol does not allow, or we are wrong about the protocol.
    Protocol,
}

impl Class {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn passes_with_time(self) -> bool {
        use Class::*;
        match self {
            AuthExpired | Conflict | Locked | RateLimited | Unavailable | UnknownOutcome => true,
            AuthRevoked | Forbidden | NotFound | Merged | Validation | Duplicate | CursorExpired
            | SchemaDrift | Unsupported | Protocol => false,
        }
    }
}

/// One row per code: variant, wire name, class, HTTP status, usual next step.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:tt, $class:ident, $status:literal, $next:literal;)*) => {
        /// Every failure this product can report. Each has a page `docs/errors/<CODE>.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ErrorCode))]
        pub enum Code { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Code {
            /// All codes, in the order of this file.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str { match self { $(Code::$variant => $name,)* } }

            /// How the engine treats it.
            pub fn class(self) -> Class { match self { $(Code::$variant => Class::$class,)* } }

            /// HTTP status (RFC 9110) with which our own API answers.
            pub fn http_status(self) -> u16 { match self { $(Code::$variant => $status,)* } }

            /// The advice that fits most cases of this code.
            pub fn usual_next(self) -> &'static str { match self { $(Code::$variant => $next,)* } }
        }
    };
}

codes! {
    /// The CRM refuses our grant: revoked, expired, or the refresh token was used twice.
    TokenExpired = "TOKEN_EXPIRED", AuthRevoked, 424, "run `cpq auth connect-crm` again; waiting syncs resume by themselves";
    /// The access token was refused once more right after a refresh.
    SessionRefused = "SESSION_REFUSED", AuthExpired, 424, "run `cpq auth refresh`, then try again";
    /// No connection of that name exists.
    NotConnected = "NOT_CONNECTED", AuthRevoked, 424, "run `cpq auth connect-crm`";
    /// The login flow was refused or broken off.
    LoginFailed = "LOGIN_FAILED", Forbidden, 424, "read the reason, then run `cpq auth connect-crm` again";
    /// The grant lacks a scope that we need.
    ScopeMissing = "SCOPE_MISSING", Forbidden, 424, "allow the scope in the connected app, then run `cpq auth connect-crm`";
    /// The CRM does not let our user see or change this.
    CrmForbidden = "CRM_FORBIDDEN", Forbidden, 424, "give the integration user access to the object or field";
    /// No such opportunity, or it is not visible to our user.
    OpportunityNotFound = "OPPORTUNITY_NOT_FOUND", NotFound, 404, "check the number, and that the integration user may read the opportunity";
    /// A record that we need is not there.
    RecordNotFound = "RECORD_NOT_FOUND", NotFound, 404, "check the id, and that the integration user may read the record";
    /// The record was merged into another one.
    RecordMerged = "RECORD_MERGED", Merged, 409, "sync the surviving record";
    /// The opportunity lacks what a quote needs, e.g. an account.
    OpportunityIncomplete = "OPPORTUNITY_INCOMPLETE", Validation, 422, "complete the opportunity in the CRM, then sync it again";
    /// The CRM refused a value.
    CrmRejected = "CRM_REJECTED", Validation, 422, "correct the field in the owning system, then sync it again";
    /// The CPQ refused a value.
    CpqRejected = "CPQ_REJECTED", Validation, 422, "correct the field in the owning system, then sync it again";
    /// More than one CRM record carries the same external id.
    CrmAmbiguous = "CRM_AMBIGUOUS", Duplicate, 409, "make the external id field unique, and remove the extra record";
    /// The CRM already holds this record.
    CrmDuplicate = "CRM_DUPLICATE", Duplicate, 409, "sync again: the existing record will be adopted";
    /// A quote for this opportunity and revision exists already.
    QuoteDuplicate = "QUOTE_DUPLICATE", Duplicate, 409, "use the existing quote";
    /// Somebody changed the CRM record since we read it.
    CrmConflict = "CRM_CONFLICT", Conflict, 409, "nothing to do: the sync reads again and decides again";
    /// Somebody changed the quote since it was read.
    QuoteConflict = "QUOTE_CONFLICT", Conflict, 412, "read the quote again and repeat the change with its new ETag";
    /// The CRM record is locked by another writer.
    CrmLocked = "CRM_LOCKED", Locked, 423, "nothing to do: the sync tries again by itself";
    /// The CRM's call limit is used up.
    CrmLimit = "CRM_LIMIT", RateLimited, 429, "nothing to do: syncs wait and resume; if it happens often, raise the limit or find who else uses it up";
    /// The CRM does not answer, or answers that it cannot just now.
    CrmUnavailable = "CRM_UNAVAILABLE", Unavailable, 503, "check that the CRM can be reached; the sync tries again by itself";
    /// The CPQ does not answer, or answers that it cannot just now.
    CpqUnavailable = "CPQ_UNAVAILABLE", Unavailable, 503, "check that the CPQ can be reached; the sync tries again by itself";
    /// A write was sent and its answer was lost.
    OutcomeUnknown = "OUTCOME_UNKNOWN", UnknownOutcome, 503, "nothing to do: it is read back before anything is sent again";
    /// A change feed can no longer be continued where we stopped.
    CursorExpired = "CURSOR_EXPIRED", CursorExpired, 503, "nothing to do: everything that changed since is looked at; `cpq feeds` shows how far it is";
    /// A mapped field or object is missing in the CRM.
    SchemaDrift = "SCHEMA_DRIFT", SchemaDrift, 424, "add the named field or object to the CRM, or let the integration user see it; then sync again";
    /// The other system cannot do this.
    Unsupported = "UNSUPPORTED", Unsupported, 501, "choose a flow or system that supports it";
    /// The other system answered what its protocol does not allow.
    ProtocolViolation = "PROTOCOL_VIOLATION", Protocol, 502, "check the URL and API version of the connection";
    /// The request to our API is malformed.
    RequestInvalid = "REQUEST_INVALID", Validation, 400, "correct the request";
    /// The body exceeds the limit.
    RequestTooLarge = "REQUEST_TOO_LARGE", Validation, 413, "send less than 1 MiB";
    /// The body's media type is not JSON.
    MediaTypeUnsupported = "MEDIA_TYPE_UNSUPPORTED", Validation, 415, "send Content-Type: application/json";
    /// The method is not allowed on that path.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", Validation, 405, "see /api/v1/openapi.json";
    /// No such route or resource.
    NotFound = "NOT_FOUND", NotFound, 404, "check the id";
    /// No sync with that correlation id.
    CorrelationNotFound = "CORRELATION_NOT_FOUND", NotFound, 404, "check the id; `cpq sync list` shows the last ones";
    /// No quote with that id or number.
    QuoteNotFound = "QUOTE_NOT_FOUND", NotFound, 404, "check the id; `cpq quote list` shows the quotes";
    /// No token, or one we do not know, or one that ended.
    Unauthenticated = "UNAUTHENTICATED", Forbidden, 401, "send Authorization: Bearer with a token made by `cpq token create`";
    /// The token lacks the scope of the route.
    ScopeInsufficient = "SCOPE_INSUFFICIENT", Forbidden, 403, "use a token with the scope named in details";
    /// A form that did not come from a page that we gave to this browser.
    FormForged = "FORM_FORGED", Forbidden, 403, "load the page again and repeat it";
    /// A webhook's signature is missing, stale or wrong.
    SignatureInvalid = "SIGNATURE_INVALID", Forbidden, 401, "check the shared secret and the sender's clock";
    /// A mutating request came without an idempotency key where one is required.
    IdempotencyKeyMissing = "IDEMPOTENCY_KEY_MISSING", Validation, 400, "send an Idempotency-Key header";
    /// The idempotency key is malformed.
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID", Validation, 400, "use 1 to 255 visible ASCII characters";
    /// The key was used before for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", Validation, 422, "use a new key for a new request";
    /// The first request with this key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", Conflict, 409, "repeat the request after Retry-After";
    /// The stored answer for this key is past its retention.
    IdempotencyKeyExpired = "IDEMPOTENCY_KEY_EXPIRED", Validation, 410, "look the operation up by its correlation id";
    /// A change to a quote came without `If-Match`.
    PreconditionRequired = "PRECONDITION_REQUIRED", Validation, 428, "read the quote and send its ETag as If-Match";
    /// The quote's state does not allow this transition.
    InvalidTransition = "INVALID_TRANSITION", Validation, 409, "use one of the transitions listed in details";
    /// The quote cannot be edited in its state.
    QuoteNotEditable = "QUOTE_NOT_EDITABLE", Validation, 409, "revise the quote and edit the new revision";
    /// The quote was replaced by a newer revision.
    QuoteSuperseded = "QUOTE_SUPERSEDED", Validation, 409, "use the newest revision";
    /// A change needs a person's decision.
    ReviewNeeded = "REVIEW_NEEDED", Validation, 409, "decide it with `cpq conflicts resolve`, or give both systems the same value";
    /// The conflict was closed, or its values changed, since it was looked at.
    ConflictOutdated = "CONFLICT_OUTDATED", Validation, 409, "look again with `cpq conflicts show`, then decide what is still open";
    /// The ownership matrix is wrong.
    OwnershipInvalid = "OWNERSHIP_INVALID", Validation, 422, "correct the matrix; `cpq ownership check FILE` tries it before it is used";
    /// The configuration is wrong.
    ConfigInvalid = "CONFIG_INVALID", Validation, 400, "correct what is named here; `cpq config show` explains every key";
    /// The sealing key does not open what the store holds.
    SealingKeyWrong = "SEALING_KEY_WRONG", Forbidden, 424, "put the right key back, or run `cpq auth connect-crm` again";
    /// The store was written by a newer version of this program.
    StoreTooNew = "STORE_TOO_NEW", Unsupported, 503, "start the newer version, or restore a backup made before the upgrade";
    /// The store cannot be read or written.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable, 503, "check the disk and the rights on the state directory";
    /// An address is already in use.
    PortInUse = "PORT_IN_USE", Unavailable, 503, "choose another port, or 0 for a free one";
    /// Too many requests of one client, or too much work waiting.
    Overloaded = "OVERLOADED", RateLimited, 429, "slow down and repeat after Retry-After";
    /// The run ended in the dead letters.
    DeadLettered = "DEAD_LETTERED", Validation, 422, "see `cpq sync status` for the cause";
    /// We failed in a way that we did not foresee.
    Internal = "INTERNAL", Protocol, 500, "report it with the correlation id";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Code {
    /// Exit code of the CLI: 1 when the answer is no or the request was wrong, 2 when we or a remote system failed.
    pub fn exit_code(self) -> u8 {
        match self.class() {
            Class::Validation | Class::NotFound | Class::Merged | Class::Duplicate | Class::Forbidden => 1,
            Class::Unsupported | Class::Conflict | Class::AuthRevoked => 1,
            Class::AuthExpired | Class::Locked | Class::RateLimited | Class::Unavailable => 2,
            Class::UnknownOutcome | Class::CursorExpired | Class::SchemaDrift | Class::Protocol => 2,
        }
    }
}
