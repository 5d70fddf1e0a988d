//! One opportunity at a time, many opportunities side by side, and the names of syncs.

use std::sync::Arc;

use cpq_domain::Code;
use cpq_domain::change::{ChangeKind, Hint};
use cpq_domain::id::CorrelationId;
use cpq_domain::run::{Effect, Run, RunState, Trigger};
use cpq_orchestrator::{Engine, Submission, Submitted};

use crate::bench::{Bench, LONG, look_at, run_of};
use crate::fakes::{Fate, Gate, NUMBER};
use crate::feeds::ID;

/// A sync that was asked for by this name stands before a gate with this call.
async fn held_at(bench: &Bench, call: &'static str, name: &str) -> (Engine, Arc<Gate>, Run) {
    let engine = bench.service("a");
    let gate = Arc::new(Gate::default());
    bench.land.script(call, [Fate::Held(gate.clone())]);
    let run = run_of(engine.submit(look_at(name)).await.expect("accepted"));
    gate.arrival().await;
    (engine, gate, run)
}

#[tokio::test(start_paused = true)]
async fn wishes_without_a_key_share_the_run_that_waits() {
    let bench = Bench::new().await;
    let (engine, gate, running) = held_at(&bench, "crm.read", NUMBER).await;
    let waiting = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    assert_eq!(
        (running.state, waiting.state),
        (RunState::Running, RunState::Queued)
    );
    for _ in 0..100 {
        let joined = engine.submit(look_at(NUMBER)).await.expect("joined");
        assert!(
            matches!(&joined, Submitted::Joined(run) if run.id == waiting.id),
            "{joined:?}"
        );
    }
    gate.open();
    engine.wait(waiting.id, LONG).await.expect("known");
    assert_eq!((bench.runs().await.len(), bench.land.calls("crm.read")), (2, 2));
}

