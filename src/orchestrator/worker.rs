//! One worker: takes a run from its first line to its end, and writes the end down.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error, Hold, Written};
use cpq_domain::event::{Data, EventKind, SyncEvent};
use cpq_domain::limits;
use cpq_domain::run::{Outcome, Run, RunEvent, RunState};
use cpq_meter::catalogue::syncs;
use futures_util::FutureExt;
use jiff::SignedDuration;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use crate::engine::Inner;
use crate::halt::Halt;
use crate::keep::Learned;
use crate::steps::Steps;
use crate::sync::sync_opportunity;
use crate::traced;

/// Milliseconds over which runs that were held together come back.
const HELD_SPREAD_MS: u64 = 1_000;

/// Works on a run that this process has claimed, until it has ended, is parked, or is lost to another process.
pub(crate) async fn work(inner: Arc<Inner>, mut run: Run, slot: OwnedSemaphorePermit) {
    inner.headroom.note(&run, inner.world.monotonic_us());
    let mut is_new = run.attempt == 1;
    if is_new {
        inner.guards.of(&run.lane.connection).fresh();
    }
    loop {
        let span = traced::pass(&run, is_new);
        match pass(&inner, run.clone(), is_new).instrument(span).await {
            Pass::Again(again) => run = *again,
            Pass::Over => break,
            Pass::NotWritten => {
                if stopped_within_a_lease(&inner).await {
                    break;
                }
            }
        }
        is_new = false;
    }
    inner.headroom.note(&run, inner.world.monotonic_us());
    drop(slot);
    inner.nudge.notify_one();
}

/// What comes after a pass.
enum Pass {
    Again(Box<Run>),
    Over,
    /// The store refuses: nothing can be written down, so nothing is claimed. Our signs of life keep the lease, so nobody
    /// else takes the run up: it goes on here, from its last durable point.
    NotWritten,
}

async fn pass(inner: &Inner, run: Run, is_new: bool) -> Pass {
    let correlation = run.correlation.clone();
    match attempt(inner, run, is_new).await {
        Ok(Some(again)) if again.state == RunState::Running => Pass::Again(Box::new(again)),
        Ok(Some(ended)) => {
            inner.waiters.tell(&ended);
            Pass::Over
        }
        Ok(None) => {
            tracing::warn!(correlation = %correlation, "another process took this run over; leaving it alone");
            Pass::Over
        }
        Err(error) => {
            traced::failed(&error);
            tracing::error!(correlation = %correlation, code = %error.code, error = %error, "cannot write the journal");
            Pass::NotWritten
        }
    }
}

/// Waits as long as another process would before it took the run up. `true` if this one stops meanwhile.
async fn stopped_within_a_lease(inner: &Inner) -> bool {
    let lease = Duration::from_millis(u64::try_from(inner.settings.lease_ms).unwrap_or_default());
    tokio::time::timeout(lease, inner.stop.cancelled()).await.is_ok()
}

/// One pass over the function. `None`: the lease was lost. A new run has nothing in its journal to remember.
async fn attempt(inner: &Inner, run: Run, is_new: bool) -> Result<Option<Run>> {
    let journal = match is_new {
        true => Vec::new(),
        false => inner.ledger.journal(run.id).await?,
    };
    let steps = Steps::new(run, &journal, inner.ledger.clone(), inner.world.clone());
    let result = AssertUnwindSafe(execute(inner, &steps)).catch_unwind().await;
    let result = result.unwrap_or_else(|_| Err(Halt::Dead(panicked())));
    let (run, events, learned) = steps.finish();
    if matches!(result, Err(Halt::LeaseLost)) {
        return Ok(None);
    }
    if matches!(result, Err(Halt::LinedUp)) {
        let state = RunState::Queued;
        return Ok(Some(Run { state, ..run }));
    }
    match end(inner, run.clone(), result, events, learned).await {
        // What the store refuses for good, e.g. the link of another quote, it would refuse again: keep the diagnosis.
        Err(refused) if !refused.class().passes_with_time() => {
            let dead = Err(Halt::Dead(refused.written(Written::Unknown)));
            end(inner, run, dead, Vec::new(), Learned::default()).await
        }
        ended => ended,
    }
}

/// Writes down how the pass ended. `None`: the lease was lost.
async fn end(
    inner: &Inner,
    run: Run,
    result: Result<Outcome, Halt>,
    mut events: Vec<SyncEvent>,
    learned: Learned,
) -> Result<Option<Run>> {
    let (run, last) = settle(inner, run, result);
    events.push(last);
    let kept = traced::commit(inner.ledger.settle(run, events, learned)).await?;
    kept.iter().for_each(|run| {
        traced::ended(run);
        report(run);
    });
    Ok(kept)
}

async fn execute(inner: &Inner, steps: &Steps) -> Result<Outcome, Halt> {
    let scene = inner.scene(&steps.lane().connection).await?;
    sync_opportunity(steps, &scene).await
}

fn panicked() -> Error {
    Error::new(
        Code::Internal,
        "the sync ended in a panic; this is a defect of ours",
    )
    .written(Written::Unknown)
}

