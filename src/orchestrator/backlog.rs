//! Background work of a service: runs that are due, runs whose worker died, and signs of life for runs in hand.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::id::RunId;
use cpq_domain::run::Run;
use tokio::sync::watch;

use crate::engine::Inner;
use crate::worker;

/// How often to look for due runs without being nudged. Parked runs are due to the half second at best, so a finer
/// look would only cost.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the counts of calls are stored. A process that dies loses what it counted since.
const SAVE_EVERY_MS: i64 = 5_000;

/// Runs until the engine stops.
pub(crate) async fn work(inner: Arc<Inner>) {
    let (mut beats, mut saves) = (0_i64, 0_i64);
    while !inner.stop.is_cancelled() {
        if let Err(error) = round(&inner, &mut beats, &mut saves).await {
            tracing::error!(code = %error.code, error = %error, "cannot look for waiting runs");
        }
        // In this order always: a choice by chance would make two equal runs differ.
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => {}
            () = inner.nudge.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    // Runs in hand still need their signs of life while they finish.
    while inner.slots.available_permits() < inner.settings.concurrency {
        let _ = inner.ledger.heartbeat().await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks at once when another node has announced work, until the engine stops.
pub(crate) async fn listen(inner: Arc<Inner>, mut news: watch::Receiver<u64>) {
    while let Some(Ok(())) = inner.stop.run_until_cancelled(news.changed()).await {
        inner.nudge.notify_one();
    }
}

async fn round(inner: &Arc<Inner>, last_beat_ms: &mut i64, last_save_ms: &mut i64) -> Result<()> {
    let now_ms = inner.world.now().as_millisecond();
    if now_ms - *last_beat_ms >= inner.settings.lease_ms / 3 {
        *last_beat_ms = now_ms;
        inner.ledger.heartbeat().await?;
        inner.ledger.free_orphans().await?;
    }
    if now_ms - *last_save_ms >= SAVE_EVERY_MS {
        *last_save_ms = now_ms;
        inner.guards.save().await?;
    }
    if inner.settings.works_backlog {
        probe_due(inner).await?;
        claim_due(inner).await?;
    }
    Ok(())
}

/// Makes the probes that are due, each in a task of its own: a CRM that hangs must not hold up signs of life. Whoever
/// comes first makes it; the others find that it is under way.
async fn probe_due(inner: &Arc<Inner>) -> Result<()> {
    for connection in inner.guards.due().await? {
        let (tasks, inner) = (&inner.tasks, inner.clone());
        let probe = async move {
            match inner.probe(&connection).await {
                Ok(true) => inner.nudge.notify_one(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%connection, code = %error.code, %error, "cannot look whether the CRM is back");
                }
            }
        };
        tasks.spawn(probe);
    }
    Ok(())
}

async fn claim_due(inner: &Arc<Inner>) -> Result<()> {
    let free = inner.slots.available_permits();
    if free == 0 {
        return Ok(());
    }
    for run in inner.ledger.claim(free).await? {
        start(inner, run);
    }
    Ok(())
}

/// Takes up what is due in the lane of the waiting run of a command that works alone, one after the other, once the lane
/// is free.
pub(crate) async fn claim_lane(inner: &Arc<Inner>, id: RunId) -> Result<()> {
    if let Some(run) = inner.ledger.claim_lane_of(id).await? {
        start(inner, run);
    }
    Ok(())
}

fn start(inner: &Arc<Inner>, run: Run) {
    // Permits are only taken here and at submit; between the count and this line a submit may have been faster, and
    // then this run waits its turn with its lease kept alive by the heartbeat, which must not wait with it.
    #[cfg(feature = "planted-bugs")]
    if cpq_domain::planted::Bug::WorksTwice.is_on()
        && let Ok(slot) = inner.slots.clone().try_acquire_owned()
    {
        inner.tasks.spawn(worker::work(inner.clone(), run.clone(), slot));
    }
    let (tasks, inner) = (inner.tasks.clone(), inner.clone());
    let work = async move {
        if let Ok(slot) = inner.slots.clone().acquire_owned().await {
            worker::work(inner, run, slot).await;
        }
    };
    tasks.spawn(work);
}
