//! Carrying a plan out: one sync after the other, a few under way at once.

use std::collections::VecDeque;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::dead_letter::{Closed, Signature};
use cpq_domain::error::Code;
use cpq_domain::replay::{Deed, Failure, Item, ItemNow, ItemState, Plan, PlanState, Verdict, Wanted, judge};
use cpq_domain::run::{Effect, Run, RunState};
use cpq_store::replays;
use tokio::task::JoinSet;

use super::books::{self, Ended, LEASE};
use super::following::{broken, counted, follow, sync};
use crate::along::Source;
use crate::engine::Engine;

/// How often progress is written down, and the store asked what people want. Whoever watches sees it move.
const TICK: Duration = Duration::from_millis(250);

/// Carries the plan out to its end, or until it is to stop.
pub(super) async fn carry_out(engine: Engine, plan: Plan) {
    let id = plan.id;
    let mut conductor = Conductor::new(engine, plan);
    if let Err(error) = conductor.work().await {
        // Nothing is lost: whoever takes the plan up goes on where the store says.
        tracing::error!(plan = %id, code = %error.code, error = %error, "a replay cannot go on");
    }
}

struct Conductor {
    engine: Engine,
    plan: Plan,
    /// Items to do next, and where the next page begins, phase by phase.
    next: VecDeque<ItemNow>,
    phase: Option<ItemState>,
    after: i64,
    handed_over: u64,
    /// The same, by this process.
    begun: u64,
    ended: Vec<Ended>,
    stop: Option<(PlanState, String)>,
    lost: bool,
    began_us: u64,
    worked_before_ms: u64,
}

/// Syncs under way: the item of each, and its run once that has ended or rests, with the calls that it took. Each is a task
/// of its own: one that was only polled between our own reads could hold a turn of the store's readers while we wait for
/// one.
type UnderWay = JoinSet<(Item, Result<(Run, u64)>)>;

impl Conductor {
    fn new(engine: Engine, plan: Plan) -> Conductor {
        Conductor {
            began_us: engine.inner.world.monotonic_us(),
            worked_before_ms: plan.progress.worked_ms,
            engine,
            // What was under way when a process died is waited for first, then what rested.
            phase: Some(ItemState::Submitted),
            after: 0,
            next: VecDeque::new(),
            // A canary that failed before is not one that passed: others take its place.
            handed_over: plan.progress.succeeded,
            begun: 0,
            ended: Vec::new(),
            stop: None,
            lost: false,
            plan,
        }
    }

    async fn work(&mut self) -> Result<()> {
        let mut under_way = UnderWay::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.engine.inner.stop.clone();
        loop {
            while self.has_room(under_way.len())
                && let Some(now) = self.next_item().await?
            {
                self.begin(now, &mut under_way);
            }
            if under_way.is_empty() && self.stop.is_none() && self.waits_for_canary() {
                let why = "the canary neither succeeded nor failed in time".to_owned();
                self.stop = Some((PlanState::Stopped, why));
            }
            if under_way.is_empty() && (self.stop.is_some() || self.phase.is_none()) {
                return self.end().await;
            }
            tokio::select! {
                Some(ended) = under_way.join_next() => {
                    let (item, run) = ended.map_err(broken)?;
                    self.take(&item, run).await?;
                }
                _ = tick.tick() => self.save().await?,
                () = stop.cancelled() => return self.let_go().await,
            }
            if self.lost {
                tracing::warn!(plan = %self.plan.id, "another process carries this replay out, or it was given up");
                return Ok(());
            }
        }
    }

    /// Whether another sync may begin: not while it is to stop, not beyond the canary, the headroom or the
    /// rate.
    fn has_room(&self, under_way: usize) -> bool {
        let inner = &self.engine.inner;
        let Some(limits) = self.plan.progress.limits else {
            return false;
        };
        let beside = inner.settings.replay.at_once_beside_live as usize;
        let at_once = inner
            .headroom
            .at_once(inner.world.monotonic_us(), limits.at_once as usize, beside);
        let may = self.stop.is_none() && self.phase.is_some() && !self.waits_for_canary();
        may && under_way < at_once && self.begun < self.allowed()
    }

