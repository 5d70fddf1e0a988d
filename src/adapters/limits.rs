//! The limits of this room, each with its reason.

use std::time::Duration;

/// Longest that connecting may take. A host that needs longer is not there just now.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that one whole call may take, body included. Far below the lease of a run.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Calls of one kind that a connection has under way before further ones gather into a shared one. Two, so that the
/// next call is on the wire while the answer of the last is read.
pub(crate) const BATCH_IN_FLIGHT: usize = 2;
/// Items of a kind, under way and waiting, up to which each may have a call of its own as soon as one is free. With
/// more the calls of the day are what is scarce, and a call goes out beside another one only when it is full.
pub(crate) const BATCH_CALM: usize = 16;
/// How many times as long as the last call took the next one waits for company after many were under way, from one that
/// comes to the next. A backlog of 1,000 took 62 calls with once, 61 with twice and 59 with three times when the wait was
/// counted from its begin, and 58 since; every further one makes its end wait longer.
pub(crate) const LINGERS: u32 = 3;
/// Longest that a call waits for company after many were under way, however long the last one took: what came last then
/// still starts within a time that nobody notices in a backlog.
pub(crate) const BATCH_LINGER: Duration = Duration::from_millis(250);
/// How long there is only one call of a kind under way after the CRM said that there were too many at the same time.
pub(crate) const SLOW_US: u64 = 60_000_000;
/// Callers that may wait for their turn on one connection; above it they are told to come back.
pub(crate) const BATCH_WAITING: usize = 10_000;
/// Calls that a CPQ over REST has under way at the same time; others wait their turn. More syncs than that may be at
/// work, since a CRM takes many of them in one call, but a CPQ takes each in a call of its own.
pub(crate) const CPQ_IN_FLIGHT: usize = 128;
/// Opportunities read by one query. A page has 2,000 rows, those of the sub-queries included (SOQL and SOSL Reference,
/// "Relationship Queries"), so that with a handful of lines and roles each fit into one page, and more would only bring
/// more pages.
pub(crate) const READ_BATCH: usize = 200;
/// Parts of one composite call (REST API Developer Guide, "Composite"). One of them reads everything back. Each
/// opportunity takes one, because only a part of its own has a condition of its own; new quote records share one, and
/// so do lines that go, that change and that are new. So 20 to 24 opportunities fit.
pub(crate) const WRITE_PARTS: usize = 25;
/// Bytes of a query in a URL. Salesforce refuses URLs above 16,384 bytes, and the headers count towards the same sum
/// (status codes 414 and 431 of its REST guide).
pub(crate) const QUERY_URL_BYTES: usize = 12_000;
/// Collections of records that write in one composite call: Salesforce allows five parts that are collections or
/// queries, and one of them reads everything back.
pub(crate) const COLLECTIONS: usize = 4;
/// Records of one collection (REST API Developer Guide, "sObject Collections").
pub(crate) const COLLECTION: usize = 200;
/// Bytes of the product codes in one query; SOQL ends at 100,000 characters.
pub(crate) const SOQL_BYTES: usize = 80_000;
/// Price book entries remembered for each connection: about 2 MiB. Above it all are forgotten and asked for again.
pub(crate) const ENTRIES_KEPT: usize = 20_000;
/// Pages followed for one read. A page has at least 200 rows, so that the longest quote fits many times over.
pub(crate) const PAGES: usize = 256;
/// Contact roles read of one opportunity; the primary one comes first.
pub(crate) const CONTACT_ROLES: u32 = 50;
/// Depth of a JSON answer. Records nest four deep; what is deeper is no answer to us.
pub(crate) const JSON_DEPTH: u32 = 24;
/// Bytes of correlation ids that one shared call carries in its header.
pub(crate) const CORRELATION_HEADER_BYTES: usize = 1_024;

/// Wait after the CRM's call limit of the day was hit: it is a rolling window, so a quarter of an hour frees a share.
pub(crate) const DAILY_LIMIT_RETRY_MS: u64 = 15 * 60_000;
/// Wait after too many long calls at the same time.
pub(crate) const CONCURRENT_LIMIT_RETRY_MS: u64 = 5_000;
/// Wait after a limit whose kind we do not know.
pub(crate) const LIMIT_RETRY_MS: u64 = 60_000;
/// Wait while the CRM is under maintenance.
pub(crate) const MAINTENANCE_RETRY_MS: u64 = 5 * 60_000;
/// Wait while an approval process holds a record: people decide, not machines.
pub(crate) const APPROVAL_LOCK_RETRY_MS: u64 = 15 * 60_000;