/// The state that a result leads to, and the journal row that says so.
fn settle(inner: &Inner, mut run: Run, result: Result<Outcome, Halt>) -> (Run, SyncEvent) {
    let now = inner.world.now();
    let (event, kind) = match result {
        Ok(outcome) => {
            run.outcome = Some(outcome);
            run.error = None;
            (Some(RunEvent::Succeed), EventKind::Succeeded)
        }
        Err(Halt::Retry(error)) => retry(inner, &mut run, error),
        Err(Halt::Hold(error)) => hold(inner, &mut run, error),
        Err(Halt::Restart(error)) => restart(inner, &mut run, error),
        Err(Halt::Wait(error)) => (remember(&mut run, error, RunEvent::Wait), EventKind::Waiting),
        Err(Halt::Dead(error)) => (remember(&mut run, error, RunEvent::Bury), EventKind::Dead),
        Err(Halt::LeaseLost | Halt::LinedUp) => unreachable!("handled before"),
    };
    run.state = event.map_or(run.state, |event| {
        run.state.after(event).expect("a running run may end in any way")
    });
    run.updated_at = now;
    let data = match kind {
        EventKind::Succeeded => Data::of(&run.outcome),
        _ => Data::of(&run.error),
    };
    let step = "run".to_owned();
    let data = data.unwrap_or_default();
    let last = SyncEvent {
        sequence: 0,
        kind,
        step,
        attempt: run.attempt,
        at: now,
        duration_us: None,
        data,
    };
    (run, last)
}

fn remember(run: &mut Run, error: Error, event: RunEvent) -> Option<RunEvent> {
    run.error = Some(error.report(Some(run.correlation.as_str())));
    Some(event)
}

fn retry(inner: &Inner, run: &mut Run, error: Error) -> (Option<RunEvent>, EventKind) {
    let now = inner.world.now();
    let age_ms = u64::try_from(now.as_millisecond() - run.created_at.as_millisecond()).unwrap_or(0);
    let wait = inner
        .settings
        .retry
        .wait_ms(&error, run.tries, age_ms, inner.world.as_ref());
    run.tries += 1;
    let Some(wait_ms) = wait else {
        return (remember(run, error, RunEvent::Bury), EventKind::Dead);
    };
    syncs::RETRIES.add([run.lane.connection.as_str(), error.code.as_str()], 1);
    let room_ms = inner.guards.of(&run.lane.connection).repeat();
    let wait_ms = wait_ms.max(room_ms.min(inner.settings.retry.cap_ms));
    (park(inner, run, error, wait_ms), EventKind::Parked)
}

/// Nothing was tried, so no try is used. All that are held would come back in the same moment; they are spread a little.
fn hold(inner: &Inner, run: &mut Run, error: Error) -> (Option<RunEvent>, EventKind) {
    let reason = error.held().map_or("", Hold::as_str);
    syncs::HOLDS.add([run.lane.connection.as_str(), reason], 1);
    let wait_ms = error.retry_after_ms.unwrap_or(0) + inner.world.random_below(HELD_SPREAD_MS);
    (park(inner, run, error, wait_ms), EventKind::Parked)
}

fn park(inner: &Inner, run: &mut Run, error: Error, wait_ms: u64) -> Option<RunEvent> {
    let wait = SignedDuration::from_millis(i64::try_from(wait_ms).unwrap_or(i64::MAX));
    run.due_at = inner.world.now() + wait;
    remember(run, error, RunEvent::Park)
}

/// Starts over at once a few times; after that the record is being changed faster than we can read it, so wait.
fn restart(inner: &Inner, run: &mut Run, error: Error) -> (Option<RunEvent>, EventKind) {
    run.restarts += 1;
    if !run.restarts.is_multiple_of(limits::SUPERSEDE_MAX + 1) {
        run.error = Some(error.report(Some(run.correlation.as_str())));
        return (None, EventKind::Restarted);
    }
    let (event, kind) = retry(inner, run, error);
    (
        event,
        if kind == EventKind::Parked {
            EventKind::Restarted
        } else {
            kind
        },
    )
}

/// Logs a failure once, here, where it is handled, and counts.
fn report(run: &Run) {
    let (state, lane) = (run.state.as_str(), run.lane.to_string());
    match &run.error {
        Some(report) => {
            tracing::warn!(correlation = %run.correlation, lane, state, code = %report.code, error = %report.message, "sync");
        }
        None => tracing::info!(correlation = %run.correlation, lane, state, "sync"),
    }
    count(run);
}

/// Counts how a pass over a run has ended.
pub(crate) fn count(run: &Run) {
    let code = run.error.as_ref().map(|report| report.code);
    // Whoever may ask for a sync may name a connection that there is not, and that must become no label.
    let connection = match code {
        Some(Code::NotConnected) => "unknown",
        _ => run.lane.connection.as_str(),
    };
    let (end, code) = (run.state.as_str(), code.map_or("none", Code::as_str));
    match run.state {
        RunState::Waiting => syncs::WAITS.add([connection, code], 1),
        RunState::Running => syncs::RESTARTS.add([connection], 1),
        // Counted where it was decided: a try was used, or none.
        RunState::Parked | RunState::Queued => {}
        _ => {
            let took = run.updated_at.duration_since(run.created_at).as_secs_f64();
            syncs::SYNCS.add([connection, end, code], 1);
            syncs::DURATION.observe([connection, end], took, Some(run.correlation.as_str()));
        }
    }
}
