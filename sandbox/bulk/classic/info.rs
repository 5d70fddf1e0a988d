//! What is said of jobs and batches (Bulk API Developer Guide, JobInfo, BatchInfo).

use super::envelope::Info;
use super::job::ClassicJob;
use crate::bulk::job::{Job, State, Work};
use crate::org::Id;
use crate::org::value::wire_instant;
use serde_json::{Value as Json, json};

impl ClassicJob {
    /// The job as an answer shows it, with what its batches have come to.
    pub fn info<'b>(&self, batches: impl Iterator<Item = &'b Job>) -> Info {
        let mut sums = Sums::default();
        batches.for_each(|batch| sums.add(batch));
        let millis = sums.micros.div_ceil(1_000);
        let properties = vec![
            ("id", json!(self.id.to_string())),
            ("operation", json!(self.task.name())),
            ("object", json!(self.object)),
            ("createdById", json!(self.user.to_string())),
            ("createdDate", json!(wire_instant(self.created))),
            ("systemModstamp", json!(wire_instant(self.modified))),
            ("state", json!(self.state.name())),
            ("externalIdFieldName", json!(self.external_id)),
            ("concurrencyMode", json!(self.concurrency)),
            ("contentType", json!(self.form.name())),
            ("fastPathEnabled", json!(false)),
            ("numberBatchesQueued", json!(sums.queued)),
            ("numberBatchesInProgress", json!(sums.in_progress)),
            ("numberBatchesCompleted", json!(sums.completed)),
            ("numberBatchesFailed", json!(sums.failed)),
            ("numberBatchesTotal", json!(sums.total)),
            ("numberRecordsProcessed", json!(sums.processed)),
            ("numberRetries", json!(0)),
            ("apiVersion", json!(f64::from(self.version))),
            ("assignmentRuleId", json!(self.assignment_rule)),
            ("numberRecordsFailed", json!(sums.refused)),
            ("totalProcessingTime", json!(millis)),
            ("apiActiveProcessingTime", json!(millis)),
            ("apexProcessingTime", json!(0)),
        ];
        Info {
            name: "jobInfo",
            properties,
        }
    }
}

#[derive(Default)]
struct Sums {
    queued: u64,
    in_progress: u64,
    completed: u64,
    failed: u64,
    total: u64,
    processed: u64,
    refused: u64,
    micros: u64,
}

impl Sums {
    fn add(&mut self, batch: &Job) {
        self.total += 1;
        match batch.state {
            State::Open | State::UploadComplete => self.queued += 1,
            State::InProgress => self.in_progress += 1,
            State::JobComplete => self.completed += 1,
            State::Failed => self.failed += 1,
            State::Aborted => {}
        }
        let (processed, refused) = counts(batch);
        self.processed += processed;
        self.refused += refused;
        self.micros += batch.micros;
    }
}

/// Records looked at, and those of them that were refused.
fn counts(batch: &Job) -> (u64, u64) {
    match &batch.work {
        Work::Ingest(ingest) => ingest
            .upload
            .as_ref()
            .map_or((0, 0), |upload| (upload.processed(), upload.failed())),
        Work::Query(extract) => (extract.count() as u64, 0),
    }
}

/// The batch as an answer shows it.
pub fn batch_info(batch: &Job, of: Id) -> Info {
    let state = match batch.state {
        State::Open | State::UploadComplete => "Queued",
        State::InProgress => "InProgress",
        State::JobComplete => "Completed",
        State::Failed => "Failed",
        State::Aborted => "NotProcessed",
    };
    let (processed, refused) = counts(batch);
    let millis = batch.micros.div_ceil(1_000);
    let properties = vec![
        ("id", json!(batch.id.to_string())),
        ("jobId", json!(of.to_string())),
        ("state", json!(state)),
        (
            "stateMessage",
            batch.error.as_ref().map_or(Json::Null, |why| json!(why)),
        ),
        ("createdDate", json!(wire_instant(batch.created))),
        ("systemModstamp", json!(wire_instant(batch.modified))),
        ("numberRecordsProcessed", json!(processed)),
        ("numberRecordsFailed", json!(refused)),
        ("totalProcessingTime", json!(millis)),
        ("apiActiveProcessingTime", json!(millis)),
        ("apexProcessingTime", json!(0)),
    ];
    Info {
        name: "batchInfo",
        properties,
    }
}
