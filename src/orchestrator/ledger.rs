//! What the engine writes down, transaction by transaction. Each function here is one commit, and together they are the
//! only places where the state of a run changes.

use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::event::{Data, EventKind, SyncEvent};
use cpq_domain::id::{CorrelationId, Lane, RunId};
use cpq_domain::keyed::Keyed;
use cpq_domain::limits;
use cpq_domain::run::{Run, RunEvent, RunState, Trigger};
use cpq_domain::world::World;
use cpq_store::idempotency::{self, Answer, Begin};
use cpq_store::{Store, Tx, journal, runs};
use jiff::{SignedDuration, Timestamp};

use crate::along::{Along, Replays};
use crate::dead_letters;
use crate::doubt::left_behind;
use crate::engine::Submission;
use crate::keep::{self, Known, Learned};
use crate::ledger::logins::Logins;
use crate::{rulings, undo, worker};

mod accept;
mod changes;
pub(crate) mod gone;
mod lanes;
mod logins;

pub(crate) use accept::Start;
use accept::{joinable, new_run, note_hints, own_lane};
pub(crate) use changes::Read;
pub(crate) use lanes::Entered;

/// HTTP status (RFC 6585 §4).
const TOO_MANY_REQUESTS: u16 = 429;

/// A sync with its journal.
#[derive(Clone, Debug)]
pub struct RunHistory {
    /// The run.
    pub run: Run,
    /// Its journal, in order.
    pub events: Vec<SyncEvent>,
}

/// What became of a submission.
pub(crate) enum Accepted {
    New(Run),
    Joined(Run),
    Running { run: Run, answered: bool },
    Replayed { status: u16, body: String },
}

/// The store as the engine uses it.
#[derive(Clone)]
pub(crate) struct Ledger {
    store: Store,
    world: Arc<dyn World>,
    node: String,
    lease_ms: i64,
    logins: Arc<Logins>,
}

impl Ledger {
    pub(crate) fn new(store: Store, world: Arc<dyn World>, node: String, lease_ms: i64) -> Ledger {
        Ledger {
            store,
            world,
            node,
            lease_ms,
            logins: Arc::default(),
        }
    }

