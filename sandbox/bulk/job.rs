//! A job: what it is to do, where it stands, and the JSON that shows it (Bulk API 2.0 Developer Guide, Get Information
//! About an Ingest Job, Get Information About a Query Job).

use super::classic::job::Batch;
use super::dialect::Dialect;
use super::extract::Extract;
use super::upload::Upload;
use crate::clock::stopwatch;
use crate::org::value::wire_instant;
use crate::org::{Id, Origin};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::time::Instant;

/// What a job does with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Makes records.
    Insert,
    /// Changes records by id.
    Update,
    /// Makes or changes records by an external id.
    Upsert,
    /// Moves records to the recycle bin.
    Delete,
    /// Deletes records without a trace.
    HardDelete,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Takes data.
    Open,
    /// Waits for its turn.
    UploadComplete,
    /// Is being worked on.
    InProgress,
    /// Every row was looked at; some may have been refused.
    JobComplete,
    /// Ended early; what was written stays written.
    Failed,
    /// Ended by a client.
    Aborted,
}

/// A job of the Bulk API 2.0, or a batch of a job of the older API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: Id,
    /// Who made it; its writes are this user's.
    pub user: Id,
    /// `client=` of the request that made it; its commits carry this name.
    pub client: Option<String>,
    /// API version that it was made with: 68.
    pub version: u16,
    /// Object, canonical name.
    pub object: String,
    /// Form of its file.
    pub dialect: Dialect,
    /// When it was made.
    pub created: Timestamp,
    /// When its state changed last.
    pub modified: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Its place in the queue, given when it is closed.
    pub turn: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Microseconds of work.
    pub micros: u64,
    /// What makes it a batch; none for a job of the Bulk API 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// What it does.
    pub work: Work,
    /// When it took its last step, on the machine's steady clock; a restart begins anew.
    #[serde(skip, default = "stopwatch")]
    pub stepped: Instant,
}

/// What a job does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Writes records.
    Ingest(Ingest),
    /// Reads records.
    Query(Extract),
}

/// What an ingest job does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingest {
    /// What it does with its rows.
    pub operation: Operation,
    /// Key of an upsert, canonical name.
    pub external_id: Option<String>,
    /// Assignment rule as given; the sandbox has none to run.
    pub assignment_rule: Option<String>,
    /// The file, once it was uploaded, and what became of its rows.
    pub upload: Option<Upload>,
    /// After so many rows a fault rule ends the job, with this text.
    pub stop: Option<(u64, String)>,
}

impl Operation {
    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }

    /// The operation of this name; the case matters.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Insert,
            Self::Update,
            Self::Upsert,
            Self::Delete,
            Self::HardDelete,
        ];
        all.into_iter().find(|one| one.name() == name)
    }

    /// Whether its rows are nothing but ids.
    pub fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::HardDelete)
    }

    /// The calls that an object must support for it.
    pub fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Insert => &["create"],
            Self::Update => &["update"],
            Self::Upsert => &["create", "update"],
            Self::Delete | Self::HardDelete => &["delete"],
        }
    }
}

impl State {
    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Open,
            Self::UploadComplete,
            Self::InProgress,
            Self::JobComplete,
            Self::Failed,
            Self::Aborted,
        ];
        all.into_iter().find(|one| one.name() == name)
    }

    /// Whether nothing more happens.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }

    /// Whether a worker has something to do.
    pub fn is_queued(self) -> bool {
        matches!(self, Self::UploadComplete | Self::InProgress)
    }
}

/// How much of a job an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A change of state: what the job is.
    State,
    /// A job just made: also its file's form and where to put it.
    Made,
    /// An entry of a list: also its type.
    Listed,
    /// Everything, with counters.
    Full,
}

