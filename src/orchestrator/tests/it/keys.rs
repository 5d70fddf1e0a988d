//! A key is done at most once, whatever its sender repeats.

use cpq_domain::Code;
use cpq_domain::run::RunState;
use cpq_orchestrator::Submitted;
use std::sync::Arc;

use crate::bench::{Bench, LONG, keyed, look_at, run_of};
use crate::fakes::{Fate, Gate, NUMBER};

async fn replayed(engine: &cpq_orchestrator::Engine, key: &str) -> (u16, String) {
    match engine.submit(keyed(key, NUMBER)).await.expect("answered") {
        Submitted::Replayed { status, body } => (status, body),
        other => panic!("not replayed: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_used_key_gives_the_first_answer_to_the_byte() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let run = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    let ended = engine.wait(run.id, LONG).await.expect("known");
    bench.land.rep_wants(12);
    assert_eq!(replayed(&engine, "k-1").await, ended.answer());
    assert_eq!(replayed(&bench.process("b").engine, "k-1").await, ended.answer());
    assert_eq!(bench.runs().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_request_is_refused_and_tells_nothing() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let run = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    let other = || engine.submit(keyed("k-1", "OPP-4482-B"));
    let error = other().await.expect_err("refused");
    assert_eq!(error.code, Code::IdempotencyKeyReused);
    engine.wait(run.id, LONG).await.expect("known");
    let error = other().await.expect_err("refused");
    assert_eq!(error.code, Code::IdempotencyKeyReused);
    assert!(!format!("{error:?}").contains("Q-2026"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_at_work_names_its_run_and_whether_it_was_answered() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let gate = Arc::new(Gate::default());
    bench.land.script("crm.read", [Fate::Held(gate.clone())]);
    let first = keyed("k-1", NUMBER);
    let run = run_of(engine.submit(first.clone()).await.expect("accepted"));
    for expected in [false, true] {
        match engine.submit(first.clone()).await.expect("answered") {
            Submitted::Running { run: same, answered } => assert_eq!((same.id, answered), (run.id, expected)),
            other => panic!("not running: {other:?}"),
        }
        let key = first.keyed.as_ref().expect("a key");
        engine.answered_202(key).await.expect("noted");
    }
    gate.open();
    engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(replayed(&engine, "k-1").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_joins_a_waiting_run_is_answered_by_it() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    let gate = Arc::new(Gate::default());
    bench.land.script("crm.read", [Fate::Held(gate.clone())]);
    run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let waiting = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let joined = engine.submit(keyed("k-1", NUMBER)).await.expect("joined");
    assert!(
        matches!(&joined, Submitted::Joined(run) if run.id == waiting.id),
        "{joined:?}"
    );
    gate.open();
    let ended = engine.wait(waiting.id, LONG).await.expect("known");
    assert_eq!(ended.state, RunState::Succeeded);
    assert_eq!(replayed(&engine, "k-1").await, ended.answer());
}

#[tokio::test(start_paused = true)]
async fn a_definite_refusal_is_the_answer_of_its_key() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    bench.land.script("cpq.write", [Fate::Refused(Code::CpqRejected)]);
    let run = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    let ended = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(ended.state, RunState::Dead);
    let (status, body) = replayed(&engine, "k-1").await;
    assert_eq!((status, &body), (422, &ended.answer().1));
    assert!(body.contains("CPQ_REJECTED"), "{body}");
}

/// Its sender was told to try again, so the same key must be able to.
#[tokio::test(start_paused = true)]
async fn a_failure_of_ours_does_not_use_the_key_up() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    bench.land.script("crm.read", [Fate::Panics]);
    let run = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    let ended = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!((ended.state, ended.answer().0), (RunState::Dead, 500));
    let again = engine.submit(keyed("k-1", NUMBER)).await.expect("accepted");
    assert!(matches!(again, Submitted::Accepted(_)), "{again:?}");
    let ended = engine.wait(run_of(again).id, LONG).await.expect("known");
    assert_eq!(replayed(&engine, "k-1").await, ended.answer());
}
