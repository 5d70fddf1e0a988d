//! Letters for the dead runs of a store that is older than letters are.

use cpq_domain::Result;
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::run::RunState;
use cpq_store::{Store, dead_letters, runs, settings};
use jiff::Timestamp;

use super::bury;

/// Setting that says that every dead run has its letter.
const COMPLETE: &str = "dead_letters.complete";

/// Gives dead runs of a store that is older than letters theirs.
pub(crate) async fn complete(store: &Store, now: Timestamp) -> Result<()> {
    let done = store.read(|tx| Box::pin(settings::get(tx, COMPLETE))).await?;
    if done.is_some() {
        return Ok(());
    }
    let missing = store
        .read(|tx| Box::pin(dead_letters::runs_without(tx, 1)))
        .await?;
    if missing.is_empty() {
        return Ok(());
    }
    while complete_some(store).await? > 0 {}
    let at = now.to_string();
    store
        .write(move |tx| Box::pin(async move { settings::put(tx, COMPLETE, &at).await }))
        .await
}

async fn complete_some(store: &Store) -> Result<usize> {
    store
        .write(|tx| {
            Box::pin(async move {
                let without = dead_letters::runs_without(tx, PAGE_ROWS).await?;
                let mut buried = 0;
                for id in without {
                    let run = runs::by_id(tx, id).await?;
                    if let Some(run) = run.filter(|run| run.state == RunState::Dead && run.error.is_some()) {
                        bury(tx, &run).await?;
                        buried += 1;
                    }
                }
                Ok(buried)
            })
        })
        .await
}
