//! Taking back what syncs wrote. A sync of its own does it, one per opportunity: it looks at both sides anew, and puts back
//! what they still hold of it. The wish is in its journal.

use std::collections::BTreeMap;

use cpq_domain::adapter::{CrmSnapshot, CrmWritten};
use cpq_domain::event::{EventKind, SyncEvent};
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, OpportunityKey, RunId};
use cpq_domain::limits::{PAGE_ROWS, UNDO_OPPORTUNITIES, UNDO_SYNCS};
use cpq_domain::ownership::Side;
use cpq_domain::quote::Quote;
use cpq_domain::resolve::undo::{Reversal, Undoes, reversals};
use cpq_domain::run::{Effect, Run, RunState, Trigger};
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};
use cpq_store::{Tx, decisions, journal, runs};
use jiff::Timestamp;
use serde_json::json;

use crate::along::Along;
use crate::engine::{Engine, Submission, Submitted};
use crate::ledger::note;
use crate::plan::DryRun;

/// What is to be taken back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// Of which syncs.
    pub which: Which,
    /// Only this field.
    pub field: Option<FieldName>,
    /// Whether the side that the values came from gets the old ones too.
    pub both_sides: bool,
    /// Who asks.
    pub by: String,
    /// Why, in words.
    pub reason: String,
}

/// Which syncs are taken back.
#[derive(Clone, Debug)]
pub enum Which {
    /// One, by our correlation id or the caller's.
    Sync(CorrelationId),
    /// Those that were accepted in a time.
    Between {
        /// Of this connection.
        connection: Option<ConnectionName>,
        /// Of this opportunity.
        opportunity: Option<OpportunityKey>,
        /// At this moment or later.
        since: Timestamp,
        /// Before this moment.
        until: Timestamp,
    },
}

/// What is taken back of one opportunity.
#[derive(Clone, Debug)]
pub struct UndoItem {
    /// The opportunity.
    pub lane: Lane,
    /// The syncs, and how.
    pub undoes: Undoes,
    /// How many values they wrote.
    pub values: usize,
}

impl Engine {
    /// What there is to take back, one item per opportunity. Reads our own store only.
    ///
    /// [`Code::CorrelationNotFound`] for a sync that there is not; [`Code::RequestInvalid`] for one that has not ended or
    /// wrote nothing, and for a time in which there was too much.
    pub async fn to_undo(&self, undo: Undo) -> Result<Vec<UndoItem>> {
        let store = self.inner.ledger.store();
        store
            .read(move |tx| {
                let undo = undo.clone();
                Box::pin(async move { items(tx, &undo).await })
            })
            .await
    }

    /// What taking it back would do now: a dry run of the sync that does it.
    pub async fn plan_undo(&self, item: &UndoItem) -> Result<DryRun> {
        let wish = item.undoes.clone();
        let store = self.inner.ledger.store();
        let reversals = store
            .read(move |tx| {
                let wish = wish.clone();
                Box::pin(async move { of_wish(tx, &wish).await })
            })
            .await?;
        self.dry_run_with(&item.lane, reversals).await
    }

    /// Takes it back. Returns the run that does it.
    pub async fn undo(&self, item: UndoItem) -> Result<Run> {
        let submission = Submission::of(item.lane, Trigger::Undo);
        match self.submit_along(submission, Along::undoing(item.undoes)).await? {
            Submitted::Accepted(run) | Submitted::Joined(run) => Ok(run),
            Submitted::Running { .. } | Submitted::Replayed { .. } => Err(Error::new(
                Code::Internal,
                "an undo without a key was answered as one with",
            )),
        }
    }
}