/// A lane that is busy for a weekend: its journal has room for the run itself at the end.
#[tokio::test(start_paused = true)]
async fn a_run_that_waits_takes_any_number_of_hints_and_still_runs() {
    let bench = Bench::new().await;
    let (engine, gate, _) = held_at(&bench, "crm.read", NUMBER).await;
    let waiting = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let hint = Hint {
        source: "poll".into(),
        event: None,
        kind: ChangeKind::Changed,
        at: None,
        by: None,
        ours: false,
        fields: Vec::new(),
    };
    for _ in 0..250 {
        let mut told = look_at(NUMBER);
        told.hints = vec![hint.clone(); 50];
        let joined = engine.submit(told).await.expect("joined");
        assert!(matches!(&joined, Submitted::Joined(run) if run.id == waiting.id));
    }
    gate.open();
    let ended = engine.wait(waiting.id, LONG).await.expect("known");
    assert_eq!(ended.state, RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_lane_runs_one_at_a_time() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    let gate = Arc::new(Gate::default());
    bench.land.script("crm.read", [Fate::Held(gate.clone())]);
    let first = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let second = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    gate.arrival().await;
    // Time enough for many looks at the queue.
    let still = engine.wait(second.id, std::time::Duration::from_secs(20)).await;
    assert_eq!(still.expect("known").state, RunState::Queued);
    assert_eq!(bench.land.calls("crm.read"), 1);
    gate.open();
    let second = engine.wait(second.id, LONG).await.expect("known");
    let first = bench.run(first.id).await;
    assert_eq!(
        (first.state, second.state),
        (RunState::Succeeded, RunState::Succeeded)
    );
    assert!(first.updated_at <= second.updated_at);
}

#[tokio::test(start_paused = true)]
async fn lanes_run_side_by_side() {
    let bench = Bench::new().await;
    bench.land.add("OPP-1");
    let engine = bench.process("a").engine;
    let (here, there) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let held = [Fate::Held(here.clone()), Fate::Held(there.clone())];
    bench.land.script("crm.read", held);
    let first = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    here.arrival().await;
    let second = run_of(engine.submit(look_at("OPP-1")).await.expect("accepted"));
    there.arrival().await;
    // The later one ends first: nothing of it waits for the other.
    there.open();
    engine.wait(second.id, LONG).await.expect("known");
    assert_eq!(bench.run(first.id).await.state, RunState::Running);
    here.open();
    engine.wait(first.id, LONG).await.expect("known");
}

/// A look that can wait until tomorrow does not keep live wishes from sharing a run behind it.
#[tokio::test(start_paused = true)]
async fn live_wishes_share_a_run_beside_one_that_can_wait() {
    let bench = Bench::new().await;
    let (engine, gate, _) = held_at(&bench, "crm.read", NUMBER).await;
    let idle = Submission::of(look_at(NUMBER).lane, Trigger::Schedule);
    let idle = run_of(engine.submit(idle).await.expect("accepted"));
    let live = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    assert_ne!(idle.id, live.id);
    let joined = engine.submit(look_at(NUMBER)).await.expect("joined");
    assert!(
        matches!(&joined, Submitted::Joined(run) if run.id == live.id),
        "{joined:?}"
    );
    gate.open();
    engine.wait(live.id, LONG).await.expect("known");
}

/// Before the first link is stored nobody knows that both names mean one opportunity; whoever reads it finds out.
#[tokio::test(start_paused = true)]
async fn two_names_of_one_opportunity_are_one_lane() {
    let bench = Bench::new().await;
    let (engine, gate, first) = held_at(&bench, "cpq.write", NUMBER).await;
    let second = run_of(engine.submit(look_at(ID)).await.expect("accepted"));
    let still = engine.wait(second.id, std::time::Duration::from_secs(20)).await;
    let still = still.expect("known");
    assert_eq!(
        (still.state, still.lane.opportunity.as_str()),
        (RunState::Queued, NUMBER)
    );
    assert_eq!(
        (bench.land.calls("cpq.write"), bench.land.calls("crm.read")),
        (1, 2)
    );
    gate.open();
    let second = engine.wait(second.id, LONG).await.expect("known");
    assert_eq!(bench.run(first.id).await.state, RunState::Succeeded);
    let outcome = second.outcome.expect("it succeeded");
    assert_eq!((outcome.effect, outcome.created), (Effect::NoChange, false));
    assert_eq!(bench.land.facts().quotes, 1);
}

/// A first sync by the record's id makes no call for its lane, and whoever names the number waits behind it.
#[tokio::test(start_paused = true)]
async fn a_sync_by_id_goes_on_in_the_lane_of_the_number() {
    let bench = Bench::new().await;
    let (engine, gate, first) = held_at(&bench, "cpq.write", ID).await;
    let second = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    assert_eq!(second.state, RunState::Queued);
    gate.open();
    let second = engine.wait(second.id, LONG).await.expect("known");
    let first = bench.run(first.id).await;
    assert_eq!((first.attempt, first.lane), (1, second.lane));
    assert_eq!(
        (bench.land.calls("crm.read"), bench.land.calls("cpq.write")),
        (2, 1)
    );
}

/// More work than workers: what was claimed with the last free worker must not keep the others from going on.
#[tokio::test(start_paused = true)]
async fn a_full_house_works_its_queue_off() {
    let bench = Bench::new().await;
    let settings = cpq_orchestrator::EngineSettings {
        concurrency: 2,
        ..cpq_orchestrator::EngineSettings::named("a")
    };
    let engine = bench.process_with(settings, None).engine;
    engine.start();
    let mut runs = Vec::new();
    for number in (1..=20).map(|number| format!("OPP-{number}")) {
        bench.land.add(&number);
        runs.push(run_of(engine.submit(look_at(&number)).await.expect("accepted")));
    }
    for run in runs {
        let run = engine.wait(run.id, LONG).await.expect("known");
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    }
}

#[tokio::test(start_paused = true)]
async fn syncs_are_numbered_and_found_by_either_name() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let theirs = CorrelationId::new("order-17/a").expect("an id");
    let named = Submission {
        caller_correlation: Some(theirs.clone()),
        ..look_at(NUMBER)
    };
    for expected in ["csync-001", "csync-002"] {
        let run = run_of(engine.submit(named.clone()).await.expect("accepted"));
        assert_eq!(run.correlation.as_str(), expected);
        engine.wait(run.id, LONG).await.expect("known");
        for name in [&theirs, &run.correlation] {
            let history = engine.history(name).await.expect("known");
            assert_eq!((history.run.id, history.events.len() > 2), (run.id, true));
        }
        // Ids made within one millisecond have no order.
        bench.land.clock.advance(std::time::Duration::from_millis(1));
    }
    let unknown = CorrelationId::new("csync-099").expect("an id");
    let error = engine.history(&unknown).await.expect_err("unknown");
    assert_eq!(error.code, Code::CorrelationNotFound);
}

/// A caller with a correlation id of its own finds a run of its own under it.
#[tokio::test(start_paused = true)]
async fn a_named_wish_never_shares_a_run() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    let gate = Arc::new(Gate::default());
    bench.land.script("crm.read", [Fate::Held(gate.clone())]);
    engine.submit(look_at(NUMBER)).await.expect("accepted");
    let waiting = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let named = Submission {
        caller_correlation: Some(CorrelationId::new("mine").expect("an id")),
        ..look_at(NUMBER)
    };
    let own = run_of(engine.submit(named).await.expect("accepted"));
    assert_ne!(own.id, waiting.id);
    gate.open();
    engine.wait(own.id, LONG).await.expect("known");
    engine.wait(waiting.id, LONG).await.expect("known");
}
