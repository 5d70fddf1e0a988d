//! Replays: a frozen selection of dead letters, what their replay will do, and how far it has come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dead_letter::Signature;
use crate::error::{Code, Error, Result};
use crate::id::{ConnectionName, CorrelationId, Lane, RunId};

mod estimate;
mod stop;

pub use estimate::{Foreseen, Prediction};
pub use stop::{Failure, Limits, Verdict, judge};

/// Name of a plan, e.g. `rp-001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanId(pub i64);

impl std::fmt::Display for PlanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rp-{:03}", self.0)
    }
}

impl PlanId {
    /// Reads `rp-7` and `rp-007` alike; [`Code::RequestInvalid`] for anything else.
    pub fn parse(text: &str) -> Result<PlanId> {
        let digits = text.strip_prefix("rp-").filter(|digits| {
            (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        digits
            .and_then(|digits| digits.parse().ok())
            .map(PlanId)
            .ok_or_else(|| {
                Error::new(
                    Code::RequestInvalid,
                    format!("replay plan {text:.40?} is malformed"),
                )
                .next("use `rp-` and a number, e.g. rp-001; `cpq dlq plans` shows them")
            })
    }
}

impl TryFrom<String> for PlanId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        PlanId::parse(&text)
    }
}

impl From<PlanId> for String {
    fn from(id: PlanId) -> String {
        id.to_string()
    }
}

/// Which dead letters a plan takes in. What is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// Of this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionName>,
    /// Of this signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// With this code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// That died at this moment or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
    /// At most so many, the oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Number of the last letter that it takes in: what dies later is not in the plan. 0 until it is frozen.
    #[serde(default)]
    pub up_to: i64,
}

/// Where a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    /// It is being made.
    Planning,
    /// It is made, and nothing was done yet.
    Planned,
    /// It is being carried out.
    Running,
    /// A person paused it.
    Paused,
    /// It stopped by itself, and says why.
    Stopped,
    /// A person gave it up. Terminal.
    Aborted,
    /// Every opportunity was synced, or left with a reason. Terminal.
    Done,
}

impl PlanState {
    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            PlanState::Planning => "planning",
            PlanState::Planned => "planned",
            PlanState::Running => "running",
            PlanState::Paused => "paused",
            PlanState::Stopped => "stopped",
            PlanState::Aborted => "aborted",
            PlanState::Done => "done",
        }
    }
}

/// What a person wants of a plan that another process carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Begin no more syncs; those under way end.
    Pause,
    /// The same, for good.
    Abort,
}

/// What the digest of a plan is about, beside its items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Which letters.
    pub selection: Selection,
    /// Who asked for it.
    pub by: String,
    /// The ownership matrix that it was decided under.
    pub matrix_version: String,
    /// What the replay will do.
    pub prediction: Prediction,
    /// Signatures of the selected letters: failures of these are no news.
    pub signatures: Vec<Signature>,
}

/// How far a replay has come. Only sums: a process that takes it over goes on with them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// How it is carried out; set by the first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Syncs that succeeded.
    pub succeeded: u64,
    /// Of these, how many wrote something.
    pub wrote: u64,
    /// Quotes that were created.
    pub created: u64,
    /// Field values written to the CRM.
    pub crm_writes: u64,
    /// Field values written to the CPQ.
    pub cpq_writes: u64,
    /// Calls of the CRM that the syncs asked for; the connection folds calls of syncs that are under way together.
    pub api_calls: u64,
    /// Fields that wait for a person.
    pub conflicts: u64,
    /// Syncs that failed for good; each is a dead letter of its own.
    pub failed: u64,
    /// Syncs that did not end yet: they wait for a person, or are tried again by themselves.
    pub parked: u64,
    /// Dead letters that were closed.
    pub letters_closed: u64,
    /// Whether the canary is through.
    pub canary_passed: bool,
    /// When it was started first.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended, or stopped.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Milliseconds of work, without pauses.
    pub worked_ms: u64,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<crate::error::Report>,
}

impl Progress {
    /// Syncs that ended or rest.
    pub fn settled(&self) -> u64 {
        self.succeeded + self.failed + self.parked
    }
}

/// A plan as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name.
    pub id: PlanId,
    /// Where it is.
    pub state: PlanState,
    /// SHA-256 over its content and items, in hex; empty while it is being made.
    pub digest: String,
    /// What the digest is about, beside the items.
    pub content: Content,
    /// How far it has come.
    pub progress: Progress,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Counts the processes that took it up; one that names an older number writes nothing.
    pub attempt: u32,
    /// Until when whoever works on it is taken to be alive.
    pub lease_until: Timestamp,
    /// What a person wants of whoever works on it.
    pub wanted: Option<Wanted>,
}

/// What is to be done about one opportunity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Sync it: the look foretold what comes of it.
    Sync,
    /// Sync it: it was not in the sample that was looked at.
    SyncUnseen,
    /// Nothing: both sides agreed when the plan was made.
    Agrees,
    /// Nothing: a later sync of the opportunity has succeeded.
    SyncedSince,
    /// Nothing: it would fail again; the letters stay open.
    WouldFail,
}

impl Deed {
    /// Whether it is synced.
    pub fn is_sync(self) -> bool {
        matches!(self, Deed::Sync | Deed::SyncUnseen)
    }
}

/// One opportunity of a plan: however many letters, it is one sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Number of its oldest letter; items are carried out in this order.
    pub position: i64,
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The opportunity.
    pub opportunity: crate::id::OpportunityKey,
    /// How many letters are folded into it.
    pub letters: u64,
    /// Number of its newest letter.
    pub newest: i64,
    /// What is to be done.
    pub deed: Deed,
    /// What the look foretold.
    pub foreseen: Foreseen,
    /// Why nothing is to be done, or what a sync would meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Item {
    /// What runs one at a time.
    pub fn lane(&self) -> Lane {
        Lane {
            connection: self.connection.clone(),
            opportunity: self.opportunity.clone(),
        }
    }
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Nothing was done yet.
    Pending,
    /// Nothing is to be done.
    Left,
    /// Its sync was accepted.
    Submitted,
    /// Its sync succeeded.
    Done,
    /// Its sync failed for good.
    Failed,
    /// Its sync waits, or is tried again by itself.
    Parked,
}

impl ItemState {
    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ItemState::Pending => "pending",
            ItemState::Left => "left",
            ItemState::Submitted => "submitted",
            ItemState::Done => "done",
            ItemState::Failed => "failed",
            ItemState::Parked => "parked",
        }
    }
}

/// An item with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ItemNow {
    /// The item.
    #[serde(flatten)]
    pub item: Item,
    /// Where it is.
    pub state: ItemState,
    /// Its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub run_id: Option<RunId>,
}

/// What a fresh run replays; kept in the first row of its journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayOf {
    /// Correlation ids of the syncs that it replays: the newest ones, if there are many.
    pub syncs: Vec<CorrelationId>,
    /// How many there are.
    pub count: u64,
    /// The plan, if it was one of a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_goes_by_its_number() {
        assert_eq!(PlanId::parse("rp-007").ok(), PlanId::parse("rp-7").ok());
        assert_eq!(PlanId(7).to_string(), "rp-007");
        for bad in ["", "7", "rp-", "rp-x", "rp--1", "rp-9999999999999999999"] {
            assert!(PlanId::parse(bad).is_err(), "{bad}");
        }
    }
}
