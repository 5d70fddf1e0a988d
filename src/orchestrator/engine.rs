//! Takes submissions, hands runs to workers, and tells callers how they end.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::breaker::BreakerPolicy;
use cpq_domain::call_budget::Shares;
use cpq_domain::change::Hint;
use cpq_domain::deletion::{Answer, Deletes, Gone};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, RunId};
use cpq_domain::keyed::Keyed;
use cpq_domain::resolve::undo::Reversal;
use cpq_domain::retry::RetryPolicy;
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_domain::world::World;
use cpq_meter::catalogue::syncs::HOLDS;
use cpq_store::Store;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::along::Along;
use crate::backlog;
use crate::feeds::{self, LookAgain, Subscription};
use crate::guard::{GuardSettings, Guards};
use crate::headroom::Headroom;
use crate::ledger::{Accepted, Ledger, RunHistory, Start};
use crate::plan::{self, DryRun};
use crate::reconcile::ReconcileSettings;
use crate::replay;
use crate::replay::ReplaySettings;
use crate::sides::Sides;
use crate::sync::Scene;
use crate::waiters::Waiters;
use crate::worker;

/// How the engine works.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Name of this process among all that share the store.
    pub node: String,
    /// Runs at the same time.
    pub concurrency: usize,
    /// Milliseconds without a sign of life after which another process may take a run.
    pub lease_ms: i64,
    /// When to try again.
    pub retry: RetryPolicy,
    /// When a CRM that does not answer is no longer called.
    pub breaker: BreakerPolicy,
    /// Who may make how many of a CRM's calls of a day.
    pub shares: Shares,
    /// What is done about records that are gone on one side.
    pub deletes: Deletes,
    /// Whether to work on waiting runs of all lanes, as a service does, or only on what is submitted here, as a
    /// single command does.
    pub works_backlog: bool,
    /// How a reconcile works.
    pub reconcile: ReconcileSettings,
    /// How a replay is carried out.
    pub replay: ReplaySettings,
}

impl EngineSettings {
    /// Usual settings for a process of that name.
    pub fn named(node: impl Into<String>) -> Self {
        EngineSettings {
            node: node.into(),
            concurrency: 128,
            lease_ms: 30_000,
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
            shares: Shares::default(),
            deletes: Deletes::default(),
            works_backlog: true,
            reconcile: ReconcileSettings::default(),
            replay: ReplaySettings::default(),
        }
    }
}

/// A wish that an opportunity be looked at.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What to look at.
    pub lane: Lane,
    /// What asked for it.
    pub trigger: Trigger,
    /// The caller's own correlation id.
    pub caller_correlation: Option<CorrelationId>,
    /// W3C trace context of what asks for it.
    pub traceparent: Option<String>,
    /// The caller's idempotency key and what it was sent with.
    pub keyed: Option<Keyed>,
    /// What told of a change; kept in the journal of the run that looks.
    pub hints: Vec<Hint>,
}

impl Submission {
    /// The run that does it, as it begins.
    pub(crate) fn queued(&self, id: RunId, correlation: CorrelationId, now: Timestamp) -> Run {
        Run {
            id,
            lane: self.lane.clone(),
            correlation,
            caller_correlation: self.caller_correlation.clone(),
            traceparent: self.traceparent.clone(),
            trigger: self.trigger,
            state: RunState::Queued,
            attempt: 0,
            tries: 0,
            restarts: 0,
            created_at: now,
            updated_at: now,
            due_at: now,
            outcome: None,
            error: None,
            superseded_by: None,
        }
    }

    /// A wish without a name, a key or a hint.
    pub fn of(lane: Lane, trigger: Trigger) -> Submission {
        Submission {
            lane,
            trigger,
            caller_correlation: None,
            traceparent: None,
            keyed: None,
            hints: Vec::new(),
        }
    }
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// A run was made for it.
    Accepted(Run),
    /// A run that waits already will do it.
    Joined(Run),
    /// The key was used before by the same request, whose run has not ended. `answered`: its caller was given a 202.
    Running {
        /// The run of the first request.
        run: Run,
        /// Whether the first request was answered with 202.
        answered: bool,
    },
    /// The key was used before by the same request, and this was the answer.
    Replayed {
        /// HTTP status.
        status: u16,
        /// Body, to the byte.
        body: String,
    },
}

