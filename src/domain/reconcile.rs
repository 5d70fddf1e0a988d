//! A reconcile as it is asked for, kept and told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::certificate::Object as Counted;
use crate::compare::{Cause, Difference};
use crate::error::Report as Failure;
use crate::id::{ConnectionName, OpportunityKey, QuoteNumber, RecordId, RunId};
use crate::view::FieldName;

/// Records named for each cause. Enough to look at; all of them are listed record by record.
pub const SAMPLES: usize = 5;

/// Where a reconcile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ReconcileState))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A process works on it, or died while it did.
    Running,
    /// It stopped before its end, and can be resumed from its mark.
    Stopped,
    /// It has looked at everything.
    Done,
    /// It failed; it can be resumed from its mark.
    Failed,
    /// Another one was started in its place.
    Abandoned,
}

impl State {
    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Stopped => "stopped",
            State::Done => "done",
            State::Failed => "failed",
            State::Abandoned => "abandoned",
        }
    }
}

/// What asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ReconcileTrigger))]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    /// A person or a program.
    Request,
    /// The schedule.
    Schedule,
}

/// What is reconciled, and whether it is repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// Only what changed since then on either side; from the start of that hour, so that its certificates are whole.
    pub since: Option<Timestamp>,
    /// Whether differing records are synced, and looked at again.
    pub repair: bool,
    /// What asked for it.
    pub asked_by: AskedBy,
}

/// What a reconcile does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ReconcilePhase))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Goes through the CRM's opportunities.
    #[default]
    Crm,
    /// Goes through the CPQ's quotes and counts them against what the CRM had.
    Cpq,
    /// Looks for the opportunities of quotes that the CRM did not show.
    Strays,
    /// Syncs what differs, and looks again.
    Repair,
    /// Nothing any more.
    End,
}

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The phase.
    pub phase: Phase,
    /// The last record or page of the phase that is done; absent at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// How often a field differs for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FieldCount {
    /// What the field belongs to.
    pub object: Counted,
    /// The field; absent when the whole record differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldName>,
    /// Why.
    pub cause: Cause,
    /// Values, or records where there is no field.
    pub count: u64,
}

/// How many records differ for one cause, which for example, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CauseCount {
    /// Why.
    pub cause: Cause,
    /// Records; one that differs for several causes counts for each.
    pub records: u64,
    /// Some of them, by business number or id.
    pub samples: Vec<String>,
    /// What to do about it.
    pub next: String,
}

/// What was found, counted. Bounded by the matrix and the list of causes, however many records differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Records that differ.
    pub records: u64,
    /// By field and cause.
    pub fields: Vec<FieldCount>,
    /// By cause.
    pub causes: Vec<CauseCount>,
}

impl Findings {
    /// Adds a record that differs.
    pub fn add(&mut self, name: &str, differences: &[Difference]) {
        self.records += 1;
        for difference in differences {
            self.add_field(difference);
        }
        let mut causes: Vec<Cause> = differences.iter().map(|difference| difference.cause).collect();
        causes.sort_unstable();
        causes.dedup();
        for cause in causes {
            self.add_cause(cause, name);
        }
    }

    fn add_field(&mut self, difference: &Difference) {
        let same = |count: &&mut FieldCount| {
            (count.object, count.cause) == (difference.object, difference.cause)
                && count.field == difference.field
        };
        match self.fields.iter_mut().find(same) {
            Some(count) => count.count += 1,
            None => self.fields.push(FieldCount {
                object: difference.object,
                field: difference.field.clone(),
                cause: difference.cause,
                count: 1,
            }),
        }
    }

    fn add_cause(&mut self, cause: Cause, name: &str) {
        let known = self.causes.iter().position(|count| count.cause == cause);
        let at = known.unwrap_or_else(|| {
            self.causes.push(CauseCount {
                cause,
                records: 0,
                samples: Vec::new(),
                next: cause.next().to_owned(),
            });
            self.causes.len() - 1
        });
        let count = &mut self.causes[at];
        count.records += 1;
        if count.samples.len() < SAMPLES {
            count.samples.push(name.to_owned());
        }
    }
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// Syncs submitted.
    pub submitted: u64,
    /// Records that agree now.
    pub repaired: u64,
    /// What still differs, counted as it is now.
    pub remaining: Findings,
}

/// What a reconcile has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ReconcileReport))]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Opportunities of the CRM, and quotes without one, that were looked at.
    pub looked_at: u64,
    /// Quotes of the CPQ that were counted against them.
    pub quotes_counted: u64,
    /// What differed. A record that agreed on a second look is not in it.
    pub found: Findings,
    /// What was done about it, with `repair`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// Records that were not judged, because a sync of theirs was under way. No difference.
    pub in_flight: u64,
    /// Opportunities without products or account and without a quote, and dead quotes without an opportunity. No
    /// difference.
    pub excluded: u64,
    /// Records that differed at first, and agreed when both sides were read once more. No difference.
    pub settled_on_second_look: u64,
    /// Values that each side stores in its own way (rounded, trimmed). No difference.
    pub stored_differently: u64,
    /// Calls of the CRM's API that were made for the looks; those of the syncs of a repair are their own.
    pub api_calls: u64,
    /// Time at work, in milliseconds, without the time between a stop and a resume.
    pub duration_ms: u64,
    /// The most opportunities that were held in memory at once, however many there are.
    pub records_held: u64,
}

impl Told {
    /// What differs now.
    pub fn remaining(&self) -> &Findings {
        self.repair
            .as_ref()
            .map_or(&self.found, |repair| &repair.remaining)
    }
}

/// A reconcile as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconciliation {
    /// Id; time-ordered like that of a run.
    pub id: RunId,
    /// What was asked for.
    pub order: Order,
    /// Where it is.
    pub state: State,
    /// Counts the processes that took it up; one that names an older number writes nothing more.
    pub attempt: u32,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last wrote something down.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Until when its process is taken to be alive.
    pub lease_until: Timestamp,
    /// How far it has come.
    pub mark: Mark,
    /// What it has to tell so far.
    pub told: Told,
    /// Version of the matrix that it judges by.
    pub matrix_version: String,
    /// Why it failed or stopped.
    pub error: Option<Failure>,
}

/// What became of a differing record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DifferingState))]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It differs; nothing was done about it.
    Open,
    /// It was synced and agrees now.
    Repaired,
    /// It was synced, or no sync can help, and it still differs.
    Remains,
}

impl Fate {
    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Open => "open",
            Fate::Repaired => "repaired",
            Fate::Remains => "remains",
        }
    }
}

/// A record that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Differing {
    /// The CRM's id of the opportunity.
    pub opportunity_id: RecordId,
    /// Its business number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity: Option<OpportunityKey>,
    /// The quote, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<QuoteNumber>,
    /// What became of it.
    pub state: Fate,
    /// How it differed when it was last looked at; the first [`DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// Correlation id of the sync that was to repair it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Why it still differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Differences kept of one record: a quote has about 60 fields, and thousands of lines may differ alike.
pub const DIFFERENCES: usize = 60;

impl Differing {
    /// How people name it.
    pub fn name(&self) -> &str {
        let number = self.opportunity.as_ref().map(OpportunityKey::as_str);
        number.unwrap_or(self.opportunity_id.as_str())
    }

    /// Whether a sync can help.
    pub fn is_repairable(&self) -> bool {
        self.differences
            .iter()
            .any(|difference| difference.cause.is_repairable())
    }
}
