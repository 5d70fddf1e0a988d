//! Limits of the store, each with its reason.

/// Jobs that share one commit. Above this the gain per job is small and the first one waits for the last.
pub const GROUP_JOBS: usize = 128;
/// Jobs that may wait for the writer. More means that the disk cannot follow; callers then wait their turn.
pub const QUEUED_JOBS: usize = 4_096;
/// Read-only connections. Reads are short, and each connection holds up to 2 MiB of cache.
pub const READERS: usize = 4;
/// Milliseconds to wait for another process that writes to the same file.
pub const BUSY_MS: u64 = 10_000;
/// Statements kept prepared per connection; there are about a hundred in all.
pub const PREPARED_STATEMENTS: usize = 192;
/// Bytes that the write-ahead log keeps on disk after a checkpoint.
pub const LOG_BYTES: i64 = 64 * 1024 * 1024;
/// Rows that one statement may answer with. Every list has a page; this catches a forgotten one.
pub const ANSWER_ROWS: usize = 100_000;
/// Bytes of the data of one journal row: the context of an opportunity with 5,000 lines is about 4 MiB, and what is
/// decided about all of them about 9 MiB, each with what both sides hold and held.
pub const JOURNAL_DATA_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a document (quote, base, schema): a quote with 5,000 lines is about 2 MiB, a large schema about 4 MiB.
pub const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a small text: a setting, a report, a matrix, a list of headers.
pub const TEXT_BYTES: usize = 1024 * 1024;
/// Runs that one correlation id can name; only replays and restarts share one.
pub const RUNS_PER_CORRELATION: i64 = 100;
/// Runs of one lane that wait for their first look, of which a wish may share one: one for each purpose.
pub const WAITING_RUNS: i64 = 4;
/// Runs of one lane that were begun and wait, of which a sync looks up what they may have written: one or two, unless callers
/// with names of their own pile up on it.
pub const BEGUN_RUNS: i64 = 20;
/// Letters of an opportunity among which one is looked for of which processes died: it counts only until the next sync agrees
/// on anything, so it is one of the newest.
pub const LETTERS_LOOKED_AT: i64 = 20;
/// Runs whose lease ended that are put back in one transaction.
pub const EXPIRED_RUNS: i64 = 1_000;
/// Rows that one purge takes away, so that the writer is never held for long.
pub const PURGE_ROWS: i64 = 5_000;
/// Steps of one run. A sync has about six per attempt, and at most twelve attempts and five restarts.
pub const JOURNAL_ROWS: i64 = 10_000;
/// Hints of one run that are searched for the author of a change; later submissions can add to a run that waits.
pub const HINTS_READ: i64 = 500;
/// Decisions of one run: every field of 5,000 lines would exceed it, and only what is not agreed is kept.
pub const DECISIONS: i64 = 50_000;
/// Open conflicts of one opportunity: every field of 5,000 lines would exceed it, and a person could not decide them.
pub const OPEN_CONFLICTS: i64 = 5_000;
/// Revisions of one opportunity's quote.
pub const REVISIONS: i64 = 1_000;
/// API tokens or grants in one list.
pub const CREDENTIALS: i64 = 10_000;
/// Entries of the audit log in one answer: an entry takes about 400 bytes.
pub const AUDIT_PAGE: i64 = 1_000;
/// Ended sessions of browsers that one login takes away, so that it is not held up.
pub const SESSIONS_ENDED: i64 = 100;
/// Sessions of browsers in one list: more than the people of a company have, whatever a program that logs in makes.
pub const SESSIONS_LISTED: i64 = 1_000;
/// Feeds in one list: a few for each connection.
pub const FEEDS: i64 = 10_000;
/// Bytes of the mark of a feed: a replay id has a dozen, a poll in the middle of its pages some hundred.
pub const MARK_BYTES: usize = 64 * 1024;
/// Days for which the id of a webhook delivery is remembered; no sender we know repeats for longer than four.
pub const WEBHOOK_DAYS: i64 = 30;
/// Dead letters of one opportunity that one transaction closes, so that the writer is not held for long; more than this
/// is a feed gone wild, and what is left over is closed by the next plan.
pub const LETTERS_OF_LANE: i64 = 1_000;
/// Rows of one page of a copy between stores.
pub const COPY_PAGE_ROWS: usize = 2_000;
/// Bytes of one page of such a copy; it has at least one row, whatever its size.
pub const COPY_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Pages of such a copy that wait for the target, so that it never waits for the source.
pub const COPY_PAGES: usize = 2;
/// Connections to a PostgreSQL server per node, beside the one for news. Jobs are short, so a few carry many syncs; three
/// nodes and a look around fit into the 100 that a server takes unless told otherwise.
pub const CONNECTIONS: usize = 16;
/// Milliseconds to wait for one of them to become free. Longer means that the server cannot follow.
pub const TURN_MS: u64 = 30_000;
/// Milliseconds that one statement may take at the server.
pub const STATEMENT_MS: u64 = 30_000;
/// Milliseconds to wait for a row that another transaction has; its whole job takes some.
pub const LOCK_MS: u64 = 10_000;
/// Milliseconds after which the server ends a transaction whose node has fallen silent, and frees its rows.
pub const IDLE_JOB_MS: u64 = 30_000;
/// How often a job that met another one is tried. Each time one of the two was done.
pub const JOB_TRIES: u32 = 10;
/// Milliseconds for which a job waits for a server that is away, as in a restart.
pub const SERVER_AWAY_MS: u64 = 15_000;
/// Newest runs of a connection among which the last success is looked for, whenever somebody watches. Where so many failed
/// in a row, the last success is no news.
pub const RUNS_WATCHED: i64 = 1_000;
/// Newest certificates of a connection that are counted: about nine months of hours that all had changes.
pub const CERTIFICATES_COUNTED: i64 = 20_000;
/// Newest reconciles of a connection among which the last of each scope is looked for: four days with one an hour.
pub const RECONCILES_WATCHED: i64 = 100;
