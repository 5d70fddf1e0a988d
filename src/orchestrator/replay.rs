//! Replays: a plan over many dead letters, and carrying it out.
//!
//! A plan freezes a selection by the number of its last letter, folds the letters of an opportunity into one sync, looks
//! at both sides and decides as a sync would, and is sealed with a digest. Carrying it out hands over one sync after the
//! other; accepting a sync, closing its letters and marking its item is one transaction, so it does not matter where a
//! process dies. Everything that another process must know (how far, pause, abort) is in the store.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::replay::{
    Content, ItemNow, ItemState, Limits, Plan, PlanId, PlanState, Prediction, Progress, Selection, Wanted,
};
use cpq_store::replays;
use jiff::SignedDuration;

use crate::dead_letters;
use crate::engine::Engine;

mod books;
mod conductor;
mod following;
mod look;
mod planner;
mod seal;
mod settings;

pub use settings::{ReplaySettings, Start};

/// How often a service looks for replays whose process died.
const ORPHANS_EVERY: Duration = Duration::from_secs(5);

impl Engine {
    /// Begins to make a plan, and answers at once; look at it until it is `planned`.
    ///
    /// [`Code::RequestInvalid`] when the selection takes in no open letter.
    pub async fn plan_replay(&self, selection: Selection, by: String) -> Result<Plan> {
        let inner = &self.inner;
        let (now, lease) = (inner.world.now(), books::LEASE);
        let matrix_version = inner.sides.matrix().version().to_owned();
        let plan = inner
            .ledger
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let Some(selection) = dead_letters::freeze(tx, selection).await? else {
                        return Err(nothing_selected());
                    };
                    let plan = Plan {
                        id: replays::next_id(tx).await?,
                        state: PlanState::Planning,
                        digest: String::new(),
                        content: Content {
                            selection,
                            by,
                            matrix_version,
                            prediction: Prediction::default(),
                            signatures: Vec::new(),
                        },
                        progress: Progress::default(),
                        created_at: now,
                        updated_at: now,
                        attempt: 1,
                        lease_until: now + lease,
                        wanted: None,
                    };
                    replays::insert(tx, &plan).await?;
                    Ok(plan)
                })
            })
            .await?;
        let making = planner::make(self.clone(), plan.clone());
        inner.tasks.spawn(making);
        Ok(plan)
    }

    /// A plan as it is now.
    pub async fn replay_plan(&self, id: PlanId) -> Result<Plan> {
        let store = self.inner.ledger.store();
        let found = store.read(move |tx| Box::pin(replays::by_id(tx, id))).await?;
        found.ok_or_else(|| {
            Error::new(Code::NotFound, format!("no replay plan {id}"))
                .record(id.to_string())
                .next("`cpq dlq plans` shows the last ones")
        })
    }

    /// The last plans before this one, newest first.
    pub async fn replay_plans(&self, before: Option<PlanId>, limit: u32) -> Result<Vec<Plan>> {
        let store = self.inner.ledger.store();
        store
            .read(move |tx| Box::pin(async move { replays::newest(tx, before, limit).await }))
            .await
    }

    /// A page of the items of a plan, in the order in which they are carried out.
    pub async fn replay_items(
        &self,
        id: PlanId,
        state: Option<ItemState>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ItemNow>> {
        let store = self.inner.ledger.store();
        store
            .read(move |tx| Box::pin(async move { replays::items(tx, id, state, after, limit).await }))
            .await
    }

    /// Carries a plan out, or goes on with one that rests or whose process died. Answers at once. One that is done
    /// stays as it is: there is nothing left to write.
    ///
    /// [`Code::RequestInvalid`] when the plan is not what its digest says, too old, or was aborted, or when it cannot be
    /// carried out as is asked.
    pub async fn start_replay(&self, id: PlanId, start: Start) -> Result<Plan> {
        let plan = self.replay_plan(id).await?;
        let now = self.inner.world.now();
        match plan.state {
            PlanState::Done => return Ok(plan),
            PlanState::Running if plan.lease_until > now => return Ok(plan),
            PlanState::Planning => {
                return Err(refused(
                    id,
                    "is not made yet, or whoever made it died",
                    "make a new one with `cpq dlq plan`",
                ));
            }
            PlanState::Aborted => {
                return Err(refused(id, "was aborted", "make a new one with `cpq dlq plan`"));
            }
            PlanState::Planned | PlanState::Running | PlanState::Paused | PlanState::Stopped => {}
        }
        start.check()?;
        self.check(&plan, &start).await?;
        let progress = self.begun(&plan, &start);
        let wanted = Plan { progress, ..plan };
        let taken = self
            .inner
            .ledger
            .store()
            .write(move |tx| {
                Box::pin(async move { replays::take_up(tx, &wanted, now, now + books::LEASE).await })
            })
            .await?;
        let Some(taken) = taken else {
            return self.replay_plan(id).await;
        };
        self.inner
            .tasks
            .spawn(conductor::carry_out(self.clone(), taken.clone()));
        Ok(taken)
    }

    /// Begins no more syncs of a plan; those under way end. Whoever carries it out notices within a second.
    ///
    /// [`Code::RequestInvalid`] when it has ended.
    pub async fn stop_replay(&self, id: PlanId, wanted: Wanted) -> Result<Plan> {
        let plan = self.replay_plan(id).await?;
        let now = self.inner.world.now();
        let state = match wanted {
            Wanted::Pause => PlanState::Paused,
            Wanted::Abort => PlanState::Aborted,
        };
        let done = self
            .inner
            .ledger
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let alive = plan.state == PlanState::Running && plan.lease_until > now;
                    match alive {
                        true => replays::want(tx, id, wanted).await,
                        false => replays::shelve(tx, id, state, now).await,
                    }
                })
            })
            .await?;
        let plan = self.replay_plan(id).await?;
        match done || plan.state == state {
            true => Ok(plan),
            false => Err(refused(
                id,
                &format!("is {}", plan.state.as_str()),
                "`cpq dlq plans` shows the last ones",
            )),
        }
    }

    /// Whether the plan may be carried out at all.
    async fn check(&self, plan: &Plan, start: &Start) -> Result<()> {
        let id = plan.id;
        if let Some(seen) = &start.digest
            && *seen != plan.digest
        {
            let why = format!("has the digest {}, not {seen:.80}", plan.digest);
            return Err(refused(id, &why, "look at it again with `cpq dlq show-plan`"));
        }
        let hours = i64::from(self.inner.settings.replay.plan_max_age_hours);
        let age = self.inner.world.now().duration_since(plan.created_at);
        if plan.progress.started_at.is_none() && age > SignedDuration::from_hours(hours) {
            let why = format!(
                "was made at {}, and speaks of what was looked at then; {hours} hours are allowed",
                plan.created_at
            );
            return Err(refused(id, &why, "make a new one with `cpq dlq plan`"));
        }
        let found = seal::digest(self.inner.ledger.store(), plan).await?;
        if found != plan.digest {
            let why = format!(
                "was changed after it was made: its content has the digest {found}, and {} was sealed",
                plan.digest
            );
            return Err(refused(
                id,
                &why,
                "trust nothing of it; make a new one with `cpq dlq plan`",
            ));
        }
        Ok(())
    }

    fn begun(&self, plan: &Plan, start: &Start) -> Progress {
        let settings = &self.inner.settings.replay;
        let before = plan.progress.limits;
        let limit = |asked: Option<u32>, before: Option<u32>, usual: u32| asked.or(before).unwrap_or(usual);
        Progress {
            limits: Some(Limits {
                canary: limit(start.canary, before.map(|one| one.canary), settings.canary),
                error_percent: limit(
                    start.error_percent,
                    before.map(|one| one.error_percent),
                    settings.error_percent,
                ),
                at_once: limit(start.at_once, before.map(|one| one.at_once), settings.at_once).max(1),
            }),
            started_at: plan.progress.started_at.or(Some(self.inner.world.now())),
            ended_at: None,
            reason: None,
            failure: None,
            // Counted anew: they are looked at first.
            parked: 0,
            ..plan.progress.clone()
        }
    }
}

