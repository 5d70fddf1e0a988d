//! Limits of the public API, each with its reason.

use std::time::Duration;

/// How long a request waits for its sync when the caller does not say: most syncs end well within it.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// The longest wait that a caller can ask for: common proxies give up after 30 s.
pub const MAX_WAIT: Duration = Duration::from_secs(25);
/// Bytes of a request target (RFC 9110 §4.1 asks for at least 8,000 octets).
pub const URI_BYTES: usize = 8 * 1024;
/// Bytes of all header fields together. Tokens, keys and trace context need less than 4 KiB.
pub const HEADER_BYTES: usize = 16 * 1024;
/// Header fields of a request.
pub const HEADERS: usize = 100;
/// Nesting of a JSON body. Our deepest type has six levels.
pub const JSON_DEPTH: usize = 32;
/// Time for the request line and the header fields: whoever needs longer holds a connection on purpose.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a body: 1 MiB over a slow mobile link.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at the same time. Further ones wait in the listener's queue.
pub const CONNECTIONS: usize = 1_024;
/// Requests at the same time on one HTTP/2 connection.
pub const STREAMS: u32 = 100;
/// Time for requests in hand after the order to stop. Longer than [`MAX_WAIT`] helps nobody: their syncs go on anyway.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Characters of a bearer token that we look at; ours have 53.
pub const TOKEN_CHARS: usize = 200;
/// How old the recorded last use of a token may be: one write per token and interval instead of one per request.
pub const LAST_USE_EVERY: Duration = Duration::from_secs(300);
/// How long a browser stays logged in that asks for nothing: over a night it is locked.
pub const SESSION_IDLE: Duration = Duration::from_secs(8 * 3_600);
/// How long it stays logged in at all: a working week.
pub const SESSION_LIFE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Hours that syncs are counted by at most: a week.
pub const STATISTICS_HOURS: i64 = 168;
/// Days that conflicts are counted for at most: a leap year.
pub const STATISTICS_DAYS: i64 = 366;
/// Conflicts that are looked at for it: a few megabytes.
pub const STATISTICS_CONFLICTS: usize = 5_000;
/// Readers that follow the events at the same time. Each looks into the store twice a second.
pub const STREAMS_OF_EVENTS: usize = 64;
/// How long a reader that has seen everything waits before it looks again.
pub const STREAM_LOOK: Duration = Duration::from_millis(500);
/// How long a stream lasts before its reader shows its token again: so long can a revoked one still read.
pub const STREAM_LIFE: Duration = Duration::from_secs(300);
/// Requests in a minute from one address that are refused for their key: more than any honest program sends before
/// somebody looks.
pub const REFUSALS_PER_MINUTE: u32 = 60;
/// Logins that are tried in a minute from one address: a team behind one address in the morning.
pub const LOGINS_PER_MINUTE: u32 = 30;
/// Clients or addresses that are remembered for how often they come, before those are forgotten that have not come lately.
pub const THROTTLED: usize = 10_000;
/// How often it is looked whether the certificate was renewed.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(60);
/// Bytes of a file with a certificate or its key: a chain of a few certificates takes 8 KiB.
pub const CERTIFICATE_BYTES: u64 = 256 * 1024;
/// How often a stream says that it lives: proxies cut connections that say nothing for a minute.
pub const STREAM_ALIVE: Duration = Duration::from_secs(15);
/// How far a webhook's timestamp may be off, in seconds, to either side (the tolerance of Standard Webhooks).
pub const WEBHOOK_TOLERANCE_S: i64 = 300;
/// Signatures in one webhook header: a sender that rotates its secret needs two.
pub const WEBHOOK_SIGNATURES: usize = 16;
/// Opportunities in one webhook delivery.
pub const WEBHOOK_ITEMS: usize = 200;
/// Notifications in one Salesforce outbound message (SOAP API Developer Guide, "Outbound Messaging").
pub const NOTIFICATIONS: usize = 100;
/// Nesting of XML. An outbound message has six levels.
pub const XML_DEPTH: usize = 32;
/// Nodes of XML: 100 notifications of 100 fields, each an element, its text and the blank before it, and room to spare.
pub const XML_NODES: u32 = 50_000;
/// Characters of the name of an object: Salesforce allows 40, a namespace of 15, two times `__`, and a suffix.
pub const OBJECT_CHARS: usize = 80;
/// Rows of a page when the caller does not say.
pub const PAGE_DEFAULT: u32 = 50;
/// Seconds after which to look again when nothing better is known.
pub const LOOK_AGAIN_S: u64 = 1;
/// Characters of the reason that a person gives: a sentence or two, shown in one row of a history.
pub const REASON_CHARS: usize = 500;
/// Characters of the name of a person.
pub const PERSON_CHARS: usize = 100;
/// How long the store may take to answer those who watch: Prometheus gives up after ten seconds, and then it has nothing.
pub const METRICS_STORE: Duration = Duration::from_secs(5);
/// How long what was read of it is used again: several may watch, and none of them every second.
pub const METRICS_REUSE: Duration = Duration::from_secs(2);
/// How many times as long as it took: so watching never takes up more than a twentieth of one reader, however much is open.
pub const METRICS_REST: u32 = 20;