    /// Commit one of four: the key, the run and its first journal row. With a free worker the run is claimed in the
    /// same breath, so that an idle service needs no commit for it.
    /// What comes along is stored with the run that carries it out.
    pub(crate) async fn accept(
        &self,
        mut submission: Submission,
        along: Along,
        start: Start,
    ) -> Result<Accepted> {
        let (now, lease_until) = self.lease();
        let (fresh, node) = (RunId(self.world.uuid()), self.node.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(keyed) = &submission.keyed
                        && let Some(answered) = seen_before(tx, keyed, fresh, now).await?
                    {
                        return Ok(answered);
                    }
                    rulings::store(tx, &along.decided, now).await?;
                    let replays = along.replays(tx).await?;
                    let undoes = along.undoes(tx, replays.as_ref()).await?;
                    if !undoes.is_empty() {
                        submission.trigger = Trigger::Undo;
                    }
                    if let Some(trace) = replays.as_ref().and_then(Replays::trace) {
                        submission.traceparent.get_or_insert_with(|| trace.to_string());
                    }
                    submission.lane = own_lane(tx, submission.lane).await?;
                    if let Some(waiting) = joinable(tx, &submission).await? {
                        note_hints(tx, waiting.id, &submission, now).await?;
                        #[cfg(feature = "planted-bugs")]
                        let submission = crate::planted::without_key(submission);
                        if let Some(keyed) = &submission.keyed {
                            idempotency::attach(tx, &keyed.client, &keyed.key, waiting.id).await?;
                        }
                        if let Some(of) = replays {
                            let data =
                                serde_json::json!({ "trigger": submission.trigger, "replayOf": of.told() });
                            note(tx, waiting.id, EventKind::Accepted, 0, now, data).await?;
                            of.hand_over(tx, &waiting, now).await?;
                        }
                        undo::note_wishes(tx, &waiting, &undoes, now).await?;
                        return Ok(Accepted::Joined(waiting));
                    }
                    let told = replays.as_ref().map(|of| of.told());
                    let run = new_run(tx, &submission, fresh, told, now).await?;
                    if let Some(of) = replays {
                        of.hand_over(tx, &run, now).await?;
                    }
                    undo::note_wishes(tx, &run, &undoes, now).await?;
                    let started = match start {
                        Start::Now => runs::claim_run(tx, run.id, &node, now, lease_until).await?,
                        Start::Held(error) => Some(accept::hold(tx, run.clone(), &error, now).await?),
                        Start::Later => None,
                    };
                    Ok(Accepted::New(started.unwrap_or(run)))
                })
            })
            .await
    }

    /// Commits two and three: what was noted so far, in particular the intent of the write that comes next. `false` if
    /// another process has the run.
    pub(crate) async fn record(&self, id: RunId, attempt: u32, mut events: Vec<SyncEvent>) -> Result<bool> {
        let (now, lease_until) = self.lease();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(last) = runs::fence(tx, id, attempt, now, lease_until).await? else {
                        return Ok(false);
                    };
                    journal::append_behind(tx, id, last, &mut events).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Commit four: the last outcome, what both sides agree on, the end state, and the answer for the caller's key.
    /// The run as it was stored: one that would wait for a login which came meanwhile is in the queue again. `None` if
    /// another process has the run.
    pub(crate) async fn settle(
        &self,
        mut run: Run,
        mut events: Vec<SyncEvent>,
        learned: Learned,
    ) -> Result<Option<Run>> {
        let (now, lease_until) = self.lease();
        let settled = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(last) = runs::fence(tx, run.id, run.attempt, now, lease_until).await? else {
                        return Ok(None);
                    };
                    #[cfg(feature = "planted-bugs")]
                    if cpq_domain::planted::Bug::EndsWithoutARow.is_on() && run.state == RunState::Succeeded {
                        events.pop();
                    }
                    journal::append_behind(tx, run.id, last, &mut events).await?;
                    let logins = logins::go_on(tx, &mut run, learned.logins, now).await?;
                    keep::keep(tx, &run, learned, now).await?;
                    runs::update(tx, &run).await?;
                    if run.state.is_terminal() {
                        answer_keys(tx, &run).await?;
                    }
                    if run.state == RunState::Dead {
                        dead_letters::bury(tx, &run).await?;
                    }
                    Ok(Some((run, logins)))
                })
            })
            .await?;
        Ok(settled.map(|(run, logins)| {
            self.logins.see(&run.lane.connection, logins);
            run
        }))
    }

    /// Due runs for this node, at most `limit`.
    pub(crate) async fn claim(&self, limit: usize) -> Result<Vec<Run>> {
        let now = self.world.now();
        if self
            .store
            .read(|tx| Box::pin(runs::next_due(tx)))
            .await?
            .is_none_or(|due| due > now)
        {
            return Ok(Vec::new());
        }
        let (now, lease_until) = self.lease();
        let (node, limit) = (self.node.clone(), u32::try_from(limit).unwrap_or(u32::MAX));
        self.store
            .write(move |tx| Box::pin(async move { runs::claim(tx, &node, now, lease_until, limit).await }))
            .await
    }

    /// The run that is due first in the lane of this one, for this node, if the lane is free.
    pub(crate) async fn claim_lane_of(&self, id: RunId) -> Result<Option<Run>> {
        let (now, lease_until) = self.lease();
        let node = self.node.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move { runs::claim_lane_of(tx, id, &node, now, lease_until).await })
            })
            .await
    }

    /// A sign of life for the runs of this node.
    pub(crate) async fn heartbeat(&self) -> Result<()> {
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::GivesNoSigns.is_on() {
            return Ok(());
        }
        let (now, lease_until) = self.lease();
        let node = self.node.clone();
        self.store
            .write(move |tx| Box::pin(async move { runs::heartbeat(tx, &node, now, lease_until).await }))
            .await
            .map(drop)
    }

    /// Puts runs of dead processes back in the queue; one that killed too many is put aside unrun.
    pub(crate) async fn free_orphans(&self) -> Result<()> {
        let now = self.world.now();
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::ForgetsOrphans.is_on() {
            return Ok(());
        }
        #[cfg(feature = "planted-bugs")]
        let now = now + crate::planted::hurry();
        if self
            .store
            .read(|tx| Box::pin(runs::next_expiry(tx)))
            .await?
            .is_none_or(|expiry| expiry > now)
        {
            return Ok(());
        }
        let buried = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut buried = Vec::new();
                    for orphan in runs::expire_leases(tx, now).await? {
                        buried.extend(after_crash(tx, orphan, now).await?);
                    }
                    Ok(buried)
                })
            })
            .await?;
        buried.iter().for_each(worker::count);
        Ok(())
    }

    pub(crate) async fn answered_202(&self, keyed: &Keyed) -> Result<()> {
        let keyed = keyed.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    idempotency::mark_accepted(tx, &keyed.client, &keyed.key)
                        .await
                        .map(drop)
                })
            })
            .await
    }

    pub(crate) async fn run(&self, id: RunId) -> Result<Run> {
        let found = self.store.read(move |tx| Box::pin(runs::by_id(tx, id))).await?;
        found.ok_or_else(|| Error::new(Code::NotFound, format!("no run {id}")))
    }

    pub(crate) async fn journal(&self, id: RunId) -> Result<Vec<SyncEvent>> {
        self.store.read(move |tx| Box::pin(journal::of_run(tx, id))).await
    }

    /// What both sides last agreed on, and what people decided since.
    pub(crate) async fn known(&self, lane: &Lane) -> Result<Known> {
        let lane = lane.clone();
        self.store
            .read(move |tx| Box::pin(async move { keep::known(tx, &lane).await }))
            .await
    }

    /// The same, with what the run is to put back.
    pub(crate) async fn known_to(&self, run: &Run, lane: &Lane) -> Result<Known> {
        let mut known = self.known(lane).await?;
        let undoes = run.trigger == Trigger::Undo;
        #[cfg(feature = "planted-bugs")]
        let undoes = undoes && !cpq_domain::planted::Bug::ForgetsToUndo.is_on();
        if undoes {
            let (id, lane) = (run.id, lane.clone());
            let own = self.store.read(move |tx| {
                let lane = lane.clone();
                Box::pin(async move {
                    let begun = runs::begun_in_lane(tx, &lane).await?;
                    undo::in_lane(tx, begun, Some(id)).await
                })
            });
            known.reversals = own.await?;
        }
        Ok(known)
    }

    pub(crate) async fn history(&self, correlation: &CorrelationId) -> Result<Option<RunHistory>> {
        let correlation = correlation.clone();
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let Some(run) = runs::by_correlation(tx, &correlation).await?.into_iter().next() else {
                        return Ok(None);
                    };
                    let events = journal::of_run(tx, run.id).await?;
                    Ok(Some(RunHistory { run, events }))
                })
            })
            .await
    }

    pub(crate) async fn list(&self, filter: runs::Filter) -> Result<Vec<Run>> {
        self.store
            .read(move |tx| Box::pin(async move { runs::list(tx, &filter).await }))
            .await
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    fn lease(&self) -> (Timestamp, Timestamp) {
        let now = self.world.now();
        (now, now + SignedDuration::from_millis(self.lease_ms))
    }
}