async fn items(tx: &mut dyn Tx, undo: &Undo) -> Result<Vec<UndoItem>> {
    let mut lanes: BTreeMap<Lane, Vec<Run>> = BTreeMap::new();
    for run in chosen(tx, &undo.which).await?.into_iter().rev() {
        lanes.entry(run.lane.clone()).or_default().push(run);
    }
    let mut items = Vec::with_capacity(lanes.len());
    for (lane, runs) in lanes {
        let undoes = Undoes {
            runs: runs.iter().map(|run| run.id).collect(),
            syncs: runs.iter().map(|run| run.correlation.clone()).collect(),
            field: undo.field.clone(),
            both_sides: undo.both_sides,
            by: undo.by.clone(),
            reason: undo.reason.clone(),
        };
        let values = of_wish(tx, &undoes).await?.len();
        items.extend((values > 0).then_some(UndoItem { lane, undoes, values }));
    }
    if let (Which::Sync(id), true) = (&undo.which, items.is_empty()) {
        return Err(nothing(id, undo.field.as_ref()));
    }
    if items.len() > UNDO_OPPORTUNITIES {
        return Err(too_much(items.len(), "opportunities", UNDO_OPPORTUNITIES));
    }
    Ok(items)
}

/// The syncs, newest first.
async fn chosen(tx: &mut dyn Tx, which: &Which) -> Result<Vec<Run>> {
    match which {
        Which::Sync(id) => {
            let run = runs::by_correlation(tx, id).await?.into_iter().next();
            let run = run.ok_or_else(|| {
                Error::new(
                    Code::CorrelationNotFound,
                    format!("no sync with correlation id {id}"),
                )
                .record(id.as_str())
            })?;
            if !run.state.is_terminal() {
                let message = format!("the sync {id} is {}, so it cannot be undone yet", run.state);
                return Err(Error::new(Code::RequestInvalid, message)
                    .record(id.as_str())
                    .next("wait for its end; `cpq sync status` shows it"));
            }
            if made_the_quote(&run) {
                let message =
                    format!("the sync {id} made the quote, so there is nothing before it to go back to");
                return Err(Error::new(Code::RequestInvalid, message)
                    .record(id.as_str())
                    .next("cancel the quote in the CPQ instead"));
            }
            Ok(vec![run])
        }
        Which::Between {
            connection,
            opportunity,
            since,
            until,
        } => {
            let mut found = Vec::new();
            let mut filter = runs::Filter {
                state: Some(RunState::Succeeded),
                connection: connection.clone(),
                opportunity: opportunity.clone(),
                since: Some(*since),
                before: Some(RunId::first_at(*until)),
                limit: PAGE_ROWS,
            };
            loop {
                let page = runs::list(tx, &filter).await?;
                let Some(last) = page.last() else { break };
                filter.before = Some(last.id);
                found.extend(page.into_iter().filter(|run| wrote(run) && !made_the_quote(run)));
                if found.len() > UNDO_SYNCS {
                    return Err(too_much(found.len(), "syncs", UNDO_SYNCS));
                }
            }
            Ok(found)
        }
    }
}

fn wrote(run: &Run) -> bool {
    run.outcome
        .as_ref()
        .is_some_and(|outcome| outcome.effect == Effect::Written)
}

fn made_the_quote(run: &Run) -> bool {
    run.outcome.as_ref().is_some_and(|outcome| outcome.created)
}

fn nothing(id: &CorrelationId, field: Option<&FieldName>) -> Error {
    let what = field.map_or("nothing".to_owned(), |field| format!("no {}", field.as_str()));
    let message = format!("the sync {id} wrote {what} over anything that could be put back");
    Error::new(Code::RequestInvalid, message)
        .record(id.as_str())
        .next(format!("`cpq sync status --correlation {id}` shows what it did"))
}

fn too_much(found: usize, what: &str, most: usize) -> Error {
    let message =
        format!("at least {found} {what} wrote something in this time; one request undoes at most {most}");
    Error::new(Code::RequestInvalid, message).next("narrow the time, or name an opportunity")
}

/// What a wish comes to: what the decisions of its syncs say was written. What a quote began with has nothing before it.
async fn of_wish(tx: &mut dyn Tx, undoes: &Undoes) -> Result<Vec<Reversal>> {
    let (mut decided, mut writes) = (Vec::new(), Vec::new());
    for (id, sync) in undoes.runs.iter().zip(&undoes.syncs) {
        if runs::by_id(tx, *id).await?.as_ref().is_some_and(made_the_quote) {
            continue;
        }
        writes.push((sync, written_at(&journal::of_run(tx, *id).await?)));
        let stored = decisions::of_run(tx, *id).await?;
        decided.extend(stored.into_iter().map(|one| (sync.clone(), one.decision)));
    }
    let mut all = reversals(&decided, undoes);
    for one in &mut all {
        let write = writes.iter().find(|(sync, _)| **sync == one.sync);
        one.at = write.and_then(|(_, (crm, cpq))| match one.side {
            Side::Crm => *crm,
            Side::Cpq => *cpq,
        });
    }
    Ok(all)
}

