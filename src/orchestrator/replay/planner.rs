//! Making a plan: page by page through the lanes of a selection, a look at each, and a seal under it all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ConnectionName, CorrelationId, Lane};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::replay::{Deed, Foreseen, Item, Plan, PlanState, Prediction};
use cpq_store::dead_letters::{self, Fold};
use futures_util::{StreamExt, stream};

use super::look::{self, Seen};
use super::{books, seal};
use crate::engine::{Engine, Inner};
use crate::sync::Scene;

/// Looks under way at once; the adapter folds their reads into few calls.
const AT_ONCE: usize = PAGE_ROWS as usize;
/// Tries of one look while the other system does not answer.
const TRIES: u32 = 4;
/// Opportunities of a sample. Its error is about one in the square root of this.
const SAMPLE: u64 = 2_000;

/// Makes the plan, and writes down how that ended.
pub(super) async fn make(engine: Engine, plan: Plan) {
    let (inner, id) = (engine.inner.clone(), plan.id);
    let mut planner = Planner {
        inner: inner.clone(),
        plan: plan.clone(),
        scenes: HashMap::new(),
        prediction: Prediction::default(),
        stride: 1,
        lane: 0,
    };
    let ended = planner.work().await;
    let store = inner.ledger.store();
    if let Err(error) = ended {
        tracing::warn!(plan = %id, code = %error.code, error = %error, "cannot make a replay plan");
        let mut failed = planner.plan;
        failed.state = PlanState::Aborted;
        failed.updated_at = inner.world.now();
        failed.progress.reason = Some(format!("it could not be made: {}", error.message));
        failed.progress.failure = Some(error.report(None));
        if let Err(error) = books::save(store, &failed, Vec::new()).await {
            tracing::error!(plan = %id, code = %error.code, error = %error, "cannot write down that a plan failed");
        }
    }
    if let Err(error) = books::purge(store, id).await {
        tracing::warn!(code = %error.code, error = %error, "cannot take away the items of old replay plans");
    }
}

struct Planner {
    inner: Arc<Inner>,
    plan: Plan,
    scenes: HashMap<ConnectionName, Arc<Scene>>,
    prediction: Prediction,
    /// Every so manieth lane is looked at.
    stride: u64,
    lane: u64,
}

impl Planner {
    async fn work(&mut self) -> Result<()> {
        let selection = self.plan.content.selection.clone();
        self.stride = self.choose_stride().await?;
        let mut after: Option<Lane> = None;
        loop {
            let (selection, behind) = (selection.clone(), after.clone());
            let folds = self
                .inner
                .ledger
                .store()
                .read(move |tx| {
                    Box::pin(
                        async move { dead_letters::lanes(tx, &selection, behind.as_ref(), PAGE_ROWS).await },
                    )
                })
                .await?;
            let Some(last) = folds.last() else { break };
            after = Some(last.lane.clone());
            let items = self.items(folds).await?;
            items.iter().for_each(|item| self.prediction.add(item));
            let now = self.inner.world.now();
            if self.inner.stop.is_cancelled()
                || !books::add(self.inner.ledger.store(), &self.plan, items, now).await?
            {
                return Err(Error::new(
                    Code::Internal,
                    "the process stops, or the plan was given up",
                ));
            }
        }
        self.seal().await
    }

    async fn choose_stride(&self) -> Result<u64> {
        let selection = self.plan.content.selection.clone();
        let store = self.inner.ledger.store();
        let lanes = store
            .read(move |tx| Box::pin(async move { dead_letters::count_lanes(tx, &selection).await }))
            .await?;
        let exact = lanes <= self.inner.settings.replay.look_at_most;
        Ok(if exact { 1 } else { lanes.div_ceil(SAMPLE) })
    }

