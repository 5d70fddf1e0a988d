//! Taking back what syncs wrote. A sync of its own does it, one per opportunity: it looks at both sides anew, and puts back
//! what they still hold of it. The wish is in its journal.

use std::collections::{BTreeMap, BTreeSet};

use cpq_domain::adapter::{CrmSnapshot, CrmWritten};
use cpq_domain::event::{Data, EventKind, SyncEvent};
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, OpportunityKey, RunId};
use cpq_domain::limits::{PAGE_ROWS, UNDO_OPPORTUNITIES, UNDO_SYNCS};
use cpq_domain::ownership::Side;
use cpq_domain::purge::is_marker;
use cpq_domain::quote::Quote;
use cpq_domain::resolve::Decision;
use cpq_domain::resolve::undo::{Reversal, Taken, Told, Undoes, reversals, wish_anew, wrote};
use cpq_domain::run::{Effect, Run, RunState, Trigger};
use cpq_domain::value::Shape;
use cpq_domain::view::{FieldName, View};
use cpq_domain::{Code, Error, Result};
use cpq_store::decisions::{Circumstances, OfField, StoredDecision};
use cpq_store::{Tx, decisions, journal, runs};
use jiff::Timestamp;
use serde_json::json;

use crate::along::Along;
use crate::engine::{Engine, Submission, Submitted};
use crate::ledger::note;
use crate::plan::DryRun;

/// Decisions about one field that are looked through for one that came later.
const NEWEST: u32 = 10;

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
                found.extend(
                    page.into_iter()
                        .filter(|run| has_written(run) && !made_the_quote(run)),
                );
                if found.len() > UNDO_SYNCS {
                    return Err(too_much(found.len(), "syncs", UNDO_SYNCS));
                }
            }
            Ok(found)
        }
    }
}

fn has_written(run: &Run) -> bool {
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
    let (mut decided, mut place) = (Vec::new(), None);
    for (id, sync) in undoes.runs.iter().zip(&undoes.syncs) {
        let Some(run) = runs::by_id(tx, *id).await?.filter(|run| !made_the_quote(run)) else {
            continue;
        };
        let writes = Writes::of(&run, &journal::of_run(tx, *id).await?);
        let stored = decisions::of_run(tx, *id).await?;
        place = place.or(stored.first().map(|one| one.circumstances.clone()));
        decided.extend(stored.into_iter().map(|one| Told {
            sync: sync.clone(),
            crm: writes.took(Side::Crm, &one.decision),
            cpq: writes.took(Side::Cpq, &one.decision),
            decision: one.decision,
        }));
    }
    let mut all = reversals(&decided, undoes);
    for one in &mut all {
        if let Some(place) = &place {
            one.since = written_since(tx, place, undoes, one).await?;
        }
    }
    Ok(all)
}

/// The sync that wrote the value again after those of the wish did. One that wrote anything else is seen by what is there.
async fn written_since(
    tx: &mut dyn Tx,
    place: &Circumstances,
    undoes: &Undoes,
    one: &Reversal,
) -> Result<Option<CorrelationId>> {
    let newest = OfField {
        connection: place.connection.clone(),
        opportunity: place.opportunity_id.clone(),
        field: one.field.clone(),
        line: one.line.clone(),
        before: None,
        limit: NEWEST,
    };
    let newest = decisions::of_field(tx, &newest).await?;
    let since = newest
        .into_iter()
        .take_while(|stored| !undoes.runs.contains(&stored.circumstances.run_id));
    let wrote_it = |stored: &StoredDecision| {
        wrote(&stored.decision, one.side).is_some_and(|value| value.same(&one.wrote, Shape::default()))
    };
    let mut again = since.filter(wrote_it);
    Ok(again.next().map(|stored| stored.circumstances.correlation))
}

/// What both sides answered to the writes of a run, the last answer first.
struct Writes {
    crm: Vec<(View, Timestamp)>,
    cpq: Vec<(View, Timestamp)>,
    /// The run succeeded, and what its journal told was purged since: then only its decisions are left.
    is_purged: bool,
}