pub(crate) struct Inner {
    pub(crate) ledger: Ledger,
    pub(crate) guards: Guards,
    pub(crate) sides: Arc<dyn Sides>,
    pub(crate) world: Arc<dyn World>,
    pub(crate) settings: EngineSettings,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) waiters: Waiters,
    pub(crate) headroom: Headroom,
    pub(crate) nudge: Notify,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// The engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl Engine {
    /// An engine over a store and two systems. Call [`Engine::start`] to let it work on waiting runs.
    pub fn new(
        store: Store,
        sides: Arc<dyn Sides>,
        world: Arc<dyn World>,
        settings: EngineSettings,
    ) -> Engine {
        let slots = Arc::new(Semaphore::new(settings.concurrency));
        let guards = Guards::new(store.clone(), world.clone(), guard_settings(&settings));
        let ledger = Ledger::new(store, world.clone(), settings.node.clone(), settings.lease_ms);
        let (waiters, headroom, nudge, tasks, stop) = Default::default();
        Engine {
            inner: Arc::new(Inner {
                ledger,
                guards,
                sides,
                world,
                settings,
                slots,
                waiters,
                headroom,
                nudge,
                tasks,
                stop,
            }),
        }
    }

    /// Starts the background work: due and orphaned runs, and signs of life for runs in hand.
    pub fn start(&self) {
        let inner = self.inner.clone();
        self.inner.tasks.spawn(backlog::work(inner));
        self.inner.tasks.spawn(replay::take_up_orphans(self.clone()));
        if let Some(news) = self.inner.ledger.store().news() {
            self.inner.tasks.spawn(backlog::listen(self.inner.clone(), news));
        }
    }

    /// Makes the wish durable and answers at once; the run goes on by itself, whatever becomes of the caller.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted> {
        self.submit_along(submission, Along::default()).await
    }

    /// The same, with what becomes durable together with the wish.
    pub(crate) async fn submit_along(&self, submission: Submission, along: Along) -> Result<Submitted> {
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::AnswersBeforeCommit.is_on() && along.is_empty() {
            return crate::planted::answer_before_commit(self, submission);
        }
        // A caller that hangs up between the commit and the start of the work would leave a run that we hold and nobody
        // works on, so the two are done apart from it.
        let engine = self.clone();
        let taken = async move { engine.take_up(submission, along).await };
        apart(self.inner.tasks.spawn(taken.in_current_span()).await)
    }

    pub(crate) async fn take_up(&self, submission: Submission, along: Along) -> Result<Submitted> {
        let inner = &self.inner;
        let guard = inner.guards.of(&submission.lane.connection);
        let held = guard.closed_to_runs().await?;
        let reason = held.as_ref().and_then(Error::held);
        let slot = inner
            .slots
            .clone()
            .try_acquire_owned()
            .ok()
            .filter(|_| held.is_none() && !inner.stop.is_cancelled());
        let start = match (&slot, held) {
            (_, Some(held)) => Start::Held(Arc::new(held)),
            (Some(_), None) => Start::Now,
            (None, None) => Start::Later,
        };
        let accepted = inner.ledger.accept(submission, along, start).await?;
        Ok(match accepted {
            Accepted::New(run) if run.state == RunState::Running => {
                let slot = slot.expect("a run is accepted as running only when a slot is free");
                inner.tasks.spawn(worker::work(inner.clone(), run.clone(), slot));
                Submitted::Accepted(run)
            }
            Accepted::New(run) => {
                if let Some(reason) = reason {
                    HOLDS.add([run.lane.connection.as_str(), reason.as_str()], 1);
                }
                inner.rouse();
                Submitted::Accepted(run)
            }
            Accepted::Joined(run) => Submitted::Joined(run),
            Accepted::Running { run, answered } => Submitted::Running { run, answered },
            Accepted::Replayed { status, body } => Submitted::Replayed { status, body },
        })
    }

    /// The run once it has ended, waits for a person, or is parked for longer than `at_most`; else as it is then.
    pub async fn wait(&self, id: RunId, at_most: Duration) -> Result<Run> {
        let inner = &self.inner;
        let deadline = tokio::time::Instant::now() + at_most;
        loop {
            let mut ended = inner.waiters.next(id);
            let run = inner.ledger.run(id).await?;
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() || settled(&run, inner.world.now(), left) {
                return Ok(run);
            }
            if !inner.settings.works_backlog && is_due(&run, inner.world.now()) {
                let inner = inner.clone();
                let claimed = async move { backlog::claim_lane(&inner, id).await };
                apart(self.inner.tasks.spawn(claimed).await)?;
            }
            // Another process may hold the run and cannot notify us, so look again now and then.
            let look_again = left.min(Duration::from_millis(250));
            match tokio::time::timeout(look_again, ended.told()).await {
                Ok(Some(run)) if settled(&run, inner.world.now(), left) => return Ok(run),
                _ => continue,
            }
        }
    }

    /// Notes that the caller of this key was answered with 202, so that a repeat gets the same.
    pub async fn answered_202(&self, keyed: &Keyed) -> Result<()> {
        self.inner.ledger.answered_202(keyed).await
    }

    /// What a sync would do now. Writes nothing anywhere.
    pub async fn dry_run(&self, lane: &Lane) -> Result<DryRun> {
        self.dry_run_with(lane, Vec::new()).await
    }

    /// The same, of a sync that puts something back.
    pub(crate) async fn dry_run_with(&self, lane: &Lane, reversals: Vec<Reversal>) -> Result<DryRun> {
        let scene = self.inner.scene(&lane.connection).await?;
        let call = Call::live(CorrelationId::new("dry-run")?);
        let (mut crm, quote, mut known) = futures_util::try_join!(
            scene.crm.read(&call, &lane.opportunity),
            scene.cpq.find(&call, lane.connection.as_str(), &lane.opportunity),
            scene.ledger.known(lane),
        )?;
        cpq_domain::resolve::undo::wish_anew(&mut known.reversals, reversals);
        crate::deleted::foresee(&scene, lane, &mut crm, quote.as_ref(), &known.base).await?;
        crate::sync::can_be_quoted(&crm, quote.as_ref())?;
        plan::dry_run(&scene, &call, crm, quote, known).await
    }

    /// A sync with its journal, by our correlation id or the caller's.
    pub async fn history(&self, correlation: &CorrelationId) -> Result<RunHistory> {
        self.inner.ledger.history(correlation).await?.ok_or_else(|| {
            let message = format!("no sync with correlation id {correlation}");
            Error::new(Code::CorrelationNotFound, message).record(correlation.as_str())
        })
    }

    /// The last syncs, newest first.
    pub async fn list(&self, filter: cpq_store::runs::Filter) -> Result<Vec<Run>> {
        self.inner.ledger.list(filter).await
    }

    /// Puts the runs that wait for this connection back in the queue, after somebody reconnected. Returns how many.
    pub async fn resume(&self, connection: &ConnectionName) -> Result<usize> {
        let resumed = self.inner.ledger.resume(connection).await?;
        self.inner.rouse();
        Ok(resumed)
    }

    /// Remembers what a person decided about a record that is gone, and looks at the opportunity again: whatever waited
    /// for the answer goes on.
    ///
    /// [`Code::RequestInvalid`] for an answer that the record cannot have; [`Code::OpportunityNotFound`] when we never
    /// synced the opportunity.
    pub async fn answer_deleted(
        &self,
        submission: Submission,
        gone: Gone,
        answer: Answer,
    ) -> Result<Submitted> {
        if !gone.answers().contains(&answer) {
            let [one, other] = gone.answers().map(Answer::as_str);
            let message = format!("a deleted {} is answered with {one} or {other}", gone.as_str());
            return Err(Error::new(Code::RequestInvalid, message).field("answer"));
        }
        self.inner
            .ledger
            .answer_deleted(submission.lane.clone(), gone, answer)
            .await?;
        self.inner.rouse();
        self.submit(submission).await
    }

    /// Follows a feed of changes until the engine stops or the token is cancelled.
    pub fn follow(&self, subscription: Subscription) -> CancellationToken {
        let stop = self.inner.stop.child_token();
        let following = feeds::follow(self.inner.clone(), subscription, stop.clone());
        self.inner.tasks.spawn(following);
        stop
    }

    /// Looks again at opportunities with a quote that nobody looked at for long, until the engine stops or the token is
    /// cancelled.
    pub fn look_again(&self, connection: ConnectionName, settings: LookAgain) -> CancellationToken {
        let stop = self.inner.stop.child_token();
        let looking = feeds::look_again(self.inner.clone(), connection, settings, stop.clone());
        self.inner.tasks.spawn(looking);
        stop
    }

    /// How many runs this process works on now, and how many it may.
    pub fn workers(&self) -> (usize, usize) {
        let all = self.inner.settings.concurrency;
        (all.saturating_sub(self.inner.slots.available_permits()), all)
    }

    /// Takes no more work and waits until the runs in hand have ended or `at_most` is over. What is left over is
    /// taken up by the next process: nothing is lost either way.
    pub async fn stop(&self, at_most: Duration) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        let _ = tokio::time::timeout(at_most, self.inner.tasks.wait()).await;
        if let Err(error) = self.inner.guards.save().await {
            tracing::warn!(code = %error.code, %error, "the count of the last API calls is lost");
        }
    }
}

