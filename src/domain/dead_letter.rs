//! Dead letters: runs that failed for good, told so that a person can deal with many at once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Report, Written};
use crate::id::{ConnectionName, CorrelationId, OpportunityKey, RunId};
use crate::run::{Run, Trigger};

mod signature;

pub use signature::Signature;

/// Where a dead letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// Nobody has dealt with it.
    Open,
    /// A later sync does its work: a replay, or one that a person's correction led to.
    Replayed,
    /// There was nothing left to do: a plan saw that both sides agree, or that a later sync had succeeded.
    Settled,
    /// A person gave it up, with a reason.
    Discarded,
}

impl LetterState {
    /// All states.
    pub const ALL: [LetterState; 4] = {
        use LetterState::*;
        [Open, Replayed, Settled, Discarded]
    };

    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            LetterState::Open => "open",
            LetterState::Replayed => "replayed",
            LetterState::Settled => "settled",
            LetterState::Discarded => "discarded",
        }
    }
}

/// What a repeat would meet. Every replay reads both sides before it decides, so none of these forbids it; they tell
/// what to expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RetrySafety {
    /// The run wrote nothing anywhere.
    NothingWritten,
    /// Some of its writes are in place, or one may be: it is read back before anything is sent.
    ReadBackFirst,
    /// We cannot tell, because the process failed and not the sync: look at both records first.
    Unknown,
}

impl RetrySafety {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            RetrySafety::NothingWritten => "safe: nothing was written",
            RetrySafety::ReadBackFirst => "safe: what may be in place is read back first",
            RetrySafety::Unknown => "unknown: look at both records first",
        }
    }

    /// What the last failure and the journal of a run tell. `marks` are kind and step of its rows, in order.
    pub fn of<'a>(report: &Report, marks: impl Iterator<Item = (&'a str, &'a str)>) -> RetrySafety {
        let (mut in_place, mut open) = (false, false);
        for (kind, step) in marks.filter(|(_, step)| step.starts_with("write.")) {
            match kind {
                "intent" => open = true,
                "done" => (in_place, open) = (true, false),
                "failed" => open = report.details.place.step.as_deref() == Some(step) && open,
                _ => {}
            }
        }
        let certain = report.details.written == Written::No;
        match (report.code, certain) {
            (Code::Internal | Code::DeadLettered, _) if open || !certain => RetrySafety::Unknown,
            (Code::DeadLettered, _) => RetrySafety::Unknown,
            (_, true) if !in_place => RetrySafety::NothingWritten,
            _ => RetrySafety::ReadBackFirst,
        }
    }
}

/// A run that failed for good. It goes by the correlation id of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The run.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub run_id: RunId,
    /// Counts deaths over all runs, from 1.
    pub number: i64,
    /// Correlation id of the run, and name of the letter.
    pub correlation: CorrelationId,
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The opportunity, as it was named.
    pub opportunity: OpportunityKey,
    /// What asked for the run.
    pub trigger: Trigger,
    /// Where it is.
    pub state: LetterState,
    /// What it has in common with others.
    pub signature: Signature,
    /// Whether a repeat is safe.
    pub retry: RetrySafety,
    /// What to do about it.
    pub next: String,
    /// Failed tries of the run.
    pub tries: u32,
    /// When the run was accepted.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub accepted_at: Timestamp,
    /// When it was put aside.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub died_at: Timestamp,
    /// How it was dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

/// How a dead letter was dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Why, in words.
    pub reason: String,
    /// The sync that does its work, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<CorrelationId>,
}

impl DeadLetter {
    /// The letter of a run that has just died, under the next number.
    pub fn of<'a>(
        run: &Run,
        report: &Report,
        marks: impl Iterator<Item = (&'a str, &'a str)>,
        number: i64,
    ) -> DeadLetter {
        DeadLetter {
            run_id: run.id,
            number,
            correlation: run.correlation.clone(),
            connection: run.lane.connection.clone(),
            opportunity: run.lane.opportunity.clone(),
            trigger: run.trigger,
            state: LetterState::Open,
            signature: Signature::of(report),
            retry: RetrySafety::of(report, marks),
            next: advice(report),
            tries: run.tries,
            accepted_at: run.created_at,
            died_at: run.updated_at,
            closed: None,
        }
    }
}

/// What to do about it. The advice of an error that passes with time speaks of a sync that is still tried; this one is not.
pub(crate) fn advice(report: &Report) -> String {
    match report.code.class().passes_with_time() {
        true => "replay it when the cause has passed: `cpq dlq plan`".to_owned(),
        false => report.details.next.clone(),
    }
}

/// Dead letters of one signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LetterGroup {
    /// What they have in common.
    pub signature: Signature,
    /// How many are open.
    pub count: u64,
    /// On how many opportunities: so many syncs a replay is at most.
    pub opportunities: u64,
    /// When the first of them died.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_seen: Timestamp,
    /// When the last of them died.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_seen: Timestamp,
    /// Correlation id of the last of them.
    pub example: CorrelationId,
    /// What to do about the example.
    pub next: String,
    /// Whether a repeat of the example is safe.
    pub retry: RetrySafety,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn safety(error: Error, marks: &[(&str, &str)]) -> RetrySafety {
        RetrySafety::of(&error.report(None), marks.iter().copied())
    }

    #[test]
    fn nobody_is_told_that_a_dead_sync_is_tried_again() {
        for &code in Code::ALL {
            let told = advice(&Error::new(code, "-").report(None));
            assert!(!told.is_empty() && !told.contains("by itself"), "{code}: {told}");
        }
    }

    #[test]
    fn a_repeat_is_judged_by_what_was_sent() {
        let refused = || Error::new(Code::CrmRejected, "no").step("write.crm");
        let reads = ("done", "read.crm");
        assert_eq!(safety(refused(), &[reads]), RetrySafety::NothingWritten);
        let sent = [reads, ("intent", "write.crm"), ("failed", "write.crm")];
        assert_eq!(safety(refused(), &sent), RetrySafety::NothingWritten);
        let half = [
            ("intent", "write.cpq"),
            ("done", "write.cpq"),
            ("intent", "write.crm"),
        ];
        assert_eq!(safety(refused(), &half), RetrySafety::ReadBackFirst);
        let lost = Error::new(Code::OutcomeUnknown, "lost").written(Written::Unknown);
        assert_eq!(safety(lost, &sent[..2]), RetrySafety::ReadBackFirst);
        let panicked = Error::new(Code::Internal, "panic").written(Written::Unknown);
        assert_eq!(safety(panicked, &sent[..2]), RetrySafety::Unknown);
        let killed = Error::new(Code::DeadLettered, "three processes died");
        assert_eq!(safety(killed, &[reads]), RetrySafety::Unknown);
    }
}
