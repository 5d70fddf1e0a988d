//! Header entries ("SOAP API Developer Guide", SOAP Headers).

use super::dialect::Dialect;
use super::envelope::{Envelope, SOAP, boolean, text_of};
use super::fault::Fault;

/// Rows of one answer to a query, and how many there are unless somebody asks ("QueryOptions").
const BATCH: std::ops::RangeInclusive<usize> = 200..=2_000;
const DEFAULT_BATCH: usize = 500;

/// What the header says about the call.
#[derive(Debug)]
pub struct Headers {
    /// `SessionHeader`.
    pub session_id: Option<String>,
    /// `CallOptions`, `client`.
    pub client: Option<String>,
    /// `LoginScopeHeader`.
    pub organization_id: Option<String>,
    /// `AllOrNoneHeader`.
    pub all_or_none: bool,
    /// `QueryOptions`.
    pub batch: usize,
    /// `AllowFieldTruncationHeader`.
    pub truncate: bool,
    /// `DuplicateRuleHeader`, `allowSave`.
    pub allow_duplicates: bool,
    /// `DuplicateRuleHeader`, `includeRecordDetails`.
    pub duplicate_details: bool,
}

/// Entries that are read, or that change nothing here.
const KNOWN: [&str; 15] = [
    "SessionHeader",
    "CallOptions",
    "LoginScopeHeader",
    "AllOrNoneHeader",
    "QueryOptions",
    "AllowFieldTruncationHeader",
    "AssignmentRuleHeader",
    "DebuggingHeader",
    "DisableFeedTrackingHeader",
    "DuplicateRuleHeader",
    "EmailHeader",
    "LocaleOptions",
    "MruHeader",
    "OwnerChangeOptions",
    "PackageVersionHeader",
];

impl Headers {
    /// Reads the entries of the endpoint's namespace; others are nobody's.
    ///
    /// # Errors
    /// `MustUnderstand` for an entry that says so and is not known (SOAP 1.1 §4.2.3).
    pub fn read(envelope: &Envelope<'_>, dialect: Dialect) -> Result<Self, Fault> {
        let own = |node: &roxmltree::Node<'_, '_>| node.tag_name().namespace() == Some(dialect.namespace());
        for entry in &envelope.headers {
            let name = entry.tag_name().name();
            let demanding = entry.attribute((SOAP, "mustUnderstand")).is_some_and(boolean);
            if demanding && !(own(entry) && KNOWN.contains(&name)) {
                return Err(Fault::Header(name.to_owned()));
            }
        }
        let read = |header: &str, field: &'static str| {
            let mut entries = envelope.headers.iter().filter(|entry| own(entry));
            let entry = entries.find(|entry| entry.tag_name().name() == header)?;
            text_of(*entry, field).filter(|text| !text.trim().is_empty())
        };
        let flag = |header: &str, field| read(header, field).is_some_and(|text| boolean(&text));
        let batch = read("QueryOptions", "batchSize").and_then(|text| text.trim().parse().ok());
        Ok(Self {
            session_id: read("SessionHeader", "sessionId").map(|text| text.trim().to_owned()),
            client: read("CallOptions", "client"),
            organization_id: read("LoginScopeHeader", "organizationId").map(|text| text.trim().to_owned()),
            all_or_none: flag("AllOrNoneHeader", "allOrNone"),
            batch: batch.unwrap_or(DEFAULT_BATCH).clamp(*BATCH.start(), *BATCH.end()),
            truncate: flag("AllowFieldTruncationHeader", "allowFieldTruncation"),
            allow_duplicates: flag("DuplicateRuleHeader", "allowSave"),
            duplicate_details: flag("DuplicateRuleHeader", "includeRecordDetails"),
        })
    }
}
