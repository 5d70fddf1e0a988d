//! What a caller that waits is told, and when.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::id::RunId;
use cpq_domain::run::RunState;
use cpq_orchestrator::EngineSettings;
use cpq_store::{Store, StoreOptions};
use futures_util::FutureExt;

use crate::bench::{Bench, LONG, look_at, run_of};
use crate::fakes::{Fate, Gate, NUMBER};

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_time() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let gate = Arc::new(Gate::default());
    bench.land.script("cpq.write", [Fate::Held(gate.clone())]);
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let start = tokio::time::Instant::now();
    let still = engine.wait(run.id, Duration::from_secs(10)).await.expect("known");
    assert_eq!(still.state, RunState::Running);
    assert_eq!(start.elapsed().as_secs(), 10);
    gate.open();
    let ended = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(ended.state, RunState::Succeeded);
    // Over long ago: told at once.
    let start = tokio::time::Instant::now();
    engine.wait(run.id, LONG).await.expect("known");
    assert!(start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_wait_goes_on_over_a_short_parking_and_ends_at_a_long_one() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    let down = Fate::RefusedFor(Code::CrmUnavailable, 60_000);
    bench.land.script("crm.read", [down.clone(), down]);
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let start = tokio::time::Instant::now();
    let parked = engine.wait(run.id, Duration::from_secs(10)).await.expect("known");
    assert_eq!(
        (parked.state, start.elapsed().as_secs() < 10),
        (RunState::Parked, true)
    );
    let ended = engine
        .wait(run.id, Duration::from_secs(300))
        .await
        .expect("known");
    assert_eq!((ended.state, ended.tries), (RunState::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_sees_the_end_in_another_process() {
    let bench = Bench::new().await;
    let (here, there) = (bench.process("a").engine, bench.process("b").engine);
    let gate = Arc::new(Gate::default());
    bench.land.script("cpq.write", [Fate::Held(gate.clone())]);
    let run = run_of(here.submit(look_at(NUMBER)).await.expect("accepted"));
    let waiting = tokio::spawn(async move { there.wait(run.id, LONG).await });
    gate.arrival().await;
    gate.open();
    let ended = waiting.await.expect("no panic").expect("known");
    assert_eq!(ended.state, RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_run_that_is_not() {
    let bench = Bench::new().await;
    let unknown = RunId(cpq_domain::world::World::uuid(&*bench.process("b").life));
    let error = bench
        .process("a")
        .engine
        .wait(unknown, LONG)
        .await
        .expect_err("unknown");
    assert_eq!(error.code, Code::NotFound);
}

/// A single command waits for a lane that another process holds, and then takes up its own run itself.
#[tokio::test(start_paused = true)]
async fn a_single_command_takes_its_own_run_when_the_lane_is_free() {
    let bench = Bench::new().await;
    let service = bench.process("a").engine;
    let gate = Arc::new(Gate::default());
    bench.land.script("crm.read", [Fate::Held(gate.clone())]);
    service.submit(look_at(NUMBER)).await.expect("accepted");
    let alone = EngineSettings {
        works_backlog: false,
        ..EngineSettings::named("b")
    };
    let command = bench.process_with(alone, None).engine;
    let own = run_of(command.submit(look_at(NUMBER)).await.expect("accepted"));
    let waiting = tokio::spawn(async move { command.wait(own.id, LONG).await });
    gate.arrival().await;
    gate.open();
    let ended = waiting.await.expect("no panic").expect("known");
    assert_eq!((ended.state, ended.attempt), (RunState::Succeeded, 1));
}

/// A caller that hangs up right after its wish was stored leaves nothing half-way: the run goes on.
#[tokio::test]
async fn a_wish_outlives_a_caller_that_hangs_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreOptions::at(directory.path().join("cpq.db"))).await;
    let bench = Bench::over(store.expect("opened"));
    let engine = bench.process("a").engine;
    assert!(
        engine.submit(look_at(NUMBER)).now_or_never().is_none(),
        "the disk is not that fast"
    );
    let accepted = loop {
        match bench.runs().await.pop() {
            Some(run) => break run,
            None => tokio::task::yield_now().await,
        }
    };
    let ended = engine
        .wait(accepted.id, Duration::from_secs(60))
        .await
        .expect("known");
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
}
