//! A worker that lost its lease writes no history, and a run that kills its workers is put aside.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::error::Written;
use cpq_domain::event::EventKind;
use cpq_domain::limits::CRASHES_MAX;
use cpq_domain::run::{Run, RunState};
use cpq_orchestrator::{Engine, Submitted};

use crate::bench::{Bench, LONG, assert_gap_free, count, keyed, look_at, run_of};
use crate::fakes::{Fate, Gate, NUMBER};
use crate::scenes::{LEASE, come_to_rest};

/// The old worker stands in a call while another takes its run over and ends it; then the call returns.
#[tokio::test(start_paused = true)]
async fn a_worker_that_wakes_too_late_leaves_no_trace() {
    for call in ["crm.read", "cpq.find", "cpq.write", "crm.write"] {
        let bench = Bench::new().await;
        let old = bench.process("old").engine;
        let gate = Arc::new(Gate::default());
        bench.land.script(call, [Fate::Held(gate.clone())]);
        let run = run_of(old.submit(look_at(NUMBER)).await.expect("accepted"));
        gate.arrival().await;
        bench.land.clock.advance(LEASE);
        let new = bench.service("new");
        let ended = new.wait(run.id, LONG).await.expect("known");
        assert_eq!((ended.state, ended.attempt), (RunState::Succeeded, 2), "{call}");
        let (journal, facts) = (bench.journal(run.id).await, bench.land.facts());
        gate.open();
        // Waits until the old worker has given up.
        old.stop(LONG).await;
        assert_eq!(bench.journal(run.id).await, journal, "{call}");
        assert_eq!(bench.run(run.id).await, ended, "{call}");
        assert_eq!(bench.land.facts(), facts, "{call}");
        assert_eq!(count(&journal, EventKind::Requeued), 1);
        assert_gap_free(&journal);
        assert_eq!(bench.land.crm().effects.len(), 1, "{call}");
        come_to_rest(&bench).await;
    }
}

/// Signs of life keep a slow run with its worker, however long it takes.
#[tokio::test(start_paused = true)]
async fn a_slow_worker_that_lives_keeps_its_run() {
    let bench = Bench::new().await;
    let (slow, other) = (bench.service("slow"), bench.service("other"));
    let gate = Arc::new(Gate::default());
    bench.land.script("cpq.write", [Fate::Held(gate.clone())]);
    let run = run_of(slow.submit(look_at(NUMBER)).await.expect("accepted"));
    gate.arrival().await;
    let still = other.wait(run.id, Duration::from_secs(600)).await.expect("known");
    assert_eq!((still.state, still.attempt), (RunState::Running, 1));
    gate.open();
    let ended = other.wait(run.id, LONG).await.expect("known");
    assert_eq!((ended.state, ended.attempt), (RunState::Succeeded, 1));
}

/// A sync whose every call of this kind kills the process, until it is put aside.
async fn deadly(call: &'static str) -> (Bench, Engine, Run) {
    let bench = Bench::new().await;
    let gate = Arc::new(Gate::default());
    let deadly = || Fate::Held(gate.clone());
    bench.land.script(call, [deadly(), deadly(), deadly()]);
    for process in 1..=CRASHES_MAX {
        let victim = bench.process(&format!("victim-{process}"));
        victim.engine.start();
        if process == 1 {
            victim
                .engine
                .submit(keyed("k-1", NUMBER))
                .await
                .expect("accepted");
        }
        gate.arrival().await;
        victim.life.end();
        bench.land.clock.advance(LEASE);
    }
    let engine = bench.service("survivor");
    let run = bench.runs().await.remove(0);
    let run = engine.wait(run.id, LONG).await.expect("known");
    let told = run.error.as_ref().map(|report| report.code);
    assert_eq!((run.state, told), (RunState::Dead, Some(Code::DeadLettered)));
    assert_eq!(bench.land.calls(call), CRASHES_MAX as usize);
    (bench, engine, run)
}

fn left_behind(run: &Run) -> Written {
    run.error.as_ref().expect("a report").details.written
}

#[tokio::test(start_paused = true)]
async fn a_run_that_killed_three_processes_says_whether_it_may_have_written() {
    let (bench, _, run) = deadly("cpq.write").await;
    assert_eq!(left_behind(&run), Written::Unknown);
    // Whatever it wrote is found.
    assert_eq!(come_to_rest(&bench).await.quotes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_killed_three_processes_is_put_aside_unrun() {
    let (bench, engine, run) = deadly("crm.read").await;
    assert_eq!(left_behind(&run), Written::No);
    let journal = bench.journal(run.id).await;
    assert_eq!(
        (
            count(&journal, EventKind::Requeued),
            count(&journal, EventKind::Dead)
        ),
        (2, 1)
    );
    assert_gap_free(&journal);
    let repeated = engine.submit(keyed("k-1", NUMBER)).await.expect("answered");
    assert!(
        matches!(repeated, Submitted::Replayed { status: 422, .. }),
        "{repeated:?}"
    );
    // Its lane is free again.
    come_to_rest(&bench).await;
}
