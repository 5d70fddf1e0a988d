//! What a run must be, from its journal alone.
//!
//! The journal is the log that everything else is told from, so what the store keeps of a run beside it must follow from
//! it. [`Fold`] takes the rows of one run in order and says what does not fit; it needs no row twice.

use std::fmt;

use serde_json::Value as Json;

use crate::event::EventKind;
use crate::run::{RunEvent, RunState};

/// A row, as far as the fold asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number within the run.
    pub sequence: u32,
    /// What it says.
    pub kind: EventKind,
    /// The claim under which it was written; 0 for rows from outside of a claim.
    pub attempt: u32,
}

/// What the rows so far lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    rows: u32,
    attempt: u32,
    state: Option<RunState>,
    /// A restart may have been put off: then the run is parked, and the row does not say so.
    put_off: bool,
}

/// Why a row, or what is stored of a run, does not follow from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// A row is missing, or there twice.
    Gap {
        /// The number that should have come.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// A process that had lost the run wrote history all the same.
    Stale {
        /// The row.
        sequence: u32,
        /// The claim that it names.
        attempt: u32,
        /// The claim that counted then.
        held: u32,
    },
    /// The row cannot happen to a run in that state.
    Impossible {
        /// The row.
        sequence: u32,
        /// What it says.
        kind: EventKind,
        /// The state before; `None` for a run that was not accepted yet.
        state: Option<RunState>,
    },
    /// What is stored differs from what the rows lead to.
    Other {
        /// What differs: `state` or `attempt`.
        what: &'static str,
        /// As the journal has it.
        journal: String,
        /// As it is stored.
        stored: String,
    },
}

