//! Replay plans and their items.

use cpq_domain::id::RunId;
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::replay::{Item, ItemNow, ItemState, Plan, PlanId, PlanState, Wanted};
use cpq_domain::{Result, replay};
use jiff::Timestamp;

use crate::counters;
use crate::encode::{json, word};
use crate::limits::{PURGE_ROWS, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

/// Counter that numbers plans.
const COUNTER: &str = "replay_plan";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT number, state, digest, content, progress, created_at, updated_at, attempt, lease_until, wanted
  FROM replay_plans ",
            $rest
        )
    };
}

const INSERT: &str =
    "INSERT INTO replay_plans (number, state, digest, content, progress, created_at, updated_at, attempt,
  lease_until, wanted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const SEAL: &str = "UPDATE replay_plans SET state = 'planned', digest = $3, content = $4, updated_at = $5
  WHERE number = $1 AND attempt = $2 AND state = 'planning'";
const UPDATE: &str = "UPDATE replay_plans SET state = $3, progress = $4, updated_at = $5, lease_until = $6,
  wanted = CASE WHEN $3 = 'running' THEN wanted END
  WHERE number = $1 AND attempt = $2 AND state IN ('planning', 'running')";
const TAKE_UP: &str =
    "UPDATE replay_plans SET state = 'running', attempt = attempt + 1, progress = $2, updated_at = $3,
  lease_until = $4, wanted = NULL WHERE number = $1 AND (state IN ('planned', 'paused', 'stopped')
  OR (state = 'running' AND lease_until <= $3))";
const TOUCH: &str = "UPDATE replay_plans SET lease_until = $3
  WHERE number = $1 AND attempt = $2 AND state IN ('planning', 'running')";
const WANT: &str = "UPDATE replay_plans SET wanted = $2 WHERE number = $1 AND state = 'running'";
const SHELVE: &str = "UPDATE replay_plans SET state = $2, updated_at = $3, wanted = NULL
  WHERE number = $1 AND (state IN ('planned', 'paused', 'stopped')
  OR (state IN ('planning', 'running') AND lease_until <= $3))";
const OURS: &str =
    "SELECT 1 FROM replay_plans WHERE number = $1 AND attempt = $2 AND state = 'running' AND wanted IS NULL
  FOR UPDATE";
const BY_NUMBER: &str = select!("WHERE number = $1");
const NEWEST: &str = select!("WHERE number < $1 ORDER BY number DESC LIMIT $2");
const ORPHANED: &str = select!("WHERE state = 'running' AND lease_until <= $1 ORDER BY lease_until LIMIT 1");
const ADD_ITEM: &str = "INSERT INTO replay_items (plan, position, state, body) VALUES ($1, $2, $3, $4)";
const SET_ITEM: &str = "UPDATE replay_items SET state = $3, run_id = COALESCE($4, run_id)
  WHERE plan = $1 AND position = $2";
const ITEMS: &str = "SELECT state, body, run_id FROM replay_items
  WHERE plan = $1 AND position > $2 ORDER BY position LIMIT $3";
const ITEMS_IN: &str = "SELECT state, body, run_id FROM replay_items
  WHERE plan = $1 AND state = $2 AND position > $3 ORDER BY position LIMIT $4";
pub(crate) const PURGE: &str = "DELETE FROM replay_items WHERE (plan, position) IN
  (SELECT plan, position FROM replay_items WHERE plan <= $1 ORDER BY plan, position LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT, SEAL, UPDATE, TAKE_UP, TOUCH, WANT, SHELVE, OURS, BY_NUMBER, NEWEST, ORPHANED, ADD_ITEM,
    SET_ITEM, ITEMS, ITEMS_IN, PURGE,
];

/// The name for the next plan.
pub async fn next_id(tx: &mut dyn Tx) -> Result<PlanId> {
    Ok(PlanId(counters::next(tx, COUNTER).await?))
}