impl Job {
    /// Puts the job into another state.
    pub fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.modified = now;
    }

    /// Ends the job early.
    pub fn fail(&mut self, why: String, now: Timestamp) {
        self.error = Some(why);
        self.enter(State::Failed, now);
    }

    /// Through which door its writes come.
    pub fn origin(&self) -> Origin {
        Origin {
            api: "bulkapi",
            version: format!("{}.0", self.version),
            client: self.client.clone(),
        }
    }

    /// The job of the older API that this is a batch of.
    pub fn batch_of(&self) -> Option<Id> {
        self.batch.as_ref().map(|batch| batch.job)
    }

    /// Whether this is a batch of this job.
    pub fn is_batch_of(&self, job: Id) -> bool {
        self.batch_of() == Some(job)
    }

    /// Whether this is an ingest job.
    pub fn is_ingest(&self) -> bool {
        matches!(self.work, Work::Ingest(_))
    }

    /// Bytes that its files take in memory.
    pub fn weight(&self) -> usize {
        let request = self.batch.as_ref().map_or(0, |batch| batch.request.len());
        request
            + match &self.work {
                Work::Ingest(ingest) => ingest.upload.as_ref().map_or(0, Upload::weight),
                Work::Query(extract) => extract.weight(),
            }
    }

    /// The job as an answer shows it, keys in the order of recordings.
    pub fn to_json(&self, detail: Detail) -> Json {
        let mut out = Map::new();
        let mut put = |key: &str, value: Json| drop(out.insert(key.to_owned(), value));
        let operation = match &self.work {
            Work::Ingest(ingest) => ingest.operation.name(),
            Work::Query(extract) => extract.operation(),
        };
        put("id", self.id.to_string().into());
        put("operation", operation.into());
        put("object", self.object.clone().into());
        put("createdById", self.user.to_string().into());
        put("createdDate", wire_instant(self.created).into());
        put("systemModstamp", wire_instant(self.modified).into());
        put("state", self.state.name().into());
        if let Work::Ingest(ingest) = &self.work {
            if let Some(key) = &ingest.external_id {
                put("externalIdFieldName", key.clone().into());
            }
            if let Some(rule) = &ingest.assignment_rule {
                put("assignmentRuleId", rule.clone().into());
            }
        }
        put("concurrencyMode", "Parallel".into());
        put("contentType", "CSV".into());
        put("apiVersion", f64::from(self.version).into());
        if detail == Detail::State {
            return Json::Object(out);
        }
        if detail != Detail::Made {
            put(
                "jobType",
                if self.is_ingest() { "V2Ingest" } else { "V2Query" }.into(),
            );
        }
        if self.is_ingest() && self.state == State::Open {
            let url = format!(
                "services/data/v{}.0/jobs/ingest/{}/batches",
                self.version, self.id
            );
            put("contentUrl", url.into());
        }
        put("lineEnding", self.dialect.line_ending.name().into());
        put("columnDelimiter", self.dialect.delimiter.name().into());
        if detail == Detail::Full {
            out.extend(self.counters());
        }
        Json::Object(out)
    }

    fn counters(&self) -> Map<String, Json> {
        let millis = self.micros.div_ceil(1_000);
        let counters = match &self.work {
            Work::Ingest(ingest) => {
                let counted = ingest.upload.as_ref().map(|upload| {
                    json!({"numberRecordsProcessed": upload.processed(), "numberRecordsFailed": upload.failed()})
                });
                let times = json!({
                    "retries": 0, "totalProcessingTime": millis, "apiActiveProcessingTime": millis,
                    "apexProcessingTime": 0,
                });
                let message = self.error.as_ref().map(|text| json!({"errorMessage": text}));
                vec![counted, Some(times), message]
            }
            Work::Query(extract) => vec![Some(json!({
                "numberRecordsProcessed": extract.count(), "retries": 0, "totalProcessingTime": millis,
                "isPkChunkingSupported": extract.chunkable(&self.object),
            }))],
        };
        let objects = counters.into_iter().flatten();
        objects
            .filter_map(|one| one.as_object().cloned())
            .flatten()
            .collect()
    }
}