/// When a run wrote the CRM and the CPQ, by their own clocks.
fn written_at(events: &[SyncEvent]) -> (Option<Timestamp>, Option<Timestamp>) {
    let result = |step: &str| {
        let mut done = events.iter().rev().filter(|event| event.kind == EventKind::Done);
        done.find(|event| event.step == step)
            .map(|event| event.data.clone())
    };
    let crm = result("write.crm").and_then(|data| serde_json::from_value::<CrmWritten>(data).ok());
    let cpq = result("write.cpq").and_then(|data| serde_json::from_value::<Quote>(data).ok());
    (
        crm.map(|written| written.modified_at),
        cpq.map(|quote| quote.updated_at),
    )
}

/// Refuses to judge by what a side held before it was written: it lags behind, and would show the old value as if somebody
/// had put it back.
pub(crate) fn not_behind(reversals: &[Reversal], crm: &CrmSnapshot, quote: Option<&Quote>) -> Result<()> {
    let is_behind = |one: &&Reversal| {
        let now = match one.side {
            Side::Crm => Some(crm.modified_at),
            Side::Cpq => quote.map(|quote| quote.updated_at),
        };
        one.at.zip(now).is_some_and(|(written, now)| now < written)
    };
    let Some(one) = reversals.iter().find(is_behind) else {
        return Ok(());
    };
    let (code, side) = match one.side {
        Side::Crm => (Code::CrmUnavailable, "CRM"),
        Side::Cpq => (Code::CpqUnavailable, "CPQ"),
    };
    let message = format!(
        "the {side} shows the record as it was before sync {} wrote it",
        one.sync
    );
    Err(Error::new(code, message))
}

/// What a run is to put back, from its journal.
pub(crate) async fn of_run(tx: &mut dyn Tx, id: RunId) -> Result<Vec<Reversal>> {
    let mut all: Vec<Reversal> = Vec::new();
    for wish in wishes(tx, id).await? {
        let wished = of_wish(tx, &wish).await?;
        // Of two wishes for the same value the later counts.
        let is_anew = |one: &Reversal| {
            let same = |other: &Reversal| {
                (other.side, &other.field, &other.line) == (one.side, &one.field, &one.line)
            };
            wished.iter().any(same)
        };
        all.retain(|one| !is_anew(one));
        all.extend(wished);
    }
    Ok(all)
}

/// What a run was asked to take back.
pub(crate) async fn wishes(tx: &mut dyn Tx, id: RunId) -> Result<Vec<Undoes>> {
    let accepted = journal::of_run(tx, id).await?;
    let accepted = accepted
        .into_iter()
        .filter(|event| event.kind == EventKind::Accepted);
    let read = |wish: serde_json::Value| {
        serde_json::from_value(wish).map_err(|cause| {
            Error::new(
                Code::StoreTooNew,
                "what is to be undone was written by another version",
            )
            .cause(cause)
        })
    };
    accepted
        .filter_map(|event| event.data.get("undoes").cloned())
        .map(read)
        .collect()
}

/// Writes down what a run is to take back; the syncs of which it is tell so too.
pub(crate) async fn note_wishes(tx: &mut dyn Tx, run: &Run, all: &[Undoes], now: Timestamp) -> Result<()> {
    for undoes in all {
        let data = json!({ "trigger": Trigger::Undo, "undoes": undoes });
        note(tx, run.id, EventKind::Accepted, 0, now, data).await?;
        for id in undoes.runs.iter().filter(|id| **id != run.id) {
            let data = json!({
                "by": run.correlation, "reason": undoes.reason, "person": undoes.by, "undone": true,
            });
            let attempt = runs::by_id(tx, *id).await?.map_or(0, |run| run.attempt);
            note(tx, *id, EventKind::Replayed, attempt, now, data).await?;
        }
    }
    Ok(())
}