/// In a service: takes up replays whose process died, until the engine stops; in every process, first gives dead runs of
/// an older store their letters.
pub(crate) async fn take_up_orphans(engine: Engine) {
    let inner = engine.inner.clone();
    if let Err(error) = dead_letters::complete(inner.ledger.store(), inner.world.now()).await {
        tracing::error!(code = %error.code, error = %error, "cannot give dead runs their letters");
    }
    while inner.settings.works_backlog && !inner.stop.is_cancelled() {
        if let Err(error) = take_up_one(&engine).await {
            tracing::warn!(code = %error.code, error = %error, "cannot take up a replay whose process died");
        }
        tokio::select! {
            () = tokio::time::sleep(ORPHANS_EVERY) => {}
            () = inner.stop.cancelled() => {}
        }
    }
}

async fn take_up_one(engine: &Engine) -> Result<()> {
    let now = engine.inner.world.now();
    let store = engine.inner.ledger.store();
    let orphan = store.read(move |tx| Box::pin(replays::orphaned(tx, now))).await?;
    let Some(plan) = orphan else { return Ok(()) };
    if let Some(wanted) = plan.wanted {
        return engine.stop_replay(plan.id, wanted).await.map(drop);
    }
    engine.start_replay(plan.id, Start::default()).await.map(drop)
}

fn nothing_selected() -> Error {
    Error::new(
        Code::RequestInvalid,
        "no open dead letter fits, so there is nothing to replay",
    )
    .next("`cpq dlq list` shows what is open")
}

fn refused(id: PlanId, why: &str, next: &str) -> Error {
    Error::new(Code::RequestInvalid, format!("the replay plan {id} {why}"))
        .record(id.to_string())
        .next(next)
}
