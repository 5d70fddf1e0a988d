//! The limits of this room, each with its reason.

use std::time::Duration;

/// Longest that one request to a login host may take: what Salesforce's own clients allow, and far below the lease.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest that connecting may take: a host that needs longer is not there.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a token or identity answer that we read. Real ones are below 8 KiB.
pub(crate) const ANSWER_BYTES: usize = 64 * 1024;
/// How long the right to refresh is asked for: one request and its save, twice over.
pub(crate) const LEASE_MS: i64 = 75_000;
/// What must be left of a lease when a request is sent, so that its answer can still be saved under it.
pub(crate) const LEASE_MARGIN_MS: i64 = 40_000;
/// Times we try again when the endpoint says that the same request is already being processed.
pub(crate) const BUSY_TRIES: u32 = 4;
/// Times we look again while another holds the lease. With the usual waits this is longer than [`LEASE_MS`].
pub(crate) const HELD_LOOKS: u32 = 900;
/// Times we try to store an answer while the lease is ours.
pub(crate) const SAVE_TRIES: u32 = 5;
/// Times a caller looks again when the renewal that it joined had begun before its token was refused.
pub(crate) const JOINS: u32 = 3;
/// Wait before the next login after the vendor said that there were too many: its window is an hour.
pub(crate) const THROTTLED_RETRY_MS: u64 = 5 * 60_000;
/// Wait before a failed token request makes sense again.
pub(crate) const UNAVAILABLE_RETRY_MS: u64 = 3_000;
/// Time a person has to log in on the vendor's page before the loopback listener closes.
pub(crate) const LOGIN_DEADLINE: Duration = Duration::from_secs(5 * 60);
/// Time between the begin and the finish of a login through our own server: the vendor's code lives no longer.
pub(crate) const PENDING_US: u64 = 10 * 60 * 1_000_000;
/// Logins that may be open at once in this process; the oldest gives way.
pub(crate) const PENDING_LOGINS: usize = 100;
/// Bytes of a request to the loopback listener. A browser sends about 1 KiB.
pub(crate) const CALLBACK_BYTES: usize = 16 * 1024;
/// Time a browser may take to send its request to the loopback listener.
pub(crate) const CALLBACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that the loopback listener answers before it gives up: the right one, icons, and a few strays.
pub(crate) const CALLBACK_REQUESTS: u32 = 200;
/// Seconds until a JWT assertion ends. Salesforce Help allows three minutes.
pub(crate) const ASSERTION_SECONDS: i64 = 180;
/// Bytes of a private key or sealing key file. An RSA-4096 key in PEM is about 3.3 KiB.
pub(crate) const KEY_FILE_BYTES: u64 = 64 * 1024;
