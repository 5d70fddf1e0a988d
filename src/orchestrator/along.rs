//! What becomes durable together with the wish for a sync: decisions of people, and what the sync is a replay of.

use cpq_domain::Result;
use cpq_domain::dead_letter::{Closed, DeadLetter, LetterState};
use cpq_domain::error::{Code, Error};
use cpq_domain::event::EventKind;
use cpq_domain::id::RunId;
use cpq_domain::replay::{Item, ItemState, PlanId, ReplayOf, Selection};
use cpq_domain::resolve::undo::Undoes;
use cpq_domain::run::{Run, RunEvent, RunState, Trigger};
use cpq_domain::trace::TraceContext;
use cpq_store::{Tx, dead_letters, journal, replays, runs};
use jiff::Timestamp;
use serde_json::json;

use crate::ledger::note;
use crate::rulings::Decided;
use crate::undo;

/// Correlation ids that the journal of a replay names; the timeline of each sync names the replay in any case.
const NAMED: usize = 20;

/// What comes along with a wish.
#[derive(Clone, Debug, Default)]
pub(crate) struct Along {
    pub(crate) decided: Vec<Decided>,
    pub(crate) source: Option<Source>,
    /// What the sync is to put back.
    pub(crate) undoes: Option<Undoes>,
}

/// What a sync is a replay of.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// One sync, however it ended.
    Sync { run: RunId, by: String, reason: String },
    /// The letters of one opportunity of a plan.
    Item {
        plan: PlanId,
        attempt: u32,
        item: Item,
        selection: Selection,
        by: String,
    },
}

/// What is replayed, as it was found in the transaction.
pub(crate) struct Replays {
    source: Source,
    letters: Vec<DeadLetter>,
    /// A sync that was replayed without being a dead letter.
    other: Option<Run>,
    of: ReplayOf,
    /// Where in a trace the sync was; of several, the newest.
    trace: Option<TraceContext>,
}

impl Along {
    pub(crate) fn of(decided: Vec<Decided>) -> Along {
        Along {
            decided,
            ..Along::default()
        }
    }

    pub(crate) fn replaying(source: Source) -> Along {
        Along {
            source: Some(source),
            ..Along::default()
        }
    }

    pub(crate) fn undoing(undoes: Undoes) -> Along {
        Along {
            undoes: Some(undoes),
            ..Along::default()
        }
    }

    /// What the sync is to put back: what was asked for, or what a sync that it replays was to.
    pub(crate) async fn undoes(&self, tx: &mut dyn Tx, replays: Option<&Replays>) -> Result<Vec<Undoes>> {
        if let Some(undoes) = &self.undoes {
            return Ok(vec![undoes.clone()]);
        }
        let letters = replays.iter().flat_map(|replays| &replays.letters);
        let letters = letters.filter(|letter| letter.trigger == Trigger::Undo);
        let mut wishes = Vec::new();
        for letter in letters {
            wishes.extend(undo::wishes(tx, letter.run_id).await?);
        }
        Ok(wishes)
    }

    /// Whether nothing comes along.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn is_empty(&self) -> bool {
        self.decided.is_empty() && self.source.is_none() && self.undoes.is_none()
    }

    /// Finds what is replayed. [`Code::ConflictOutdated`] when a plan is no longer the caller's to carry out.
    pub(crate) async fn replays(&self, tx: &mut dyn Tx) -> Result<Option<Replays>> {
        let Some(source) = self.source.clone() else {
            return Ok(None);
        };
        match &source {
            Source::Sync { run, .. } => sync(tx, *run, source.clone()).await.map(Some),
            Source::Item {
                plan,
                attempt,
                item,
                selection,
                ..
            } => {
                if !replays::is_ours(tx, *plan, *attempt).await? {
                    let message = format!("the replay {plan} is to stop, or another process carries it out");
                    return Err(Error::new(Code::ConflictOutdated, message));
                }
                let letters = dead_letters::of_lane(tx, selection, &item.lane()).await?;
                let of = ReplayOf {
                    syncs: letters
                        .iter()
                        .take(NAMED)
                        .map(|one| one.correlation.clone())
                        .collect(),
                    count: letters.len() as u64,
                    plan: Some(*plan),
                };
                let newest = match letters.first() {
                    Some(letter) => runs::by_id(tx, letter.run_id).await?,
                    None => None,
                };
                Ok(Some(Replays {
                    source,
                    letters,
                    other: None,
                    of,
                    trace: newest.as_ref().map(Run::trace),
                }))
            }
        }
    }
}