/// Takes the caller's key for the run, or gives the answer to a key that was used before.
async fn seen_before(tx: &mut dyn Tx, keyed: &Keyed, run: RunId, now: Timestamp) -> Result<Option<Accepted>> {
    let begun = idempotency::begin(tx, &keyed.client, &keyed.key, &keyed.fingerprint, Some(run), now).await?;
    let refuse = |code: Code, why: &str| Err(Error::new(code, why));
    match begun {
        Begin::Fresh => Ok(None),
        Begin::Done(answer) => {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            Ok(Some(Accepted::Replayed {
                status: answer.status,
                body,
            }))
        }
        Begin::Running {
            run_id: Some(id),
            accepted_202,
            ..
        } => {
            let run = runs::by_id(tx, id).await?;
            let run =
                run.ok_or_else(|| Error::new(Code::Internal, format!("the run {id} of this key is gone")))?;
            Ok(Some(Accepted::Running {
                run,
                answered: accepted_202,
            }))
        }
        Begin::Running { run_id: None, .. } => refuse(
            Code::IdempotencyInProgress,
            "the first request with this key is still running",
        ),
        Begin::Reused => refuse(
            Code::IdempotencyKeyReused,
            "this idempotency key was used for another request",
        ),
        Begin::Expired { .. } => refuse(
            Code::IdempotencyKeyExpired,
            "this key was used long ago; its answer is no longer kept",
        ),
    }
}