fn guard_settings(settings: &EngineSettings) -> GuardSettings {
    GuardSettings {
        breaker: settings.breaker,
        shares: settings.shares,
        retries: settings.retry.budget(),
    }
}

/// The result of what was done apart from its caller.
fn apart<T>(ended: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    ended.unwrap_or_else(|cause| {
        Err(Error::new(Code::Internal, "taking up a run ended in a panic").cause(cause))
    })
}

fn is_due(run: &Run, now: jiff::Timestamp) -> bool {
    matches!(run.state, RunState::Queued | RunState::Parked) && run.due_at <= now
}

fn settled(run: &Run, now: jiff::Timestamp, left: Duration) -> bool {
    let due_in = run.due_at.as_millisecond() - now.as_millisecond();
    match run.state {
        RunState::Parked => u128::try_from(due_in).is_ok_and(|due_in| due_in > left.as_millis()),
        RunState::Waiting => true,
        state => state.is_terminal(),
    }
}

impl Inner {
    /// Looks whether a CRM that was not called for a while is back.
    pub(crate) async fn probe(&self, connection: &ConnectionName) -> Result<bool> {
        let crm = self.sides.crm(connection).await?;
        self.guards.of(connection).try_probe(crm.as_ref()).await
    }

    /// There is work in the queue: for us, and for whichever other node has a worker free.
    pub(crate) fn rouse(&self) {
        self.nudge.notify_one();
        self.ledger.store().announce();
    }

    pub(crate) async fn scene(&self, connection: &ConnectionName) -> Result<Scene> {
        let crm = self.sides.crm(connection).await?;
        let crm = Arc::new(self.guards.of(connection).over(crm));
        let (cpq, matrix, ledger) = (self.sides.cpq(), self.sides.matrix(), self.ledger.clone());
        Ok(Scene {
            crm,
            cpq,
            matrix,
            ledger,
            deletes: self.settings.deletes,
            now: self.world.now(),
        })
    }
}
