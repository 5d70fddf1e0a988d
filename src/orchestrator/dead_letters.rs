//! What people do about dead letters: look at them, give them up, correct them.

use cpq_domain::Result;
use cpq_domain::conflict::{Choice, ConflictState};
use cpq_domain::dead_letter::{Closed, DeadLetter, LetterGroup, LetterState};
use cpq_domain::error::{Code, Error};
use cpq_domain::event::SyncEvent;
use cpq_domain::id::{CorrelationId, Lane, OpportunityKey};
use cpq_domain::replay::Selection;
use cpq_domain::run::{Run, Trigger};
use cpq_domain::view::FieldName;
use cpq_store::conflicts::{self, Filter as ConflictFilter};
use cpq_store::dead_letters::{self, Filter};

use crate::along::{self, Along, End, Source};
use crate::engine::{Engine, Submission, Submitted};
use crate::rulings::Decided;

mod completing;

pub(crate) use crate::along::bury;
pub(crate) use completing::complete;

/// A dead letter with the journal of its run.
#[derive(Clone, Debug)]
pub struct LetterHistory {
    /// The letter.
    pub letter: DeadLetter,
    /// The journal, in order.
    pub events: Vec<SyncEvent>,
}

/// What a person corrects. What is wrong in a record is corrected in the system that owns it; here is what nobody else
/// can correct.
#[derive(Clone, Debug)]
pub enum Correction {
    /// The event named the wrong opportunity: this is the right one.
    Opportunity(OpportunityKey),
    /// A field of the opportunity waits for a decision: this is it.
    Field(FieldName, Choice),
}

impl Engine {
    /// A page of dead letters, the last that died first.
    pub async fn dead_letters(&self, filter: Filter) -> Result<Vec<DeadLetter>> {
        let store = self.inner.ledger.store();
        store
            .read(move |tx| Box::pin(async move { dead_letters::list(tx, &filter).await }))
            .await
    }

    /// Open dead letters by signature, the most frequent first.
    pub async fn dead_letter_groups(&self, selection: Selection) -> Result<Vec<LetterGroup>> {
        let store = self.inner.ledger.store();
        store
            .read(move |tx| Box::pin(async move { dead_letters::groups(tx, &selection).await }))
            .await
    }

    /// A dead letter by the correlation id of its run; [`Code::NotFound`] if that sync is none.
    pub async fn dead_letter(&self, id: &CorrelationId) -> Result<LetterHistory> {
        let history = self.history(id).await?;
        let run = history.run.id;
        let store = self.inner.ledger.store();
        let letter = store
            .read(move |tx| Box::pin(dead_letters::by_run(tx, run)))
            .await?;
        let letter = letter.ok_or_else(|| {
            let message = format!(
                "the sync {id} is {}, and never was a dead letter",
                history.run.state
            );
            Error::new(Code::NotFound, message)
                .record(id.as_str())
                .next("see `cpq sync status`, or `cpq dlq list`")
        })?;
        Ok(LetterHistory {
            letter,
            events: history.events,
        })
    }

