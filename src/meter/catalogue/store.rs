//! The store, as this process sees it.

use crate::{Counter, Histogram, Reading};

/// From a page in memory to the longest that a server which is away is waited for.
const JOB: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0,
];

metrics! {
    /// From handing a write to the store to its being durable.
    WRITE_DURATION: Histogram = "cpq_store_write_duration_seconds" [] within JOB;
    /// Jobs that failed because of the store itself: disk, server, connection.
    FAILURES: Counter = "cpq_store_failures_total" ["work"];

    /// Transactions that were committed.
    COMMITS: Reading = "cpq_store_commits_total" [];
    /// Writes that were asked for; several share a commit.
    WRITES: Reading = "cpq_store_writes_total" [];
    /// Whether the store refused the last write.
    TROUBLE: Reading = "cpq_store_trouble" [];
    /// Size of the store; on a server, of the whole database.
    SIZE: Reading = "cpq_store_size_bytes" [];
    /// Whether the store could be read for this page; if not, what is read from it is missing.
    UP: Reading = "cpq_store_up" [];
    /// How long that took.
    READING_DURATION: Reading = "cpq_store_reading_duration_seconds" [];
}
