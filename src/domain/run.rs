//! The states of a run, and the only ways between them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dead_letter;
use crate::error::Report;
use crate::id::{CorrelationId, Lane, RunId};
use crate::resolve::undo::Undone;
use crate::trace::TraceContext;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waiting for its lane.
    Queued,
    /// A worker holds it.
    Running,
    /// It failed in a way that passes; it is tried again when due.
    Parked,
    /// It waits for a person: a decision, or a new login.
    Waiting,
    /// Done. Terminal.
    Succeeded,
    /// A later run of the lane does its work. Terminal.
    Superseded,
    /// It failed for good, or too often. Terminal until a person replays it.
    Dead,
    /// A person took it back. Terminal.
    Cancelled,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// A worker takes it.
    Claim,
    /// Its lease ran out: the worker died.
    LeaseLost,
    /// It is to be tried again later.
    Park,
    /// It needs a person.
    Wait,
    /// It is done.
    Succeed,
    /// A later run takes over.
    Supersede,
    /// It is put aside.
    Bury,
    /// A person or a reconnect puts it back in the queue.
    Requeue,
    /// A person takes it back.
    Cancel,
}

impl RunState {
    /// All states.
    pub const ALL: [RunState; 8] = {
        use RunState::*;
        [
            Queued, Running, Parked, Waiting, Succeeded, Superseded, Dead, Cancelled,
        ]
    };

    /// The state after `event`, or `None` where it must not happen.
    pub fn after(self, event: RunEvent) -> Option<RunState> {
        use RunState::*;
        match (self, event) {
            (Queued | Parked, RunEvent::Claim) => Some(Running),
            (Running, RunEvent::LeaseLost) => Some(Queued),
            // A run that is accepted while its connection is held is put off before anybody tries it.
            (Running | Queued, RunEvent::Park) => Some(Parked),
            (Running, RunEvent::Wait) => Some(Waiting),
            (Running, RunEvent::Succeed) => Some(Succeeded),
            (Running | Queued | Parked | Waiting | Dead, RunEvent::Supersede) => Some(Superseded),
            (Running, RunEvent::Bury) => Some(Dead),
            (Parked | Waiting | Dead, RunEvent::Requeue) => Some(Queued),
            (Queued | Parked | Waiting | Dead, RunEvent::Cancel) => Some(Cancelled),
            _ => None,
        }
    }

    /// Whether the run has ended.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            RunState::Succeeded | RunState::Superseded | RunState::Dead | RunState::Cancelled
        )
    }

    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Parked => "parked",
            RunState::Waiting => "waiting",
            RunState::Succeeded => "succeeded",
            RunState::Superseded => "superseded",
            RunState::Dead => "dead",
            RunState::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<RunState> {
        RunState::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What asked for a run. Only a label: whatever it says, the run looks at both sides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A request to the API or a command.
    Request,
    /// A webhook of the CRM or CPQ.
    Webhook,
    /// A change of a quote in the embedded CPQ.
    Quote,
    /// An event of the CRM's stream, or one of its outbound messages.
    Event,
    /// A look at what changed in the CRM since the last look.
    Poll,
    /// The schedule.
    Schedule,
    /// A person decided a conflict.
    Decision,
    /// A reconcile found a difference.
    Reconcile,
    /// Another run found that it must start over.
    Superseded,
    /// A replay by a person.
    Replay,
    /// A person takes back what earlier syncs wrote.
    Undo,
}

/// Whether a finished run changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Both sides agreed already.
    NoChange,
    /// At least one side was written.
    Written,
}

/// What a successful sync leaves to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whether anything was written.
    pub effect: Effect,
    /// Number of the quote, e.g. `Q-2026-0137`.
    pub quote_number: String,
    /// Its id in the CPQ.
    pub quote_id: String,
    /// Its revision.
    pub revision: u32,
    /// Its status.
    pub quote_status: String,
    /// Whether this run created the quote.
    pub created: bool,
    /// Field values written to the CRM.
    pub crm_writes: u32,
    /// Field values written to the CPQ.
    pub cpq_writes: u32,
    /// Conflicts left to a person.
    pub open_conflicts: u32,
    /// Mapped fields that could not be synced, each with its reason; never silent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What became of values that were to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Undone>,
}