async fn sync(tx: &mut dyn Tx, id: RunId, source: Source) -> Result<Replays> {
    let run = runs::by_id(tx, id).await?;
    let run = run.ok_or_else(|| Error::new(Code::NotFound, format!("no run {id}")))?;
    let letter = dead_letters::by_run(tx, id).await?;
    let open = letter.filter(|letter| letter.state == LetterState::Open);
    let of = ReplayOf {
        syncs: vec![run.correlation.clone()],
        count: 1,
        plan: None,
    };
    Ok(Replays {
        source,
        trace: Some(run.trace()),
        other: open.is_none().then_some(run),
        letters: open.into_iter().collect(),
        of,
    })
}

impl Replays {
    /// What the journal of the replay says.
    pub(crate) fn told(&self) -> &ReplayOf {
        &self.of
    }

    /// The trace that the replay goes on with.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Closes the letters: this run does their work from now on. Both sides of the link are written.
    pub(crate) async fn hand_over(self, tx: &mut dyn Tx, run: &Run, now: Timestamp) -> Result<()> {
        let (by, reason, plan) = match &self.source {
            Source::Sync { by, reason, .. } => (by.clone(), reason.clone(), None),
            Source::Item { plan, by, .. } => (by.clone(), format!("replayed by {plan}"), Some(*plan)),
        };
        for letter in self.letters {
            let closed = Closed {
                at: now,
                by: by.clone(),
                reason: reason.clone(),
                sync: Some(run.correlation.clone()),
            };
            close(tx, letter, End::Replayed { by: run, plan }, closed).await?;
        }
        if let Some(other) = self.other.filter(|other| other.id != run.id) {
            let data = json!({ "by": run.correlation, "reason": reason, "person": by });
            note(tx, other.id, EventKind::Replayed, other.attempt, now, data).await?;
        }
        if let Source::Item { plan, item, .. } = &self.source {
            replays::set_item(tx, *plan, item.position, ItemState::Submitted, Some(run.id)).await?;
        }
        Ok(())
    }
}

/// How a dead letter ends.
pub(crate) enum End<'a> {
    /// Another run does its work.
    Replayed { by: &'a Run, plan: Option<PlanId> },
    /// There is nothing left to do.
    Settled,
    /// A person gave it up.
    Discarded,
}

/// Closes a letter, and ends its run with a row that says how.
pub(crate) async fn close(
    tx: &mut dyn Tx,
    letter: DeadLetter,
    end: End<'_>,
    closed: Closed,
) -> Result<DeadLetter> {
    let (state, event, kind) = match end {
        End::Replayed { .. } => (LetterState::Replayed, RunEvent::Supersede, EventKind::Superseded),
        End::Settled => (LetterState::Settled, RunEvent::Cancel, EventKind::Cancelled),
        End::Discarded => (LetterState::Discarded, RunEvent::Cancel, EventKind::Cancelled),
    };
    let mut data = json!({ "person": closed.by, "reason": closed.reason });
    if let Some(mut run) = runs::by_id(tx, letter.run_id).await?
        && let Some(ended) = run.state.after(event).filter(|_| run.state == RunState::Dead)
    {
        if let End::Replayed { by, plan } = end {
            run.superseded_by = Some(by.id);
            data["by"] = json!(by.correlation);
            data["plan"] = json!(plan);
        }
        run.state = ended;
        run.updated_at = closed.at;
        runs::update(tx, &run).await?;
        note(tx, run.id, kind, run.attempt, closed.at, data).await?;
    }
    let letter = DeadLetter {
        state,
        closed: Some(closed),
        ..letter
    };
    dead_letters::put(tx, &letter).await?;
    Ok(letter)
}

/// Stores the letter of a run that has just died. Its journal, the last row included, must be written already.
pub(crate) async fn bury(tx: &mut dyn Tx, run: &Run) -> Result<()> {
    let Some(report) = &run.error else { return Ok(()) };
    let marks = journal::marks(tx, run.id).await?;
    let marks = marks.iter().map(|(kind, step)| (kind.as_str(), step.as_str()));
    let number = dead_letters::next_number(tx).await?;
    let letter = DeadLetter::of(run, report, marks, number);
    dead_letters::put(tx, &letter).await
}
