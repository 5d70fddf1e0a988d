//! Every limit of the house, with its reason. A queue, loop or body without a limit is a defect.

/// Characters of a vendor's message that we keep: enough for a person, too few for a page of HTML.
pub const UPSTREAM_MESSAGE_CHARS: usize = 500;
/// Bytes of a request body to our API. A quote with 5,000 lines is about 2 MiB and goes in parts.
pub const REQUEST_BYTES: usize = 1024 * 1024;
/// Bytes of an answer that we read from a CRM or CPQ. A describe of one large object exceeds 1 MiB.
pub const RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// Characters of an idempotency key (draft-ietf-httpapi-idempotency-key-header leaves it open; Stripe allows 255).
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// Characters of an opportunity number: the usual length of a Salesforce external id field is at most 255.
pub const OPPORTUNITY_KEY_CHARS: usize = 255;
/// Characters of a correlation id that a caller hands us.
pub const CORRELATION_CHARS: usize = 80;
/// Lines of one quote. Above this the aggregate no longer fits one transaction of any CRM we know.
pub const QUOTE_LINES: usize = 5_000;
/// Characters of a quote's or line's name (Salesforce `Quote.Name` holds 255).
pub const NAME_CHARS: usize = 255;
/// Characters of a quote's number.
pub const QUOTE_NUMBER_CHARS: usize = 40;
/// Characters of a quote's id.
pub const QUOTE_ID_CHARS: usize = 80;
/// Characters of one text in a quote's context (the description of a Salesforce opportunity holds 32,000).
pub const CONTEXT_CHARS: usize = 32_000;
/// Characters of a canonical field name. Names come from mappings, which people write.
pub const FIELD_NAME_CHARS: usize = 120;
/// Characters of a description.
pub const DESCRIPTION_CHARS: usize = 4_000;
/// Times a run may start over because somebody changed a record under it, before it is parked.
pub const SUPERSEDE_MAX: u32 = 5;
/// Hints of one submission that the journal keeps; a transaction in the CRM may tell of hundreds of records.
pub const HINTS_MAX: usize = 50;
/// Opportunities that one request takes back. Each becomes a sync of its own, and a person looks at the list.
pub const UNDO_OPPORTUNITIES: usize = 1_000;
/// Syncs that one request takes back; their decisions are read one sync after the other.
pub const UNDO_SYNCS: usize = 5_000;
/// Rows of a waiting run's journal from which on it takes no further hints: as many as are searched for an author.
pub const HINTED_ROWS: u32 = 500;
/// Process crashes on one run before it is put aside unrun: it may be what kills the process.
pub const CRASHES_MAX: u32 = 3;
/// Days for which the answer to an idempotency key is kept (as long as Stripe v2 and Salesforce's UI API do).
pub const IDEMPOTENCY_DAYS: i64 = 30;
/// Days for which the bare key is remembered after its answer is gone, to answer 410 instead of doing it twice.
pub const IDEMPOTENCY_TOMBSTONE_DAYS: i64 = 400;
/// Bytes of a stored answer. Larger answers do not exist in our API; the limit keeps it so.
pub const IDEMPOTENCY_BODY_BYTES: usize = 256 * 1024;
/// Rows of one page of any list.
pub const PAGE_ROWS: u32 = 200;
