//! The journal: every row is at once the memory that a restarted run answers from, the event that people see in the
//! timeline, and the audit line.

mod data;

pub use data::Data;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a journal row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run was accepted.
    Accepted,
    /// Something told of a change; `data` is the [`crate::change::Hint`].
    Hint,
    /// A step is about to touch a foreign system. Written before the touch.
    Intent,
    /// A step ended well; `data` is its result and answers the step when the run starts again.
    Done,
    /// A step failed; `data` is the report.
    Failed,
    /// The run is to be tried again; `data` has the moment and the reason.
    Parked,
    /// The run waits for a person.
    Waiting,
    /// Somebody changed a record under the run: what was read no longer counts, the run starts over.
    Restarted,
    /// A later run took over.
    Superseded,
    /// The run was put aside for good.
    Dead,
    /// The run succeeded; `data` is the outcome.
    Succeeded,
    /// The run was put back in the queue by a person or a reconnect.
    Requeued,
    /// The run was taken back; `data` says who did it and why.
    Cancelled,
    /// The run had ended, and a fresh one looks again; `data` names it.
    Replayed,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 14] = {
        use EventKind::*;
        [
            Accepted, Hint, Intent, Done, Failed, Parked, Waiting, Restarted, Superseded, Dead, Succeeded,
            Requeued, Cancelled, Replayed,
        ]
    };

    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Accepted => "accepted",
            EventKind::Hint => "hint",
            EventKind::Intent => "intent",
            EventKind::Done => "done",
            EventKind::Failed => "failed",
            EventKind::Parked => "parked",
            EventKind::Waiting => "waiting",
            EventKind::Restarted => "restarted",
            EventKind::Superseded => "superseded",
            EventKind::Dead => "dead",
            EventKind::Succeeded => "succeeded",
            EventKind::Requeued => "requeued",
            EventKind::Cancelled => "cancelled",
            EventKind::Replayed => "replayed",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One row of the journal of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SyncEvent {
    /// Number within the run: 1, 2, 3, … without gaps. 0 until the store has numbered it.
    pub sequence: u32,
    /// What it says.
    pub kind: EventKind,
    /// The step it is about, e.g. `write.crm`; `run` for the run itself.
    pub step: String,
    /// The claim under which it was written.
    pub attempt: u32,
    /// When the step began, or when the row was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// How long the step took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Result, report or plan; secrets never get here.
    #[serde(default, skip_serializing_if = "Data::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Data,
}