    /// Syncs that may have been begun by now, by the configured rate; a tick's worth of them go at once.
    fn allowed(&self) -> u64 {
        let inner = &self.engine.inner;
        let rate = u64::from(inner.settings.replay.syncs_per_second);
        if rate == 0 {
            return u64::MAX;
        }
        let elapsed_us = inner.world.monotonic_us().saturating_sub(self.began_us);
        1 + elapsed_us.saturating_mul(rate) / 1_000_000
    }

    /// Whether the canary is handed over, and has not passed.
    fn waits_for_canary(&self) -> bool {
        let progress = &self.plan.progress;
        let canary = progress.limits.map_or(0, |limits| u64::from(limits.canary));
        !progress.canary_passed && canary > 0 && self.phase.is_some() && self.handed_over >= canary
    }

    /// The next item, in phases: what is under way already, what rested, what was not begun.
    async fn next_item(&mut self) -> Result<Option<ItemNow>> {
        while let Some(phase) = self.phase {
            if let Some(next) = self.next.pop_front() {
                return Ok(Some(next));
            }
            let page = books::page(self.engine.inner.ledger.store(), self.plan.id, phase, self.after).await?;
            match page.last() {
                Some(last) => self.after = last.item.position,
                None => {
                    self.after = 0;
                    self.phase = match phase {
                        ItemState::Submitted => Some(ItemState::Parked),
                        ItemState::Parked => Some(ItemState::Pending),
                        _ => None,
                    };
                }
            }
            let (syncs, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|now| now.item.deed.is_sync());
            self.leave(others).await?;
            self.next = syncs.into();
        }
        Ok(None)
    }

    fn begin(&mut self, now: ItemNow, under_way: &mut UnderWay) {
        let ItemNow { item, run_id, .. } = now;
        self.handed_over += 1;
        self.begun += 1;
        let engine = self.engine.clone();
        let source = Source::Item {
            plan: self.plan.id,
            attempt: self.plan.attempt,
            item: item.clone(),
            selection: self.plan.content.selection.clone(),
            by: self.plan.content.by.clone(),
        };
        under_way.spawn(async move {
            let run = match run_id {
                Some(run) => follow(&engine, run).await,
                None => sync(&engine, &item, source).await,
            };
            (item, counted(&engine, run).await)
        });
    }

    /// Closes the letters of opportunities of which nothing is to be done; of those that would fail they stay open.
    async fn leave(&mut self, items: Vec<ItemNow>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let (at, by) = (self.engine.inner.world.now(), self.plan.content.by.clone());
        let left = items.into_iter().map(|ItemNow { item, .. }| {
            let why = item.why.as_deref().unwrap_or("nothing to do");
            let closed = Closed {
                at,
                by: by.clone(),
                reason: format!("{why}, when {} was made", self.plan.id),
                sync: None,
            };
            let closes = item.deed != Deed::WouldFail;
            (item, closes.then_some(closed))
        });
        let left = left.collect();
        let store = self.engine.inner.ledger.store();
        self.plan.progress.letters_closed += books::leave(store, &self.plan, left).await?;
        Ok(())
    }

    /// Counts how a sync ended, and judges whether to go on.
    async fn take(&mut self, item: &Item, run: Result<(Run, u64)>) -> Result<()> {
        let (run, calls) = match run {
            Ok(run) => run,
            // Another process has the plan, or a person wants it to stop: the next look at the store tells which.
            Err(error) if error.code == Code::ConflictOutdated => return self.save().await,
            Err(error) => return Err(error),
        };
        let progress = &mut self.plan.progress;
        progress.api_calls += calls;
        let state = match run.state {
            RunState::Succeeded => {
                let outcome = run.outcome.as_ref();
                progress.succeeded += 1;
                progress.wrote += u64::from(outcome.is_some_and(|one| one.effect == Effect::Written));
                progress.created += u64::from(outcome.is_some_and(|one| one.created));
                progress.crm_writes += outcome.map_or(0, |one| u64::from(one.crm_writes));
                progress.cpq_writes += outcome.map_or(0, |one| u64::from(one.cpq_writes));
                progress.conflicts += outcome.map_or(0, |one| u64::from(one.open_conflicts));
                ItemState::Done
            }
            RunState::Dead | RunState::Cancelled | RunState::Superseded => {
                progress.failed += 1;
                ItemState::Failed
            }
            RunState::Queued | RunState::Running | RunState::Parked | RunState::Waiting => {
                progress.parked += 1;
                ItemState::Parked
            }
        };
        progress.letters_closed += item.letters;
        self.ended.push(Ended {
            position: item.position,
            state,
            run: run.id,
            report: run.error.clone().filter(|_| state != ItemState::Done),
        });
        self.pass_canary();
        self.judge(&run);
        Ok(())
    }