    /// Gives a dead letter up: its run ends cancelled, and who did it, when and why is kept.
    ///
    /// [`Code::ConflictOutdated`] when it was dealt with already.
    pub async fn discard(&self, id: &CorrelationId, by: String, reason: String) -> Result<DeadLetter> {
        let letter = self.open_letter(id).await?;
        let at = self.inner.world.now();
        let closed = Closed {
            at,
            by,
            reason,
            sync: None,
        };
        let store = self.inner.ledger.store();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let letter = dead_letters::by_run(tx, letter.run_id).await?.unwrap_or(letter);
                    must_be_open(&letter)?;
                    along::close(tx, letter, End::Discarded, closed).await
                })
            })
            .await
    }

    /// Gives up every open dead letter of a selection, a lane at a time: none is open when this returns. Returns how many
    /// this call has closed; others may have closed some meanwhile.
    pub async fn discard_all(&self, selection: Selection, by: String, reason: String) -> Result<u64> {
        let at = self.inner.world.now();
        let store = self.inner.ledger.store();
        let frozen = {
            let selection = selection.clone();
            store
                .read(move |tx| Box::pin(async move { freeze(tx, selection).await }))
                .await?
        };
        let Some(selection) = frozen else { return Ok(0) };
        let mut discarded = 0;
        loop {
            let (selection, by, reason) = (selection.clone(), by.clone(), reason.clone());
            let some = store
                .write(move |tx| {
                    Box::pin(async move {
                        let lanes = dead_letters::lanes(tx, &selection, None, 1).await?;
                        let Some(fold) = lanes.into_iter().next() else {
                            return Ok(None);
                        };
                        // Somebody else may have dealt with these since; there are other lanes.
                        let letters = dead_letters::of_lane(tx, &selection, &fold.lane).await?;
                        let count = letters.len() as u64;
                        for letter in letters {
                            let (by, reason) = (by.clone(), reason.clone());
                            let closed = Closed {
                                at,
                                by,
                                reason,
                                sync: None,
                            };
                            along::close(tx, letter, End::Discarded, closed).await?;
                        }
                        Ok(Some(count))
                    })
                })
                .await?;
            let Some(some) = some else {
                return Ok(discarded);
            };
            discarded += some;
        }
    }

    /// Corrects what can be corrected about a dead letter, and syncs: a fresh run does its work.
    ///
    /// [`Code::RequestInvalid`] when there is nothing of the kind to correct; the message says where to correct it.
    pub async fn correct(
        &self,
        id: &CorrelationId,
        correction: Correction,
        by: String,
        reason: String,
    ) -> Result<Run> {
        let letter = self.open_letter(id).await?;
        let lane = Lane {
            connection: letter.connection.clone(),
            opportunity: letter.opportunity.clone(),
        };
        let source = Source::Sync {
            run: letter.run_id,
            by,
            reason,
        };
        let mut along = Along::replaying(source);
        let submission = match correction {
            Correction::Opportunity(opportunity) if opportunity == lane.opportunity => {
                let message = format!("the dead letter {id} is about {opportunity} already");
                return Err(Error::new(Code::RequestInvalid, message).field("opportunity"));
            }
            Correction::Opportunity(opportunity) => {
                Submission::of(Lane { opportunity, ..lane }, Trigger::Replay)
            }
            Correction::Field(field, choice) => {
                along.decided.push(self.decided(&lane, &field, &choice).await?);
                Submission::of(lane, Trigger::Decision)
            }
        };
        self.replayed(submission, along).await
    }

    /// Replays a sync that has ended, whatever came of it: a fresh run looks at the opportunity and writes what differs.
    /// Both timelines name each other.
    pub async fn replay_sync(&self, id: &CorrelationId, by: String) -> Result<Run> {
        let run = self.history(id).await?.run;
        if !run.state.is_terminal() {
            let message = format!(
                "the sync {id} is {}, so there is nothing to replay yet",
                run.state
            );
            return Err(Error::new(Code::RequestInvalid, message)
                .record(id.as_str())
                .next("wait for its end; `cpq sync status` shows it"));
        }
        let source = Source::Sync {
            run: run.id,
            by,
            reason: format!("replay of {}", run.correlation),
        };
        let submission = Submission::of(run.lane, Trigger::Replay);
        self.replayed(submission, Along::replaying(source)).await
    }

    async fn replayed(&self, submission: Submission, along: Along) -> Result<Run> {
        match self.submit_along(submission, along).await? {
            Submitted::Accepted(run) | Submitted::Joined(run) => Ok(run),
            Submitted::Running { .. } | Submitted::Replayed { .. } => Err(Error::new(
                Code::Internal,
                "a replay without a key was answered as one with",
            )),
        }
    }

    async fn open_letter(&self, id: &CorrelationId) -> Result<DeadLetter> {
        let letter = self.dead_letter(id).await?.letter;
        must_be_open(&letter).map(|()| letter)
    }

    /// The decision of the open conflict of this field, or words about where the field is corrected.
    async fn decided(&self, lane: &Lane, field: &FieldName, choice: &Choice) -> Result<Decided> {
        let filter = ConflictFilter {
            connection: Some(lane.connection.clone()),
            opportunity: Some(lane.opportunity.clone()),
            field: Some(field.clone()),
            state: Some(ConflictState::Open),
            before: None,
            limit: 1,
        };
        let store = self.inner.ledger.store();
        let open = store
            .read(move |tx| Box::pin(async move { conflicts::list(tx, &filter).await }))
            .await?;
        let Some(conflict) = open.into_iter().next() else {
            return Err(self.owned(lane, field));
        };
        Ok(Decided {
            ruling: conflict.rule(choice, self.inner.world.now())?,
            version: conflict.version,
        })
    }

    fn owned(&self, lane: &Lane, field: &FieldName) -> Error {
        let matrix = self.inner.sides.matrix();
        let rule = matrix.rules_of(field.as_str()).first();
        let (why, next) = match rule {
            None => (
                "no rule of the matrix is about it".to_owned(),
                "`cpq ownership show` lists the fields".to_owned(),
            ),
            Some(rule) => {
                let owner = rule.owner_system.as_str();
                (
                    format!(
                        "it belongs to the {owner} ({}) and waits for nobody's decision",
                        rule.overwrite_policy.as_str()
                    ),
                    format!("correct it in the {owner}, then replay the dead letter"),
                )
            }
        };
        Error::new(
            Code::RequestInvalid,
            format!("{field} cannot be corrected here: {why}"),
        )
        .connection(lane.connection.as_str())
        .record(lane.opportunity.as_str())
        .field(field.as_str())
        .next(next)
    }
}

fn must_be_open(letter: &DeadLetter) -> Result<()> {
    if letter.state == LetterState::Open {
        return Ok(());
    }
    let how = letter.closed.as_ref().map_or_else(String::new, |closed| {
        format!(" by {} at {}: {}", closed.by, closed.at, closed.reason)
    });
    let (id, state) = (&letter.correlation, letter.state.as_str());
    Err(Error::new(
        Code::ConflictOutdated,
        format!("the dead letter {id} was {state}{how}"),
    )
    .record(id.as_str())
    .next("`cpq dlq list` shows what is still open"))
}

/// The selection with the number of the last letter that it takes in; `None` if it takes in none.
pub(crate) async fn freeze(tx: &mut dyn cpq_store::Tx, selection: Selection) -> Result<Option<Selection>> {
    let (count, newest) = dead_letters::count(tx, &selection).await?;
    if count == 0 {
        return Ok(None);
    }
    let up_to = match selection.limit {
        Some(limit) => dead_letters::nth(tx, &selection, limit).await?.unwrap_or(newest),
        None => newest,
    };
    Ok(Some(Selection { up_to, ..selection }))
}