/// A run as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Id.
    pub id: RunId,
    /// What it is about.
    pub lane: Lane,
    /// Our correlation id.
    pub correlation: CorrelationId,
    /// The caller's own correlation id, if it gave one.
    pub caller_correlation: Option<CorrelationId>,
    /// The W3C `traceparent` of what led to it: of our own span of the request where those are made, else the caller's, if it
    /// gave one. A replay has that of the sync that it replays.
    pub traceparent: Option<String>,
    /// What asked for it.
    pub trigger: Trigger,
    /// Where it is.
    pub state: RunState,
    /// Counts claims; writes that name an older one are refused.
    pub attempt: u32,
    /// Failed tries so far, without supersedes.
    pub tries: u32,
    /// How often the lane started over because somebody changed a record under it.
    pub restarts: u32,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When it is to be tried next.
    pub due_at: Timestamp,
    /// How it ended, if it succeeded.
    pub outcome: Option<Outcome>,
    /// Why it failed last.
    pub error: Option<Report>,
    /// The run that took over.
    pub superseded_by: Option<RunId>,
}

/// What a caller is told of a sync, whatever its state. The body of `POST /api/v1/sync/opportunities/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SyncResult {
    /// `success`, or the state of a run that has not succeeded: `queued`, `running`, `parked`, `waiting`, `dead`, ….
    pub status: String,
    /// Number of the quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_id: Option<String>,
    /// Our correlation id.
    pub correlation_id: CorrelationId,
    /// The caller's own, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_correlation_id: Option<CorrelationId>,
    /// W3C trace id of the sync: the caller's, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What was done, once it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why it has not succeeded, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Report>,
    /// When it is tried next, if it is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub retry_at: Option<Timestamp>,
}

impl Run {
    /// Under which span it happens, whichever process takes it up: what led to it, else its own beginning.
    pub fn trace(&self) -> TraceContext {
        let given = self.traceparent.as_deref().and_then(TraceContext::parse);
        given.unwrap_or_else(|| TraceContext::of_run(self.id))
    }

    /// What a caller is told.
    pub fn result(&self) -> SyncResult {
        let succeeded = self.state == RunState::Succeeded;
        SyncResult {
            status: if succeeded {
                "success".into()
            } else {
                self.state.as_str().into()
            },
            quote_id: self.outcome.as_ref().map(|outcome| outcome.quote_number.clone()),
            correlation_id: self.correlation.clone(),
            caller_correlation_id: self.caller_correlation.clone(),
            trace_id: Some(self.trace().trace_id()),
            outcome: self.outcome.clone(),
            error: if succeeded { None } else { self.told_error() },
            retry_at: (self.state == RunState::Parked).then_some(self.due_at),
        }
    }

    /// The error as it stands now. While syncs are tried again its advice is to wait; for one that has died that is wrong.
    fn told_error(&self) -> Option<Report> {
        let mut report = self.error.clone()?;
        if self.state == RunState::Dead {
            report.details.next = dead_letter::advice(&report);
        }
        Some(report)
    }

    /// HTTP status and body that answer the request for this run: the body of an ended run never changes again, so it
    /// is what a repeated idempotency key is answered with.
    pub fn answer(&self) -> (u16, String) {
        match (self.state, self.told_error()) {
            (RunState::Dead | RunState::Waiting, Some(report)) => (report.code.http_status(), json(&report)),
            (RunState::Succeeded | RunState::Superseded | RunState::Cancelled, _) => {
                (200, json(&self.result()))
            }
            _ => (202, json(&self.result())),
        }
    }
}

/// Our own types have string keys and no foreign `Serialize`, so this cannot fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_run_moves_only_by_a_person() {
        use RunEvent::*;
        let all = [
            Claim, LeaseLost, Park, Wait, Succeed, Supersede, Bury, Requeue, Cancel,
        ];
        for state in RunState::ALL.into_iter().filter(|state| state.is_terminal()) {
            let moves: Vec<_> = all
                .into_iter()
                .filter(|event| state.after(*event).is_some())
                .collect();
            let expected = if state == RunState::Dead {
                vec![Supersede, Requeue, Cancel]
            } else {
                vec![]
            };
            assert_eq!(moves, expected, "{state}");
        }
    }

    #[test]
    fn every_name_reads_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Some(state));
        }
    }
}