impl Writes {
    fn of(run: &Run, events: &[SyncEvent]) -> Writes {
        let done = |step: &'static str| {
            let done = events.iter().rev().filter(|event| event.kind == EventKind::Done);
            done.filter(move |event| event.step == step)
                .map(|event| &event.data)
        };
        let is_purged = done("write.crm")
            .chain(done("write.cpq"))
            .any(|data| is_marker(&data.json()));
        let crm = done("write.crm").flat_map(Data::read::<CrmWritten>);
        let cpq = done("write.cpq").flat_map(Data::read::<Quote>);
        Writes {
            crm: crm.map(|written| (written.view, written.modified_at)).collect(),
            cpq: cpq.map(|quote| (quote.view(), quote.updated_at)).collect(),
            is_purged: is_purged && run.state == RunState::Succeeded,
        }
    }

    /// Whether a side took what was decided for it. It may keep it in another form, so what counts is that it holds
    /// something else than before.
    fn took(&self, side: Side, decision: &Decision) -> Taken {
        let (answers, old) = match side {
            Side::Crm => (&self.crm, &decision.crm),
            Side::Cpq => (&self.cpq, &decision.cpq),
        };
        let took = |view: &View| {
            let fields = match &decision.line {
                Some(key) => view.lines.get(key),
                None => Some(&view.fields),
            };
            let held = fields.and_then(|fields| fields.get(&decision.field));
            held.is_some_and(|held| !held.same(old, Shape::default()))
        };
        match answers.iter().find(|(view, _)| took(view)) {
            Some((_, at)) => Taken::At(*at),
            None if self.is_purged => Taken::Surely,
            #[cfg(feature = "planted-bugs")]
            None if cpq_domain::planted::Bug::UndoesWhatNeverWas.is_on() => Taken::Surely,
            None => Taken::No,
        }
    }
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

/// What a sync of the lane is to put back: what runs that wait there have begun to, because half of it would look like an
/// edit of the other half; and what it was asked for itself. Of two wishes for the same value the one that was taken in later
/// counts.
pub(crate) async fn in_lane(tx: &mut dyn Tx, begun: Vec<RunId>, own: Option<RunId>) -> Result<Vec<Reversal>> {
    let mut asked: BTreeSet<RunId> = own.into_iter().collect();
    #[cfg(feature = "planted-bugs")]
    let begun = crate::planted::unless_undoes_are_halved(begun);
    for id in begun {
        let run = runs::by_id(tx, id).await?;
        asked.extend(run.filter(|run| run.trigger == Trigger::Undo).map(|run| run.id));
    }
    let mut all = Vec::new();
    for id in asked {
        for wish in wishes(tx, id).await? {
            wish_anew(&mut all, of_wish(tx, &wish).await?);
        }
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
        .filter_map(|event| event.data.json().get("undoes").cloned())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The CPQ's "1.255" was written over the CRM's "1.00", which keeps two digits.
    fn decision() -> Decision {
        let decision = json!({
            "field": "opportunity.x", "verdict": "to_crm", "owner": "cpq", "policy": "always",
            "crm": {"number": "1.00"}, "cpq": {"number": "1.255"}, "reason": "", "origin": "cpq",
        });
        serde_json::from_value(decision).expect("a decision")
    }

    fn answered(value: &str) -> Writes {
        let view = json!({"fields": {"opportunity.x": {"number": value}}});
        let view = serde_json::from_value(view).expect("a view");
        Writes {
            crm: vec![(view, Timestamp::UNIX_EPOCH)],
            cpq: vec![],
            is_purged: false,
        }
    }

    #[test]
    fn a_value_was_taken_in_whatever_form_the_side_keeps_it() {
        let took = |value| answered(value).took(Side::Crm, &decision());
        assert_eq!(took("1.26"), Taken::At(Timestamp::UNIX_EPOCH));
        assert_eq!(took("1"), Taken::No, "it holds what it held before");
    }
}
