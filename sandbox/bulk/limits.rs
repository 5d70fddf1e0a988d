//! How much bulk jobs may do ("Bulk API and Bulk API 2.0 Limits and Allocations"), and how much they did today.

use crate::limits::{Limits, Usage};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Largest upload. Salesforce allows 150 MB after base64 and advises to stay below this.
pub const UPLOAD_BYTES: usize = 100 * 1024 * 1024;
/// Longest content of a job that is made and filled by one multipart request (Create a Job, Usage Notes).
pub const MULTIPART_CHARACTERS: usize = 100_000;
/// Characters of a batch of the older API (Bulk API Developer Guide, Limits).
pub const BATCH_CHARACTERS: usize = 10_000_000;
/// Bytes of such a batch, 10 MB (the same page).
pub const BATCH_BYTES: usize = 10 * 1024 * 1024;
/// Records of a batch; jobs are cut into batches by the server.
pub const BATCH_ROWS: u64 = 10_000;
/// Records written in one transaction; the org is locked for no longer than this takes.
pub const CHUNK_ROWS: u64 = 200;
/// Records rendered by a query job before others get their turn at the org.
pub const QUERY_CHUNK_ROWS: usize = 2_000;
/// Records of all ingest jobs in a rolling day.
pub const DAILY_ROWS: u64 = 150_000_000;
/// Kilobytes of results that query jobs may make in a rolling day, one terabyte.
pub const DAILY_RESULT_KILOBYTES: u64 = 1_000_000_000;
/// Characters of a value.
pub const FIELD_CHARACTERS: usize = 131_072;
/// Values of a record.
pub const RECORD_FIELDS: usize = 5_000;
/// Characters of all values of a record.
pub const RECORD_CHARACTERS: usize = 400_000;
/// Characters of the header row (Prepare CSV Files).
pub const HEADER_CHARACTERS: usize = 32_000;
/// Results outlive the end of their job by so much.
pub const RESULT_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A job that is neither closed nor aborted within this time takes no more data.
pub const OPEN_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Jobs of a page of the list (Get Information About All Jobs).
pub const LIST_PAGE: usize = 1_000;
/// Result pages named in one answer (Get Parallel Results for a Query Job).
pub const RESULT_PAGES: usize = 5;
/// Jobs kept, finished or not. More than the daily allowances of batches and queries let a client make in a day.
pub const JOBS_KEPT: usize = 30_000;
/// Bytes of uploads, outcomes and results kept for all jobs: the sandbox lives in memory. Results of the oldest
/// finished jobs go first when there is no room.
pub const BYTES_KEPT: usize = 1024 * 1024 * 1024;

/// What was used in the last 24 hours.
#[derive(Debug, Default)]
pub struct Daily {
    /// Batches of ingest jobs; query jobs use none.
    pub batches: Limits,
    /// Records of ingest jobs.
    pub rows: Limits,
    /// Query jobs.
    pub queries: Limits,
    /// Kilobytes of query results.
    pub result_kilobytes: Limits,
}

/// The form in the snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DailyUsage {
    batches: Usage,
    rows: Usage,
    queries: Usage,
    result_kilobytes: Usage,
}

/// Numbers for `/limits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Batches used and allowed.
    pub batches: (u64, u64),
    /// Query jobs used and allowed.
    pub queries: (u64, u64),
    /// Megabytes of query results used and allowed.
    pub result_megabytes: (u64, u64),
}

impl Daily {
    /// Continues the counts of a snapshot.
    pub fn from_usage(usage: DailyUsage) -> Self {
        Self {
            batches: Limits::from_usage(usage.batches),
            rows: Limits::from_usage(usage.rows),
            queries: Limits::from_usage(usage.queries),
            result_kilobytes: Limits::from_usage(usage.result_kilobytes),
        }
    }

    /// The form for the snapshot.
    pub fn usage(&self) -> DailyUsage {
        DailyUsage {
            batches: self.batches.usage(),
            rows: self.rows.usage(),
            queries: self.queries.usage(),
            result_kilobytes: self.result_kilobytes.usage(),
        }
    }

    /// Numbers for `/limits`; the allowances that can be set come from the settings.
    pub fn used(&self, now: Timestamp, batches: u64, queries: u64) -> Used {
        Used {
            batches: (self.batches.used(now), batches),
            queries: (self.queries.used(now), queries),
            result_megabytes: (
                self.result_kilobytes.used(now) / 1024,
                DAILY_RESULT_KILOBYTES / 1024,
            ),
        }
    }

    /// Forgets everything, as a reset does.
    pub fn clear(&self) {
        for one in [&self.batches, &self.rows, &self.queries, &self.result_kilobytes] {
            one.clear();
        }
    }
}