    /// One page of lanes: those that were synced since are left, the others looked at, all at once.
    async fn items(&mut self, folds: Vec<Fold>) -> Result<Vec<Item>> {
        let since = self.synced_since(&folds).await?;
        let mut looks = Vec::new();
        for (fold, since) in folds.into_iter().zip(since) {
            let scene = self.scene(&fold.lane.connection).await;
            let seen = self.lane.is_multiple_of(self.stride);
            self.lane += 1;
            looks.push((fold, since, scene, seen));
        }
        let (plan, inner) = (&self.plan, &self.inner);
        let call = Call {
            correlation: CorrelationId::new(format!("plan-{}", plan.id))?,
            traceparent: None,
            purpose: Purpose::Replay,
        };
        let looked = stream::iter(looks)
            .map(|(fold, since, scene, seen)| {
                let call = call.clone();
                async move {
                    let begun = inner.world.monotonic_us();
                    let found = match (since, scene, seen) {
                        (Some(sync), ..) => left(Deed::SyncedSince, format!("synced since by {sync}")),
                        (None, Err(error), _) => {
                            left(Deed::WouldFail, format!("{}: {}", error.code, error.message))
                        }
                        (None, Ok(_), false) => Seen {
                            deed: Deed::SyncUnseen,
                            foreseen: Foreseen::default(),
                            why: None,
                        },
                        (None, Ok(scene), true) => patiently(inner, &scene, &call, &fold.lane).await?,
                    };
                    let took = inner.world.monotonic_us().saturating_sub(begun);
                    Ok::<_, Error>((item(fold, found), took))
                }
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let mut items = Vec::with_capacity(looked.len());
        for one in looked {
            let (item, took) = one?;
            // A look waits for its turn and then for one call, so the quickest one is nearest to what a call takes.
            if matches!(item.deed, Deed::Sync | Deed::Agrees) {
                let quickest = self.prediction.call_us;
                self.prediction.call_us = if quickest == 0 { took } else { quickest.min(took) };
            }
            items.push(item);
        }
        Ok(items)
    }

    async fn synced_since(&self, folds: &[Fold]) -> Result<Vec<Option<CorrelationId>>> {
        let lanes: Vec<_> = folds
            .iter()
            .map(|fold| (fold.lane.clone(), fold.died_at))
            .collect();
        self.inner
            .ledger
            .store()
            .read(move |tx| {
                Box::pin(async move {
                    let mut since = Vec::with_capacity(lanes.len());
                    for (lane, died_at) in lanes {
                        since.push(dead_letters::synced_since(tx, &lane, died_at).await?);
                    }
                    Ok(since)
                })
            })
            .await
    }

    /// The two systems of a connection; the reason why there are none is told with each of its opportunities.
    async fn scene(&mut self, connection: &ConnectionName) -> Result<Arc<Scene>> {
        if let Some(scene) = self.scenes.get(connection) {
            return Ok(scene.clone());
        }
        let scene = Arc::new(self.inner.scene(connection).await?);
        self.scenes.insert(connection.clone(), scene.clone());
        Ok(scene)
    }

    async fn seal(&mut self) -> Result<()> {
        let selection = self.plan.content.selection.clone();
        let store = self.inner.ledger.store();
        let signatures = store
            .read(move |tx| Box::pin(async move { dead_letters::signatures(tx, &selection).await }))
            .await?;
        let settings = &self.inner.settings.replay;
        self.prediction.scale(settings.at_once as usize);
        self.plan.content.prediction = self.prediction.clone();
        self.plan.content.signatures = signatures;
        self.plan.digest = seal::digest(store, &self.plan).await?;
        self.plan.updated_at = self.inner.world.now();
        match books::seal(store, self.plan.clone()).await? {
            true => Ok(()),
            false => Err(Error::new(
                Code::Internal,
                "the plan was given up while it was made",
            )),
        }
    }
}

/// A look, and again if it failed in a way that passes.
async fn patiently(inner: &Inner, scene: &Scene, call: &Call, lane: &Lane) -> Result<Seen> {
    let mut tries = 0;
    loop {
        let error = match look::at(scene, call, lane).await {
            Ok(seen) => return Ok(seen),
            Err(error) => error,
        };
        tries += 1;
        let wait = inner
            .settings
            .retry
            .wait_ms(&error, tries, 0, inner.world.as_ref());
        let Some(wait) = wait.filter(|_| tries < TRIES) else {
            return Ok(left(
                Deed::WouldFail,
                format!("{}: {}", error.code, error.message),
            ));
        };
        tokio::time::sleep(Duration::from_millis(wait.min(2_000))).await;
    }
}

fn left(deed: Deed, why: String) -> Seen {
    Seen {
        deed,
        foreseen: Foreseen::default(),
        why: Some(why),
    }
}

fn item(fold: Fold, seen: Seen) -> Item {
    Item {
        position: fold.oldest,
        connection: fold.lane.connection,
        opportunity: fold.lane.opportunity,
        letters: fold.letters,
        newest: fold.newest,
        deed: seen.deed,
        foreseen: seen.foreseen,
        why: seen.why,
    }
}
