//! A job: a bag of batches that do the same to the same object.

use super::envelope::Info;
use super::form::Form;
use crate::bulk::job::{Job, Operation, State as Progress, Work};
use crate::bulk::limits::OPEN_LIFE;
use crate::org::ApiError;
use crate::org::Id;
use crate::org::value::wire_instant;
use axum::body::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What the batches of a job do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// They write records.
    Load(Operation),
    /// They read records.
    Query,
    /// They read records, deleted ones too.
    QueryAll,
}

/// Whether a job takes batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It does.
    Open,
    /// No more; those it has are worked off.
    Closed,
    /// No more, and what was not begun is left.
    Aborted,
}

/// A job of the Bulk API 1.0.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassicJob {
    /// Its id.
    pub id: Id,
    /// Who made it.
    pub user: Id,
    /// `client=` of the request that made it.
    pub client: Option<String>,
    /// API version that it was made with: 68.
    pub version: u16,
    /// What its batches do.
    pub task: Task,
    /// Object, canonical name.
    pub object: String,
    /// Key of an upsert, canonical name.
    pub external_id: Option<String>,
    /// Assignment rule as given; the sandbox has none to run.
    pub assignment_rule: Option<String>,
    /// `Parallel` or `Serial` as asked for: batches are worked off one after the other anyway.
    pub concurrency: String,
    /// Form of batches and results.
    pub form: Form,
    /// Whether it takes batches.
    pub state: State,
    /// When it was made.
    pub created: Timestamp,
    /// When its state changed last.
    pub modified: Timestamp,
}

/// What makes a [`Job`] a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Its job.
    pub job: Id,
    /// The request as it came.
    #[serde(with = "crate::bulk::kept")]
    pub request: Bytes,
}

impl Task {
    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load(operation) => operation.name(),
            Self::Query => "query",
            Self::QueryAll => "queryAll",
        }
    }

    /// The task of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "query" => Some(Self::Query),
            "queryAll" => Some(Self::QueryAll),
            other => Operation::parse(other).map(Self::Load),
        }
    }
}

impl State {
    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Closed => "Closed",
            Self::Aborted => "Aborted",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Closed, Self::Aborted]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

impl ClassicJob {
    /// Whether it takes batches.
    pub fn takes_batches(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it still takes batches at this time: after a day no more (Limits, Batch Lifespan).
    pub fn takes_batch_at(&self, now: Timestamp) -> bool {
        self.takes_batches() && now.duration_since(self.created) < OPEN_LIFE
    }

    /// Closes or aborts the job.
    ///
    /// # Errors
    /// InvalidJobState for one that is closed or aborted, and for opening one.
    pub fn change(&mut self, to: State, now: Timestamp) -> Result<(), ApiError> {
        let change = match to {
            State::Open => "Opening",
            State::Closed => "Closing",
            State::Aborted => "Aborting",
        };
        if self.state != State::Open || to == State::Open {
            let message = format!("{change} already {} Job not allowed", self.state.name());
            return Err(ApiError::bad("InvalidJobState", message));
        }
        (self.state, self.modified) = (to, now);
        Ok(())
    }

    /// The job as an entry of the newer API's list of all jobs (Bulk API 2.0 Developer Guide, Get Information About All
    /// Jobs).
    pub fn listed(&self) -> Json {
        let mut listed = json!({
            "id": self.id.to_string(), "operation": self.task.name(), "object": self.object,
            "createdById": self.user.to_string(), "createdDate": wire_instant(self.created),
            "systemModstamp": wire_instant(self.modified), "state": self.state.name(),
            "concurrencyMode": self.concurrency,
            "contentType": self.form.name(), "apiVersion": f64::from(self.version), "jobType": "Classic",
        });
        if let Some(key) = &self.external_id {
            listed["externalIdFieldName"] = json!(key);
        }
        listed
    }

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
            Progress::Open | Progress::UploadComplete => self.queued += 1,
            Progress::InProgress => self.in_progress += 1,
            Progress::JobComplete => self.completed += 1,
            Progress::Failed => self.failed += 1,
            Progress::Aborted => {}
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
        Progress::Open | Progress::UploadComplete => "Queued",
        Progress::InProgress => "InProgress",
        Progress::JobComplete => "Completed",
        Progress::Failed => "Failed",
        Progress::Aborted => "NotProcessed",
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