impl Fold {
    /// Before the first row.
    pub const fn new() -> Fold {
        Fold {
            rows: 0,
            attempt: 0,
            state: None,
            put_off: false,
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Takes the next row. After a misfit the fold goes on as well as it can, so that one missing row is told once.
    pub fn take(&mut self, entry: Entry) -> Result<(), Misfit> {
        let expected = self.rows + 1;
        self.rows = entry.sequence;
        if entry.sequence != expected {
            self.adopt(entry);
            return Err(Misfit::Gap {
                expected,
                found: entry.sequence,
            });
        }
        self.claimed(entry)?;
        let Some(after) = self.after(entry.kind) else {
            let state = self.state;
            self.adopt(entry);
            return Err(Misfit::Impossible {
                sequence: entry.sequence,
                kind: entry.kind,
                state,
            });
        };
        self.put_off = match entry.kind {
            EventKind::Hint | EventKind::Accepted => self.put_off,
            kind => kind == EventKind::Restarted,
        };
        self.state = Some(after);
        Ok(())
    }

    /// Whether a run that is stored so follows from the rows.
    pub fn leads_to(&self, state: RunState, attempt: u32) -> Result<(), Misfit> {
        let other = |what, journal: String, stored: String| Misfit::Other {
            what,
            journal,
            stored,
        };
        let Some(folded) = self.state else {
            return Err(other("state", "no rows".into(), state.to_string()));
        };
        let parked = self.put_off && state == RunState::Parked;
        // A claim leaves no row of its own; the first row of the attempt tells of it.
        let claimed = state == RunState::Running && self.may_be_claimed();
        if folded != state && !parked && !claimed {
            return Err(other("state", folded.to_string(), state.to_string()));
        }
        let taken = self.attempt + u32::from(claimed && (folded != state || attempt > self.attempt));
        if attempt != taken {
            return Err(other("attempt", taken.to_string(), attempt.to_string()));
        }
        Ok(())
    }

    /// A row of a later claim tells that the run was claimed in between; one of an earlier claim must not be there.
    fn claimed(&mut self, entry: Entry) -> Result<(), Misfit> {
        if entry.attempt == self.attempt || (entry.attempt == 0 && from_outside(entry.kind)) {
            return Ok(());
        }
        if entry.attempt < self.attempt {
            return Err(Misfit::Stale {
                sequence: entry.sequence,
                attempt: entry.attempt,
                held: self.attempt,
            });
        }
        let (attempt, may) = (self.attempt, self.may_be_claimed());
        self.attempt = entry.attempt;
        if !may || entry.attempt != attempt + 1 {
            let state = self.state;
            self.state = Some(RunState::Running);
            return Err(Misfit::Impossible {
                sequence: entry.sequence,
                kind: entry.kind,
                state,
            });
        }
        self.state = Some(RunState::Running);
        Ok(())
    }

    fn may_be_claimed(&self) -> bool {
        let claimable = |state: RunState| state.after(RunEvent::Claim).is_some();
        self.put_off || self.state.is_some_and(claimable)
    }

    /// The state after such a row; `None` where it cannot be.
    fn after(&self, kind: EventKind) -> Option<RunState> {
        let Some(state) = self.state else {
            return (kind == EventKind::Accepted).then_some(RunState::Queued);
        };
        let parked = self.put_off.then_some(RunState::Parked);
        after(state, kind).or_else(|| after(parked?, kind))
    }

    /// Goes on behind a misfit: believes the row.
    fn adopt(&mut self, entry: Entry) {
        self.attempt = self.attempt.max(entry.attempt);
        self.put_off = entry.kind == EventKind::Restarted;
        let told = leads_to(entry.kind).or(self.state);
        self.state = Some(told.unwrap_or(RunState::Queued));
    }
}

impl Default for Fold {
    fn default() -> Self {
        Fold::new()
    }
}

fn after(state: RunState, kind: EventKind) -> Option<RunState> {
    match kind {
        // A replay that a waiting run does the work of leaves its wish there.
        EventKind::Accepted => (state.after(RunEvent::Claim).is_some()).then_some(state),
        EventKind::Replayed => state.is_terminal().then_some(state),
        EventKind::Hint => (!state.is_terminal()).then_some(state),
        EventKind::Intent | EventKind::Done | EventKind::Failed | EventKind::Restarted => {
            (state == RunState::Running).then_some(state)
        }
        EventKind::Parked => state.after(RunEvent::Park),
        EventKind::Waiting => state.after(RunEvent::Wait),
        EventKind::Succeeded => state.after(RunEvent::Succeed),
        EventKind::Superseded => state.after(RunEvent::Supersede),
        EventKind::Cancelled => state.after(RunEvent::Cancel),
        // A run whose process died is put aside in the very transaction that takes it from that process.
        EventKind::Dead => state.after(RunEvent::Bury),
        EventKind::Requeued => {
            let lost = state.after(RunEvent::LeaseLost);
            lost.or_else(|| state.after(RunEvent::Requeue))
        }
    }
}

/// The state that a run is in once such a row is there; `None` where the row leaves it as it was.
pub fn leads_to(kind: EventKind) -> Option<RunState> {
    match kind {
        EventKind::Accepted | EventKind::Requeued => Some(RunState::Queued),
        EventKind::Hint | EventKind::Replayed => None,
        EventKind::Intent | EventKind::Done | EventKind::Failed | EventKind::Restarted => {
            Some(RunState::Running)
        }
        EventKind::Parked => Some(RunState::Parked),
        EventKind::Waiting => Some(RunState::Waiting),
        EventKind::Superseded => Some(RunState::Superseded),
        EventKind::Dead => Some(RunState::Dead),
        EventKind::Succeeded => Some(RunState::Succeeded),
        EventKind::Cancelled => Some(RunState::Cancelled),
    }
}

/// Rows that people, schedules and other processes add without holding the run.
fn from_outside(kind: EventKind) -> bool {
    match kind {
        EventKind::Accepted
        | EventKind::Hint
        | EventKind::Requeued
        | EventKind::Cancelled
        | EventKind::Replayed
        | EventKind::Superseded => true,
        EventKind::Intent
        | EventKind::Done
        | EventKind::Failed
        | EventKind::Parked
        | EventKind::Waiting
        | EventKind::Restarted
        | EventKind::Dead
        | EventKind::Succeeded => false,
    }
}

/// Whether the data of such a row is how the run stood then: its outcome, or the error that it carries since.
pub fn tells_the_end(kind: EventKind) -> bool {
    match kind {
        EventKind::Parked
        | EventKind::Waiting
        | EventKind::Restarted
        | EventKind::Dead
        | EventKind::Succeeded => true,
        EventKind::Accepted
        | EventKind::Hint
        | EventKind::Intent
        | EventKind::Done
        | EventKind::Failed
        | EventKind::Superseded
        | EventKind::Requeued
        | EventKind::Replayed
        | EventKind::Cancelled => false,
    }
}

/// Whether two reports or outcomes are the same to whoever reads them.
pub fn same(journal: &Json, stored: &Json) -> bool {
    journal == stored || crate::purge::is_marker(journal)
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Gap { expected, found } => write!(f, "row {expected} should come, and row {found} does"),
            Misfit::Stale {
                sequence,
                attempt,
                held,
            } => write!(
                f,
                "row {sequence} was written under claim {attempt} when claim {held} held the run"
            ),
            Misfit::Impossible {
                sequence,
                kind,
                state: Some(state),
            } => write!(
                f,
                "row {sequence} ({}) cannot happen to a run that is {state}",
                kind.as_str()
            ),
            Misfit::Impossible {
                sequence,
                kind,
                state: None,
            } => write!(
                f,
                "row {sequence} ({}) comes before the run was accepted",
                kind.as_str()
            ),
            Misfit::Other {
                what,
                journal,
                stored,
            } => write!(f, "its {what} is {stored}, and by its journal {journal}"),
        }
    }
}

#[cfg(test)]
mod tests;
