//! What whoever works on a plan writes down. Each function is one commit, and says whether the plan is still theirs.

use cpq_domain::Result;
use cpq_domain::dead_letter::Closed;
use cpq_domain::error::Report;
use cpq_domain::id::RunId;
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::replay::{Item, ItemNow, ItemState, Plan, PlanId, Selection};
use cpq_store::{Store, Tx, dead_letters, replays};
use jiff::{SignedDuration, Timestamp};

use crate::along::{self, End};

/// How long a plan is taken to be worked on after the last sign of life; one is given several times a second.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(15);
/// Plans whose items are kept; older ones keep their prediction and their result.
const KEPT: i64 = 20;

/// What became of an item.
#[derive(Clone)]
pub(super) struct Ended {
    pub(super) position: i64,
    pub(super) state: ItemState,
    pub(super) run: RunId,
    pub(super) report: Option<Report>,
}

/// Adds items to a plan that is being made.
pub(super) async fn add(store: &Store, plan: &Plan, items: Vec<Item>, now: Timestamp) -> Result<bool> {
    let (id, attempt) = (plan.id, plan.attempt);
    store
        .write(move |tx| {
            Box::pin(async move {
                if !replays::touch(tx, id, attempt, now + LEASE).await? {
                    return Ok(false);
                }
                for item in &items {
                    replays::add_item(tx, id, item).await?;
                }
                Ok(true)
            })
        })
        .await
}

/// The plan is made.
pub(super) async fn seal(store: &Store, plan: Plan) -> Result<bool> {
    store
        .write(move |tx| Box::pin(async move { replays::seal(tx, &plan).await }))
        .await
}

/// Stores what became of items, and how far the plan has come.
pub(super) async fn save(store: &Store, plan: &Plan, ended: Vec<Ended>) -> Result<bool> {
    let plan = plan.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                if !replays::update(tx, &plan).await? {
                    return Ok(false);
                }
                for one in ended {
                    replays::set_item(tx, plan.id, one.position, one.state, Some(one.run)).await?;
                }
                Ok(true)
            })
        })
        .await
}

/// A page of items in a state.
pub(super) async fn page(store: &Store, id: PlanId, state: ItemState, after: i64) -> Result<Vec<ItemNow>> {
    store
        .read(move |tx| Box::pin(async move { replays::items(tx, id, Some(state), after, PAGE_ROWS).await }))
        .await
}

/// Leaves items of which nothing is to be done. With a closing their letters are settled; else they stay open. Returns
/// how many were closed.
pub(super) async fn leave(store: &Store, plan: &Plan, items: Vec<(Item, Option<Closed>)>) -> Result<u64> {
    let (id, attempt) = (plan.id, plan.attempt);
    let selection = plan.content.selection.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                if !replays::is_ours(tx, id, attempt).await? {
                    return Ok(0);
                }
                let mut count = 0;
                for (item, closed) in items {
                    if let Some(closed) = closed {
                        count += settle(tx, &selection, &item, &closed).await?;
                    }
                    replays::set_item(tx, id, item.position, ItemState::Left, None).await?;
                }
                Ok(count)
            })
        })
        .await
}

async fn settle(tx: &mut dyn Tx, selection: &Selection, item: &Item, closed: &Closed) -> Result<u64> {
    let letters = dead_letters::of_lane(tx, selection, &item.lane()).await?;
    let count = letters.len() as u64;
    for letter in letters {
        along::close(tx, letter, End::Settled, closed.clone()).await?;
    }
    Ok(count)
}

/// Takes away the items of plans that nobody asks for any more.
pub(super) async fn purge(store: &Store, newest: PlanId) -> Result<()> {
    let up_to = PlanId(newest.0 - KEPT);
    if up_to.0 <= 0 {
        return Ok(());
    }
    loop {
        let gone = store
            .write(move |tx| Box::pin(async move { replays::purge(tx, up_to).await }))
            .await?;
        if gone == 0 {
            return Ok(());
        }
    }
}
