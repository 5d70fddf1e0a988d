//! Following one sync of a replay to its end, or until it rests.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::RunId;
use cpq_domain::replay::Item;
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_store::journal;

use crate::along::{Along, Source};
use crate::engine::{Engine, Submission, Submitted};

/// Longest time to wait for one sync; after that it goes on by itself and counts as parked.
const PATIENCE: Duration = Duration::from_secs(60);
/// Failed tries after which a sync counts as parked at once: a lock is gone by then, an outage is not.
const TRIES: u32 = 3;
/// How often to look at a sync that was parked.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Hands an opportunity over to a sync, and follows it.
pub(super) async fn sync(engine: &Engine, item: &Item, source: Source) -> Result<Run> {
    let submission = Submission::of(item.lane(), Trigger::Replay);
    match engine.submit_along(submission, Along::replaying(source)).await? {
        Submitted::Accepted(run) | Submitted::Joined(run) => follow(engine, run.id).await,
        Submitted::Running { .. } | Submitted::Replayed { .. } => Err(Error::new(
            Code::Internal,
            "a replay without a key was answered as one with",
        )),
    }
}

/// A task that ended in a panic.
pub(super) fn broken(cause: tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "following a sync of a replay ended in a panic").cause(cause)
}

/// The run once it has ended, waits for a person, or failed so often that it will go on failing for a while.
pub(super) async fn follow(engine: &Engine, id: RunId) -> Result<Run> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let run = engine.wait(id, Duration::from_secs(1)).await?;
        let rests = run.state == RunState::Parked && run.tries >= TRIES;
        if run.state.is_terminal() || run.state == RunState::Waiting || rests {
            return Ok(run);
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(run);
        }
        if run.state == RunState::Parked {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The run with the calls that it asked the CRM for, by its journal.
pub(super) async fn counted(engine: &Engine, run: Result<Run>) -> Result<(Run, u64)> {
    let run = run?;
    let (id, store) = (run.id, engine.inner.ledger.store());
    let marks = store.read(move |tx| Box::pin(journal::marks(tx, id))).await?;
    let calls = marks
        .iter()
        .filter(|(kind, step)| matches!(kind.as_str(), "done" | "failed") && step.ends_with(".crm"));
    let calls = calls.count() as u64;
    Ok((run, calls))
}
