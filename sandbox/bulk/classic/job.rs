//! A job: a bag of batches that do the same to the same object.

use super::form::Form;
use crate::bulk::job::Operation;
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
}