/// Adds a plan.
pub async fn insert(tx: &mut dyn Tx, plan: &Plan) -> Result<()> {
    let values = params![
        plan.id.0,
        plan.state.as_str(),
        &plan.digest,
        content(&plan.content)?,
        progress(&plan.progress)?,
        plan.created_at,
        plan.updated_at,
        plan.attempt,
        plan.lease_until,
        plan.wanted.map(|wanted| word(&wanted)).transpose()?,
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The plan is made: its content and digest never change again. `false` if it is not ours any more.
pub async fn seal(tx: &mut dyn Tx, plan: &Plan) -> Result<bool> {
    let content = content(&plan.content)?;
    let values = params![plan.id.0, plan.attempt, &plan.digest, content, plan.updated_at];
    Ok(tx.execute(SEAL, values).await? == 1)
}

/// Stores how far it has come, or how it ended. `false`, and nothing is stored, if it is not ours any more.
pub async fn update(tx: &mut dyn Tx, plan: &Plan) -> Result<bool> {
    let values = params![
        plan.id.0,
        plan.attempt,
        plan.state.as_str(),
        progress(&plan.progress)?,
        plan.updated_at,
        plan.lease_until,
    ];
    Ok(tx.execute(UPDATE, values).await? == 1)
}

/// Takes up a plan that is made, rests, or whose process died. `None` if it is none of these.
pub async fn take_up(tx: &mut dyn Tx, plan: &Plan, now: Timestamp, until: Timestamp) -> Result<Option<Plan>> {
    let values = params![plan.id.0, progress(&plan.progress)?, now, until];
    match tx.execute(TAKE_UP, values).await? {
        1 => by_id(tx, plan.id).await,
        _ => Ok(None),
    }
}

/// A sign of life. `false` if it is not ours any more.
pub async fn touch(tx: &mut dyn Tx, id: PlanId, attempt: u32, until: Timestamp) -> Result<bool> {
    Ok(tx.execute(TOUCH, params![id.0, attempt, until]).await? == 1)
}

/// Tells whoever carries the plan out what is wanted. `false` if nobody does.
pub async fn want(tx: &mut dyn Tx, id: PlanId, wanted: Wanted) -> Result<bool> {
    Ok(tx.execute(WANT, params![id.0, word(&wanted)?]).await? == 1)
}

/// Pauses or aborts a plan that nobody works on. `false` if somebody does, or it has ended.
pub async fn shelve(tx: &mut dyn Tx, id: PlanId, state: PlanState, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(SHELVE, params![id.0, state.as_str(), now]).await? == 1)
}

/// Whether the plan is still ours to carry out, and nobody wants it to stop.
pub async fn is_ours(tx: &mut dyn Tx, id: PlanId, attempt: u32) -> Result<bool> {
    Ok(tx.first(OURS, params![id.0, attempt]).await?.is_some())
}

/// A plan by its name.
pub async fn by_id(tx: &mut dyn Tx, id: PlanId) -> Result<Option<Plan>> {
    tx.first(BY_NUMBER, params![id.0]).await?.map(read).transpose()
}

/// The last plans before this one, newest first; at most [`PAGE_ROWS`].
pub async fn newest(tx: &mut dyn Tx, before: Option<PlanId>, limit: u32) -> Result<Vec<Plan>> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows = tx.query(NEWEST, params![before, limit.min(PAGE_ROWS)]).await?;
    rows.into_iter().map(read).collect()
}

/// A plan whose process died while it carried it out.
pub async fn orphaned(tx: &mut dyn Tx, now: Timestamp) -> Result<Option<Plan>> {
    tx.first(ORPHANED, params![now]).await?.map(read).transpose()
}

/// Adds an item to a plan that is being made.
pub async fn add_item(tx: &mut dyn Tx, plan: PlanId, item: &Item) -> Result<()> {
    let state = ItemState::Pending.as_str();
    let body = json("an item of a replay plan", item, TEXT_BYTES)?;
    tx.execute(ADD_ITEM, params![plan.0, item.position, state, body])
        .await
        .map(drop)
}

/// Stores what became of an item.
pub async fn set_item(
    tx: &mut dyn Tx,
    plan: PlanId,
    position: i64,
    state: ItemState,
    run: Option<RunId>,
) -> Result<()> {
    tx.execute(SET_ITEM, params![plan.0, position, state.as_str(), run])
        .await
        .map(drop)
}

/// A page of items behind `after`, in the order in which they are carried out; with `state` only those in it.
pub async fn items(
    tx: &mut dyn Tx,
    plan: PlanId,
    state: Option<ItemState>,
    after: i64,
    limit: u32,
) -> Result<Vec<ItemNow>> {
    let limit = limit.min(PAGE_ROWS);
    let rows = match state {
        Some(state) => {
            tx.query(ITEMS_IN, params![plan.0, state.as_str(), after, limit])
                .await?
        }
        None => tx.query(ITEMS, params![plan.0, after, limit]).await?,
    };
    let item = |mut row: Row| {
        Ok(ItemNow {
            state: row.word()?,
            item: row.json()?,
            run_id: row.take()?,
        })
    };
    rows.into_iter().map(item).collect()
}

/// Takes away items of this plan and older ones, some at a time. Returns how many went.
pub async fn purge(tx: &mut dyn Tx, up_to: PlanId) -> Result<u64> {
    tx.execute(PURGE, params![up_to.0, PURGE_ROWS]).await
}

fn content(content: &replay::Content) -> Result<String> {
    json("the content of a replay plan", content, TEXT_BYTES)
}

fn progress(progress: &replay::Progress) -> Result<String> {
    json("the progress of a replay", progress, TEXT_BYTES)
}

fn read(mut row: Row) -> Result<Plan> {
    Ok(Plan {
        id: PlanId(row.take()?),
        state: row.word()?,
        digest: row.take()?,
        content: row.json()?,
        progress: row.json()?,
        created_at: row.take()?,
        updated_at: row.take()?,
        attempt: row.take()?,
        lease_until: row.take()?,
        wanted: wanted(row.take()?),
    })
}

fn wanted(text: Option<String>) -> Option<Wanted> {
    text.and_then(|text| serde_json::from_value(text.into()).ok())
}