    fn pass_canary(&mut self) {
        let progress = &mut self.plan.progress;
        let canary = progress.limits.map_or(0, |limits| u64::from(limits.canary));
        progress.canary_passed |= progress.succeeded >= canary;
    }

    fn judge(&mut self, run: &Run) {
        let report = self.ended.last().and_then(|ended| ended.report.clone());
        let (Some(report), Some(limits)) = (report, self.plan.progress.limits) else {
            return;
        };
        let failure = Failure {
            signature: Signature::of(&report),
            waits: run.state == RunState::Waiting,
        };
        let known = &self.plan.content.signatures;
        let verdict = judge(&self.plan.progress, &limits, known, Some(&failure));
        self.plan.progress.failure = Some(report);
        if let (Verdict::Stop(why), None) = (verdict, &self.stop) {
            self.stop = Some((PlanState::Stopped, why));
        }
    }

    /// Writes down how far it has come, and asks what people want.
    async fn save(&mut self) -> Result<()> {
        self.stamp();
        let store = self.engine.inner.ledger.store();
        let ended = std::mem::take(&mut self.ended);
        if !books::save(store, &self.plan, ended).await? {
            self.lost = true;
            return Ok(());
        }
        let id = self.plan.id;
        let now = store.read(move |tx| Box::pin(replays::by_id(tx, id))).await?;
        let wanted = now.and_then(|now| now.wanted);
        if let (Some(wanted), None) = (wanted, &self.stop) {
            self.stop = Some(match wanted {
                Wanted::Pause => (PlanState::Paused, "a person paused it".to_owned()),
                Wanted::Abort => (PlanState::Aborted, "a person gave it up".to_owned()),
            });
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        let (state, reason) = match self.stop.take() {
            Some((state, reason)) => (state, Some(reason)),
            None => (PlanState::Done, None),
        };
        self.stamp();
        self.plan.state = state;
        self.plan.progress.reason = reason;
        self.plan.progress.ended_at = Some(self.plan.updated_at);
        let ended = std::mem::take(&mut self.ended);
        let kept = books::save(self.engine.inner.ledger.store(), &self.plan, ended).await?;
        let progress = &self.plan.progress;
        cpq_meter::catalogue::syncs::REPLAYS.add([state.as_str()], 1);
        tracing::info!(plan = %self.plan.id, state = state.as_str(), kept, succeeded = progress.succeeded,
            failed = progress.failed, reason = progress.reason.as_deref().unwrap_or_default(), "replay");
        Ok(())
    }

    /// This process stops: the next one need not wait for the end of our lease.
    async fn let_go(&mut self) -> Result<()> {
        self.stamp();
        self.plan.lease_until = self.plan.updated_at;
        let ended = std::mem::take(&mut self.ended);
        books::save(self.engine.inner.ledger.store(), &self.plan, ended)
            .await
            .map(drop)
    }

    fn stamp(&mut self) {
        let inner = &self.engine.inner;
        let now = inner.world.now();
        let worked_us = inner.world.monotonic_us().saturating_sub(self.began_us);
        self.plan.progress.worked_ms = self.worked_before_ms + worked_us / 1_000;
        self.plan.updated_at = now;
        self.plan.lease_until = now + LEASE;
    }
}