/// Stores what repeats of the caller's keys are answered with. Our own failures and overload use no key up: the same
/// request may well succeed later.
async fn answer_keys(tx: &mut dyn Tx, run: &Run) -> Result<()> {
    let (status, body) = run.answer();
    let ours = status >= 500 || status == TOO_MANY_REQUESTS;
    #[cfg(feature = "planted-bugs")]
    let ours = ours && !cpq_domain::planted::Bug::StoresServerErrors.is_on();
    if ours {
        return idempotency::release_run(tx, run.id).await.map(drop);
    }
    let answer = Answer {
        status,
        body: body.into_bytes(),
        ..Answer::default()
    };
    idempotency::finish_run(tx, run.id, &answer).await.map(drop)
}

async fn after_crash(tx: &mut dyn Tx, orphan: runs::Expired, now: Timestamp) -> Result<Option<Run>> {
    let mut run = orphan.run;
    if orphan.crashes < limits::CRASHES_MAX {
        let data = serde_json::json!({ "crashes": orphan.crashes });
        note(tx, run.id, EventKind::Requeued, run.attempt, now, data).await?;
        return Ok(None);
    }
    let message = format!(
        "{} processes died while they worked on this sync; it is put aside unrun",
        orphan.crashes
    );
    let left = left_behind(&journal::marks(tx, run.id).await?);
    let error = Error::new(Code::DeadLettered, message).written(left);
    let report = error.report(Some(run.correlation.as_str()));
    let running = RunState::Running;
    run.state = running.after(RunEvent::Bury).unwrap_or(RunState::Dead);
    run.error = Some(report.clone());
    run.updated_at = now;
    runs::update(tx, &run).await?;
    answer_keys(tx, &run).await?;
    let data = Data::of(&report).unwrap_or_default();
    note(tx, run.id, EventKind::Dead, run.attempt, now, data).await?;
    dead_letters::bury(tx, &run).await?;
    Ok(Some(run))
}

pub(crate) async fn note(
    tx: &mut dyn Tx,
    id: RunId,
    kind: EventKind,
    attempt: u32,
    at: Timestamp,
    data: impl Into<Data>,
) -> Result<()> {
    journal::append(tx, id, &mut [own_row(kind, attempt, at, data)]).await
}

/// A row about the run itself, not about one of its steps.
fn own_row(kind: EventKind, attempt: u32, at: Timestamp, data: impl Into<Data>) -> SyncEvent {
    SyncEvent {
        sequence: 0,
        kind,
        step: "run".to_owned(),
        attempt,
        at,
        duration_us: None,
        data: data.into(),
    }
}
